//! Who is tied to the meeting beside the invitee: other seats, guests, and hosts who do not own it. Each has a number
//! that stays the same for as long as the booking lives. The records of people are [`super::people`]' matter.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    chain::View,
    follow::{Followed, follow},
    matching::{address, person_key},
    message::Attendee,
    people::{Comer, Kind, Person, person},
    project::{Context, Desired, Links, Note, Projection, own_key, shared_record_key},
    settings::{GuestPolicy, Language},
    text::display_name,
};
use crate::{
    ids::RecordId,
    record::{Fields, Role, Slot, Std, Value},
};

/// People of one booking who become attendees; the description names those beyond. Each may need an account, a person
/// and an attendee, and all of them have to go into one call together with the booking's own records.
pub const MAX_ATTENDEES: usize = 150;

/// Contacts that a meeting is related to at the most, the invitee included; those beyond are invited only. The fewest that
/// a CRM with the notion allows; the connector names its source.
const MAX_RELATED: usize = 50;

/// Everybody beside the invitee, as the messages tell it.
pub(super) struct Company<'a> {
    /// Other seats and guests with a usable address, each once.
    pub comers: Vec<Comer<'a>>,
    /// Hosts with a usable address and their numbers, the first host first.
    pub hosts: Vec<(String, u16)>,
    /// Those whose address cannot be used.
    pub unusable: Vec<&'a Attendee>,
    /// How many there are beyond [`MAX_ATTENDEES`].
    pub beyond: usize,
}

/// The other seats, then the invitee's guests, then theirs.
pub(super) fn others<'a>(view: &View<'a>) -> impl Iterator<Item = (&'a Attendee, Kind)> {
    let seats = view.other_seats.iter().map(|seat| (&seat.invitee, Kind::Seat));
    let theirs = view.other_seats.iter().flat_map(|seat| &seat.guests);
    seats.chain(view.content.guests.iter().chain(theirs).map(|guest| (guest, Kind::Guest)))
}

/// Everybody beside the invitee, as texts name them: the invitee's guests, the other seats and their guests, each address once.
pub(super) fn named<'a>(view: &View<'a>) -> impl Iterator<Item = &'a Attendee> {
    let own = view.content.guests.iter();
    let all = own.chain(others(view).map(|(who, _)| who));
    let mut seen = BTreeSet::new();
    all.filter(move |who| match address(&who.email) {
        Some(email) => seen.insert(email),
        None => seen.insert(format!("{} {}", who.email, display_name(who))),
    })
}

/// Gathers everybody and gives those their numbers who have none yet.
pub(super) fn company<'a>(cx: &Context<'_>, view: &View<'a>) -> Company<'a> {
    let content = view.content;
    let mut out = Company { comers: Vec::new(), hosts: Vec::new(), unusable: Vec::new(), beyond: 0 };
    let mut numbers = Numbers::of(cx.links);
    let mut seen: BTreeSet<String> = address(&content.invitee.email).into_iter().collect();
    if cx.settings.co_hosts {
        for email in content.hosts.iter().filter_map(|host| address(&host.email)) {
            if seen.insert(email.clone()) {
                let number = numbers.number(&email);
                out.hosts.push((email, number));
            }
        }
    }
    for (who, kind) in others(view) {
        let Some(email) = address(&who.email) else {
            out.unusable.push(who);
            continue;
        };
        if !seen.insert(email.clone()) {
            continue;
        }
        if out.comers.len() + out.hosts.len() >= MAX_ATTENDEES {
            out.beyond += 1;
            continue;
        }
        let slot = Slot::Guest(numbers.number(&email));
        out.comers.push(Comer { who, email, kind, slot });
    }
    out
}

/// The address of the one of the company who attends with this record, as far as it was looked up.
pub(super) fn address_of(cx: &Context<'_>, view: &View<'_>, links: &Links, record: &RecordId) -> Option<String> {
    let people = others(view).map(|(who, _)| &who.email);
    let hosts = view.content.hosts.iter().map(|host| &host.email);
    let is_theirs = |role: Role, email: &str| {
        let key = person_key(role, email);
        let made = cx.facts.with_key(role, &shared_record_key(cx, &key)).map(|made| &made.id);
        let known = cx.facts.shared(&key).map(|known| &known.id);
        let found = cx.facts.with_email(role, email).into_iter().map(|found| &found.id);
        found.chain(made).chain(known).any(|id| id == record)
    };
    let is_linked = |email: &str| {
        let mut people = links.iter().filter(|(slot, link)| matches!(slot, Slot::Guest(_)) && link.id == *record);
        people.any(|(_, link)| link.image.get(&Std::Email.into()).and_then(Value::as_text) == Some(email))
    };
    people.chain(hosts).filter_map(|email| address(email)).find(|email| {
        cx.facts.user(email) == Some(Some(record))
            || is_linked(email)
            || [Role::Contact, Role::Lead].into_iter().any(|role| is_theirs(role, email))
    })
}

