//! Whether an org has what the booking flow needs: one description per object, and what it lacks in words. Reading a
//! description is pure.

use syncline_connect::{Answered, Cx, Error, RoleSpec, records::Finding};
use syncline_core::record::{Role, Std};

use super::{
    api, convert,
    manifest::{KEY_FIELD_CHARS, read_only},
    settings::Org,
    wire::{Describe, DescribedField},
};

/// The objects that are written, in the order of the findings. A composite call cannot carry descriptions: one call each.
const WRITTEN: [Role; 6] = [Role::Meeting, Role::Contact, Role::Account, Role::Lead, Role::Case, Role::Opportunity];

/// Characters of our keys: `sy_` and 32 hexadecimal digits.
const KEY_CHARS: usize = 35;

/// Looks at every object that is written.
pub async fn check(cx: &Cx<'_>) -> Result<Answered<Vec<Finding>>, Error> {
    let org = Org::read(cx.settings, "check")?;
    let (mut findings, mut calls, mut usage) = (Vec::new(), 0, None);
    for role in WRITTEN {
        let (described, used) = api::describe(cx, &org, convert::spec(role).object).await?;
        calls += 1;
        usage = used.or(usage);
        findings.extend(findings_of(&org, role, described.as_ref()));
    }
    Ok(Answered { value: findings, calls, usage })
}

/// What an object lacks. Cases and opportunities are optional: their lack blocks nothing.
pub fn findings_of(org: &Org, role: Role, described: Option<&Describe>) -> Vec<Finding> {
    let blocking = !matches!(role, Role::Case | Role::Opportunity);
    let spec = convert::spec(role);
    let object = spec.object;
    let Some(described) = described else {
        return vec![Finding {
            problem: format!("the user cannot see the object {object}"),
            fix: format!("grant Read, Create and Edit on {object} in the user's permission set"),
            blocking,
        }];
    };
    let mut findings = Vec::new();
    if !described.createable || !described.updateable {
        findings.push(Finding {
            problem: format!("the user may not create and edit records of {object}"),
            fix: format!("grant Create and Edit on {object} in the user's permission set"),
            blocking,
        });
    }
    findings.extend(key_finding(org, object, described, blocking));
    if let (Role::Meeting, Some(status)) = (role, &org.status_field) {
        let writable = field(described, status.as_str()).is_some_and(|field| field.updateable && field.createable);
        if !writable {
            findings.push(Finding {
                problem: format!("the status field {status} of {object} is missing or cannot be written"),
                fix: format!(
                    "create {status} as a custom field of Activity and grant Edit on it, or change the setting `status_field`"
                ),
                blocking: true,
            });
        }
    }
    findings.extend(hidden_fields(spec, described));
    findings
}

fn key_finding(org: &Org, object: &str, described: &Describe, blocking: bool) -> Option<Finding> {
    let key = &org.key_field;
    // Tasks and events share their custom fields, which are made on Activity.
    let made_on = if object == "Event" { "Activity" } else { object };
    let Some(field) = field(described, key.as_str()) else {
        return Some(Finding {
            problem: format!("{object} has no field {key}, or the user cannot see it"),
            fix: format!(
                "create {key} on {made_on} as Text({KEY_FIELD_CHARS}), Unique (case-sensitive), External ID, and grant Edit on it"
            ),
            blocking,
        });
    };
    let mut lacks = Vec::new();
    for (has, what) in [
        (field.external_id && field.id_lookup, "marked External ID"),
        (field.unique, "marked Unique"),
        (field.createable && field.updateable, "editable by the user"),
        (field.length >= KEY_CHARS, "long enough"),
    ] {
        if !has {
            lacks.push(what);
        }
    }
    (!lacks.is_empty()).then(|| Finding {
        problem: format!("the field {key} of {object} is not {}", lacks.join(", not ")),
        fix: format!(
            "make {key} on {made_on} a Text({KEY_FIELD_CHARS}), Unique (case-sensitive), External ID, and grant Edit on it"
        ),
        blocking,
    })
}

/// Standard fields that field-level security hides or locks: the flow works without, but what they hold stays out.
fn hidden_fields(spec: &RoleSpec, described: &Describe) -> Option<Finding> {
    let names: Vec<&str> = spec
        .fields
        .iter()
        .filter(|known| known.field != Std::Key)
        .filter(|known| match field(described, known.name) {
            None => true,
            Some(found) => !read_only(spec.role, known.field) && !found.createable,
        })
        .map(|known| known.name)
        .collect();
    (!names.is_empty()).then(|| Finding {
        problem: format!("fields of {} that the user cannot see or write: {}", spec.object, names.join(", ")),
        fix: "grant Edit on these fields in the user's permission set, or leave them out of the mapping".to_owned(),
        blocking: false,
    })
}

fn field<'a>(described: &'a Describe, name: &str) -> Option<&'a DescribedField> {
    described.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
}
