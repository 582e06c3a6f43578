//! The other way: what a meeting that people made or changed in the CRM comes to in a calendar.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use super::{
    attend::{AttendeeRules, merge_attendees},
    fields::{Clash, FieldRules, edited, merge_fields, once_shown},
    project::{MeetingSettings, fields, taken_over},
    several::Standing,
};
use crate::{
    booking::{diff::Normalise, facts::Facts, project::Links},
    calendar::{
        eligible::Policy,
        event::{Attendee, Content, Moment, Part, Party, Reply},
    },
    ids::{ExternalKey, RecordId},
    person::normal_email,
    record::{Fields, Record, Role, Slot, Std, Value},
    step::Link,
};

/// How much of what people do in the CRM reaches calendars.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct BackRules {
    /// Whether meetings that people make in the CRM become events, and their contacts are invited.
    pub invite: bool,
    /// The field of the meeting, by the vendor's own name, that has to say yes; nothing: every meeting does.
    pub ask_field: Option<String>,
    /// Whether edits of subject, time, place and text in the CRM change the event, and contacts added there are invited.
    pub edits: bool,
    /// Whether guests whom the CRM invited and who are taken off there are taken off the event.
    pub uninvite: bool,
}

impl BackRules {
    /// Whether it has to be known what people do in the CRM.
    pub fn asks(&self) -> bool {
        self.invite || self.edits
    }
}

/// A meeting as the CRM has it, with the people whom it knows by address.
#[derive(Clone, Debug)]
pub struct CrmSide<'a> {
    pub record: &'a Record,
    /// Contacts and leads who attend, by record, with their addresses.
    pub guests: BTreeMap<RecordId, String>,
    /// The places of those who attend beside the main person.
    pub places: Vec<&'a Record>,
}

impl<'a> CrmSide<'a> {
    /// The meeting, out of what was looked up: itself, who attends, and their addresses.
    pub fn of(record: &'a Record, facts: &'a Facts) -> Self {
        let id = |record: &Record, field: Std| match record.fields.get(&field.into()) {
            Some(Value::Id(id)) => Some(id.clone()),
            _ => None,
        };
        let places: Vec<&Record> = facts.attendees(&record.id).into_iter().flat_map(|all| all.values()).collect();
        let people = places.iter().filter_map(|place| id(place, Std::Attends)).chain(id(record, Std::Who));
        let guests = people.filter_map(|person| {
            let known = facts.record(&person).filter(|known| matches!(known.role, Role::Contact | Role::Lead))?;
            Some((person, known.text(Std::Email).and_then(normal_email)?))
        });
        Self { record, guests: guests.collect(), places }
    }

    fn emails(&self) -> BTreeSet<String> {
        self.guests.values().cloned().collect()
    }

    /// The person whom the meeting is with: as the CRM says, or the first by address where it makes no difference.
    fn main(&self) -> Option<RecordId> {
        if let Some(Value::Id(who)) = self.record.fields.get(&Std::Who.into()) {
            return Some(who.clone());
        }
        self.guests.iter().min_by_key(|(_, email)| email.as_str()).map(|(id, _)| id.clone())
    }

    /// Who of those whom the CRM invited no longer attends there: by record, with the address. Whether the person is still in
    /// the CRM at all, under that address, is to be asked before anybody is taken off an event.
    pub fn missing(&self, links: &Links, invited: &BTreeSet<String>) -> BTreeMap<RecordId, String> {
        let emails = self.emails();
        let known = links.values().filter_map(|link| {
            let email = link.image.get(&Std::Email.into())?.as_text()?;
            let field = if link.role == Role::Meeting { Std::Who } else { Std::Attends };
            let Some(Value::Id(person)) = link.image.get(&field.into()) else { return None };
            Some((person.clone(), email.to_owned()))
        });
        let attends = |person: &RecordId, email: &String| self.guests.contains_key(person) || emails.contains(email);
        known.filter(|(person, email)| invited.contains(email) && !attends(person, email)).collect()
    }

    /// The places that the CRM has given already to guests whom `known` lacks: they are not to be seated once more. Places
    /// of whom a meeting of a calendar would seat nobody are people's own.
    pub fn links(&self, known: &Links, policy: &Policy) -> Links {
        let taken: BTreeSet<&RecordId> = known.values().map(|link| &link.id).collect();
        // Whom the meeting is with has it already.
        let main = known.get(&Slot::Meeting).and_then(|link| link.image.get(&Std::Who.into()));
        let mut numbers = (1..u16::MAX).filter(|number| !known.contains_key(&Slot::Attendee(*number)));
        let mut links = Links::new();
        for place in self.places.iter().filter(|place| !taken.contains(&place.id)) {
            let Some(Value::Id(who)) = place.fields.get(&Std::Attends.into()) else { continue };
            let Some(email) = self.guests.get(who) else { continue };
            let attends = Value::Id(who.clone());
            if main == Some(&attends) || policy.is_internal(email) || policy.blocked_by(email).is_some() {
                continue;
            }
            let Some(number) = numbers.next() else { break };
            let image = Fields::from([
                (Std::Meeting.into(), Value::Id(self.record.id.clone())),
                (Std::Attends.into(), attends),
                (Std::Invited.into(), Value::Bool(true)),
                (Std::Email.into(), Value::text(email)),
            ]);
            links.insert(Slot::Attendee(number), Link::new(Role::Attendee, place.id.clone(), None, image));
        }
        links
    }
}

