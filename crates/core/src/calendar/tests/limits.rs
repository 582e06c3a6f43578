//! Texts without end.

use proptest::prelude::*;

use super::cases;
use crate::calendar::{
    event::{Attendee, Content, Moment, Part, Party, Reply, Shortened},
    limits::{ATTENDEES_MAX, NAME_CHARS_MAX, SUMMARY_CHARS_MAX, shorten},
};

fn content() -> Content {
    let start = Moment::utc("2026-03-16T08:00:00Z".parse().unwrap());
    Content::new(start.clone(), start)
}

fn attendee(number: usize) -> Attendee {
    let who = Party { email: format!("a{number}@example.org"), name: Some("n".repeat(300)) };
    Attendee { who, part: Part::Required, reply: Reply::Awaited }
}

#[test]
fn what_is_too_long_is_shortened_and_told() {
    let mut long = content();
    long.summary = "👩‍👩‍👧‍👦".repeat(400);
    long.attendees = (0..ATTENDEES_MAX + 10).map(attendee).collect();
    let mut same = long.clone();
    same.attendees.reverse();
    shorten(&mut long);
    assert_eq!(long.shortened, [Shortened::Summary, Shortened::Name, Shortened::Attendees].into());
    shorten(&mut same);
    assert_eq!(long, same, "who is kept does not hang on the order of the list");
    assert!(!long.attendees_whole);
    // Whole families only.
    assert_eq!(long.summary.chars().count(), SUMMARY_CHARS_MAX / 7 * 7);
    assert!(long.attendees.iter().all(|one| one.who.name.as_ref().unwrap().len() == NAME_CHARS_MAX));
    let before = long.clone();
    shorten(&mut long);
    assert_eq!(long, before, "what was shortened stays known as that");
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn what_fits_is_left_alone(text in "\\PC{0,60}") {
        let mut short = Content { summary: text.clone(), description: text, ..content() };
        let before = short.clone();
        shorten(&mut short);
        prop_assert_eq!(short, before);
    }
}

#[test]
fn addresses_are_read_as_calendars_write_them() {
    let read = |text: &str, name| Party::read(text, name).map(|who| (who.email, who.name));
    assert_eq!(read("MAILTO:Ada@Example.org", None), Some(("ada@example.org".into(), None)));
    assert_eq!(read("ada@example.org", Some(" Ada  L. ")), Some(("ada@example.org".into(), Some("Ada L.".into()))));
    // An address in the place of a name is no name.
    assert_eq!(read("ada@example.org", Some("Ada@example.org")), Some(("ada@example.org".into(), None)));
    assert_eq!(read("urn:uuid:5", None), None);
    assert_eq!(read("", Some("Ada")), None);
    assert_eq!(read("mailto:é", None), None);
}
