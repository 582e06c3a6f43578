//! Calendars: events as iCalendar writes them, with whatever rules a stranger's invitation has.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use syncline_core::calendar::{
    event::Event,
    recur::{OCCURRENCES_MAX, Window, expand},
};
use syncline_vendors::caldav::ics::{Compared, Origin, emit, read};

use crate::world::now;

/// How far events are looked into.
const AHEAD: SignedDuration = SignedDuration::from_hours(400 * 24);

fn events_of(text: &str) -> Vec<Event> {
    let home = TimeZone::get("Europe/Berlin").expect("a zone");
    read(text, Origin { resource: "/cal/one.ics", etag: None, home: &home }, &mut Compared::default())
}

/// Any text is read as events, the same way twice; their occurrences are bounded and within what was asked for; and an event
/// that is written can be read again.
pub fn events(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let all = events_of(&text);
    assert_eq!(all, events_of(&text), "the same text, read twice");
    let window = Window { from: now(), to: now().saturating_add(AHEAD).unwrap_or(Timestamp::MAX) };
    for event in &all {
        let Some(content) = event.content() else { continue };
        if let Ok(expansion) = expand(content, &BTreeMap::new(), window, &TimeZone::UTC) {
            assert!(expansion.occurrences.len() <= OCCURRENCES_MAX, "{} occurrences", expansion.occurrences.len());
        }
        let written = emit(std::slice::from_ref(event), now()).expect("its content is known");
        assert!(events_of(&written).iter().any(|again| again.content().is_some()), "what was written cannot be read");
    }
}
