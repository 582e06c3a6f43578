//! A small world of events, drawn at random: few people, few days, so that everything meets everything.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use proptest::prelude::*;

use crate::calendar::{
    eligible::Policy,
    event::{
        Attendee, Availability, Body, Content, Etag, Event, EventId, EventType, Moment, Part, Party, Reply, Status,
    },
    identity::{Rid, Uid},
};

pub const HOME: TimeZone = TimeZone::UTC;

/// Two reps of ours, a room, and people from outside.
pub const PEOPLE: [&str; 7] = [
    "rep@ours.example",
    "ann@ours.example",
    "room@ours.example",
    "ada@client.example",
    "bob@client.example",
    "eve@gmail.com",
    "dora@sub.blocked.example",
];

pub fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn party(email: &str) -> Party {
    Party { email: email.to_owned(), name: None }
}

pub fn attendee(email: &str) -> Attendee {
    let part = if email.starts_with("room") { Part::Resource } else { Part::Required };
    Attendee { who: party(email), part, reply: Reply::Awaited }
}

/// A meeting of an hour that the rep organises, with these people.
pub fn meeting(people: &[&str]) -> Content {
    let start = instant("2026-03-16T08:00:00Z");
    let mut content = Content::new(Moment::utc(start), Moment::utc(start + SignedDuration::from_hours(1)));
    content.summary = "Plan".to_owned();
    content.organizer = Some(party(PEOPLE[0]));
    content.attendees = people.iter().map(|email| attendee(email)).collect();
    content
}

pub fn event(content: Content) -> Event {
    Event {
        id: EventId("e1".to_owned()),
        etag: Some(Etag("1".to_owned())),
        uid: Uid::read("u1"),
        series: None,
        rid: Rid::Single,
        and_following: false,
        status: Status::Confirmed,
        created: None,
        modified: None,
        sequence: 0,
        body: Body::Open(Box::new(content)),
    }
}

pub fn policy() -> Policy {
    Policy {
        own_domains: vec!["ours.example".into()],
        blocked: vec!["@blocked.example".into()],
        users: BTreeSet::from([PEOPLE[0].to_owned(), PEOPLE[1].to_owned()]),
        ..Policy::default()
    }
}

pub fn in_crm() -> BTreeSet<String> {
    BTreeSet::from([PEOPLE[3].to_owned(), PEOPLE[5].to_owned()])
}

pub fn contents() -> impl Strategy<Value = Content> {
    let replies = prop::sample::select(vec![Reply::Awaited, Reply::Accepted, Reply::Declined, Reply::Tentative]);
    let people = prop::collection::btree_map(0..PEOPLE.len(), replies, 0..6);
    let texts = ("[a-c]{0,3}", "[a-c \n]{0,6}", "[a-c]{0,2}");
    let times = (0..400i64, 0..5i64);
    let kinds = prop::sample::select(vec![EventType::Meeting, EventType::Meeting, EventType::Birthday]);
    (people, texts, times, kinds, prop::option::of(0..PEOPLE.len()), any::<bool>()).prop_map(
        |(people, (summary, description, location), (start, lasts), kind, organizer, free)| {
            let start = instant("2026-03-16T08:00:00Z") + SignedDuration::from_hours(start);
            let mut content = Content::new(Moment::utc(start), Moment::utc(start + SignedDuration::from_hours(lasts)));
            (content.summary, content.description, content.location) = (summary, description, location);
            content.attendees =
                people.into_iter().map(|(who, reply)| Attendee { reply, ..attendee(PEOPLE[who]) }).collect();
            content.organizer = organizer.map(|who| party(PEOPLE[who]));
            content.kind = kind;
            content.availability = if free { Availability::Free } else { Availability::Busy };
            content
        },
    )
}
