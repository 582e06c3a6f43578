//! What an expression can see of a booking: every name of [`crate::expr::NAMES`] with its value. It only gathers; what
//! is written with it is decided by [`super::mapping`].

use jiff::Timestamp;

use super::{
    attendees::named,
    chain::{Standing, View},
    message::{Attendee, Booking},
    settings::Language,
    text::{Related, description, display_name, title},
};
use crate::{
    expr::{Datum, Reference, Scope},
    fit::value_of,
    ids::{ChainId, RecordId},
    person::{domain_of, normal_email, split_name},
    record::{Field, Record, Role, Value},
};

/// What stands around a booking.
#[derive(Debug, Clone, Default)]
pub struct Surroundings<'a> {
    pub chain: Option<&'a ChainId>,
    /// Name of the connection that the booking came from.
    pub source: Option<&'a str>,
    /// The message that the content comes from, where an expression asks for it and it is kept.
    pub raw: Option<&'a str>,
    pub language: Option<Language>,
    pub owner: Option<&'a RecordId>,
    pub person: Option<Known<'a>>,
    pub account: Option<Known<'a>>,
    pub case: Option<Known<'a>>,
    pub opportunity: Option<Known<'a>>,
    pub meeting: Option<Known<'a>>,
}

/// One of the booking's records.
#[derive(Debug, Clone)]
pub struct Known<'a> {
    pub role: Role,
    pub reference: Reference,
    /// As it stands in the CRM; `None` for one that is to be made, or was not looked up.
    pub record: Option<&'a Record>,
}

impl<'a> Known<'a> {
    /// The record that a value refers to.
    pub fn of(role: Role, value: &Value, record: Option<&'a Record>) -> Option<Self> {
        let reference = match value {
            Value::Id(id) => Reference::Id(id.clone()),
            Value::Slot(slot) => Reference::Slot(*slot),
            _ => return None,
        };
        Some(Self { role, reference, record })
    }
}

/// Everything that an expression can name.
pub fn scope(view: &View<'_>, around: &Surroundings<'_>) -> Scope {
    let booking = view.content;
    let mut scope = Scope::default();
    scope.set("booking", booking_names(view, around));
    scope.set("invitee", attendee(&booking.invitee));
    scope.set("guests", Datum::list(named(view).map(attendee)));
    let hosts: Vec<Datum> = booking
        .hosts
        .iter()
        .map(|host| {
            Datum::map([
                ("email", given(&host.email)),
                ("name", host.name.as_ref().into()),
                ("time_zone", host.time_zone.as_ref().into()),
            ])
        })
        .collect();
    scope.set("host", hosts.first().cloned().unwrap_or(Datum::Null));
    scope.set("hosts", Datum::list(hosts));
    scope.set(
        "answers",
        Datum::list(booking.answers.iter().map(|answer| {
            Datum::map([
                ("key", given(&answer.key)),
                ("label", given(&answer.label)),
                ("value", given(answer.value.trim())),
            ])
        })),
    );
    scope.set(
        "utm",
        Datum::map(["source", "medium", "campaign", "term", "content"].map(|name| (name, utm(booking, name)))),
    );
    scope.set("tracking", Datum::map(booking.tracking.iter().map(|(name, value)| (name.clone(), given(value)))));
    scope.set("owner", Datum::map([("id", around.owner.map_or(Datum::Null, id))]));
    for (name, known) in [
        ("person", &around.person),
        ("account", &around.account),
        ("case", &around.case),
        ("opportunity", &around.opportunity),
        ("meeting", &around.meeting),
    ] {
        scope.set(name, known.as_ref().map_or(Datum::Null, record));
    }
    scope
}

fn booking_names(view: &View<'_>, around: &Surroundings<'_>) -> Datum {
    let booking = view.content;
    let (status, reason, by) = standing(&view.standing);
    let minutes = booking.start.zip(booking.end).map(|(start, end)| end.duration_since(start).as_secs() / 60);
    let last = view.moves.last();
    let is_no_show = normal_email(&booking.invitee.email).is_some_and(|email| view.no_shows.contains(email.as_str()));
    let related = Related { case: None, opportunity: None };
    let words = description(view, around.language.unwrap_or(Language::English), &related);
    Datum::map([
        ("id", around.chain.map_or(Datum::Null, |chain| Datum::text(chain.as_str()))),
        ("source", around.source.into()),
        ("title", Datum::text(&title(booking))),
        ("meeting_type", given(&booking.meeting_type)),
        ("meeting_type_name", given(&booking.meeting_type_name)),
        ("status", Datum::text(status)),
        ("start", booking.start.into()),
        ("end", booking.end.into()),
        ("minutes", minutes.map_or(Datum::Null, |minutes| Datum::Number(minutes.into()))),
        ("first_start", view.moves.first().map(|first| first.from).or(booking.start).into()),
        ("previous_start", last.map(|last| last.from).into()),
        ("reschedules", Datum::Number(view.moves.len().into())),
        ("reschedule_reason", last.and_then(|last| last.reason.as_ref()).into()),
        ("rescheduled_by", last.and_then(|last| last.by.as_ref()).into()),
        ("cancel_reason", reason.into()),
        ("cancelled_by", by.into()),
        ("is_cancelled", Datum::Bool(matches!(view.standing, Standing::Cancelled { .. } | Standing::Rejected { .. }))),
        ("is_no_show", Datum::Bool(is_no_show)),
        ("location", booking.location.as_ref().into()),
        ("notes", booking.notes.as_ref().into()),
        ("reschedule_url", booking.reschedule_url.as_ref().into()),
        ("cancel_url", booking.cancel_url.as_ref().into()),
        ("calendar_id", booking.calendar_ids.first().into()),
        ("record_hint", booking.record_hint.as_ref().into()),
        ("description", Datum::from(words)),
        ("raw", around.raw.into()),
    ])
}