/// The event that a meeting of the CRM becomes in its owner's calendar. `None`: it has no start.
pub fn event_of(side: &CrmSide<'_>, owner: &str, home: &TimeZone) -> Option<Content> {
    let time = |field: Std| match side.record.fields.get(&field.into()) {
        Some(Value::Time(at)) => Some(*at),
        _ => None,
    };
    let start = time(Std::Start)?;
    let end = time(Std::End).unwrap_or(start).max(start);
    let zone = home.iana_name().unwrap_or("UTC").to_owned();
    let at = |at| Moment::At { at, zone: zone.clone() };
    let text = |field: Std| side.record.text(field).unwrap_or_default().to_owned();
    let mut content = Content::new(at(start), at(end));
    content.summary = text(Std::Subject);
    content.description = text(Std::Description);
    content.location = text(Std::Location);
    content.organizer = Party::read(owner, None);
    let guest = |email| Attendee { who: Party { email, name: None }, part: Part::Required, reply: Reply::Awaited };
    content.attendees = side.emails().into_iter().filter(|email| email != owner).map(guest).collect();
    Some(content)
}

/// What is agreed on about a meeting of the CRM that has just become an event.
pub fn links_of(side: &CrmSide<'_>, policy: &Policy) -> Links {
    let told = [Std::Subject, Std::Description, Std::Location, Std::Start, Std::End, Std::Owner];
    let agreed =
        told.into_iter().filter_map(|field| Some((field.into(), side.record.fields.get(&field.into())?.clone())));
    let mut image: Fields = agreed.collect();
    if let Some(who) = side.main() {
        image.extend(side.guests.get(&who).map(|email| (Std::Email.into(), Value::text(email))));
        image.insert(Std::Who.into(), Value::Id(who));
    }
    let meeting = Link::new(Role::Meeting, side.record.id.clone(), None, image);
    let mut links = Links::from([(Slot::Meeting, meeting)]);
    links.extend(side.links(&links, policy));
    links
}

/// What a person has edited since the record was last agreed on, of all that an event has, too: a name for it, which is another
/// for every other edit. What we wrote comes back as it was agreed on.
pub fn edit_of(side: &CrmSide<'_>, links: &Links) -> Option<ExternalKey> {
    let edited = edited(&links.get(&Slot::Meeting)?.image, &side.record.fields);
    let parts: Vec<String> = edited.iter().map(|(field, value)| format!("{field}={value:?}")).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    (!parts.is_empty()).then(|| ExternalKey::derive(&parts))
}

/// Whether there may be anything that the event is to take over: where there is not, no calendar need be asked.
pub fn is_news(side: &CrmSide<'_>, links: &Links) -> bool {
    edit_of(side, links).is_some() || side.emails() != known(links)
}

/// Whom both have known, by address.
fn known(links: &Links) -> BTreeSet<String> {
    links.values().filter_map(|link| link.image.get(&Std::Email.into())?.as_text()).map(str::to_owned).collect()
}

/// The event as it is to be once it takes over what people edited in the CRM since both last agreed, and those edits. `None`:
/// as it is. `carried`: edits that the event took over before; `content`: the organiser's own copy; `uninvite`: who may be
/// taken off it.
pub fn carried_back(
    side: &CrmSide<'_>,
    (links, carried): (&Links, &Fields),
    content: &Content,
    settings: &MeetingSettings,
    uninvite: &BTreeSet<String>,
    home: &TimeZone,
    normalise: Normalise<'_>,
) -> Option<(Content, Fields)> {
    let says = fields(content, Standing::On, settings, home);
    let says =
        says.into_iter().map(|(field, value)| (field.clone(), normalise(Role::Meeting, &field, value))).collect();
    let rules = FieldRules { back: true, clash: Clash::Calendar };
    let crm = Some(&side.record.fields);
    let (base, _) = once_shown(&links.get(&Slot::Meeting)?.image, carried, crm, &says);
    let edits = merge_fields(&base, crm, &says, rules).to_calendar;
    let mut wanted = taken_over(content, &edits, home);
    let agreed = known(links);
    let rules = AttendeeRules { invite: true, uninvite };
    if let Some(attendees) = merge_attendees(&agreed, &side.emails(), content, true, rules).send {
        wanted.attendees = attendees;
    }
    (wanted != *content).then_some((wanted, edits))
}
