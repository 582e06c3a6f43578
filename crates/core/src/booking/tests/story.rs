//! True stories of bookings, as the sources tell them, with what is true at their end.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::{
    booking::message::{Answer, Attendee, Booking, BookingMessage, Host, MessageKind},
    ids::BookingKey,
};

pub const INVITEE: &str = "ada@acme.example";

/// The way in which a source speaks of a reschedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// A new booking that names the old one (Cal.com).
    NewBooking,
    /// A cancellation of the old one and a new one, each naming the other (Calendly).
    Pair,
    /// As the pair, but the cancellation does not know yet what takes its place.
    BlindPair,
    /// The same booking at another time (meetergo, the generic source).
    SameBooking,
}

/// What somebody does next; what cannot be done at that point of a story is passed over.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    Reschedule,
    Cancel,
    Rebook,
    NoShow(bool),
    Update,
    /// Other guests and hosts come: each bit is one of [`bring`]'s.
    Bring(u8),
    AskToMove,
    /// Asks for a new time, which the host has to confirm.
    RequestMove,
    Confirm,
    Decline,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Active,
    AskedToMove,
    Cancelled,
    Rejected,
    Unconfirmed,
}

/// Messages in the order in which things happened, and how it ended.
#[derive(Clone, Debug)]
pub struct Story {
    pub messages: Vec<BookingMessage>,
    pub end: End,
    pub start: Timestamp,
    /// How often the time changed.
    pub moves: usize,
    pub no_show: bool,
}

pub fn time(minutes: i64) -> Timestamp {
    let epoch: Timestamp = "2026-03-28T09:00:00Z".parse().expect("a valid time");
    epoch + SignedDuration::from_mins(minutes)
}

pub fn booking(start: Timestamp) -> Booking {
    Booking {
        meeting_type: "demo".into(),
        meeting_type_name: "Product demo".into(),
        title: "Demo with Ada".into(),
        start: Some(start),
        end: Some(start + SignedDuration::from_mins(30)),
        invitee: Attendee {
            email: INVITEE.into(),
            full_name: Some("Ada King Lovelace".into()),
            phone: Some("+49 151 2345678".into()),
            time_zone: Some("Europe/Berlin".into()),
            ..Attendee::default()
        },
        hosts: vec![Host { email: "host@own.example".into(), name: None, time_zone: Some("Europe/Berlin".into()) }],
        location: Some("https://meet.example/abc".into()),
        notes: Some("Bring the contract".into()),
        answers: vec![Answer { key: "team".into(), label: "Team size".into(), value: "12".into() }],
        ..Booking::default()
    }
}

pub const GUEST: &str = "grace@acme.example";
pub const STRANGER: &str = "alan@beta.example";
pub const COLLEAGUE: &str = "colleague@own.example";
pub const CO_HOST: &str = "co-host@own.example";

/// Guests and further hosts: each bit brings one of them. Some are nobody new, or nobody who can be invited.
pub fn bring(content: &mut Booking, who: u8) {
    let guest =
        |email: &str, name: &str| Attendee { email: email.into(), full_name: Some(name.into()), ..Attendee::default() };
    let guests = [
        guest("Grace@Acme.example", "Grace Hopper"),
        guest(STRANGER, "Alan"),
        guest(COLLEAGUE, "Col League"),
        guest("by phone", "No Address"),
        guest("ADA@acme.example", "Ada once more"),
    ];
    let hosts = [CO_HOST, "unknown@own.example"];
    let comes = |at: usize| who & (1 << at) != 0;
    content.guests = guests.into_iter().enumerate().filter(|(at, _)| comes(*at)).map(|(_, guest)| guest).collect();
    content.hosts.truncate(1);
    let further = hosts.iter().enumerate().filter(|(at, _)| comes(5 + at));
    content.hosts.extend(further.map(|(_, email)| Host { email: (*email).into(), name: None, time_zone: None }));
}

pub fn message(key: &str, at: i64, kind: MessageKind, booked: Option<Booking>) -> BookingMessage {
    BookingMessage {
        booking: BookingKey::from(key),
        kind,
        at: time(at),
        group: None,
        replaces: None,
        replaced_by: None,
        booked: booked.map(Box::new),
    }
}

pub fn booked(key: &str, at: i64, start: i64) -> BookingMessage {
    message(key, at, MessageKind::Booked, Some(booking(time(start))))
}

pub fn cancelled(key: &str, at: i64) -> BookingMessage {
    message(
        key,
        at,
        MessageKind::Cancelled { reason: Some("ill".into()), by: Some("Ada".into()), rescheduled: false },
        None,
    )
}

