//! The meeting among the records of a booking: where all the others meet. Which other records there are is decided in
//! [`super::project`].

use super::{
    chain::{Standing, View},
    matching::address,
    people::Person,
    project::{Context, Desired, Note, Ties, hint, opportunity_name, own_key, text_value},
    settings::{About, BookingSettings, MatchRule},
    text::{Related, description, title, with_prefix},
};
use crate::{
    ids::RecordId,
    record::{Field, Fields, Role, Slot, Std, Value},
};

/// The records around a meeting, as far as they should exist.
pub(super) struct Around<'a> {
    pub person: Option<&'a Person>,
    pub owner: Option<&'a RecordId>,
    pub case: Option<&'a Desired>,
    pub opportunity: Option<&'a Desired>,
}

/// The meeting as it should be.
pub(super) fn meeting(
    cx: &Context<'_>,
    view: &View<'_>,
    existing: Option<RecordId>,
    around: &Around<'_>,
    notes: &mut Vec<Note>,
) -> Desired {
    let settings = cx.settings;
    let called_off = matches!(view.standing, Standing::Cancelled { .. } | Standing::Rejected { .. });
    let mut keep = Fields::new();
    let (case, opportunity) = relate(cx, view, existing.is_some(), around, &mut keep, notes);
    let related = Related { case: case.as_deref(), opportunity: opportunity.as_deref() };
    keep.insert(Std::Subject.into(), Value::Text(subject(view, &settings.cancel.prefix, called_off)));
    keep.insert(Std::Description.into(), Value::Text(description(view, settings.language, &related)));
    keep.insert(Std::Location.into(), text_value(view.content.location.as_deref()).unwrap_or(Value::Null));
    if let Some(start) = view.content.start {
        keep.insert(Std::Start.into(), Value::Time(start));
        keep.insert(Std::End.into(), Value::Time(view.content.end.unwrap_or(start)));
    }
    let free = called_off && settings.cancel.show_as_free;
    keep.insert(Std::ShowAs.into(), Value::text(if free { "free" } else { "busy" }));
    if let Some(owner) = around.owner {
        keep.insert(Std::Owner.into(), Value::Id(owner.clone()));
    }
    if let (Some(field), Some(value)) = (&settings.status_field, status_value(settings, view)) {
        keep.insert(Field::Native(field.clone()), Value::text(value));
    }
    Desired {
        slot: Slot::Meeting,
        role: Role::Meeting,
        existing,
        key: own_key(cx, Slot::Meeting),
        shared: None,
        on_create: Fields::new(),
        keep,
        remember: Fields::new(),
    }
}

/// The title, with the prefix where the booking is called off. A title that is nothing but the prefix is left as it is:
/// a meeting needs a subject.
fn subject(view: &View<'_>, prefix: &str, called_off: bool) -> String {
    let title = title(view.content);
    let subject = with_prefix(&title, prefix, called_off);
    if subject.trim().is_empty() { title } else { subject }
}

/// Ties the meeting to its person and to what it is about, and gives back the names of the case and the opportunity
/// where it cannot be tied to them.
fn relate(
    cx: &Context<'_>,
    view: &View<'_>,
    stands: bool,
    around: &Around<'_>,
    keep: &mut Fields,
    notes: &mut Vec<Note>,
) -> (Option<String>, Option<String>) {
    if let Some(person) = around.person {
        keep.insert(Std::Who.into(), person.value.clone());
    }
    if cx.ties == Ties::All {
        tie_to_all(cx, view, stands, around, keep);
        return (None, None);
    }
    // Where the invitee cannot be told this time, the meeting stays with whom it was with.
    let role = around.person.map(|person| person.role).or_else(|| Some(cx.links.get(&Slot::Person)?.role));
    let what = what(cx, view, stands, around);
    let mut linked_to = None;
    match what {
        Some(_) if role == Some(Role::Lead) => {
            notes.push(Note::new(
                "lead_without_what",
                "the CRM allows no related record beside a lead; it is named in the description",
            ));
            if linked_what(cx).is_some() {
                keep.insert(Std::What.into(), Value::Null);
            }
        }
        Some((slot, value)) => {
            linked_to = slot;
            keep.insert(Std::What.into(), value);
        }
        None => {}
    }
    (
        around.case.filter(|_| linked_to != Some(Slot::Case)).map(|_| title(view.content)),
        around.opportunity.filter(|_| linked_to != Some(Slot::Opportunity)).map(|_| opportunity_name(view)),
    )
}

