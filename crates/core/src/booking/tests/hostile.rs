//! Whatever people, sources and CRMs put into text: nothing panics, nothing loops, one meeting comes of it.

use proptest::prelude::*;

use super::{story::*, world::*};
use crate::{
    booking::{
        message::{Answer, Attendee, Booking, Host, MessageKind},
        settings::{BookingSettings, CaseSettings, Language, OpportunitySettings, PersonMode},
        text::zone,
    },
    record::{Role, Slot, Std, Value},
};

/// Kinds of text that have broken programs before: control and bidirectional marks, combining heaps, code in several
/// tongues, numbers that are none, very long words.
fn nasty() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "",
        " ",
        "\0",
        "\r\n",
        "\u{feff}",
        "\u{202e}evil\u{202c}",
        "Z̷̨̛a̵̢͝l̸g̶o",
        "👩‍👩‍👧‍👦",
        "' OR 1=1 --",
        "<script>alert(1)</script>",
        "{{7*7}}",
        "${jndi:ldap://x}",
        "%s%n",
        "../../etc/passwd",
        "NaN",
        "-0",
        "1e999",
        "null",
        "İstanbul",
        "ﬁ",
        "ß@ß.ß",
        "a@b@c.example",
        "@",
        "a@.",
        "a@..b",
        "a@-.x",
        "\"a b\"@x.example",
        "a@xn--.example",
        "ada@ACME。example",
        "[STORNIERT] ",
        "[STORNIERT] [STORNIERT]x",
        "When: x\nWhen: x",
    ]);
    prop_oneof![
        known.prop_map(str::to_owned),
        ".{0,40}",
        "\\PC{0,60}",
        "[a-z]{300}",
        "[a-z]{1,5}@[a-zäöü]{1,5}\\.[a-z]{2,3}"
    ]
}

fn hostile_booking() -> impl Strategy<Value = Booking> {
    let texts = prop::collection::vec(nasty(), 14);
    (texts, any::<bool>(), -4_000_000_i64..4_000_000, -100_i64..10_000).prop_map(|(texts, some, start, length)| {
        let text = |index: usize| texts[index].clone();
        let maybe = |index: usize| some.then(|| text(index));
        let attendee = Attendee {
            email: text(0),
            first_name: maybe(1),
            last_name: maybe(2),
            full_name: maybe(3),
            phone: maybe(4),
            time_zone: maybe(5),
            language: None,
        };
        Booking {
            meeting_type_name: text(6),
            title: text(7),
            start: Some(time(start)),
            end: Some(time(start + length)),
            guests: vec![attendee.clone()],
            invitee: attendee,
            hosts: vec![Host { email: text(8), name: None, time_zone: maybe(9) }],
            location: maybe(10),
            notes: maybe(11),
            answers: vec![Answer { key: text(12), label: text(12), value: text(13) }],
            record_hint: maybe(12),
            cancel_url: maybe(13),
            ..Booking::default()
        }
    })
}

fn settings() -> impl Strategy<Value = BookingSettings> {
    (nasty(), nasty(), 0..3, 0..3, i32::MIN..i32::MAX).prop_map(|(prefix, answer, person, language, days)| {
        let mut settings = BookingSettings {
            person: [PersonMode::Contact, PersonMode::Lead, PersonMode::ContactFirst][person as usize],
            language: [Language::English, Language::German, Language::French][language as usize],
            company_answer: Some(answer.clone()),
            own_domains: vec![answer],
            case: Some(CaseSettings { status: "New".into(), origin: None }),
            opportunity: Some(OpportunitySettings { stage: "Open".into(), close_after_days: days, amount: None }),
            ..BookingSettings::default()
        };
        settings.cancel.prefix = prefix;
        settings
    })
}

proptest! {
    #![proptest_config(super::cases(100))]

    /// proves: B11
    #[test]
    fn hostile_text_is_only_text(content in hostile_booking(), edit in nasty(), settings in settings()) {
        let titled = !content.title.trim().is_empty();
        let messages = [
            message("a", 0, MessageKind::Booked, Some(content.clone())),
            message("a", 1, MessageKind::Cancelled { reason: Some(edit.clone()), by: Some(edit.clone()), rescheduled: false }, None),
            message("a", 2, MessageKind::NoShow { attendees: vec![(content.invitee.email.clone(), true)] }, None),
            message("a", 3, MessageKind::Booked, Some(content)),
        ];
        let mut desk = Desk::new(World::default(), settings);
        for known in 1..=messages.len() {
            desk.work(&messages[..known]);
            let again = desk.work(&messages[..known]);
            prop_assert_eq!(again.plan.steps, vec![]);
            if known == 1 {
                desk.edit(Slot::Meeting, Std::Description, Value::text(edit.clone()));
                desk.edit(Slot::Case, Std::Description, Value::Null);
                if titled && !edit.trim().is_empty() {
                    desk.edit(Slot::Meeting, Std::Subject, Value::text(edit.clone()));
                }
            }
        }
        prop_assert_eq!(desk.count(Role::Meeting), 1);
    }

    #[test]
    fn no_name_of_a_zone_hurts(name in nasty()) {
        // Unknown names fall back; what matters is that every one is answered.
        prop_assert!(zone(Some(&name)).to_offset(time(0)).seconds().abs() < 26 * 3600);
    }
}
