//! Checks mappings against what the CRM says of its objects, on save and from time to time afterwards. It finds what
//! can be known without a booking; what depends on one is found when it is written.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use jiff::tz::TimeZone;

use super::{
    mapped::roles_named,
    mapping::{MAPPINGS_MAX, Mapping, OBJECTS_MAX, RECORDS_MAX, RecordTemplate, Target, When, missing},
    settings::{BookingSettings, GuestPolicy, PersonMode},
};
use crate::{
    description::{FieldDescription, FieldKind, ObjectDescription},
    expr::{Expression, Scope},
    fit::fit,
    ids::ObjectName,
    record::Role,
};

/// What is wrong with a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// As `contact.Industry`.
    pub field: String,
    pub reason: String,
    pub fix: String,
    pub example: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}; {}; for example: {}", self.field, self.reason, self.fix, self.example)
    }
}

/// The objects of a CRM, as far as they were described.
pub trait Descriptions {
    /// `None` where it was not asked for, `Some(None)` where there is none.
    fn of_role(&self, role: Role) -> Option<Option<&ObjectDescription>>;
    fn named(&self, name: &ObjectName) -> Option<Option<&ObjectDescription>>;
}

const EXAMPLE: &str = "{{ answer(\"Company\") }}";

/// Every problem of these mappings and further records.
pub fn check(mappings: &[Mapping], records: &[RecordTemplate], descriptions: &dyn Descriptions) -> Vec<Problem> {
    let mut problems = too_many(mappings, records);
    let mut seen = BTreeSet::new();
    for mapping in mappings {
        let field = format!("{}.{}", mapping.on.as_str(), mapping.name);
        if !seen.insert(field.to_lowercase()) {
            problems.push(problem(&field, "it is mapped twice", "leave one of the two", EXAMPLE));
        }
        check_reads(&field, &mapping.value, descriptions, &mut problems);
        for role in mapping.on.roles() {
            match descriptions.of_role(*role) {
                None => {}
                Some(None) => problems.push(problem(
                    &field,
                    format!("the CRM has no {}, or Syncline's user may not see it", role.as_str()),
                    "let the user see the object",
                    EXAMPLE,
                )),
                Some(Some(object)) => {
                    check_field(&field, object, &mapping.name, &mapping.value, mapping.when, &mut problems);
                }
            }
        }
    }
    let mut slots = BTreeSet::new();
    for record in records {
        if !slots.insert(record.slot()) {
            problems.push(problem(
                &record.name,
                "another further record has this name, or one that is too much like it",
                "choose another name",
                "name = \"booking_log\"",
            ));
        }
        for field in &record.fields {
            let path = format!("{}.{}", record.name, field.name);
            check_reads(&path, &field.value, descriptions, &mut problems);
        }
        if let Some(when) = &record.when {
            check_reads(&format!("{}.when", record.name), when, descriptions, &mut problems);
        }
        if let Some(described) = descriptions.named(&record.object) {
            check_record(record, described, &mut problems);
        }
    }
    problems
}

/// The fields that these settings map, all of them, whenever they make a record of the role. A guest is a person, too.
pub fn filled<'a>(settings: impl IntoIterator<Item = &'a BookingSettings>) -> Vec<(Role, String)> {
    let mut common: BTreeMap<Role, BTreeSet<String>> = BTreeMap::new();
    for one in settings {
        let names = |on: Target| -> BTreeSet<String> {
            one.mappings.iter().filter(|mapping| mapping.on == on).map(|mapping| mapping.name.clone()).collect()
        };
        let person = |on: Target| match one.guests {
            GuestPolicy::Create => names(on).intersection(&names(Target::Guest)).cloned().collect(),
            GuestPolicy::MatchOnly | GuestPolicy::Ignore => names(on),
        };
        let made = [
            (one.create_account, Role::Account, names(Target::Account)),
            (true, Role::Contact, person(Target::Contact)),
            (one.person != PersonMode::Contact, Role::Lead, person(Target::Lead)),
            (one.case.is_some(), Role::Case, names(Target::Case)),
            (one.opportunity.is_some(), Role::Opportunity, names(Target::Opportunity)),
            (true, Role::Meeting, names(Target::Meeting)),
        ];
        for (_, role, names) in made.into_iter().filter(|(makes, ..)| *makes) {
            match common.entry(role) {
                Entry::Vacant(first) => drop(first.insert(names)),
                Entry::Occupied(mut known) => known.get_mut().retain(|name| names.contains(name)),
            }
        }
    }
    common.into_iter().flat_map(|(role, names)| names.into_iter().map(move |name| (role, name))).collect()
}

fn too_many(mappings: &[Mapping], records: &[RecordTemplate]) -> Vec<Problem> {
    let mut problems = Vec::new();
    if mappings.len() > MAPPINGS_MAX {
        let reason = format!("there are more than {MAPPINGS_MAX} of them");
        problems.push(problem("mappings", reason, "leave out those that are never filled", EXAMPLE));
    }
    if records.len() > RECORDS_MAX {
        let reason = format!("there are more than {RECORDS_MAX} of them");
        problems.push(problem("records", reason, "leave out those that are never read", "name = \"booking_log\""));
    }
    let objects: BTreeSet<_> = records.iter().map(|record| &record.object).collect();
    if objects.len() > OBJECTS_MAX {
        let reason = format!("they are of more than {OBJECTS_MAX} objects, which one call cannot write");
        problems.push(problem("records", reason, "put several of them into one object", "object = \"Booking_Log__c\""));
    }
    problems
}