/// Ties the meeting to all that is around it; where the booking link names a record of one kind, to that one of the kind.
fn tie_to_all(cx: &Context<'_>, view: &View<'_>, stands: bool, around: &Around<'_>, keep: &mut Fields) {
    // What a meeting that is made anew was tied to may be gone, too.
    let last = |field: Std| cx.links.get(&Slot::Meeting).filter(|_| stands)?.image.get(&field.into()).cloned();
    let tie = |(role, id): (Role, RecordId)| Some((reference_to(role)?, Value::Id(id)));
    let named = if stands {
        hint(cx, view).and_then(tie).filter(|(field, value)| last(*field).as_ref() == Some(value))
    } else {
        named_in_link(cx, view).and_then(tie)
    };
    let own = [
        (Std::Account, around.person.and_then(|person| person.account.clone())),
        (Std::Case, around.case.map(reference)),
        (Std::Opportunity, around.opportunity.map(reference)),
    ];
    for (field, own) in own {
        let named = named.as_ref().filter(|(of, _)| *of == field).map(|(_, value)| value.clone());
        if let Some(value) = named.or(own).or_else(|| last(field)) {
            keep.insert(field.into(), value);
        }
    }
}

/// The field by which a meeting refers to a record of this role.
fn reference_to(role: Role) -> Option<Std> {
    match role {
        Role::Account => Some(Std::Account),
        Role::Case => Some(Std::Case),
        Role::Opportunity => Some(Std::Opportunity),
        _ => None,
    }
}

/// The record that the booking link names, where the meeting is to be made and it can be about that record.
fn named_in_link(cx: &Context<'_>, view: &View<'_>) -> Option<(Role, RecordId)> {
    let is_asked = !cx.links.contains_key(&Slot::Meeting) && cx.settings.match_order.contains(&MatchRule::RecordId);
    let (role, id) = hint(cx, view).filter(|_| is_asked)?;
    let is_fit = reference_to(role).is_some() && cx.facts.record(&id).is_some_and(|record| record.role == role);
    is_fit.then_some((role, id))
}

/// What the meeting was tied to when it was last written.
fn linked_what<'a>(cx: &Context<'a>) -> Option<&'a RecordId> {
    match cx.links.get(&Slot::Meeting)?.image.get(&Std::What.into()) {
        Some(Value::Id(id)) => Some(id),
        _ => None,
    }
}

/// What the meeting is about, with its slot where it is one of the booking's own records: what it was tied to before,
/// else the record that the booking link names, else case or opportunity by declared priority.
fn what(cx: &Context<'_>, view: &View<'_>, stands: bool, around: &Around<'_>) -> Option<(Option<Slot>, Value)> {
    if let Some(id) = linked_what(cx) {
        let is_it = |own: &&Desired| {
            own.existing.as_ref() == Some(id) || cx.links.get(&own.slot).is_some_and(|link| link.id == *id)
        };
        let own = || [around.case, around.opportunity].into_iter().flatten();
        // What a meeting that is made anew was tied to may be a record of the booking that was made anew before it.
        let is_known = cx.links.values().any(|link| link.id == *id)
            || hint(cx, view).is_some_and(|(_, named)| named == *id)
            || own().next().is_none();
        match own().find(is_it) {
            // It may have been made again under another id.
            Some(own) => return Some((Some(own.slot), reference(own))),
            None if stands || is_known => return Some((None, Value::Id(id.clone()))),
            None => {}
        }
    }
    if let Some((_, id)) = named_in_link(cx, view) {
        return Some((None, Value::Id(id)));
    }
    let (first, second) = match cx.settings.about {
        About::Case => (around.case, around.opportunity),
        About::Opportunity => (around.opportunity, around.case),
    };
    let chosen = first.or(second)?;
    Some((Some(chosen.slot), reference(chosen)))
}

fn reference(record: &Desired) -> Value {
    record.existing.clone().map_or(Value::Slot(record.slot), Value::Id)
}

/// The admin's word for how the booking stands. Where there is none for that, the meeting keeps the word that it had
/// before, worked out from the booking: whether that was ever written depends on when somebody looked.
fn status_value<'a>(settings: &'a BookingSettings, view: &View<'_>) -> Option<&'a str> {
    let values = &settings.status_values;
    let own = match &view.standing {
        Standing::Cancelled { .. } | Standing::Rejected { .. } => values.cancelled.as_deref(),
        Standing::RescheduleRequested { .. } | Standing::ReschedulePending { .. } => {
            values.reschedule_requested.as_deref()
        }
        Standing::Active | Standing::Unconfirmed | Standing::FormOnly => {
            let missing =
                address(&view.content.invitee.email).is_some_and(|email| view.no_shows.contains(email.as_str()));
            values.no_show.as_deref().filter(|_| missing)
        }
    };
    let rescheduled = values.rescheduled.as_deref().filter(|_| !view.moves.is_empty());
    own.or(rescheduled).or(values.booked.as_deref())
}
