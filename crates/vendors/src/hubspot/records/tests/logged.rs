//! A meeting that a person logged by hand comes back with all that a calendar needs of it.

use syncline_connect::{Records, Wanted};
use syncline_core::{
    ids::RecordId,
    record::{Role, Std, Value},
};

use super::{
    super::id,
    lab::{Lab, text, time},
};
use crate::hubspot::HubSpot;

const FIELDS: [Std; 9] = [
    Std::Key,
    Std::Subject,
    Std::Description,
    Std::Location,
    Std::Start,
    Std::End,
    Std::Owner,
    Std::Who,
    Std::CreatedAt,
];

#[test]
fn a_logged_meeting_is_told_whole() {
    let lab = Lab::new();
    let hub = &lab.account;
    let [ada, bob] =
        ["ada@one.example", "bob@one.example"].map(|email| hub.create("contacts", &[("email", email)]).unwrap());
    let meeting = [
        ("hs_timestamp", "2026-05-07T10:00:00Z"),
        ("hs_meeting_start_time", "2026-05-07T10:00:00Z"),
        ("hs_meeting_end_time", "2026-05-07T10:45:00Z"),
        ("hs_meeting_title", "Review"),
        ("hs_meeting_body", "<p>Plans &amp; prices</p><ul><li>one</li></ul>"),
        ("hs_meeting_location", "Room 4"),
        ("hubspot_owner_id", "88842096"),
    ];
    let number = hub.create("meetings", &meeting).unwrap();
    for contact in [&ada, &bob] {
        hub.associate(("meetings", &number), ("contacts", contact), None).unwrap();
    }
    let changed = lab.recent(lab.now(), 200).unwrap().value.changed;
    let [(meeting, _)] = &changed[..] else { panic!("{changed:?}") };
    assert_eq!(HubSpot.identify(meeting.as_str()), Some((Role::Meeting, meeting.clone())));

    let found = lab.find(Role::Meeting, vec![Wanted::Ids(vec![meeting.clone()])], &FIELDS);
    let [record] = &found[..] else { panic!("{found:?}") };
    let told = FIELDS.map(|std| (std, record.fields.get(&std.into()).cloned()));
    let host = id::of_owner("88842096");
    assert_eq!(
        told,
        [
            (Std::Key, Some(Value::Null)),
            (Std::Subject, Some(text("Review"))),
            (Std::Description, Some(text("Plans & prices\none"))),
            (Std::Location, Some(text("Room 4"))),
            (Std::Start, Some(time("2026-05-07T10:00:00Z"))),
            (Std::End, Some(time("2026-05-07T10:45:00Z"))),
            (Std::Owner, Some(Value::Id(host.clone()))),
            // Whom the meeting is with, HubSpot tells by who attends alone.
            (Std::Who, None),
            (Std::CreatedAt, Some(time("2026-05-06T12:00:00Z"))),
        ]
    );

    let asked = vec![Wanted::Is(Std::Meeting, vec![meeting.as_str().to_owned()])];
    let places = lab.find(Role::Attendee, asked, &[Std::Meeting, Std::Attends]);
    let attends = places.iter().filter_map(|place| match place.fields.get(&Std::Attends.into()) {
        Some(Value::Id(id)) => Some(id.clone()),
        _ => None,
    });
    let attends: Vec<RecordId> = attends.collect();
    assert_eq!(attends, [id::of("contacts", &ada), id::of("contacts", &bob)]);
    let people = lab.find(Role::Contact, vec![Wanted::Ids(attends)], &[Std::Email]);
    assert_eq!(
        people.iter().map(|one| one.text(Std::Email)).collect::<Vec<_>>(),
        [Some("ada@one.example"), Some("bob@one.example")]
    );
    let hosts = lab.find(Role::User, vec![Wanted::Ids(vec![host])], &[Std::Email]);
    assert_eq!(hosts[0].text(Std::Email), Some("rosa@host.example"));
}

/// The activity's own moment is when it begins, where nothing else says so.
#[test]
fn a_meeting_without_a_start_of_its_own_starts_at_its_moment() {
    let lab = Lab::new();
    let number = lab.meeting("Call back");
    let asked = vec![Wanted::Ids(vec![id::of("meetings", &number)])];
    let found = lab.find(Role::Meeting, asked, &[Std::Start, Std::End]);
    assert_eq!(found[0].fields.get(&Std::Start.into()), Some(&time("2026-05-07T10:00:00Z")));
    assert_eq!(found[0].fields.get(&Std::End.into()), Some(&Value::Null));
}
