//! What must hold, on both databases.

mod alerts;
mod calendars;
mod durability;
mod flow;
mod leases;
mod model;
mod person;
mod polls;
mod raw;
mod reading;
mod records;
mod reread;
mod settings;
mod shared;
mod statements;
mod templates;
mod vault;
mod walls;
mod watches;
pub(crate) mod world;

#[path = "../../benches/booking/rounds.rs"]
mod rounds;

#[path = "../../benches/booking/records.rs"]
mod records_rounds;

/// The benchmark's way of records in step, run small.
#[tokio::test]
async fn the_benchmark_of_records_runs() {
    for on in [world::On::Sqlite, world::On::Postgres] {
        let world = world::World::new(on).await;
        let took = records_rounds::run(&world.store().await, 2_500).await;
        assert_eq!((took.rows, took.links), (5_000, 2_500));
        // Nothing is asked of the speed here: other tests run beside it.
        let laps = [took.read, took.adopt, took.again].map(|lap| lap.wall + std::time::Duration::from_micros(lap.cpu));
        assert!(laps.into_iter().chain([took.idle, took.change, took.finish]).all(|time| !time.is_zero()));
    }
}

/// The benchmark's way of a booking, run small.
#[tokio::test]
async fn the_benchmark_runs() {
    for on in [world::On::Sqlite, world::On::Postgres] {
        let world = world::World::new(on).await;
        let options =
            crate::StoreOptions { entropy: std::sync::Arc::new(rounds::Counting(1.into())), ..world::options() };
        let store = world.store_with(options).await.unwrap();
        for round in 0..2 {
            rounds::round(&store, round).await;
        }
    }
}
