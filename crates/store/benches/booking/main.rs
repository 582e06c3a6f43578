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

use self::records::cpu_micros;

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
    let took = records::run(&store, people).await;
    let lap = |what: &str, count: usize, lap: records::Lap| {
        let (count, seconds) = (count.max(1) as f64, lap.wall.as_secs_f64());
        println!("{what}: {:.0} a second, {:.1} µs of CPU each", count / seconds, lap.cpu as f64 / count);
    };
    lap(&format!("{} rows read", took.rows), took.rows, took.read);
    lap(&format!("{} links made, merge and journal included", took.links), took.links, took.adopt);
    let both = records::Lap { wall: took.read.wall + took.adopt.wall, cpu: took.read.cpu + took.adopt.cpu };
    lap("both together, for each link", took.links, both);
    println!("nothing due: {:.2} ms; one change: {:.2} ms", millis(took.idle), millis(took.change));
    lap("one side read again", people, took.again);
    println!("looking what was missing: {:.0} ms", millis(took.finish));
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
