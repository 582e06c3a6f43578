//! A meeting that a person logged by hand comes back with all that a calendar needs of it.

use serde_json::json;
use syncline_connect::{Find, Records, Wanted};
use syncline_core::{
    ids::RecordId,
    record::{Record, Role, Std, Value},
};
use syncline_sandbox::SalesforceConfig;

use super::{
    super::{
        Salesforce,
        mirror::tests::lab::{Lab, text},
    },
    world::now,
};

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

fn find(lab: &Lab, role: Role, wanted: Wanted, fields: &[Std]) -> Vec<Record> {
    let finds = [Find::new(role, vec![wanted], fields.iter().map(|std| (*std).into()).collect())];
    now(Salesforce.find(&lab.asker.cx(), &finds)).unwrap().value.remove(0)
}

fn time(text: &str) -> Value {
    Value::Time(text.parse().unwrap())
}

/// Whom the meeting is with, and everybody who attends.
fn logged(shared: bool) -> (Vec<String>, Vec<String>) {
    let lab = Lab::with(SalesforceConfig { shared_activities: shared, ..SalesforceConfig::default() });
    let contacts = lab.contacts(2);
    let host =
        lab.seed("User", json!({ "Username": "hedy@host.example", "LastName": "Hedy", "Email": "hedy@host.example" }));
    let event = lab.seed(
        "Event",
        json!({
            "Subject": "Review", "Description": "Plans & prices\r\n- one", "Location": "Room 4",
            "StartDateTime": "2026-05-07T10:00:00Z", "EndDateTime": "2026-05-07T10:45:00Z",
            "OwnerId": host, "WhoId": contacts[0],
        }),
    );
    let mut guest = json!({ "EventId": event, "RelationId": contacts[1] });
    if shared {
        guest["IsParent"] = true.into();
    }
    lab.seed("EventRelation", guest);

    let changed = now(Salesforce.recent(&lab.asker.cx(), Role::Meeting, lab.asker.cx().now)).unwrap().value.changed;
    let [(meeting, _)] = &changed[..] else { panic!("{changed:?}") };
    let found = find(&lab, Role::Meeting, Wanted::Ids(vec![meeting.clone()]), &FIELDS);
    let [record] = &found[..] else { panic!("{found:?}") };
    let told = FIELDS.map(|std| (std, record.fields[&std.into()].clone()));
    assert_eq!(
        told,
        [
            (Std::Key, Value::Null),
            (Std::Subject, text("Review")),
            (Std::Description, text("Plans & prices\n- one")),
            (Std::Location, text("Room 4")),
            (Std::Start, time("2026-05-07T10:00:00Z")),
            (Std::End, time("2026-05-07T10:45:00Z")),
            (Std::Owner, Value::Id(RecordId::new(&host))),
            (Std::Who, Value::Id(RecordId::new(&contacts[0]))),
            (Std::CreatedAt, time("2026-05-06T12:00:00Z")),
        ]
    );
    let hosts = find(&lab, Role::User, Wanted::Ids(vec![RecordId::new(host)]), &[Std::Email]);
    assert_eq!(hosts[0].text(Std::Email), Some("hedy@host.example"));

    let places = find(&lab, Role::Attendee, Wanted::Is(Std::Meeting, vec![event]), &[Std::Meeting, Std::Attends]);
    let emails = |ids: Vec<&Value>| {
        let ids = ids.into_iter().map(|value| match value {
            Value::Id(id) => id.clone(),
            other => panic!("{other:?}"),
        });
        let people = find(&lab, Role::Contact, Wanted::Ids(ids.collect()), &[Std::Email]);
        people.iter().map(|one| one.text(Std::Email).unwrap().to_owned()).collect::<Vec<_>>()
    };
    let who = emails(vec![&record.fields[&Std::Who.into()]]);
    (who, emails(places.iter().map(|place| &place.fields[&Std::Attends.into()]).collect()))
}

#[test]
fn a_logged_meeting_is_told_whole() {
    let [ada, bob] = ["person0@example.org", "person1@example.org"].map(str::to_owned);
    // Where an event has one person, that person is no row of those who attend.
    assert_eq!(logged(false), (vec![ada.clone()], vec![bob.clone()]));
    assert_eq!(logged(true), (vec![ada.clone()], vec![ada, bob]));
}
