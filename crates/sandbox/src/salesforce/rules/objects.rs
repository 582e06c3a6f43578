//! What is special about single objects: names, stages, cases, converted leads, junction rows.

use super::{Change, Draft, Op, Writer, activities, event};
use crate::salesforce::{
    error::{ApiError, Outcome},
    id::Id,
    schema::{FieldNo, ObjectDef},
    world::{Slot, Val, World},
};

/// Sales stages of a new org: probability in per cent, forecast category, its label, closed, won.
const STAGES: [(&str, f64, &str, &str, bool, bool); 10] = [
    ("Prospecting", 10.0, "Pipeline", "Pipeline", false, false),
    ("Qualification", 10.0, "Pipeline", "Pipeline", false, false),
    ("Needs Analysis", 20.0, "Pipeline", "Pipeline", false, false),
    ("Value Proposition", 50.0, "Pipeline", "Pipeline", false, false),
    ("Id. Decision Makers", 60.0, "Pipeline", "Pipeline", false, false),
    ("Perception Analysis", 70.0, "Pipeline", "Pipeline", false, false),
    ("Proposal/Price Quote", 75.0, "Pipeline", "Pipeline", false, false),
    ("Negotiation/Review", 90.0, "Pipeline", "Pipeline", false, false),
    ("Closed Won", 100.0, "Closed", "Closed", true, true),
    ("Closed Lost", 0.0, "Omitted", "Omitted", true, false),
];

pub(super) fn check(draft: &mut Draft<'_>, op: Op) -> Outcome<()> {
    match draft.def.name.as_str() {
        "Contact" | "User" => name(draft),
        "Lead" => {
            if op != Op::Seed && draft.old.is_some() && draft.named("IsConverted") == Some(&Val::Bool(true)) {
                return Err(converted());
            }
            name(draft);
        }
        "Opportunity" => opportunity(draft),
        "Case" => case(draft),
        "Event" => event::check(draft, op)?,
        "EventRelation" => activities::check(draft, op)?,
        "OpportunityContactRole" => role(draft)?,
        name if name.ends_with("__c") && draft.creating() && draft.named("Name").is_none() => {
            // A custom object without a name is called by its id, which the row will have next.
            let next = draft.world.table(draft.object).next_slot();
            draft.set("Name", Some(Val::text(format!("{}{next:09}", draft.def.prefix))));
        }
        _ => {}
    }
    Ok(())
}

pub(super) fn needs_number(def: &ObjectDef) -> bool {
    def.name == "Case"
}

fn converted() -> ApiError {
    ApiError::record("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", &[])
}

/// A converted lead cannot be named by anything that is written.
pub(super) fn not_converted(world: &World, id: Id) -> Outcome<()> {
    let Some((object, slot)) = world.find(id).filter(|_| id.prefix() == "00Q") else { return Ok(()) };
    let flag = world.def(object).field_no("IsConverted");
    let is = world.row(object, slot).zip(flag).and_then(|(row, no)| row.stored(no)) == Some(&Val::Bool(true));
    if is { Err(converted()) } else { Ok(()) }
}

fn name(draft: &mut Draft<'_>) {
    if !draft.creating() && !draft.touched("FirstName") && !draft.touched("LastName") {
        return;
    }
    let part = |name: &str| draft.named(name).and_then(Val::as_text).unwrap_or_default();
    let full = format!("{} {}", part("FirstName"), part("LastName"));
    let full = full.trim().to_owned();
    draft.set("Name", Some(Val::text(full)));
}

fn opportunity(draft: &mut Draft<'_>) {
    if draft.creating() || draft.touched("StageName") {
        let stage = draft.named("StageName").and_then(Val::as_text).unwrap_or_default();
        if let Some((_, probability, category, label, closed, won)) = STAGES.iter().find(|s| s.0 == stage) {
            if !draft.touched("Probability") {
                draft.set("Probability", Some(Val::Num(*probability)));
            }
            draft.set("ForecastCategory", Some(Val::text(*category)));
            draft.set("ForecastCategoryName", Some(Val::text(*label)));
            draft.set("IsClosed", Some(Val::Bool(*closed)));
            draft.set("IsWon", Some(Val::Bool(*won)));
        }
        let now = draft.writer.now;
        draft.set("LastStageChangeDate", (!draft.creating()).then_some(Val::Stamp(now)));
    }
    let number = |name: &str| draft.named(name).and_then(Val::as_number);
    let expected = number("Amount").zip(number("Probability")).map(|(amount, share)| Val::Num(amount * share / 100.0));
    draft.set("ExpectedRevenue", expected);
    if let Some(Val::Date(day)) = draft.named("CloseDate").cloned() {
        let quarter = i64::from((day.month() - 1) / 3 + 1);
        draft.set("FiscalYear", Some(Val::Int(i64::from(day.year()))));
        draft.set("FiscalQuarter", Some(Val::Int(quarter)));
        draft.set("Fiscal", Some(Val::text(format!("{} {quarter}", day.year()))));
    }
}

