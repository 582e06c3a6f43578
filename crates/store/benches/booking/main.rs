//! What the store costs per booking, `cargo bench -p syncline-store -- [bookings] [url]`, and per record in step,
//! `cargo bench -p syncline-store -- records [people] [url]`; SQLite in a temporary folder where no URL is given.

mod records;
mod rounds;

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use syncline_store::{MasterKey, Store, StoreOptions};

fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let of_records = args.first().is_some_and(|arg| arg == "records");
    if of_records {
        args.remove(0);
    }
    let count = args.first().and_then(|arg| arg.parse().ok());
    let folder = std::env::temp_dir().join(format!("syncline-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
    let file = folder.join("bench.db");
    let url = args.get(1).cloned().unwrap_or_else(|| format!("sqlite:{}", file.display()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    if of_records {
        runtime.block_on(run_records(&url, &file, count.unwrap_or(100_000)));
    } else {
        runtime.block_on(run(&url, count.unwrap_or(20_000)));
    }
    std::fs::remove_dir_all(&folder).expect("the temporary folder can be removed");
}

async fn open(url: &str) -> Store {
    let key: Vec<u8> = (0..32).collect();
    let options = StoreOptions {
        key: MasterKey::new(&key).expect("the key is long enough"),
        old_keys: Vec::new(),
        entropy: Arc::new(rounds::Counting(AtomicU64::new(1))),
        pool: 8,
    };
    Store::open(url, options).await.expect("the store opens")
}

async fn run_records(url: &str, file: &Path, people: usize) {
    let store = open(url).await;
    let cpu = cpu_micros();
    let took = records::run(&store, people).await;
    let cpu = (cpu_micros() - cpu) as f64;
    let per_second = |count: usize, time: Duration| count as f64 / time.as_secs_f64();
    println!("{} rows read: {:.0} a second", took.rows, per_second(took.rows, took.read));
    println!("{} links adopted: {:.0} a second", took.links, per_second(took.links, took.adopt));
    println!("nothing due: {:.2} ms; one change: {:.2} ms", millis(took.idle), millis(took.change));
    let again = per_second(people, took.again);
    println!("one side read again: {again:.0} rows a second, then {:.0} ms", millis(took.finish));
    println!("CPU: {:.1} µs a link, reading included", cpu / took.links.max(1) as f64);
    store.close().await;
    if let Ok(size) = std::fs::metadata(file) {
        println!("{} bytes a link with both records, indexes included", size.len() / took.links.max(1) as u64);
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

async fn run(url: &str, bookings: usize) {
    let store = open(url).await;
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
