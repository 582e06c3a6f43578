//! Two chains that turn out to be one booking: whose records stay, and which were made twice.
//!
//! A record that both made for themselves is kept once. The other one moves into a slot of its own kind
//! ([`Slot::Surplus`]), from where the projection has it deleted; so does one of which nobody knows yet whether it was
//! made. Nothing is written here, and no message is read: the state of the united chain is [`super::chain`]'s.

use super::{
    follow::{Followed, follow},
    project::{Context, Links, Note, Projection},
};
use crate::{
    record::{Field, Fields, Slot, Std, Value},
    step::{Link, Plan, Step, Write},
};

/// The records of one chain, and its plan whose outcome is unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    pub links: Links,
    pub unsettled: Option<Plan>,
}

/// Unites the records of two chains. Where both have one of a kind, that of the older chain stays: people have had it for
/// longer.
pub fn unite(older: Part, newer: Part) -> Part {
    let numbers = [&older, &newer].into_iter().flat_map(Part::slots).filter_map(|slot| match slot {
        Slot::Surplus(number) => Some(number),
        _ => None,
    });
    let next = numbers.max().map_or(1, |last| last.saturating_add(1));
    let mut union = Union { part: older, next, takes_company: false };
    if newer.links.contains_key(&Slot::Meeting) && !union.part.links.contains_key(&Slot::Meeting) {
        union.demote(Slot::Meeting);
    }
    union.takes_company = !union.part.has(Slot::Meeting) && !union.part.slots().any(is_company);
    for (slot, link) in newer.links {
        union.take_link(slot, link);
    }
    if let Some(plan) = newer.unsettled {
        let steps: Vec<Step> = plan.steps.into_iter().filter_map(|step| union.taken(step)).collect();
        union.part.unsettled.get_or_insert_default().steps.extend(steps);
    }
    if let Some(plan) = &mut union.part.unsettled {
        plan.steps.sort_by_key(|step| step.slot);
    }
    union.part
}

/// The records that were made twice and are still to go, by role and id, for people to read.
pub fn surplus(links: &Links) -> impl Iterator<Item = &Link> {
    links.iter().filter(|(slot, _)| matches!(slot, Slot::Surplus(_))).map(|(_, link)| link)
}

/// Leaves a record that was made twice to people, because the CRM does not let it be deleted; with it all others of its
/// role, which it would refuse as well.
pub fn leave_surplus(links: &Links, slot: Slot) -> Option<Links> {
    let role = links.get(&slot).filter(|_| matches!(slot, Slot::Surplus(_)))?.role;
    let mut left = links.clone();
    left.retain(|slot, link| !matches!(slot, Slot::Surplus(_)) || link.role != role);
    Some(left)
}

/// Has the records deleted that were made twice. One that somebody merged away or deleted meanwhile is forgotten.
pub(super) fn project_surplus(cx: &Context<'_>, out: &mut Projection) {
    for (slot, link) in cx.links.iter().filter(|(slot, _)| matches!(slot, Slot::Surplus(_))) {
        if follow(cx, link) != Followed::Stands {
            out.forget.push(*slot);
            continue;
        }
        let text = format!(
            "the {} {} was written when this booking still seemed to be two; it is deleted, and the older one stays",
            link.role.as_str(),
            link.id
        );
        out.delete.push(*slot);
        out.notes.push(Note::new("surplus", text));
    }
}

/// Whether a booking makes the record in this slot for itself.
fn is_own(slot: Slot) -> bool {
    matches!(slot, Slot::Case | Slot::Opportunity | Slot::Meeting | Slot::Record(_))
}

/// Whether the slot is that of somebody beside the invitee, numbered within one chain.
fn is_company(slot: Slot) -> bool {
    matches!(slot, Slot::Guest(_) | Slot::GuestAccount(_) | Slot::Attendee(_))
}

impl Part {
    fn slots(&self) -> impl Iterator<Item = Slot> {
        self.links.keys().copied().chain(self.unsettled.iter().flat_map(|plan| &plan.steps).map(|step| step.slot))
    }

