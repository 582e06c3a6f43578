//! What must hold, on both databases.

mod durability;
mod flow;
mod leases;
mod model;
mod polls;
mod reading;
mod shared;
mod statements;
mod templates;
mod vault;
pub(crate) mod world;

#[path = "../../benches/booking/rounds.rs"]
mod rounds;

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
