//! The same collection read by us and by vdirsyncer 0.21.0, each in a process of its own and in turn, from one server in
//! this process. vdirsyncer leaves the events in a folder, in memory where the system has one there.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use syncline_sandbox::serve;
use tokio_util::sync::CancellationToken;

use super::{
    collection::{Collection, PATH, Tally},
    events, reading, row,
};

/// How often a process is asked how much memory it takes.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What one run of a program came to.
#[derive(Clone, Copy)]
struct Run {
    /// From its start to its end.
    seconds: f64,
    /// The same without what starting takes.
    reading: f64,
    peak_kb: usize,
    tally: Tally,
}

/// Both programs' runs: everything, then nothing new.
#[derive(Default)]
struct Runs {
    first: Vec<Run>,
    idle: Vec<Run>,
}

/// Reads the collection so many times with either program; the times are medians.
pub fn beside(size: usize, times: usize) {
    let bench = Bench::start(size);
    let Some(python) = python() else {
        let lacking = "vdirsyncer is not there: run crates/sandbox/clients/install";
        assert!(std::env::var_os("CI").is_none() && times == 1, "{lacking}");
        println!("Left out: {lacking}.");
        return;
    };
    let start = median((0..3 * times).map(|_| started(&python)));
    let (mut ours, mut theirs) = (Runs::default(), Runs::default());
    for _ in 0..times {
        let folder = Folder::new();
        theirs.first.push(bench.theirs(&python, &folder, true, start));
        ours.first.push(bench.ours(&folder, events::found(size)));
        for _ in 0..3 {
            theirs.idle.push(bench.theirs(&python, &folder, false, start));
            ours.idle.push(bench.ours(&folder, 0));
        }
        let files = std::fs::read_dir(folder.0.join("files")).expect("a folder").count();
        assert_eq!(files, size, "vdirsyncer has them all");
    }
    println!("{size} events, {:.1} MB in one answer; vdirsyncer's start takes {start:.3} s", mb(bench.site.bytes()));
    shown("first reading", &ours.first, &theirs.first, "3 requests, 3 times as fast");
    shown("nothing changed", &ours.idle, &theirs.idle, "1 request, 1 kB, 30 times as fast");
}

fn shown(what: &str, ours: &[Run], theirs: &[Run], goal: &str) {
    let requests = |runs: &[Run]| runs.iter().map(|run| run.tally.requests).max().unwrap_or_default();
    let bytes = |runs: &[Run]| runs.iter().map(|run| run.tally.bytes).max().unwrap_or_default();
    let of = |runs: &[Run], value: fn(&Run) -> f64| median(runs.iter().map(value));
    let peak = |runs: &[Run]| of(runs, |run| f64::from(u32::try_from(run.peak_kb).unwrap_or(u32::MAX)) / 1024.0);
    let pair = |value: fn(&Run) -> f64| {
        let (ours, theirs) = (of(ours, value), of(theirs, value));
        format!("{ours:.4} / {theirs:.3} s = 1/{:.1}", theirs / ours)
    };
    row(&format!("{what}: requests, ours / vdirsyncer's"), format!("{} / {}", requests(ours), requests(theirs)), goal);
    row(&format!("{what}: bytes"), format!("{} / {}", bytes(ours), bytes(theirs)), "");
    row(&format!("{what}: whole process"), pair(|run| run.seconds), "");
    row(&format!("{what}: without the start of the process"), pair(|run| run.reading), "");
    let busy = |runs: &[Run]| of(runs, |run| run.tally.busy.as_secs_f64() * 1e3);
    row(&format!("{what}: of it answering"), format!("{:.2} / {:.2} ms", busy(ours), busy(theirs)), "");
    row(&format!("{what}: peak, resident"), format!("{:.1} / {:.1} MB", peak(ours), peak(theirs)), "");
}

/// The server, and where it is.
struct Bench {
    site: Arc<Collection>,
    base: String,
    /// Serves as long as it is there.
    _runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn start(size: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let site = Arc::new(Collection::new(size));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let base = format!("http://{}/", listener.local_addr().expect("a bound port has an address"));
        runtime.spawn(serve(listener, Arc::clone(&site), CancellationToken::new()));
        Self { site, base, _runtime: runtime }
    }

