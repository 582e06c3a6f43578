//! What the org's rules, layouts and limits mean for the flow, in words. Not every user may see them; what could not be
//! looked at is said so. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};
use syncline_connect::records::{Finding, Remark};
use syncline_core::record::Role;

use super::super::{
    convert,
    manifest::{ASSIGNMENT_RULES, DUPLICATE_RULES},
    settings::{Assignment, Org},
    wire::{Layout, Limit},
};

/// Names of rules that one remark lists.
const NAMES_LISTED_MAX: usize = 10;

/// A row of a query about the set-up.
pub type Row = Map<String, Json>;

/// The questions about the set-up that share a call. Only users with View Setup and Configuration may ask the first.
pub const DUPLICATE_RULES_SOQL: &str =
    "SELECT MasterLabel, SobjectType FROM DuplicateRule WHERE IsActive = true ORDER BY SobjectType, MasterLabel";
pub const ASSIGNMENT_RULES_SOQL: &str = "SELECT Id, Name, SobjectType, Active FROM AssignmentRule ORDER BY Id";
pub const USERS_SOQL: &str = "SELECT Id, Email, IsActive FROM User WHERE IsActive = true ORDER BY Id LIMIT 1";

/// The question that only the Tooling API answers.
pub const VALIDATION_RULES_SOQL: &str =
    "SELECT ValidationName, EntityDefinition.QualifiedApiName FROM ValidationRule WHERE Active = true ORDER BY Id";

/// What the active duplicate rules will do.
pub fn duplicate_rules(org: &Org, rows: Option<&[Row]>) -> Remark {
    let Some(rows) = rows else {
        return Remark::Note(
            "duplicate rules could not be looked at: the user lacks View Setup and Configuration (Setup > Duplicate Rules shows them)"
                .to_owned(),
        );
    };
    let written = [Role::Account, Role::Contact, Role::Lead, Role::Case].map(|role| convert::spec(role).object);
    let rules = by_object(rows, &written, "MasterLabel", |row| text(row, "SobjectType"));
    if rules.is_empty() {
        return Remark::Good("no duplicate rule is active for the objects that are written".to_owned());
    }
    let follows = if org.save_duplicates {
        format!(
            "with `{DUPLICATE_RULES} = save` the ones that only alert are overruled, the ones that block stop the record"
        )
    } else {
        format!("with `{DUPLICATE_RULES} = stop` each of them stops the record, also one that only alerts")
    };
    Remark::Note(format!("active duplicate rules: {rules}; {follows}"))
}

/// What the assignment rules will do.
pub fn assignment_rules(org: &Org, rows: Option<&[Row]>) -> Remark {
    let Some(rows) = rows else {
        return Remark::Note("assignment rules could not be looked at".to_owned());
    };
    let active: Vec<Row> = rows.iter().filter(|row| row.get("Active") == Some(&Json::Bool(true))).cloned().collect();
    let objects = [Role::Account, Role::Lead, Role::Case].map(|role| convert::spec(role).object);
    let named = by_object(&active, &objects, "Name", |row| text(row, "SobjectType"));
    match &org.assignment {
        Assignment::Off if named.is_empty() => Remark::Good("no assignment rule is active".to_owned()),
        Assignment::Off => Remark::Note(format!(
            "active assignment rules: {named}; with `{ASSIGNMENT_RULES} = off` they are left out, and owners are as the settings name them"
        )),
        Assignment::Active if named.is_empty() => Remark::Lacks(Finding {
            problem: format!("`{ASSIGNMENT_RULES}` is on and no assignment rule is active"),
            fix: format!(
                "activate one (Setup > Lead Assignment Rules, Case Assignment Rules), or set `{ASSIGNMENT_RULES} = off`"
            ),
            blocking: false,
        }),
        Assignment::Active => {
            Remark::Good(format!("active assignment rules choose the owners of what is made: {named}"))
        }
        Assignment::Rule(id) => match rows
            .iter()
            .find(|row| text(row, "Id").is_some_and(|found| same_id(found, id.as_str())))
        {
            Some(row) => {
                let (name, object) =
                    (text(row, "Name").unwrap_or_default(), text(row, "SobjectType").unwrap_or_default());
                Remark::Good(format!("the assignment rule {name} chooses the owner of each {object} that is made"))
            }
            None => Remark::Lacks(Finding {
                problem: format!("the org has no assignment rule {id}, which the setting `{ASSIGNMENT_RULES}` names"),
                fix: format!("name another in `{ASSIGNMENT_RULES}`, or set it to `off`"),
                blocking: true,
            }),
        },
    }
}