pub fn rescheduled_away(key: &str, at: i64, to: Option<&str>) -> BookingMessage {
    let kind = MessageKind::Cancelled { reason: None, by: None, rescheduled: true };
    BookingMessage { replaced_by: to.map(BookingKey::from), ..message(key, at, kind, None) }
}

pub fn replacing(mut message: BookingMessage, old: &str) -> BookingMessage {
    message.replaces = Some(BookingKey::from(old));
    message
}

pub fn in_group(mut message: BookingMessage, group: &str, email: &str) -> BookingMessage {
    message.group = Some(BookingKey::from(group));
    if let Some(content) = &mut message.booked {
        content.invitee = Attendee { email: email.into(), ..Attendee::default() };
    }
    message
}

/// Tells a story as it unfolds.
struct Teller {
    manner: Manner,
    now: i64,
    key: String,
    keys: usize,
    content: Booking,
    asked: Option<(String, Booking)>,
    story: Story,
}

impl Teller {
    fn tell(&mut self, message: BookingMessage) {
        self.story.messages.push(message);
    }

    fn new_key(&mut self) -> String {
        self.keys += 1;
        format!("uid{}", self.keys)
    }

    fn moved(&self) -> Booking {
        let start = self.story.start + SignedDuration::from_hours(self.now % 7 + 1);
        Booking {
            start: Some(start),
            end: Some(start + SignedDuration::from_mins(30)),
            previous_start: self.content.start,
            rescheduled_by: Some("Ada".into()),
            reschedule_reason: Some("train".into()),
            ..self.content.clone()
        }
    }

    fn stand(&mut self, content: Booking) {
        self.story.start = content.start.expect("a booking has a time");
        self.content = content;
        self.story.moves += 1;
        self.story.end = End::Active;
    }

    fn reschedule(&mut self) {
        let content = self.moved();
        let said = message(&self.key, self.now, MessageKind::Booked, Some(content.clone()));
        if self.manner == Manner::SameBooking {
            self.tell(said);
        } else {
            let old = std::mem::take(&mut self.key);
            self.key = self.new_key();
            if self.manner != Manner::NewBooking {
                let to = (self.manner == Manner::Pair).then_some(self.key.as_str());
                self.tell(rescheduled_away(&old, self.now, to));
            }
            self.tell(replacing(BookingMessage { booking: BookingKey::from(self.key.as_str()), ..said }, &old));
            self.story.no_show = false;
        }
        self.stand(content);
    }

    fn act(&mut self, act: Act) {
        let standing = matches!(self.story.end, End::Active | End::AskedToMove);
        let key = self.key.clone();
        match act {
            Act::Reschedule if standing && self.asked.is_none() => self.reschedule(),
            Act::Cancel if standing && self.asked.is_none() => {
                self.tell(cancelled(&key, self.now));
                self.story.end = End::Cancelled;
            }
            Act::Rebook if self.story.end == End::Cancelled => {
                self.tell(message(&key, self.now, MessageKind::Booked, Some(self.content.clone())));
                self.story.end = End::Active;
            }
            Act::NoShow(absent) if self.story.end == End::Active && self.asked.is_none() => {
                self.tell(message(
                    &key,
                    self.now,
                    MessageKind::NoShow { attendees: vec![("ADA@acme.example".into(), absent)] },
                    None,
                ));
                self.story.no_show = absent;
            }
            Act::Update if standing && self.asked.is_none() => {
                self.content.notes = Some(format!("note of minute {}", self.now));
                self.tell(message(&key, self.now, MessageKind::Updated, Some(self.content.clone())));
            }
            Act::Bring(who) if standing && self.asked.is_none() => {
                bring(&mut self.content, who);
                self.tell(message(&key, self.now, MessageKind::Updated, Some(self.content.clone())));
            }
            Act::AskToMove if self.story.end == End::Active && self.asked.is_none() => {
                self.tell(message(&key, self.now, MessageKind::RescheduleRequested { reason: None, by: None }, None));
                self.story.end = End::AskedToMove;
            }
            Act::RequestMove
                if self.story.end == End::Active && self.asked.is_none() && self.manner == Manner::NewBooking =>
            {
                let (new, content) = (self.new_key(), self.moved());
                self.tell(replacing(message(&new, self.now, MessageKind::Requested, Some(content.clone())), &key));
                self.asked = Some((new, content));
            }
            Act::Confirm => {
                if let Some((new, content)) = self.asked.take() {
                    let said = message(&new, self.now, MessageKind::Booked, Some(content.clone()));
                    self.tell(if new == key { said } else { replacing(said, &key) });
                    if new == key {
                        self.story.end = End::Active;
                    } else {
                        self.stand(content);
                        self.story.no_show = false;
                    }
                    self.key = new;
                }
            }
            Act::Decline => {
                if let Some((new, _)) = self.asked.take() {
                    let said = message(&new, self.now, MessageKind::Rejected { reason: None }, None);
                    if new == key {
                        self.story.end = End::Rejected;
                        self.tell(said);
                    } else {
                        self.tell(replacing(said, &key));
                    }
                }
            }
            _ => {}
        }
    }
}