    fn ours(&self, folder: &Folder, events: usize) -> Run {
        let cursor = folder.0.join("cursor");
        let task = reading::Task { vendor: "caldav", base: &self.base, bearer: "user:secret", cursor: &cursor };
        self.site.take();
        let (seconds, _, told) = watched(task.command());
        let said: reading::Said = serde_json::from_str(&told).expect("it says what it read");
        let tally = self.site.take();
        assert_eq!((said.events, said.calls as usize), (events, tally.requests));
        Run { seconds, reading: said.seconds, peak_kb: said.peak_kb, tally }
    }

    fn theirs(&self, python: &Path, folder: &Folder, first: bool, start: f64) -> Run {
        let config = folder.0.join("config");
        if first {
            std::fs::write(&config, self.config(&folder.0)).expect("a file");
            watched(vdirsyncer(python, &config, "discover"));
        }
        self.site.take();
        let (seconds, peak_kb, _) = watched(vdirsyncer(python, &config, "sync"));
        Run { seconds, reading: (seconds - start).max(f64::EPSILON), peak_kb, tally: self.site.take() }
    }

    fn config(&self, folder: &Path) -> String {
        let folder = folder.display();
        format!(
            "[general]\nstatus_path = \"{folder}/status/\"\n\
             [pair both]\na = \"near\"\nb = \"far\"\ncollections = null\n\
             [storage near]\ntype = \"filesystem\"\npath = \"{folder}/files/\"\nfileext = \".ics\"\n\
             [storage far]\ntype = \"caldav\"\nurl = \"{}{}\"\nusername = \"user\"\npassword = \"secret\"\nread_only = true\n",
            self.base.trim_end_matches('/'),
            PATH
        )
    }
}

fn vdirsyncer(python: &Path, config: &Path, what: &str) -> Command {
    let mut command = Command::new(python);
    command.arg("-m").arg("vdirsyncer").arg("--config").arg(config).arg(what);
    command
}

/// The Python into which the clients are installed, where vdirsyncer is among them.
fn python() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| here.join("../../target"), PathBuf::from);
    let bin = target.join("clients/python/bin");
    bin.join("vdirsyncer").exists().then(|| bin.join("python"))
}

/// How long it takes until vdirsyncer only says which one it is.
fn started(python: &Path) -> f64 {
    let mut command = Command::new(python);
    command.args(["-c", "import vdirsyncer.cli.tasks, vdirsyncer.storage.dav, vdirsyncer.storage.filesystem"]);
    watched(command).0
}

/// Runs a command to its good end: seconds, the most memory it was seen to take, and what it said.
pub fn watched(mut command: Command) -> (f64, usize, String) {
    let began = Instant::now();
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let (ended, wait) = mpsc::channel::<()>();
    let id = child.id().to_string();
    let looking = std::thread::spawn(move || {
        let mut peak = 0;
        while let Err(mpsc::RecvTimeoutError::Timeout) = wait.recv_timeout(LOOK_EVERY) {
            peak = super::peak_kb(&id).unwrap_or_default().max(peak);
        }
        peak
    });
    let (said, wrong) = heard(&mut child);
    let status = child.wait().expect("it ends");
    let seconds = began.elapsed().as_secs_f64();
    drop(ended);
    assert!(status.success(), "{command:?}: {said}{wrong}");
    (seconds, looking.join().expect("nothing there panics"), said)
}

fn heard(child: &mut Child) -> (String, String) {
    let (mut said, mut wrong) = (String::new(), String::new());
    let (mut out, mut err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    std::thread::scope(|scope| {
        scope.spawn(|| err.read_to_string(&mut wrong).expect("text"));
        out.read_to_string(&mut said).expect("text");
    });
    (said, wrong)
}

/// A folder that goes with its value.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = base.join(format!("syncline-calendars-{}", std::process::id()));
        for part in ["files", "status"] {
            std::fs::create_dir_all(folder.join(part)).expect("a folder");
        }
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn mb(bytes: usize) -> f64 {
    f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1e6
}
