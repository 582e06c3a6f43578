//! Assignment rules of Lead and Case: whose a record becomes, whatever owner the request names.

use super::{Draft, condition};
use crate::salesforce::{
    config::AssignmentRule,
    id::Id,
    world::{Val, World},
};

/// What `Sforce-Auto-Assign` asks for. The header is absent in most requests, and that means yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assign {
    /// `FALSE`
    Never,
    /// `TRUE`, or nothing; with the owner of what no entry claims.
    Usual { otherwise: Id },
    /// A rule by its id, active or not.
    Rule { rule: Id, otherwise: Id },
}

/// The owner that a rule gives.
pub(super) fn owner(draft: &Draft<'_>) -> Option<Id> {
    if !matches!(draft.def.name.as_str(), "Lead" | "Case") {
        return None;
    }
    let rules = &draft.world.rules;
    let mut mine = rules.set.assignment_rules.iter().filter(|rule| rule.object.eq_ignore_ascii_case(&draft.def.name));
    match draft.writer.assign {
        Assign::Never => None,
        Assign::Usual { otherwise } => {
            // A Case is re-owned by a rule that is not active, too (salesforce.com: Assignment Rule Header).
            let is_case = draft.def.name == "Case";
            let mut inactive = None;
            for rule in mine {
                if rule.active {
                    return Some(by(draft, rule, otherwise));
                }
                inactive = inactive.or(Some(rule).filter(|_| is_case));
            }
            match inactive {
                Some(rule) => Some(by(draft, rule, otherwise)),
                None => rules.assign_to_default.then_some(otherwise),
            }
        }
        Assign::Rule { rule, otherwise } => {
            let name = named(draft.world, rule)?;
            mine.find(|rule| rule.name == name).map(|rule| by(draft, rule, otherwise))
        }
    }
}

fn by(draft: &Draft<'_>, rule: &AssignmentRule, otherwise: Id) -> Id {
    let entry = rule.entries.iter().find(|entry| entry.when.iter().all(|when| condition::holds(draft, when)));
    entry.and_then(|entry| user(draft.world, &entry.owner)).unwrap_or(otherwise)
}

/// The name of the rule with this id.
fn named(world: &World, id: Id) -> Option<String> {
    let (object, slot) = world.find(id)?;
    let def = world.def(object);
    let row = world.row(object, slot).filter(|_| def.name == "AssignmentRule")?;
    row.stored(def.field_no("Name")?)?.as_text().map(str::to_owned)
}

fn user(world: &World, username: &str) -> Option<Id> {
    let object = world.schema.find("User")?;
    let def = world.def(object);
    let slots = world.table(object).lookup(def, def.field_no("Username")?, &Val::text(username))?;
    world.row(object, *slots.first()?).map(|row| row.id)
}