/// Which address has which number.
struct Numbers {
    given: BTreeMap<String, u16>,
    taken: BTreeSet<u16>,
}

impl Numbers {
    /// The numbers that were given before.
    fn of(links: &Links) -> Self {
        let given = links.iter().filter_map(|(slot, link)| {
            let (Slot::Guest(number) | Slot::Attendee(number)) = slot else { return None };
            Some((link.image.get(&Std::Email.into())?.as_text()?.to_owned(), *number))
        });
        let given: BTreeMap<String, u16> = given.collect();
        let taken = links.keys().filter_map(|slot| match slot {
            Slot::Guest(number) | Slot::Attendee(number) => Some(*number),
            _ => None,
        });
        Self { taken: taken.collect(), given }
    }

    /// The number of an address: its own, else the lowest that is free.
    fn number(&mut self, email: &str) -> u16 {
        if let Some(number) = self.given.get(email) {
            return *number;
        }
        let free = (1..u16::MAX).find(|number| !self.taken.contains(number)).expect("a booking has far fewer people");
        self.taken.insert(free);
        self.given.insert(email.to_owned(), free);
        free
    }
}

/// Adds the people and the attendees that the meeting should have, and takes those away that it should not.
pub(super) fn attendees(
    cx: &Context<'_>,
    view: &View<'_>,
    meeting: &Desired,
    invitee: Option<&Person>,
    owner: Option<&RecordId>,
    out: &mut Projection,
) {
    let company = company(cx, view);
    for who in &company.unusable {
        let text = format!("{} has no usable e-mail address; only the description names this guest", display_name(who));
        out.notes.push(Note::new("guest_without_address", text));
    }
    if company.beyond > 0 {
        let text = format!("{} guests beyond the {MAX_ATTENDEES}th are only named in the description", company.beyond);
        out.notes.push(Note::new("too_many_guests", text));
    }
    let mut hall = Hall::new(cx, view, meeting, invitee, owner);
    for comer in &company.comers {
        let Slot::Guest(number) = comer.slot else { continue };
        if comer.is_own(cx)
            && let Some(Some(user)) = cx.facts.user(&comer.email)
        {
            hall.seat(number, &comer.email, Role::User, Value::Id(user.clone()));
            continue;
        }
        if comer.kind == Kind::Guest && cx.settings.guests == GuestPolicy::Ignore {
            continue;
        }
        if is_refused(cx, &comer.email, out) {
            continue;
        }
        if let Some(person) = person(cx, view, comer, owner, out) {
            hall.seat(number, &comer.email, person.role, person.value);
        }
    }
    for (at, (email, number)) in company.hosts.iter().enumerate() {
        match cx.facts.user(email) {
            Some(Some(_)) if is_refused(cx, email, out) => {}
            Some(Some(user)) => hall.seat(*number, email, Role::User, Value::Id(user.clone())),
            // What became of the first host is told with the owner.
            Some(None) if at > 0 => {
                let text = format!("{email} is no active user of the CRM and is not invited");
                out.notes.push(Note::new("co_host_unknown", text));
            }
            Some(None) | None => {}
        }
    }
    hall.close(out);
}

/// Whether the CRM refused to take them: somebody who cannot be written must not keep the meeting from being written.
fn is_refused(cx: &Context<'_>, email: &str, out: &mut Projection) -> bool {
    let Some(reason) = cx.refused.guests.get(email) else { return false };
    out.notes.push(Note::new("guest_refused", format!("{email} is only named in the description: {reason}")));
    true
}

/// The attendees as they should be.
struct Hall<'a> {
    cx: &'a Context<'a>,
    view: &'a View<'a>,
    meeting: &'a Desired,
    /// Who must not be seated: the owner has the meeting already, and so has the invitee.
    barred: Vec<Value>,
    /// How many more people the meeting may be related to.
    relatable: usize,
    seated: Vec<Desired>,
    replaced: Vec<Slot>,
}

