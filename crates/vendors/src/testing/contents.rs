//! What events are about, made up for calendars of any vendor.

use proptest::prelude::*;
use syncline_core::calendar::event::{Attendee, Availability, Content, Moment, Part, Party, Reply};

pub fn at(time: &str, zone: &str) -> Moment {
    Moment::At { at: time.parse().expect("a time"), zone: zone.to_owned() }
}

pub fn guest(email: &str) -> Attendee {
    Attendee { who: Party { email: email.to_owned(), name: None }, part: Part::Required, reply: Reply::Awaited }
}

/// Contents as calendars have them: texts without blanks around them, an end behind the start, each guest once.
pub fn any_content() -> impl Strategy<Value = Content> {
    let zones =
        prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC", "Australia/Lord_Howe"]);
    let text = || "[a-zA-Z<>&;,\"\\\\ /äß😀\n-]{0,30}".prop_map(|text| text.trim().to_owned());
    let line = || text().prop_map(|text| text.replace('\n', " "));
    let guests = prop::collection::btree_map("[a-e]", (0..3_u8, prop::bool::ANY), 0..4);
    let times = (zones, 0..20_000_i64, 1..3_000_i64, prop::bool::ANY);
    let rules = prop::sample::select(vec![
        vec![],
        vec![],
        vec!["RRULE:FREQ=WEEKLY;COUNT=4".to_owned()],
        vec!["EXDATE:20260401T120000Z".to_owned(), "RRULE:FREQ=DAILY;UNTIL=20260501T000000Z".to_owned()],
    ]);
    (line(), text(), line(), times, guests, prop::bool::ANY, rules).prop_map(
        |(summary, description, location, (zone, minutes, long, is_day), guests, is_free, recurrence)| {
            let first: jiff::Timestamp = "2026-03-15T00:00:00Z".parse().expect("a time");
            let moment = |minutes: i64| Moment::At {
                at: first + jiff::SignedDuration::from_mins(minutes),
                zone: zone.to_owned(),
            };
            let day = |days: i64| {
                let date: jiff::civil::Date = "2026-03-15".parse().expect("a day");
                Moment::Day(date.checked_add(jiff::Span::new().days(days)).expect("it is near"))
            };
            let (start, end) = match is_day {
                true => (day(minutes / 1_440), day(minutes / 1_440 + 1 + long / 1_440)),
                false => (moment(minutes), moment(minutes + long)),
            };
            let attendees = guests.into_iter().map(|(name, (part, is_named))| Attendee {
                who: Party { email: format!("{name}@acme.example"), name: is_named.then(|| format!("Name {name}")) },
                part: [Part::Required, Part::Optional, Part::Resource][usize::from(part)],
                reply: Reply::Awaited,
            });
            let availability = if is_free { Availability::Free } else { Availability::Busy };
            Content {
                summary,
                description,
                location,
                attendees: attendees.collect(),
                availability,
                recurrence,
                ..Content::new(start, end)
            }
        },
    )
}
