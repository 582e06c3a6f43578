//! Files that other projects keep because somebody's program wrote them: each is read without a panic, and what was read
//! and is written is read again as the same.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use jiff::{Timestamp, tz::TimeZone};
use syncline_core::calendar::event::{Body, Event};

use super::super::{Compared, Origin, emit, lines::unfolded, raw::Raw, read};

/// The small corpus of this folder; where it is from stands in its README.
const SMALL: &str = "src/caldav/ics/tests/corpus";

/// The large one beside the project, and the fewest files that it has.
const LARGE: &str = "../../../shared/testdata/reliability";
const LARGE_LEAST: usize = 250;

/// The fewest events of it that are read.
const OPEN_LEAST: usize = 130;

fn files(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            files(&entry, all);
        } else if entry.extension().is_some_and(|end| end == "ics") {
            all.push(entry);
        }
    }
    all.sort();
}

fn read_as(text: &str) -> Vec<Event> {
    let home = TimeZone::get("Europe/Berlin").expect("a zone");
    read(text, Origin { resource: "/cal/one.ics", etag: None, home: &home }, &mut Compared::default())
}

/// Reads a file, writes what is open of it, and reads that; how many events there were of which body.
fn check(file: &Path, count: &mut BTreeMap<&'static str, usize>) {
    let bytes = std::fs::read(file).expect("a file");
    // One of the projects has the year put in when it runs.
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let text =
        (1..=9).fold(text, |text, year| text.replace(&format!("$now.year.{year}:"), &format!("{}", 2026 + year)));
    let all = read_as(&text);
    for event in &all {
        let body = match &event.body {
            Body::Open(_) => "open",
            Body::Private => "private",
            Body::Bare => "bare",
            Body::Unreadable(_) => "unreadable",
        };
        *count.entry(body).or_default() += 1;
        if let Body::Unreadable(why) = &event.body {
            println!("{}: {why}", file.file_name().unwrap_or_default().display());
        }
    }
    kept(file, &text, &all);
    let mut open: Vec<Event> = all.into_iter().filter(|event| event.content().is_some()).collect();
    // A file of many meetings is an export; at an address of a collection there is one, which is what is written.
    while let Some(first) = open.first().cloned() {
        let (one, rest): (Vec<Event>, Vec<Event>) = open.into_iter().partition(|event| event.uid == first.uid);
        open = rest;
        let one: Vec<Event> = one.into_iter().map(renamed).collect();
        let text = emit(&one, Timestamp::UNIX_EPOCH).expect("it is open");
        assert!(text.split("\r\n").all(|line| line.len() <= 75), "{}", file.display());
        let again: Vec<Event> = read_as(&text).into_iter().collect();
        let stamped = |mut event: Event| {
            // Without any time of its own it was stamped with that of the writing.
            event.modified = event.modified.filter(|at| *at != Timestamp::UNIX_EPOCH);
            event
        };
        assert_eq!(again.into_iter().map(stamped).collect::<Vec<_>>(), one, "{}\n{text}", file.display());
    }
}

/// A text that can be changed loses none of its lines by it.
fn kept(file: &Path, text: &str, events: &[Event]) {
    let Some(raw) = Raw::read(text) else { return };
    let again = raw.text();
    let lines = |text: &str| -> Vec<String> {
        let shown = |line: String| line.chars().filter(|char| !char.is_control() || *char == '\t').collect();
        let lines: Vec<String> = unfolded(text).into_iter().map(shown).collect();
        lines.into_iter().filter(|line| !is_frame(line)).collect()
    };
    assert_eq!(lines(&again), lines(text), "{}", file.display());
    assert_eq!(read_as(&again), events, "{}", file.display());
}

/// What begins and ends components may be written in other letters.
fn is_frame(line: &str) -> bool {
    let line = line.trim_start().to_ascii_uppercase();
    line.starts_with("BEGIN") || line.starts_with("END")
}

/// The event as it is called where its meeting is the only one.
fn renamed(mut event: Event) -> Event {
    let address = "/cal/one.ics";
    event.id.0 = event.series.as_ref().map_or(address.to_owned(), |_| format!("{address}#{}", event.rid));
    if let Some(series) = &mut event.series {
        series.0 = address.to_owned();
    }
    event
}

/// proves: C8
#[test]
fn the_small_corpus_is_read_and_written() {
    let mut all = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(SMALL), &mut all);
    let mut count = BTreeMap::new();
    all.iter().for_each(|file| check(file, &mut count));
    insta::assert_debug_snapshot!((all.len(), count), @r#"
    (
        25,
        {
            "open": 23,
            "unreadable": 8,
        },
    )
    "#);
}

/// proves: C8
#[test]
fn the_large_corpus_is_read_and_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(LARGE);
    if !folder.exists() {
        assert!(std::env::var_os("CI").is_none(), "{} is not there, and CI must have it", folder.display());
        println!("left out: {} is not there", folder.display());
        return;
    }
    let mut all = Vec::new();
    files(&folder, &mut all);
    assert!(all.len() >= LARGE_LEAST, "only {} files", all.len());
    let mut count = BTreeMap::new();
    all.iter().for_each(|file| check(file, &mut count));
    // Most of what cannot be read is there because it cannot be read, or has no start as a fragment.
    assert!(count["open"] > OPEN_LEAST, "{} files: {count:?}", all.len());
}