fn case(draft: &mut Draft<'_>) {
    if draft.creating() || draft.touched("Status") {
        let closed = draft.named("Status").and_then(Val::as_text) == Some("Closed");
        let was = draft.old.is_some() && draft.named("IsClosed") == Some(&Val::Bool(true));
        let now = draft.writer.now;
        draft.set("IsClosed", Some(Val::Bool(closed)));
        if closed != was {
            draft.set("ClosedDate", closed.then_some(Val::Stamp(now)));
        }
    }
    if !draft.touched("ContactId") {
        return;
    }
    let contact = draft.named("ContactId").and_then(Val::as_ref_id);
    let source = contact.and_then(|id| draft.world.find(id));
    let copy = |field: &str| -> Option<Val> {
        let (object, slot) = source?;
        let no = draft.world.def(object).field_no(field)?;
        draft.world.row(object, slot)?.stored(no).cloned()
    };
    let shown =
        [("ContactEmail", "Email"), ("ContactPhone", "Phone"), ("ContactMobile", "MobilePhone"), ("ContactFax", "Fax")]
            .map(|(to, from)| (to, copy(from)));
    let account = copy("AccountId");
    for (field, value) in shown {
        draft.set(field, value);
    }
    if draft.named("AccountId").is_none() && !draft.touched("AccountId") {
        draft.set("AccountId", account);
    }
}

/// An opportunity names a contact once, and has one primary contact.
fn role(draft: &mut Draft<'_>) -> Outcome<()> {
    let pair = (draft.named("OpportunityId"), draft.named("ContactId"));
    let (Some(opportunity), Some(contact), true) = (pair.0, pair.1, draft.creating()) else { return Ok(()) };
    let no = |name: &str| draft.def.field_no(name);
    let (Some(left), Some(right)) = (no("OpportunityId"), no("ContactId")) else { return Ok(()) };
    let table = draft.world.table(draft.object);
    let same = table.lookup(draft.def, left, opportunity).unwrap_or_default();
    let taken =
        same.iter().filter_map(|slot| table.row(*slot)).any(|row| !row.deleted && row.stored(right) == Some(contact));
    if taken {
        let message = "The contact already has this role on the opportunity.";
        return Err(ApiError::record("DUPLICATE_VALUE", message, &[]));
    }
    Ok(())
}

/// Rows that a write makes elsewhere.
pub(super) enum After {
    Nothing,
    /// `Opportunity.ContactId`: becomes the primary contact role.
    ContactRole(Id),
    /// An event: its relations, and the copies that invited users have of it, follow.
    Event(activities::Written),
    /// A row of EventRelation: its event follows.
    Relation,
    /// A primary role takes the flag from the others.
    Primary {
        opportunity: Id,
    },
}

impl After {
    pub fn of(def: &ObjectDef, changes: &[Change]) -> Self {
        let changed = |name: &str| {
            let no: FieldNo = def.field_no(name)?;
            changes.iter().rev().find(|(field, _)| *field == no).and_then(|(_, value)| value.as_ref())
        };
        match def.name.as_str() {
            "Opportunity" => match changed("ContactId") {
                Some(Val::Ref(id)) => Self::ContactRole(*id),
                _ => Self::Nothing,
            },
            "OpportunityContactRole" if changed("IsPrimary") == Some(&Val::Bool(true)) => {
                match changed("OpportunityId") {
                    Some(Val::Ref(opportunity)) => Self::Primary { opportunity: *opportunity },
                    _ => Self::Nothing,
                }
            }
            "Event" => Self::Event(activities::Written::of(def, changes)),
            "EventRelation" => Self::Relation,
            _ => Self::Nothing,
        }
    }

    pub fn run(self, world: &mut World, id: Id, slot: Slot, created: bool, writer: Writer) -> Outcome<()> {
        match self {
            Self::Nothing => Ok(()),
            Self::ContactRole(contact) => {
                let Some(object) = world.schema.find("OpportunityContactRole") else { return Ok(()) };
                let body = serde_json::json!({"OpportunityId": id.as_str(), "ContactId": contact.as_str(),
                    "IsPrimary": true});
                let body = body.as_object().cloned().unwrap_or_default();
                super::insert(world, object, &body, None, writer, Op::Create).map(drop)
            }
            Self::Event(written) => {
                activities::event_written(world, slot, &written, created, writer);
                Ok(())
            }
            Self::Relation => {
                activities::relation_written(world, slot, created, writer);
                Ok(())
            }
            Self::Primary { opportunity } => {
                only_primary(world, opportunity, id);
                show_primary(world, opportunity, slot);
                Ok(())
            }
        }
    }
}

/// The opportunity shows the contact of its primary role. No time of it moves by that.
fn show_primary(world: &mut World, opportunity: Id, role: Slot) {
    let schema = world.schema.clone();
    let Some((roles, object)) = schema.find("OpportunityContactRole").zip(schema.find("Opportunity")) else { return };
    let contact = schema.def(roles).field_no("ContactId");
    let contact = contact.and_then(|no| world.row(roles, role)?.stored(no).cloned());
    let place = world.find(opportunity).filter(|(of, _)| *of == object);
    if let (Some(contact), Some((_, slot)), Some(no)) = (contact, place, schema.def(object).field_no("ContactId")) {
        world.set(object, slot, no, Some(contact));
    }
}

fn only_primary(world: &mut World, opportunity: Id, keep: Id) {
    let Some(object) = world.schema.find("OpportunityContactRole") else { return };
    let schema = world.schema.clone();
    let def = schema.def(object);
    let (Some(left), Some(flag)) = (def.field_no("OpportunityId"), def.field_no("IsPrimary")) else { return };
    let slots = world.table(object).lookup(def, left, &Val::Ref(opportunity)).unwrap_or_default().to_vec();
    for slot in slots {
        let other = world.row(object, slot).is_some_and(|row| row.id != keep && row.stored(flag).is_some());
        if other {
            world.set(object, slot, flag, Some(Val::Bool(false)));
        }
    }
}
