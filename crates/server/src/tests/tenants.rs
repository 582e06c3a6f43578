//! Several customers in one process: what one has much of is nothing to the others.

use std::{collections::BTreeMap, sync::Arc};

use jiff::SignedDuration;
use syncline_core::{
    Clock,
    ids::{ConnectionId, IntegrationId, WorkspaceId},
};
use syncline_engine::{Engine, Integration, Options, Setup};
use syncline_store::WorkerId;

use super::world::*;

/// Bookings of the quiet customer; the noisy one has a hundred times as many.
const QUIET: usize = 5;
const NOISY: usize = 100 * QUIET;

/// Bookings that a worker takes at a time.
const BATCH: usize = 20;

fn integration(workspace: &str) -> Integration {
    Integration {
        workspace: WorkspaceId::new(workspace),
        id: IntegrationId::new("meetings"),
        // There is no such connection, so that each booking ends at once and without a call.
        crm: ConnectionId::new("none"),
        default: Arc::default(),
        meeting_types: BTreeMap::new(),
    }
}

/// However long one customer's queue is, the others' bookings wait for one batch of it and no more.
///
/// proves: sec:S40, V4
#[tokio::test]
async fn one_customers_queue_is_not_before_anothers() {
    let world = World::new();
    for number in 0..NOISY {
        world.hook(HOOK, format!(r#"{{"id":"n{number}"}}"#)).await;
    }
    for number in 0..QUIET {
        world.hook(OTHER_HOOK, format!(r#"{{"id":"q{number}"}}"#)).await;
    }
    let parts = syncline_engine::World {
        store: world.store.clone(),
        http: world.http.clone(),
        clock: world.clock.clone(),
        entropy: Arc::new(Seeded::default()),
        rest: Arc::new(syncline_engine::Timer),
    };
    let setup = Setup { integrations: vec![integration("main"), integration("other")], ..Setup::default() };
    let engine = Engine::new(parts, setup, Options { batch: BATCH, ..Options::default() });
    let handled = engine.turn(&WorkerId("w".to_owned())).await.unwrap();
    assert_eq!(handled, BATCH + QUIET, "one turn is one batch of each");
    let noisy = world.store.counts(&ws()).await.unwrap();
    let quiet = world.store.counts(&WorkspaceId::new("other")).await.unwrap();
    assert_eq!((noisy.parked, quiet.parked, quiet.due + quiet.inbox_new), (BATCH as u64, QUIET as u64, 0));
}

/// What customers take turns by is named within each of them: the same name elsewhere is another thing.
///
/// proves: sec:S40
#[tokio::test]
async fn leases_and_cursors_are_each_customers_own() {
    let world = World::new();
    let (now, other) = (world.clock.now(), WorkspaceId::new("other"));
    let until = now + SignedDuration::from_mins(1);
    for (workspace, holder) in [(ws(), "a"), (other.clone(), "b")] {
        let taken =
            world.store.acquire_lease(&workspace, "refresh:crm", &WorkerId(holder.to_owned()), now, until).await;
        assert_eq!(taken.unwrap(), Some(1), "nobody holds it here");
    }
    world.store.set_cursor(&ws(), "c", "1").await.unwrap();
    assert_eq!(world.store.cursor(&other, "c").await.unwrap(), None);
}