fn check_record(record: &RecordTemplate, object: Option<&ObjectDescription>, problems: &mut Vec<Problem>) {
    let Some(object) = object else {
        problems.push(problem(
            &record.name,
            format!("the CRM has no object {}, or Syncline's user may not see it", record.object),
            "correct the name, or let the user see the object",
            "object = \"Booking_Log__c\"",
        ));
        return;
    };
    if !object.createable {
        problems.push(problem(
            &record.name,
            format!("records of {} cannot be made by the user that Syncline works as", object.name),
            "allow it in the CRM's object permissions",
            "object = \"Booking_Log__c\"",
        ));
    }
    let mut seen = BTreeSet::new();
    for field in &record.fields {
        let path = format!("{}.{}", record.name, field.name);
        if !seen.insert(field.name.to_lowercase()) {
            problems.push(problem(&path, "it is mapped twice", "leave one of the two", EXAMPLE));
        }
        check_field(&path, object, &field.name, &field.value, field.when, problems);
    }
    for (name, described) in object.fields.iter().filter(|(_, field)| field.required) {
        if !record.fields.iter().any(|field| field.name == *name) {
            problems.push(problem(
                &format!("{}.{name}", record.name),
                format!("no {} can be made without it, and it is not mapped", object.name),
                "map it",
                example_for(described),
            ));
        }
    }
}

/// Fields of other records that a value reads. A person is a contact or a lead, so that either may have the field.
fn check_reads(path: &str, value: &Expression, descriptions: &dyn Descriptions, problems: &mut Vec<Problem>) {
    let mut told = BTreeSet::new();
    for read in value.reads() {
        let objects: Vec<_> = roles_named(&read.root).iter().map(|role| descriptions.of_role(*role)).collect();
        let known: Vec<&ObjectDescription> = objects.iter().copied().flatten().flatten().collect();
        // What was not asked for may have it.
        let may_be_there = objects.iter().any(Option::is_none)
            || known.is_empty()
            || known.iter().any(|object| object.fields.contains_key(&read.field));
        if may_be_there || !told.insert((&read.root, &read.field)) {
            continue;
        }
        let misfit = missing(known[0], &read.field);
        let reason = format!("it reads {}.fields.{}, but {}", read.root, read.field, misfit.reason);
        problems.push(problem(path, reason, misfit.fix, EXAMPLE));
    }
}

fn check_field(
    path: &str,
    object: &ObjectDescription,
    name: &str,
    value: &Expression,
    when: When,
    problems: &mut Vec<Problem>,
) {
    let Some(field) = object.fields.get(name) else {
        let misfit = missing(object, name);
        problems.push(problem(path, misfit.reason, misfit.fix, EXAMPLE));
        return;
    };
    let example = example_for(field);
    let allow = "allow it in the CRM's field permissions, or take it out of the mapping";
    match (when, field.createable, field.updateable) {
        (_, false, false) => problems.push(problem(path, "it cannot be written at all", allow, &example)),
        (When::Never, false, true) => {
            problems.push(problem(
                path,
                "it cannot be set when the record is made",
                "write it later: always",
                &example,
            ));
        }
        (When::IfEmpty | When::Always, true, false) => problems.push(problem(
            path,
            "it can only be set when the record is made",
            "say so: when = \"never\"",
            &example,
        )),
        _ => {}
    }
    if field.kind == FieldKind::Other {
        problems.push(problem(path, "fields of its kind are not written", "take it out of the mapping", &example));
        return;
    }
    // A value that no booking changes fits now or never.
    if let Some(constant) = value.constant()
        && let Err(misfit) = fit(&constant, field, &TimeZone::UTC)
    {
        problems.push(problem(path, misfit.reason, misfit.fix, example));
    }
}

fn problem(field: &str, reason: impl Into<String>, fix: impl Into<String>, example: impl Into<String>) -> Problem {
    Problem { field: field.to_owned(), reason: reason.into(), fix: fix.into(), example: example.into() }
}

/// A value that a field of this kind takes.
fn example_for(field: &FieldDescription) -> String {
    match field.kind {
        FieldKind::Text | FieldKind::TextArea | FieldKind::Other => EXAMPLE.to_owned(),
        FieldKind::Number => "{{ booking.minutes }}".to_owned(),
        FieldKind::Boolean => "{{ booking.is_cancelled }}".to_owned(),
        FieldKind::Date => "{{ booking.start|day }}".to_owned(),
        FieldKind::DateTime => "{{ booking.start }}".to_owned(),
        FieldKind::Picklist => field.values.first().cloned().unwrap_or_else(|| EXAMPLE.to_owned()),
        FieldKind::MultiPicklist => {
            let values: Vec<&str> = field.values.iter().take(2).map(String::as_str).collect();
            if values.is_empty() { EXAMPLE.to_owned() } else { values.join(";") }
        }
        FieldKind::Reference => "{{ person.id }}".to_owned(),
        FieldKind::Email => "{{ invitee.email }}".to_owned(),
        FieldKind::Phone => "{{ invitee.phone }}".to_owned(),
        FieldKind::Url => "{{ booking.reschedule_url }}".to_owned(),
    }
}

impl Expression {
    /// The value, where no booking changes it.
    pub fn constant(&self) -> Option<crate::expr::Datum> {
        if self.names_nothing() { self.evaluate(&Scope::default()).ok() } else { None }
    }
}
