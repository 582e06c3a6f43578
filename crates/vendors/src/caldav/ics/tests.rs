//! iCalendar read and written.

mod changes;
mod corpus;
mod read;
mod timezones;

use jiff::tz::TimeZone;
use syncline_core::calendar::event::{Content, Event};

use super::{Compared, Origin, read as read_text};

/// The events of a text in a calendar of this zone.
fn events_in(text: &str, home: &str) -> Vec<Event> {
    let home = TimeZone::get(home).expect("a zone");
    let origin = Origin { resource: "/cal/one.ics", etag: Some("\"1\""), home: &home };
    read_text(text, origin, &mut Compared::default())
}

fn events(text: &str) -> Vec<Event> {
    events_in(text, "Europe/Berlin")
}

/// A calendar of one event with these lines.
fn calendar(lines: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:one@example.org\n{}\nEND:VEVENT\nEND:VCALENDAR\n",
        lines.trim()
    )
}

fn event(lines: &str) -> Event {
    let mut all = events(&calendar(lines));
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

fn content(lines: &str) -> Content {
    let event = event(lines);
    event.content().unwrap_or_else(|| panic!("{event:#?}")).clone()
}