fn standing(standing: &Standing) -> (&'static str, Option<&String>, Option<&String>) {
    match standing {
        Standing::Active => ("active", None, None),
        Standing::Unconfirmed => ("unconfirmed", None, None),
        Standing::RescheduleRequested { reason, by } => ("reschedule_requested", reason.as_ref(), by.as_ref()),
        Standing::ReschedulePending { .. } => ("reschedule_requested", None, None),
        Standing::Rejected { reason } => ("rejected", reason.as_ref(), None),
        Standing::Cancelled { reason, by } => ("cancelled", reason.as_ref(), by.as_ref()),
        Standing::FormOnly => ("form", None, None),
    }
}

pub(super) fn attendee(attendee: &Attendee) -> Datum {
    let (first, last) = split_name(
        attendee.first_name.as_deref(),
        attendee.last_name.as_deref(),
        attendee.full_name.as_deref(),
        &attendee.email,
    );
    let domain = normal_email(&attendee.email).as_deref().and_then(domain_of).map(str::to_owned);
    Datum::map([
        ("email", given(attendee.email.trim())),
        ("name", Datum::from(display_name(attendee))),
        ("first_name", first.into()),
        ("last_name", Datum::from(last)),
        ("phone", attendee.phone.as_ref().into()),
        ("time_zone", attendee.time_zone.as_ref().into()),
        ("language", attendee.language.as_ref().into()),
        ("domain", domain.into()),
    ])
}

/// A campaign value, by the name that sources give it, in whatever case.
fn utm(booking: &Booking, name: &str) -> Datum {
    let is_it = |key: &str| {
        let key = key.trim().to_lowercase();
        key.strip_prefix("utm_").unwrap_or(&key) == name
    };
    // The full name goes before the bare one.
    let mut found: Vec<_> = booking.tracking.iter().filter(|(key, _)| is_it(key)).collect();
    found.sort_by_key(|(key, _)| std::cmp::Reverse(key.len()));
    found.first().map_or(Datum::Null, |(_, value)| given(value))
}

fn record(known: &Known<'_>) -> Datum {
    let fields = known.record.map_or(Datum::Null, |record| {
        Datum::map(record.fields.iter().map(|(field, value)| (field_name(field), value_of(value))))
    });
    Datum::map([
        ("id", Datum::Record(known.reference.clone())),
        ("role", Datum::text(known.role.as_str())),
        ("is_new", Datum::Bool(matches!(known.reference, Reference::Slot(_)))),
        ("fields", fields),
    ])
}

fn field_name(field: &Field) -> String {
    match field {
        Field::Std(std) => std.as_str().to_owned(),
        Field::Native(name) => name.clone(),
    }
}

fn id(id: &RecordId) -> Datum {
    Datum::Record(Reference::Id(id.clone()))
}

/// A text that has a letter; what is blank is missing.
fn given(text: &str) -> Datum {
    if text.trim().is_empty() { Datum::Null } else { Datum::text(text) }
}

/// Times of a sample, which no clock gives.
fn sample_time(text: &str) -> Timestamp {
    text.parse().expect("the sample's times are written in this file")
}

/// A booking to try expressions and templates on, the same every time.
pub fn sample() -> Booking {
    let person = |email: &str, first: &str, last: &str| Attendee {
        email: email.to_owned(),
        first_name: Some(first.to_owned()),
        last_name: Some(last.to_owned()),
        ..Attendee::default()
    };
    let host = |email: &str, name: &str| super::message::Host {
        email: email.to_owned(),
        name: Some(name.to_owned()),
        time_zone: Some("Europe/Berlin".to_owned()),
    };
    let answer = |key: &str, label: &str, value: &str| super::message::Answer {
        key: key.to_owned(),
        label: label.to_owned(),
        value: value.to_owned(),
    };
    Booking {
        meeting_type: "introduction".to_owned(),
        meeting_type_name: "Introduction".to_owned(),
        title: "Introduction between Rosa Rep and Ada Lovelace".to_owned(),
        start: Some(sample_time("2026-05-05T14:00:00Z")),
        end: Some(sample_time("2026-05-05T14:45:00Z")),
        invitee: Attendee {
            phone: Some("+44 20 7946 0123".to_owned()),
            time_zone: Some("Europe/London".to_owned()),
            language: Some("en".to_owned()),
            ..person("ada@example.org", "Ada", "Lovelace")
        },
        guests: vec![
            person("charles@example.org", "Charles", "Babbage"),
            person("mary@example.org", "Mary", "Somerville"),
        ],
        hosts: vec![host("rosa@example.com", "Rosa Rep"), host("otto@example.com", "Otto Operator")],
        location: Some("https://meet.example.com/ada".to_owned()),
        notes: Some("Interested in the difference engine.".to_owned()),
        answers: vec![
            answer("company", "Company", "Analytical Engines"),
            answer("team_size", "Team size", "25 people"),
            answer("products", "Products", "Engines, Mills"),
        ],
        tracking: [
            ("utm_source", "newsletter"),
            ("utm_medium", "email"),
            ("utm_campaign", "spring"),
            ("gclid", "Cj0K"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        cancel_url: Some("https://book.example.com/cancel/1".to_owned()),
        reschedule_url: Some("https://book.example.com/move/1".to_owned()),
        calendar_ids: vec!["1@book.example.com".to_owned()],
        ..Booking::default()
    }
}
