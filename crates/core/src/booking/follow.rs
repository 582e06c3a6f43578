//! Records that the CRM refused as gone: what became of them, and what stands in their place.

use super::{project::Context, settings::Deleted};
use crate::{
    ids::RecordId,
    record::{Fields, Record, Role, Slot, Std, Value},
    step::Link,
};

/// How many merges are followed, one after the other.
const MERGES_MAX: usize = 8;

/// What a linked record has become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Followed {
    /// It is there, or nothing speaks against it.
    Stands,
    /// Another record has taken its place: the one it was merged into, or the contact that a lead was converted into.
    Became { role: Role, id: RecordId, account: Option<RecordId> },
    /// It is gone, and another one is found or made.
    Gone,
    /// It is gone, and by the settings nothing takes its place.
    Left,
}

/// Follows a link that is in doubt. One whose record was not looked up yet stands.
pub(super) fn follow(cx: &Context<'_>, link: &Link) -> Followed {
    if !link.doubt {
        return Followed::Stands;
    }
    let gone = match cx.settings.deleted {
        Deleted::Recreate => Followed::Gone,
        Deleted::Leave => Followed::Left,
    };
    let mut id = link.id.clone();
    for _ in 0..MERGES_MAX {
        let Some(trace) = cx.facts.trace(&id) else { break };
        let Some(record) = trace else { return gone };
        if let Some(master) = reference(record, Std::MergedInto) {
            id = master;
            continue;
        }
        if record.is(Std::Deleted) {
            return gone;
        }
        if record.is(Std::Converted)
            && let Some(contact) = reference(record, Std::ConvertedContact)
        {
            return Followed::Became {
                role: Role::Contact,
                id: contact,
                account: reference(record, Std::ConvertedAccount),
            };
        }
        break;
    }
    if id == link.id {
        return Followed::Stands;
    }
    // The account of the one that stays counts; as long as it was not looked up, that of the one that went.
    let known = match cx.facts.trace(&id).flatten() {
        Some(record) => reference(record, Std::Account),
        None => link_reference(link, Std::Account),
    };
    Followed::Became { role: link.role, id, account: known }
}

/// The account as far as it was looked up: itself, the one that it was merged into, or none where it is gone.
pub(super) fn account_that_stands(cx: &Context<'_>, id: &RecordId) -> Option<RecordId> {
    match follow(cx, &doubted_account(id)) {
        Followed::Stands => Some(id.clone()),
        Followed::Became { id, .. } => Some(id),
        Followed::Gone | Followed::Left => None,
    }
}

/// The account whose trace would tell whether that of somebody in doubt still stands.
pub(super) fn untraced_account(cx: &Context<'_>, person: &Link) -> Option<RecordId> {
    let told = cx.facts.trace(&person.id).flatten().and_then(|record| reference(record, Std::Account));
    untraced(cx, &doubted_account(&told.or_else(|| link_reference(person, Std::Account))?))
}

fn doubted_account(id: &RecordId) -> Link {
    doubted(Role::Account, id)
}

/// A person whom nothing of the booking is linked to any more, in doubt. `None`: the id does not tell that it is one.
pub(super) fn stranger(cx: &Context<'_>, id: &RecordId) -> Option<Link> {
    let (role, id) = (cx.identify)(id.as_str())?;
    matches!(role, Role::Contact | Role::Lead).then(|| doubted(role, &id))
}

fn doubted(role: Role, id: &RecordId) -> Link {
    Link { doubt: true, ..Link::new(role, id.clone(), None, Fields::new()) }
}

fn link_reference(link: &Link, field: Std) -> Option<RecordId> {
    match link.image.get(&field.into()) {
        Some(Value::Id(id)) => Some(id.clone()),
        _ => None,
    }
}

/// The record whose trace would tell more about a link in doubt: its own, or that of the last known merge.
pub(super) fn untraced(cx: &Context<'_>, link: &Link) -> Option<RecordId> {
    let mut id = link.id.clone();
    for _ in 0..MERGES_MAX {
        match cx.facts.trace(&id) {
            None => return Some(id),
            Some(None) => return None,
            Some(Some(record)) => id = reference(record, Std::MergedInto)?,
        }
    }
    None
}

fn reference(record: &Record, field: Std) -> Option<RecordId> {
    match record.fields.get(&field.into()) {
        Some(Value::Id(id)) => Some(id.clone()),
        _ => None,
    }
}

/// What is to happen to one of the booking's own records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Own {
    Make,
    Use(RecordId),
    /// Somebody deleted it, and by the settings that stands.
    Leave,
}

/// The booking's own record in a slot.
pub(super) fn own(cx: &Context<'_>, slot: Slot) -> Own {
    match cx.links.get(&slot) {
        None => Own::Make,
        Some(link) => match follow(cx, link) {
            Followed::Stands => Own::Use(link.id.clone()),
            Followed::Became { id, .. } => Own::Use(id),
            Followed::Gone => Own::Make,
            Followed::Left => Own::Leave,
        },
    }
}
