//! The record that a meeting should be in the CRM, and who attends it there. It speaks roles, never a vendor: the same
//! records as those of a booked meeting.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use super::{
    people::{Person, find_person},
    several::{Standing, United},
};
use crate::{
    booking::{
        facts::Facts,
        project::{Desired, Links},
        settings::CancelSettings,
        text::with_prefix,
    },
    calendar::{
        eligible::{Policy, guests},
        event::{Availability, Content, Moment, Part, Reply},
        identity::MeetingKey,
    },
    ids::{ExternalKey, RecordId, WorkspaceId},
    person::squeeze,
    record::{Field, Fields, Role, Slot, Std, Value},
    step::Link,
};

/// Most people of one meeting who become attendees in the CRM, as of a booked one. The description is the calendar's own
/// and names nobody.
const ATTENDEES_MAX: usize = 150;

/// Most contacts that a meeting is related to, as of a booked one; those beyond are only invited.
const RELATED_MAX: usize = 50;

/// What an admin chose about records of meetings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeetingSettings {
    pub cancel: CancelSettings,
    /// The field of the meeting that says how it stands, by the vendor's own name, with its words for "on" and "off".
    pub status: Option<(String, String, String)>,
    /// A subject for what has none: a CRM wants one.
    pub untitled: String,
    pub replies: ReplyWords,
}

/// The words for what somebody answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyWords {
    pub accepted: String,
    pub tentative: String,
    pub declined: String,
}

impl Default for MeetingSettings {
    fn default() -> Self {
        let cancel = CancelSettings { prefix: "[CANCELLED] ".into(), show_as_free: false, delete: false };
        let replies =
            ReplyWords { accepted: "accepted".into(), tentative: "tentative".into(), declined: "declined".into() };
        Self { cancel, status: None, untitled: "Meeting".into(), replies }
    }
}

/// What is known of the CRM.
pub struct Crm<'a> {
    pub workspace: &'a WorkspaceId,
    pub facts: &'a Facts,
    /// The meeting's records, as last agreed.
    pub links: &'a Links,
    /// Edits of the CRM that were carried to the event, which has not shown them yet.
    pub carried: &'a Fields,
    /// Whether a meeting may be related to several people.
    pub relates_many: bool,
    /// Whether whom the meeting is with has a place there like everybody else, which stays when it is with somebody else.
    pub seats_everybody: bool,
}

/// What should be in the CRM.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Projected {
    /// The meeting and its attendees.
    pub desired: Vec<Desired>,
    /// Attendees of ours that should no longer be there.
    pub leave: Vec<Slot>,
    /// Whom the meeting was with and who does not attend any more, with a free slot, where a place of theirs is left.
    pub part: Option<(Slot, RecordId)>,
    /// Addresses of those who are in the CRM and attend.
    pub people: BTreeSet<String>,
    /// How many attendees there was no room for.
    pub beyond: usize,
}

/// Works out what should be in the CRM. Nothing where no copy of the meeting may be read.
pub fn project(
    key: &MeetingKey,
    united: &United<'_>,
    policy: &Policy,
    crm: &Crm<'_>,
    settings: &MeetingSettings,
    home: &TimeZone,
) -> Projected {
    let Some(content) = united.content.filter(|_| united.standing != Standing::Unseen) else {
        return Projected::default();
    };
    let known = guests(content, policy).into_iter().filter_map(|email| {
        let person = find_person(crm.facts, &email)?;
        Some((email, person))
    });
    let known: BTreeMap<String, Person> = known.collect();
    let owner = owner(content, united, crm.facts);
    let main = main_person(content, &known, crm.links);
    let mut keep = fields(content, united.standing, settings, home);
    if let Some(owner) = &owner {
        keep.insert(Std::Owner.into(), Value::Id(owner.clone()));
    }
    if let Some((_, person)) = &main {
        keep.insert(Std::Who.into(), Value::Id(person.id.clone()));
    }
    let mut remember = Fields::new();
    if let Some((email, _)) = &main {
        remember.insert(Std::Email.into(), Value::text(email));
    }
    let meeting = Desired {
        slot: Slot::Meeting,
        role: Role::Meeting,
        existing: crm.links.get(&Slot::Meeting).map(|link| link.id.clone()),
        key: key.external(crm.workspace),
        shared: None,
        on_create: Fields::new(),
        keep,
        remember,
    };
    let mut out = Projected { people: known.keys().cloned().collect(), ..Projected::default() };
    attendees(content, united, crm, settings, &Seats { key, known, owner, main }, &mut out);
    out.desired.push(meeting);
    out
}

