//! A duplicate rule of the CRM stopped a new record and named those that it takes for the same: one of them stands in.

use super::project::Links;
use crate::{
    ids::RecordId,
    record::{Fields, Role, Slot, Std},
    step::{Link, Plan, Write},
};

/// The links with a matched record in the place of the one that was stopped; `None` where the matches are of no use:
/// for a case there is no other case. The first match of the role that was to be made goes before the first of another.
pub fn use_match(links: &Links, plan: &Plan, slot: Slot, matches: &[(Role, RecordId)]) -> Option<Links> {
    let step = plan.steps.iter().find(|step| step.slot == slot)?;
    let Write::Upsert { key, fields } = &step.write else { return None };
    let fits = |role: Role| match slot {
        Slot::Person | Slot::Guest(_) => matches!(role, Role::Contact | Role::Lead),
        Slot::Account | Slot::GuestAccount(_) => role == Role::Account,
        _ => false,
    };
    let same = matches.iter().find(|(role, _)| fits(*role) && *role == step.role);
    let (role, id) = same.or_else(|| matches.iter().find(|(role, _)| fits(*role)))?;
    // A person is known again by the address; an account by the key of the company that it stands for.
    let email = fields.get(&Std::Email.into()).map(|email| (Std::Email.into(), email.clone()));
    let key = (*role == Role::Account).then(|| key.clone());
    let link = Link::new(*role, id.clone(), key, Fields::from_iter(email));
    let mut links = links.clone();
    links.insert(slot, link);
    Some(links)
}

/// The links with doubt cast on the record that was refused, where it `is_gone`, and on all that it may refer to: a CRM says
/// of a record that is gone, and of one that is to refer to such a one, the same.
pub fn doubt(links: &Links, slot: Option<Slot>, is_gone: bool) -> Links {
    let mut links = links.clone();
    let refused = slot.filter(|_| is_gone);
    // The CRM's own list of attendees is asked for before another is made or removed.
    if let Some(slot @ Slot::Attendee(_)) = refused {
        links.remove(&slot);
        return links;
    }
    // What it refers to: people, accounts, and the records that are made before it.
    let doubted = |one: &Slot| match one {
        Slot::Account | Slot::GuestAccount(_) | Slot::Person | Slot::Guest(_) => true,
        Slot::Case | Slot::Opportunity => Some(*one) != slot || is_gone,
        Slot::Meeting | Slot::Record(_) | Slot::Surplus(_) => Some(*one) == refused,
        Slot::Attendee(_) => false,
    };
    for (_, link) in links.iter_mut().filter(|(one, _)| doubted(one)) {
        link.doubt = true;
    }
    links
}
