//! What the store costs per booking. `cargo bench -p syncline-store -- [bookings] [url]`; SQLite in a temporary folder
//! where no URL is given.

mod rounds;

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Instant,
};

use syncline_store::{MasterKey, Store, StoreOptions};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let bookings: usize = args.first().and_then(|arg| arg.parse().ok()).unwrap_or(20_000);
    let folder = std::env::temp_dir().join(format!("syncline-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
    let url = args.get(1).cloned().unwrap_or_else(|| format!("sqlite:{}", folder.join("bench.db").display()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(run(&url, bookings));
    std::fs::remove_dir_all(&folder).expect("the temporary folder can be removed");
}

async fn run(url: &str, bookings: usize) {
    let key: Vec<u8> = (0..32).collect();
    let options = StoreOptions {
        key: MasterKey::new(&key).expect("the key is long enough"),
        old_keys: Vec::new(),
        entropy: Arc::new(rounds::Counting(AtomicU64::new(1))),
        pool: 8,
    };
    let store = Store::open(url, options).await.expect("the store opens");
    let rounds = (bookings / rounds::BATCH).max(1);
    let (began, cpu) = (Instant::now(), cpu_micros());
    for round in 0..rounds {
        rounds::round(&store, round).await;
    }
    let each = |micros: f64| micros / (rounds * rounds::BATCH) as f64;
    let wall = each(began.elapsed().as_micros() as f64);
    println!(
        "{} bookings: {wall:.1} µs each, of which CPU {:.1} µs",
        rounds * rounds::BATCH,
        each((cpu_micros() - cpu) as f64)
    );
    store.close().await;
}

/// This process' CPU time so far, its waiting excluded; 0 where the system does not tell.
fn cpu_micros() -> u64 {
    // Fields 14 and 15 of proc(5)'s stat: user and system time, in ticks of 10 ms.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10_000
}
