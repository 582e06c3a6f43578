//! Where a run takes place: a runtime of its own, in which time stands still while anybody has something to do, and an empty
//! database.

use std::{cell::Cell, sync::Arc};

use syncline_store::{MasterKey, Store, StoreOptions};

use crate::dice::{Dice, Seeded};

thread_local! {
    /// The database of this thread's last run, which the next one empties: to make one costs more than many a run.
    static DATABASE: Cell<Option<Store>> = const { Cell::new(None) };
}

/// Plays a run to its end.
pub fn play<T, Run: Future<Output = T>>(seed: u64, run: impl FnOnce(Store) -> Run) -> T {
    let store = database(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without input and output needs nothing from the system");
    let came_to = runtime.block_on(run(store.clone()));
    // Whatever still waits in it goes before anybody else uses the database.
    drop(runtime);
    DATABASE.set(Some(store));
    came_to
}

/// An empty database.
fn database(seed: u64) -> Store {
    let entropy = Arc::new(Seeded::new(Dice::of(seed, "store", 0)));
    let key = MasterKey::new(b"0123456789abcdef0123456789abcdef").expect("32 bytes make a key");
    let options = StoreOptions { key, old_keys: Vec::new(), entropy: entropy.clone(), pool: 1 };
    let renewed = DATABASE.take().and_then(|former| former.renewed(entropy));
    renewed
        .unwrap_or_else(|| Store::open_inline("sqlite::memory:", options))
        .expect("a database in memory can always be made")
}
