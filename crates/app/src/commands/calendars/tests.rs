//! What people read about events that are logged and those that are not.

use jiff::Timestamp;
use serde_json::{Value, json};
use syncline_core::calendar::{
    eligible::{REASONS, Reason, SeriesRule, Verdict},
    event::EventType,
    identity::{MeetingKey, Rid, Uid},
    privacy::Privacy,
};
use syncline_engine::calendars::{CalendarPreview, PreviewedEvent};
use syncline_store::{MeetingState, MeetingView};

use super::show;

fn at(hour: i8) -> Option<Timestamp> {
    format!("2026-11-23T{hour:02}:00:00Z").parse().ok()
}

fn upcoming(title: Option<&str>, hour: i8, verdict: Verdict, if_new: Verdict) -> PreviewedEvent {
    PreviewedEvent {
        calendars: vec!["anna".to_owned()],
        title: title.map(str::to_owned),
        start: at(hour),
        verdict,
        if_new,
    }
}

fn view(title: Option<&str>, verdict: Verdict, privacy: Privacy) -> MeetingView {
    let is_logged = verdict == Verdict::Log;
    MeetingView {
        id: 7,
        key: MeetingKey { uid: Uid::read("u-1").expect("a name"), rid: Rid::Single },
        state: MeetingState {
            verdict,
            privacy,
            title: title.map(str::to_owned),
            start: at(9),
            first: false,
            shortened: std::collections::BTreeSet::new(),
            problem: None,
            rest_until: None,
            invited: std::collections::BTreeSet::new(),
            refused: None,
            carried: syncline_core::record::Fields::new(),
            untold: None,
            made: None,
            doubt: None,
        },
        record: is_logged.then(|| syncline_core::ids::RecordId::new("00U1")),
        people: vec!["ada@client.example".to_owned(), "bob@client.example".to_owned()],
    }
}

/// Every reason that there is can be asked for, and no other.
///
/// proves: C8
#[test]
fn every_reason_can_be_asked_for() {
    let all = [
        Reason::Private,
        Reason::Gone,
        Reason::Unreadable(String::new()),
        Reason::BeforeConnection,
        Reason::Type(EventType::Task),
        Reason::Blocked(String::new()),
        Reason::InternalOnly,
        Reason::NoContact,
        Reason::SeriesRule(SeriesRule::Window),
        Reason::Booked,
        Reason::RemovedInCrm,
    ];
    for reason in &all {
        // Whoever adds a reason comes by here.
        match reason {
            Reason::Private
            | Reason::Gone
            | Reason::Unreadable(_)
            | Reason::BeforeConnection
            | Reason::Type(_)
            | Reason::Blocked(_)
            | Reason::InternalOnly
            | Reason::NoContact
            | Reason::SeriesRule(_)
            | Reason::Booked
            | Reason::RemovedInCrm => {}
        }
    }
    assert_eq!(all.map(|reason| reason.code()), REASONS);
}

/// proves: C6, C8
#[test]
fn a_preview_counts_and_gives_reasons() {
    let out = |reason: Reason| Verdict::LeftOut(reason);
    let preview = CalendarPreview {
        events: vec![
            upcoming(Some("Demo"), 8, Verdict::Log, Verdict::Log),
            upcoming(Some("Call"), 9, out(Reason::BeforeConnection), Verdict::Log),
            upcoming(Some("Lunch"), 10, out(Reason::BeforeConnection), out(Reason::InternalOnly)),
            upcoming(None, 11, out(Reason::Private), out(Reason::Private)),
            upcoming(None, 12, out(Reason::NoContact), out(Reason::NoContact)),
        ],
        capped: true,
    };
    insta::assert_snapshot!(show::preview(&preview), @r"
    1 upcoming events would be logged, 4 not:
         2  The event was there before the calendar was connected. Choose a back-fill, or let changed events count, too.
         1  The event is private; nothing of it leaves the calendar. Make the event public in the calendar.
         1  No guest's address is that of a person in the CRM. Add the guest to the CRM with exactly this address.
    Would be logged:
      2026-11-23T08:00:00Z  Demo (anna)
    Would not:
      2026-11-23T09:00:00Z  Call (anna): The event was there before the calendar was connected.
      2026-11-23T10:00:00Z  Lunch (anna): The event was there before the calendar was connected.
      at an unknown time    (private) (anna): The event is private; nothing of it leaves the calendar.
      2026-11-23T12:00:00Z  (no title) (anna): No guest's address is that of a person in the CRM.

    2 of them would be logged if they were made from now on, 3 not:
         1  The event is private; nothing of it leaves the calendar. Make the event public in the calendar.
         1  Nobody from outside takes part. Invite the contact to the event; check the own domains if somebody is missing.
         1  No guest's address is that of a person in the CRM. Add the guest to the CRM with exactly this address.
    There are more than these; a preview reads no further.
    ");
    assert_eq!(
        show::preview(&CalendarPreview { events: Vec::new(), capped: false }),
        "0 upcoming events would be logged, 0 not.\n"
    );
}

/// What is private shows neither title nor time, whatever is kept of it.
///
/// proves: C8
#[test]
fn an_event_says_whether_it_is_logged_or_why_not() {
    let mut refused = view(Some("Demo"), Verdict::Log, Privacy::Eligible);
    refused.state.problem = Some("the CRM wants a company".to_owned());
    let shown = [
        refused,
        view(Some("Demo"), Verdict::Log, Privacy::Synced),
        view(Some("Demo"), Verdict::Log, Privacy::Frozen),
        view(Some("Demo"), Verdict::LeftOut(Reason::Private), Privacy::Ignored),
        view(None, Verdict::LeftOut(Reason::InternalOnly), Privacy::Eligible),
    ];
    insta::assert_snapshot!(shown.iter().map(show::event).collect::<String>(), @r"
    2026-11-23T09:00:00Z  Demo
        held back: the CRM wants a company
    2026-11-23T09:00:00Z  Demo
        logged, with ada@client.example, bob@client.example
    at an unknown time    (private)
        logged
        It is private by now, and nothing more is written.
    at an unknown time    (private)
        The event is private; nothing of it leaves the calendar.
        Make the event public in the calendar.
    2026-11-23T09:00:00Z  (no title)
        Nobody from outside takes part.
        Invite the contact to the event; check the own domains if somebody is missing.
    ");
    let told: Value = serde_json::from_str(&show::event_json(&shown[4])).expect("JSON");
    let known = json!({ "id": 7, "uid": "u-1", "occurrence": "single", "title": null, "start": "2026-11-23T09:00:00Z",
        "logged": false, "private": false, "record": null, "people": [], "problem": null, "reason": "internal_only",
        "sentence": "Nobody from outside takes part.",
        "next_step": "Invite the contact to the event; check the own domains if somebody is missing.",
        "shortened": [] });
    assert_eq!(told, known);
}