/// Whether hosts can be recognised.
pub fn users(rows: Option<&[Row]>) -> Remark {
    match rows {
        Some(rows) if rows.iter().any(|row| row.contains_key("Email")) => {
            Remark::Good("hosts can be recognised as users by their e-mail addresses".to_owned())
        }
        _ => Remark::Note(
            "users could not be read, so hosts are not recognised: the permission View All Users, or sharing, mends that".to_owned(),
        ),
    }
}

/// The validation rules that records will meet.
pub fn validation_rules(objects: &[&str], rows: Option<&[Row]>) -> Remark {
    let Some(rows) = rows else {
        return Remark::Note(
            "validation rules could not be looked at: only users with View Setup and Configuration may (Setup > Object Manager > the object > Validation Rules)"
                .to_owned(),
        );
    };
    let object = |row: &'_ Row| row.get("EntityDefinition")?.get("QualifiedApiName")?.as_str().map(str::to_owned);
    let rules = by_object_owned(rows, objects, "ValidationName", object);
    if rules.is_empty() {
        return Remark::Good("no validation rule is active for the objects that are written".to_owned());
    }
    Remark::Note(format!("active validation rules: {rules}; a record that does not meet them waits for a person"))
}

/// Whether people can see who attends, on each of the layouts.
pub fn attendee_lists(layouts: Option<&[Layout]>) -> Remark {
    let Some(layouts) = layouts.filter(|layouts| !layouts.is_empty()) else {
        return Remark::Note("the event's page layouts could not be looked at".to_owned());
    };
    let attendee = convert::spec(Role::Attendee).object;
    let shows = |layout: &&Layout| {
        let mut lists = layout.related_lists.iter();
        lists.any(|list| list.sobject.as_deref() == Some(attendee) || list.name.starts_with(attendee))
    };
    let without = layouts.iter().filter(|layout| !shows(layout)).count();
    if without == 0 {
        return Remark::Good("the event's page shows who attends".to_owned());
    }
    Remark::Lacks(Finding {
        problem: format!("{without} of the event's {} page layouts do not show who attends", layouts.len()),
        fix: "add the related list Attendees (Setup > Object Manager > Event > Page Layouts > Related Lists)"
            .to_owned(),
        blocking: false,
    })
}

/// How much of the day is left.
pub fn limit(limit: Option<&Limit>) -> Remark {
    let Some(Limit { max, remaining }) = limit else {
        return Remark::Note("the org's limits could not be looked at".to_owned());
    };
    if remaining.saturating_mul(10) >= *max {
        return Remark::Good(format!("{remaining} of {max} API calls of the last 24 hours are left"));
    }
    Remark::Lacks(Finding {
        problem: format!("only {remaining} of {max} API calls of the last 24 hours are left"),
        fix: "see who else calls (Setup > System Overview > API Usage); waiting bookings are written when the count allows it"
            .to_owned(),
        blocking: false,
    })
}

fn by_object<'a>(rows: &'a [Row], objects: &[&str], name: &str, object: impl Fn(&'a Row) -> Option<&'a str>) -> String {
    by_object_owned(rows, objects, name, |row| object(row).map(str::to_owned))
}

/// `Contact (A, B), Lead (C)`, of the objects that matter.
fn by_object_owned<'a>(
    rows: &'a [Row],
    objects: &[&str],
    name: &str,
    object: impl Fn(&'a Row) -> Option<String>,
) -> String {
    let mut names = BTreeMap::<String, BTreeSet<&str>>::new();
    for row in rows {
        if let (Some(object), Some(name)) = (object(row), text(row, name))
            && objects.contains(&object.as_str())
        {
            names.entry(object).or_default().insert(name);
        }
    }
    let listed = |(object, names): (&String, &BTreeSet<&str>)| {
        let more = if names.len() > NAMES_LISTED_MAX { ", …" } else { "" };
        let names: Vec<&str> = names.iter().copied().take(NAMES_LISTED_MAX).collect();
        format!("{object} ({}{more})", names.join(", "))
    };
    names.iter().map(listed).collect::<Vec<_>>().join(", ")
}

fn text<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    row.get(name).and_then(Json::as_str)
}

fn same_id(one: &str, two: &str) -> bool {
    super::super::id::canonical(one) == super::super::id::canonical(two)
}