/// The meeting's own fields.
pub(super) fn fields(content: &Content, standing: Standing, settings: &MeetingSettings, home: &TimeZone) -> Fields {
    let is_off = standing == Standing::Cancelled;
    let title = squeeze(&content.summary);
    let title = if title.is_empty() { settings.untitled.clone() } else { title };
    let subject = with_prefix(&title, &settings.cancel.prefix, is_off);
    let subject = if subject.trim().is_empty() { title } else { subject };
    let is_free = content.availability == Availability::Free || (is_off && settings.cancel.show_as_free);
    let location = squeeze(&content.location);
    let start = content.start.instant(home);
    let mut keep = Fields::from([
        (Std::Subject.into(), Value::Text(subject)),
        (Std::Description.into(), text_or_null(content.description.trim())),
        (Std::Location.into(), text_or_null(&location)),
        (Std::Start.into(), Value::Time(start)),
        (Std::End.into(), Value::Time(content.end.instant(home).max(start))),
        (Std::ShowAs.into(), Value::text(if is_free { "free" } else { "busy" })),
    ]);
    if let Some((field, on, off)) = &settings.status {
        keep.insert(Field::Native(field.clone()), Value::text(if is_off { off } else { on }));
    }
    keep
}

/// The event as it is to be, once it takes over what was edited in the CRM. Whatever else is in it stays as it is; a time
/// stays in the event's zone, and a day a day.
pub fn taken_over(content: &Content, edits: &Fields, home: &TimeZone) -> Content {
    let mut content = content.clone();
    let text = |field: Std| match edits.get(&field.into()) {
        Some(Value::Text(text)) => Some(text.clone()),
        Some(Value::Null) => Some(String::new()),
        _ => None,
    };
    if let Some(subject) = text(Std::Subject) {
        content.summary = subject;
    }
    if let Some(description) = text(Std::Description) {
        content.description = description;
    }
    if let Some(location) = text(Std::Location) {
        content.location = location;
    }
    if let Some(shown) = text(Std::ShowAs) {
        content.availability = if shown == "free" { Availability::Free } else { Availability::Busy };
    }
    for (field, moment) in [(Std::Start, &mut content.start), (Std::End, &mut content.end)] {
        if let Some(Value::Time(at)) = edits.get(&field.into()) {
            *moment = match moment {
                Moment::At { zone, .. } => Moment::At { at: *at, zone: zone.clone() },
                Moment::Floating(_) => Moment::Floating(at.to_zoned(home.clone()).datetime()),
                Moment::Day(_) => Moment::Day(at.to_zoned(home.clone()).date()),
            };
        }
    }
    content
}

/// What a record is to say of a meeting that was called off and of which nothing more is known: its own words, with the
/// mark. `record` is the record as it is.
pub fn called_off(record: &Fields, settings: &MeetingSettings) -> Fields {
    let mut fields = Fields::new();
    if let Some((field, _, off)) = &settings.status {
        fields.insert(Field::Native(field.clone()), Value::text(off));
    }
    let subject = record.get(&Std::Subject.into()).and_then(Value::as_text).unwrap_or(&settings.untitled);
    let marked = with_prefix(subject, &settings.cancel.prefix, true);
    fields.insert(Std::Subject.into(), Value::Text(marked));
    if settings.cancel.show_as_free {
        fields.insert(Std::ShowAs.into(), Value::text("free"));
    }
    fields
}

/// What a record is to say of a meeting whose texts are to leave the CRM again.
pub fn redacted(settings: &MeetingSettings) -> Fields {
    Fields::from([
        (Std::Subject.into(), Value::text(&settings.untitled)),
        (Std::Description.into(), Value::Null),
        (Std::Location.into(), Value::Null),
    ])
}

fn text_or_null(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { Value::text(text) }
}