impl<'a> Hall<'a> {
    fn new(
        cx: &'a Context<'a>,
        view: &'a View<'a>,
        meeting: &'a Desired,
        invitee: Option<&Person>,
        owner: Option<&RecordId>,
    ) -> Self {
        let present_owner =
            meeting.existing.as_ref().and_then(|id| cx.facts.record(id)?.fields.get(&Std::Owner.into()));
        let mut barred: Vec<Value> = owner.cloned().map(Value::Id).into_iter().collect();
        barred.extend(present_owner.cloned());
        barred.extend(invitee.map(|invitee| invitee.value.clone()));
        let relates = cx.relates_many && invitee.is_some_and(|invitee| invitee.role == Role::Contact);
        let relatable = if relates { MAX_RELATED - 1 } else { 0 };
        Self { cx, view, meeting, barred, relatable, seated: Vec::new(), replaced: Vec::new() }
    }

    fn seat(&mut self, number: u16, email: &str, role: Role, attends: Value) {
        if self.barred.contains(&attends) {
            return;
        }
        self.barred.push(attends.clone());
        let slot = Slot::Attendee(number);
        let related = role == Role::Contact && self.relatable > 0;
        self.relatable -= usize::from(related);
        let mut on_create = Fields::from([
            (Std::Meeting.into(), self.meeting.existing.clone().map_or(Value::Slot(Slot::Meeting), Value::Id)),
            (Std::Attends.into(), attends.clone()),
            (Std::Invited.into(), Value::Bool(true)),
        ]);
        if related {
            on_create.insert(Std::Related.into(), Value::Bool(true));
        }
        let mut remember = on_create.clone();
        remember.insert(Std::Email.into(), Value::text(email));
        let absent = self.view.no_shows.contains(email);
        let answered = self.cx.links.get(&slot).is_some_and(|link| link.image.contains_key(&Std::Response.into()));
        let response = match absent {
            true => Some(Value::text(did_not_come(self.cx.settings.language))),
            false => answered.then_some(Value::Null),
        };
        let existing = self.existing(slot, &attends);
        if self.linked(slot).is_some_and(|linked| existing.as_ref() != Some(linked)) {
            self.replaced.push(slot);
        }
        self.seated.push(Desired {
            slot,
            role: Role::Attendee,
            existing,
            key: own_key(self.cx, slot),
            shared: None,
            on_create,
            keep: response.map(|response| (Std::Response.into(), response)).into_iter().collect(),
            remember,
        });
    }

    /// The link of a slot that belongs to the meeting as it is now: with a meeting that is gone its attendees are, too.
    fn linked(&self, slot: Slot) -> Option<&RecordId> {
        let link = self.cx.links.get(&slot)?;
        let is_there = match self.known() {
            Some(known) => known.values().any(|record| record.id == link.id),
            None => follow(self.cx, link) == Followed::Stands,
        };
        (self.meeting.existing.is_some() && is_there).then_some(&link.id)
    }

    /// Who attends at present, where that was looked up.
    fn known(&self) -> Option<&BTreeMap<RecordId, crate::record::Record>> {
        self.cx.facts.attendees(self.meeting.existing.as_ref()?)
    }

    /// The attendee that is there already, by our link or because somebody else made it.
    fn existing(&self, slot: Slot, attends: &Value) -> Option<RecordId> {
        let Value::Id(attends) = attends else { return None };
        if let Some(record) = self.known().and_then(|known| known.get(attends)) {
            return Some(record.id.clone());
        }
        // Ours may have another's name by now: whoever was merged into somebody left the place to the one who stays.
        let linked = self.linked(slot)?;
        let made_with = self.cx.links[&slot].image.get(&Std::Attends.into());
        let same = made_with.map_or(self.known().is_none(), |with| *with == Value::Id(attends.clone()));
        same.then(|| linked.clone())
    }

    /// Whoever of ours is no longer wanted leaves.
    fn close(self, out: &mut Projection) {
        let wanted: BTreeSet<Slot> = self.seated.iter().map(|desired| desired.slot).collect();
        let is_seated = |id: &RecordId| self.seated.iter().any(|desired| desired.existing.as_ref() == Some(id));
        let ours = self.cx.links.keys().filter(|slot| matches!(slot, Slot::Attendee(_)));
        for slot in ours.filter(|slot| !wanted.contains(slot)) {
            match self.linked(*slot) {
                Some(id) if !is_seated(id) => out.delete.push(*slot),
                Some(_) | None => out.forget.push(*slot),
            }
        }
        out.delete.extend(self.replaced);
        out.desired.extend(self.seated);
    }
}

fn did_not_come(language: Language) -> &'static str {
    match language {
        Language::English => "did not come",
        Language::German => "nicht erschienen",
        Language::French => "absent",
    }
}