/// Tells what happens if people do this, one thing every `gaps` minutes; no gap is a tie.
pub fn tell(manner: Manner, requested: bool, acts: &[(Act, i64)]) -> Story {
    let start = time(3 * 24 * 60);
    let content = booking(start);
    let end = if requested { End::Unconfirmed } else { End::Active };
    let story = Story { messages: Vec::new(), end, start, moves: 0, no_show: false };
    let mut teller =
        Teller { manner, now: 0, key: String::new(), keys: 0, content: content.clone(), asked: None, story };
    teller.key = teller.new_key();
    let kind = if requested { MessageKind::Requested } else { MessageKind::Booked };
    let key = teller.key.clone();
    teller.tell(message(&key, 0, kind, Some(content.clone())));
    teller.asked = requested.then_some((key, content));
    for (act, gap) in acts {
        teller.now += gap;
        teller.act(*act);
    }
    teller.story
}

pub fn manner() -> impl Strategy<Value = Manner> {
    prop_oneof![Just(Manner::NewBooking), Just(Manner::Pair), Just(Manner::BlindPair), Just(Manner::SameBooking)]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => Just(Act::Reschedule),
        2 => Just(Act::Cancel),
        2 => Just(Act::Rebook),
        1 => any::<bool>().prop_map(Act::NoShow),
        1 => Just(Act::Update),
        2 => (0_u8..128).prop_map(Act::Bring),
        1 => Just(Act::AskToMove),
        2 => Just(Act::RequestMove),
        2 => Just(Act::Confirm),
        1 => Just(Act::Decline),
    ]
}

/// Stories in which no two things happen at once, so that what is true at the end is beyond doubt.
pub fn story() -> impl Strategy<Value = Story> {
    story_with_gaps(1..90)
}

/// Stories in which things may happen in the same minute.
pub fn story_with_ties() -> impl Strategy<Value = Story> {
    story_with_gaps(0..2)
}

fn story_with_gaps(gaps: std::ops::Range<i64>) -> impl Strategy<Value = Story> {
    let acts = prop::collection::vec((act(), gaps), 0..9);
    (manner(), prop::bool::weighted(0.25), acts).prop_map(|(manner, requested, acts)| tell(manner, requested, &acts))
}

/// A meeting that several people come to, with the addresses of those who are left.
pub fn group_story() -> impl Strategy<Value = (Vec<BookingMessage>, Vec<String>)> {
    prop::collection::vec((0_usize..4, any::<bool>()), 1..12).prop_map(|visits| {
        let mut here: Vec<String> = Vec::new();
        let mut messages = Vec::new();
        for (minute, (who, comes)) in (0_i64..).zip(visits) {
            let (key, email) = (format!("seat{who}"), format!("p{who}@acme.example"));
            let said = if comes { booked(&key, minute, 6000) } else { cancelled(&key, minute) };
            messages.push(in_group(said, "event", &email));
            here.retain(|other| *other != email);
            here.extend(comes.then_some(email));
        }
        here.sort();
        (messages, here)
    })
}

/// The messages in any order, some of them more than once.
pub fn shuffled(messages: Vec<BookingMessage>) -> impl Strategy<Value = Vec<BookingMessage>> {
    let count = messages.len();
    prop::collection::vec(0..count, 0..4).prop_flat_map(move |again| {
        let mut all = messages.clone();
        all.extend(again.into_iter().map(|index| messages[index].clone()));
        Just(all).prop_shuffle()
    })
}

pub fn told(story: impl Strategy<Value = Story>) -> impl Strategy<Value = (Story, Vec<BookingMessage>)> {
    story.prop_flat_map(|story| {
        let messages = shuffled(story.messages.clone());
        (Just(story), messages)
    })
}