/// The organiser where that is a user of the CRM, else the rep whose calendar was linked first.
fn owner(content: &Content, united: &United<'_>, facts: &Facts) -> Option<RecordId> {
    let organizer = content.organizer.iter().map(|who| who.email.as_str());
    organizer.chain(united.reps.iter().copied()).find_map(|email| facts.user(email).flatten().cloned())
}

/// The person whom the meeting is with: the one it was with before, else an organiser from outside, else a contact before
/// a lead, in the order of their addresses.
fn main_person(content: &Content, known: &BTreeMap<String, Person>, links: &Links) -> Option<(String, Person)> {
    let before = links.get(&Slot::Meeting).and_then(|link| link.image.get(&Std::Who.into()));
    let kept = known.iter().find(|(_, person)| before == Some(&Value::Id(person.id.clone())));
    // Who was merged into another is still known by address.
    let address = || links.get(&Slot::Meeting).and_then(|link| link.image.get(&Std::Email.into())?.as_text());
    let by_address = || known.get_key_value(address()?);
    let organizer = || known.get_key_value(content.organizer.as_ref()?.email.as_str());
    let contact = || known.iter().find(|(_, person)| person.role == Role::Contact);
    kept.or_else(by_address)
        .or_else(organizer)
        .or_else(contact)
        .or_else(|| known.iter().next())
        .map(|(email, person)| (email.clone(), person.clone()))
}

/// Who sits where already, and who is to have a seat.
struct Seats<'a> {
    key: &'a MeetingKey,
    known: BTreeMap<String, Person>,
    owner: Option<RecordId>,
    main: Option<(String, Person)>,
}

/// Everybody in the CRM who attends beside the owner and the main person.
fn attendees(
    content: &Content,
    united: &United<'_>,
    crm: &Crm<'_>,
    settings: &MeetingSettings,
    seats: &Seats<'_>,
    out: &mut Projected,
) {
    let mut numbers = Numbers::of(crm.links);
    let mut barred: BTreeSet<&RecordId> =
        seats.owner.iter().chain(seats.main.iter().map(|(_, person)| &person.id)).collect();
    let users: BTreeMap<&str, &RecordId> = colleagues(content, united)
        .into_iter()
        .filter_map(|email| Some((email, crm.facts.user(email).flatten()?)))
        .collect();
    let people = seats.known.iter().map(|(email, person)| (email.as_str(), person.role, &person.id));
    let all = users.iter().map(|(email, id)| (*email, Role::User, *id)).chain(people);
    let relates = crm.relates_many && seats.main.as_ref().is_some_and(|(_, person)| person.role == Role::Contact);
    let mut relatable = if relates { RELATED_MAX - 1 } else { 0 };
    let mut wanted = BTreeSet::new();
    for (email, role, id) in all {
        if !barred.insert(id) {
            continue;
        }
        if wanted.len() >= ATTENDEES_MAX {
            out.beyond += 1;
            continue;
        }
        let slot = Slot::Attendee(numbers.number(id));
        wanted.insert(slot);
        let is_related = role == Role::Contact && relatable > 0;
        relatable -= usize::from(is_related);
        out.desired.push(attendee(slot, email, id, is_related, content, crm, settings, seats.key));
    }
    // Whom the meeting is with now keeps the seat of before: some CRMs know but one tie between the two.
    let main = seats.main.as_ref().map(|(_, person)| Value::Id(person.id.clone()));
    let keeps = |slot: &Slot| main.is_some() && crm.links[slot].image.get(&Std::Attends.into()) == main.as_ref();
    let ours = crm.links.keys().filter(|slot| matches!(slot, Slot::Attendee(_)) && !wanted.contains(slot));
    out.part = former(crm, seats, &barred)
        .filter(|_| content.attendees_whole)
        .map(|person| (Slot::Attendee(numbers.number(&person)), person));
    // A list known to lack some says nothing about who left.
    out.leave = if content.attendees_whole { ours.filter(|slot| !keeps(slot)).copied().collect() } else { Vec::new() };
}

