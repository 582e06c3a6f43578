//! Which meeting a copy is of.

use jiff::{civil::date, tz::TimeZone};
use proptest::prelude::*;

use super::{
    cases,
    world::{PEOPLE, event, meeting},
};
use crate::{
    calendar::{
        event::{Event, EventId, Moment},
        identity::{MeetingKey, Rid, UID_CHARS_MAX, Uid},
    },
    ids::{SharedKey, WorkspaceId},
};

/// A global object id with the date of an occurrence and what it carries.
fn global(date: &str, payload: &[u8]) -> String {
    let head = "040000008200E00074C5B7101A82E008";
    let rest = "0102030405060708000000000000000010000000";
    format!("{head}{date}{rest}{}", hex::encode(payload))
}

fn uid(text: &str) -> String {
    Uid::read(text).unwrap().as_str().to_owned()
}

/// proves: C4, C9
#[test]
fn all_occurrences_of_a_global_object_are_one_series() {
    let payload = [7; 16];
    let (first, second) = (global("07EA0314", &payload), global("07EA0315", &payload));
    assert_ne!(first, second);
    assert_eq!(uid(&first), uid(&second));
    assert_eq!(uid(&first.to_lowercase()), uid(&second));
    assert_eq!(uid(&first), uid(&global("00000000", &payload)));
    assert_ne!(uid(&first), uid(&global("07EA0314", &[8; 16])));
}

/// An invitation from another calendar keeps its name inside a global object id.
///
/// proves: C4, C9
#[test]
fn a_carried_name_is_unwrapped() {
    let mut payload = b"vCal-Uid\x01\0\0\0".to_vec();
    payload.extend(b"5fk2-ada@calendar.example\0");
    assert_eq!(uid(&global("00000000", &payload)), "5fk2-ada@calendar.example");
    // One that carries nothing is a name like any other.
    let empty = global("07EA0314", b"vCal-Uid\x01\0\0\0\0");
    assert_eq!(uid(&empty), uid(&global("00000000", b"vCal-Uid\x01\0\0\0\0")));
}

/// proves: C9
#[test]
fn the_keys_of_a_series_and_its_occurrences_differ() {
    let workspace = WorkspaceId::from("w");
    let key = |uid: &str, rid| MeetingKey { uid: Uid::read(uid).unwrap(), rid }.external(&workspace);
    let at = Rid::At("2026-03-16T08:00:00Z".parse().unwrap());
    assert_eq!(key(" a@example.org ", at), key("a@example.org", at));
    assert_ne!(key("a", at), key("a", Rid::Single));
    assert_ne!(key("a", at), key("b", at));
    assert_ne!(key("a", at), MeetingKey { uid: Uid::read("a").unwrap(), rid: at }.external(&WorkspaceId::from("v")));
}

proptest! {
    #![proptest_config(cases(300))]

    /// proves: C9
    #[test]
    fn any_text_is_a_name_of_bounded_length(text in "\\PC{0,400}|(04[0-9a-fA-F]{60,200})") {
        let read = Uid::read(&text);
        prop_assert_eq!(read.is_none(), text.trim().is_empty());
        if let Some(uid) = read {
            prop_assert!(uid.as_str().chars().count() <= UID_CHARS_MAX);
            prop_assert_eq!(Uid::read(uid.as_str()), Some(uid));
        }
    }

    /// proves: C9
    #[test]
    fn an_occurrence_is_called_the_same_when_it_is_read_again(second in 0i64..4_000_000_000, day in 0i64..40_000) {
        let at = jiff::Timestamp::from_second(second).unwrap();
        let on = date(1970, 1, 1).checked_add(jiff::Span::new().days(day)).unwrap();
        for rid in [Rid::Single, Rid::At(at), Rid::On(on)] {
            prop_assert_eq!(rid.to_string().parse::<Rid>().unwrap(), rid);
        }
        // The same instant is the same occurrence, whatever zone it is told in, to the second.
        let told = Moment::At { at: at + jiff::SignedDuration::from_millis(400), zone: "Asia/Tokyo".into() };
        prop_assert_eq!(Rid::of(&told, &TimeZone::UTC), Rid::of(&Moment::utc(at), &TimeZone::UTC));
    }
}

/// Scheduling tools tell either name; an occurrence goes by its series.
///
/// proves: B26
#[test]
fn a_booking_may_tell_either_name_of_a_meeting() {
    let single = event(meeting(&[PEOPLE[1]]));
    let occurrence = Event { id: EventId("e1_20260316".to_owned()), series: Some(single.id.clone()), ..single.clone() };
    let shared = Uid::read("u1@calendar.example").unwrap();
    for event in [&single, &occurrence] {
        let told: Vec<String> =
            shared.told_as(event).map(|key| Uid::told_in(&key).expect("a name").to_owned()).collect();
        assert_eq!(told, ["u1@calendar.example", single.id.0.as_str()]);
    }
    assert_eq!(Uid::told_in(&SharedKey::new("person:ada")), None);
}
