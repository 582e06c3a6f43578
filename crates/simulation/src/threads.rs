//! Many seeds on all cores.

use std::sync::atomic::{AtomicU64, Ordering};

/// Runs seeds; each keeps to one thread.
pub fn on_threads(from: u64, seeds: u64, threads: usize, run: &(impl Fn(u64) + Sync)) {
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= seeds {
                        return;
                    }
                    run(from + number);
                }
            });
        }
    });
}
