//! What is mailed where no server tells the guests.

use jiff::{Timestamp, tz::TimeZone};
use syncline_connect::{
    CalendarWrites,
    calendar::{CalendarId, From, Invitation, Message},
};
use syncline_core::calendar::event::{Body, Content, Event, Party, Reply, Status};

use super::world::{Account, Line, Server};
use crate::{
    caldav::{
        CalDav,
        ics::{Compared, Origin, made, read},
    },
    testing::contents::{at, guest},
};

fn event() -> Event {
    let text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:u1\nDTSTART:20260320T130000Z\nEND:VEVENT\nEND:VCALENDAR";
    let origin = Origin { resource: "/c/a.ics", etag: None, home: &TimeZone::UTC };
    let mut event = read(text, origin, &mut Compared::default()).remove(0);
    let start = at("2026-03-20T13:00:00Z", "Europe/Berlin");
    let mut content = Content::new(start, at("2026-03-20T14:00:00Z", "Europe/Berlin"));
    content.summary = "Demo".into();
    content.organizer = Some(Party { email: "rita@host.example".into(), name: Some("Rita".into()) });
    content.attendees = vec![guest("ada@acme.example"), guest("bo@acme.example")];
    content.attendees[1].reply = Reply::Declined;
    event.body = Body::Open(Box::new(content));
    event.sequence = 2;
    event
}

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().expect("a time")
}

fn said(message: Message<'_>, events: &[Event]) -> Option<Invitation> {
    CalDav.invitation(message, events, now())
}

/// Without what describes the zone.
fn shown(invitation: &Invitation) -> String {
    let body = invitation.body.replace("\r\n ", "").replace("\r\n", "\n");
    let (head, rest) = body.split_once("BEGIN:VTIMEZONE\nTZID:Europe/Berlin\n").expect("the zone is described");
    let (_, tail) = rest.split_once("END:VTIMEZONE\n").expect("to its end");
    format!("{}\n{head}{tail}", invitation.content_type)
}

/// proves: C9
#[test]
fn guests_are_invited_and_told_that_it_is_off() {
    insta::assert_snapshot!(shown(&said(Message::Request, &[event()]).expect("an invitation")), @r#"
    text/calendar; charset=utf-8; method=REQUEST
    BEGIN:VCALENDAR
    VERSION:2.0
    PRODID:-//Syncline//Syncline//EN
    METHOD:REQUEST
    BEGIN:VEVENT
    UID:u1
    DTSTAMP:20260301T120000Z
    LAST-MODIFIED:20260301T120000Z
    SEQUENCE:2
    STATUS:CONFIRMED
    DTSTART;TZID=Europe/Berlin:20260320T140000
    DTEND;TZID=Europe/Berlin:20260320T150000
    SUMMARY:Demo
    ORGANIZER;CN="Rita":mailto:rita@host.example
    ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:ada@acme.example
    ATTENDEE;PARTSTAT=DECLINED:mailto:bo@acme.example
    END:VEVENT
    END:VCALENDAR
    "#);
    let off = said(Message::Cancel, &[event()]).expect("a message");
    assert!(off.body.contains("METHOD:CANCEL") && off.body.contains("STATUS:CANCELLED"), "{}", off.body);
    assert!(off.body.contains("SEQUENCE:3"), "a guest's program takes it for newer: {}", off.body);
    let origin = Origin { resource: "/c/a.ics", etag: None, home: &TimeZone::UTC };
    assert_eq!(read(&off.body, origin, &mut Compared::default())[0].status, Status::Cancelled);
}

/// Who answers says nothing about others.
#[test]
fn a_guest_answers_for_himself() {
    let reply = said(Message::Reply { rep: "bo@acme.example" }, &[event()]).expect("an answer");
    assert!(reply.body.contains("METHOD:REPLY") && reply.body.contains("PARTSTAT=DECLINED"), "{}", reply.body);
    assert!(reply.body.contains("SEQUENCE:2") && !reply.body.contains("ada@"), "{}", reply.body);
    assert_eq!(said(Message::Reply { rep: "cy@acme.example" }, &[event()]), None);
}

/// proves: C8: nothing is said of what is private; nor by nobody, nor to nobody.
#[test]
fn what_may_not_be_said_is_not() {
    assert_eq!(said(Message::Request, &[event().hidden()]), None);
    assert_eq!(said(Message::Request, &[event(), event().hidden()]), None);
    assert_eq!(said(Message::Request, &[]), None);
    let with = |change: fn(&mut Content)| {
        let mut event = event();
        let mut content = event.content().expect("it is open").clone();
        change(&mut content);
        event.body = Body::Open(Box::new(content));
        said(Message::Request, &[event])
    };
    assert_eq!(with(|content| content.organizer = None), None);
    assert_eq!(with(|content| content.attendees.clear()), None);
    assert!(made(&event().hidden(), false, now()).is_err());
}

/// Another program takes the mails for what they are: an invitation, a move, a guest's answer, and that it is off.
///
/// proves: C9
#[test]
fn mails_are_understood_by_another_program() {
    let server = Server::xandikos();
    let line = Line::to(&server);
    let account = Account::new(&line.base(), line);
    let calendar = CalendarId("/user/calendars/calendar/".to_owned());
    let there = || account.page(&calendar, From::Beginning).0.events;
    let mailed = |message: Message<'_>, event: &Event| {
        server.mailed(&said(message, std::slice::from_ref(event)).expect("a message"));
    };
    let mut event = event();
    mailed(Message::Request, &event);
    let [invited] = &there()[..] else { panic!("{:?}", there()) };
    assert_eq!((&invited.uid, invited.content()), (&event.uid, event.content()));

    event.sequence += 1;
    let moved = Content {
        start: at("2026-03-21T13:00:00Z", "America/New_York"),
        end: at("2026-03-21T14:00:00Z", "America/New_York"),
        ..event.content().expect("it is open").clone()
    };
    event.body = Body::Open(Box::new(moved));
    mailed(Message::Request, &event);
    assert_eq!(there()[0].content(), event.content());

    let mut yes = event.clone();
    let mut content = event.content().expect("it is open").clone();
    content.attendees[0].reply = Reply::Accepted;
    yes.body = Body::Open(Box::new(content.clone()));
    mailed(Message::Reply { rep: "ada@acme.example" }, &yes);
    assert_eq!(there()[0].content(), Some(&content));

    mailed(Message::Cancel, &event);
    assert!(there().iter().all(|event| event.status == Status::Cancelled), "{:?}", there());
}