    fn makes(&self, slot: Slot) -> bool {
        let steps = self.unsettled.iter().flat_map(|plan| &plan.steps);
        steps.filter(|step| step.slot == slot).any(|step| matches!(step.write, Write::Upsert { .. }))
    }

    fn has(&self, slot: Slot) -> bool {
        self.links.contains_key(&slot) || self.makes(slot)
    }
}

fn agrees(others: &Fields, field: &Field, value: &Value) -> bool {
    others.get(field).is_none_or(|other| other == value)
}

/// Where the two differ, either may have written last. Of the account, which other records hang on, the record itself is
/// asked.
fn keep_agreed(known: &mut Link, others: &Fields) {
    let account = Field::Std(Std::Account);
    known.doubt |= known.image.get(&account).is_some_and(|value| !agrees(others, &account, value));
    known.image.retain(|field, value| agrees(others, field, value));
}

struct Union {
    part: Part,
    /// The next free number of a surplus record.
    next: u16,
    /// Whether the newer chain's guests keep their numbers. They go with its meeting; where the older one's stays, they
    /// are found again by their addresses.
    takes_company: bool,
}

impl Union {
    fn surplus(&mut self) -> Slot {
        let slot = Slot::Surplus(self.next);
        self.next = self.next.saturating_add(1);
        slot
    }

    fn take_link(&mut self, slot: Slot, link: Link) {
        if let Some(known) = self.part.links.values_mut().find(|known| known.id == link.id) {
            keep_agreed(known, &link.image);
            return;
        }
        if is_company(slot) && !self.takes_company {
            return;
        }
        let links = &self.part.links;
        let to = match slot {
            Slot::Surplus(_) => self.surplus(),
            _ if is_own(slot) && links.contains_key(&slot) => self.surplus(),
            _ => {
                self.demote(slot);
                slot
            }
        };
        self.part.links.entry(to).or_insert(link);
    }

    /// What is known to be there goes before what may have been made.
    fn demote(&mut self, slot: Slot) {
        if !self.part.makes(slot) {
            return;
        }
        let to = is_own(slot).then(|| self.surplus());
        let Some(plan) = &mut self.part.unsettled else { return };
        match to {
            Some(to) => plan.steps.iter_mut().filter(|step| step.slot == slot).for_each(|step| step.slot = to),
            // Whoever is known need not be looked for.
            None => plan.steps.retain(|step| step.slot != slot),
        }
        if slot == Slot::Meeting {
            plan.steps.retain(|step| !is_company(step.slot));
        }
    }

    /// Both may have made the same person or account: where they differ, either may have written last.
    fn disagree(&mut self, slot: Slot, other: &Step) {
        let Write::Upsert { fields: others, .. } = &other.write else { return };
        if let Some(link) = self.part.links.get_mut(&slot) {
            keep_agreed(link, others);
        }
        for step in self.part.unsettled.iter_mut().flat_map(|plan| &mut plan.steps).filter(|step| step.slot == slot) {
            if let Write::Upsert { fields, .. } = &mut step.write {
                fields.retain(|field, value| agrees(others, field, value));
            }
        }
    }

    /// A step of the newer chain's plan as it is looked for in the united one; `None` where nothing hangs on it.
    fn taken(&mut self, step: Step) -> Option<Step> {
        let slot = match &step.write {
            Write::Patch { id, .. } | Write::Delete { id } => {
                *self.part.links.iter().find(|(_, link)| link.id == *id)?.0
            }
            Write::Upsert { .. } => match step.slot {
                Slot::Surplus(_) => self.surplus(),
                slot if is_company(slot) && !self.takes_company => return None,
                slot if !self.part.has(slot) => slot,
                slot if is_own(slot) => self.surplus(),
                // A person or an account is found again by the address.
                slot => {
                    self.disagree(slot, &step);
                    return None;
                }
            },
        };
        Some(Step { slot, ..step })
    }
}