/// Whom the meeting was with, where that is somebody else now and a place of theirs is left.
fn former(crm: &Crm<'_>, seats: &Seats<'_>, wanted: &BTreeSet<&RecordId>) -> Option<RecordId> {
    let link = crm.links.get(&Slot::Meeting).filter(|_| crm.seats_everybody)?;
    let (email, main) = seats.main.as_ref()?;
    let link_who = link.image.get(&Std::Who.into());
    let Some(Value::Id(before)) = link_who else { return None };
    // Who was merged into another has left the place to that one.
    let is_same = link.image.get(&Std::Email.into()).and_then(Value::as_text) == Some(email.as_str());
    let attends = |link: &Link| link.image.get(&Std::Attends.into()) == link_who;
    let is_seated = is_same || wanted.contains(before) || crm.links.values().any(attends);
    (!is_seated && *before != main.id).then(|| before.clone())
}

/// Our own people at the meeting: reps whose calendars have it, and colleagues who are invited.
fn colleagues<'c>(content: &'c Content, united: &United<'c>) -> BTreeSet<&'c str> {
    let invited = content.attendees.iter().filter(|one| one.part != Part::Resource).map(|one| one.who.email.as_str());
    invited.chain(united.reps.iter().copied()).collect()
}

#[expect(clippy::too_many_arguments, reason = "one place in the CRM, out of all that it hangs on")]
fn attendee(
    slot: Slot,
    email: &str,
    id: &RecordId,
    is_related: bool,
    content: &Content,
    crm: &Crm<'_>,
    settings: &MeetingSettings,
    key: &MeetingKey,
) -> Desired {
    let attends = Value::Id(id.clone());
    let link = crm.links.get(&slot);
    // Somebody merged into another has a new record, and the old place is not that one's.
    let existing =
        link.filter(|link| link.image.get(&Std::Attends.into()) == Some(&attends)).map(|link| link.id.clone());
    let meeting = crm.links.get(&Slot::Meeting).map_or(Value::Slot(Slot::Meeting), |link| Value::Id(link.id.clone()));
    let mut on_create = Fields::from([
        (Std::Meeting.into(), meeting),
        (Std::Attends.into(), attends),
        (Std::Invited.into(), Value::Bool(true)),
    ]);
    if is_related {
        on_create.insert(Std::Related.into(), Value::Bool(true));
    }
    let mut remember = on_create.clone();
    remember.insert(Std::Email.into(), Value::text(email));
    let reply = content.attendees.iter().find(|one| one.who.email == email).map_or(Reply::Awaited, |one| one.reply);
    let words = &settings.replies;
    let response = match reply {
        Reply::Accepted => Some(Value::text(&words.accepted)),
        Reply::Tentative => Some(Value::text(&words.tentative)),
        Reply::Declined => Some(Value::text(&words.declined)),
        // Nothing is emptied that was never filled.
        Reply::Awaited => link.filter(|link| link.image.contains_key(&Std::Response.into())).map(|_| Value::Null),
    };
    Desired {
        slot,
        role: Role::Attendee,
        existing,
        key: ExternalKey::derive(&["calendar_attendee", key.external(crm.workspace).as_str(), &slot.to_string()]),
        shared: None,
        on_create,
        keep: response.map(|response| (Std::Response.into(), response)).into_iter().collect(),
        remember,
    }
}

/// Who has which number: by record, which is all that is known of somebody whom a plan without an answer turned out to have
/// invited.
struct Numbers {
    given: BTreeMap<RecordId, u16>,
    taken: BTreeSet<u16>,
}

impl Numbers {
    fn of(links: &Links) -> Self {
        let given = links.iter().filter_map(|(slot, link)| match (slot, link.image.get(&Std::Attends.into())) {
            (Slot::Attendee(number), Some(Value::Id(id))) => Some((id.clone(), *number)),
            _ => None,
        });
        let given: BTreeMap<RecordId, u16> = given.collect();
        let taken = links.keys().filter_map(|slot| match slot {
            Slot::Attendee(number) => Some(*number),
            _ => None,
        });
        Self { taken: taken.collect(), given }
    }

    fn number(&mut self, id: &RecordId) -> u16 {
        if let Some(number) = self.given.get(id) {
            return *number;
        }
        let free = (1..u16::MAX).find(|number| !self.taken.contains(number)).expect("a meeting has far fewer people");
        self.taken.insert(free);
        self.given.insert(id.clone(), free);
        free
    }
}
