//! What an object's description says of whether the flow can work with it. Pure.

use syncline_connect::{
    RoleSpec,
    records::{Finding, Remark, Uses},
};
use syncline_core::record::{Role, Std};

use super::super::{
    convert,
    describe::RELATES_MANY,
    manifest::{KEY_FIELD_CHARS, read_only},
    settings::Org,
    soql::ApiName,
    wire::{Describe, DescribedField},
};

/// Characters of our keys: `sy_` and 32 hexadecimal digits.
const KEY_CHARS: usize = 35;

/// How the names of an org's own fields end.
const CUSTOM_MARK: &str = "__c";

/// What an object lacks. Cases and opportunities are optional: their lack blocks nothing.
pub fn findings_of(org: &Org, uses: &Uses, role: Role, object: &str, described: Option<&Describe>) -> Vec<Finding> {
    let blocking = !matches!(role, Role::Case | Role::Opportunity);
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
    findings.extend(required_fields(org, uses, role, object, described));
    findings.extend(hidden_fields(convert::spec(role), described));
    findings
}

/// Nothing is wrong with the object.
pub fn good(org: &Org, object: &str) -> Remark {
    Remark::Good(format!("{object} can be written, and made only once by {}", org.key_field))
}

/// Whether an object of further records has its key. Whether it is there, may be written and gets the fields that it
/// demands, the check of the mappings says.
pub fn further_remark(org: &Org, object: &str, described: Option<&Describe>) -> Option<Remark> {
    let described = described.filter(|described| described.createable)?;
    Some(key_finding(org, object, described, true).map_or_else(|| good(org, object), Remark::Lacks))
}

/// Fields of the org's own without which no record can be made, and which no mapping fills: nothing else does.
fn required_fields(org: &Org, uses: &Uses, role: Role, object: &str, described: &Describe) -> Option<Finding> {
    let ours = |name: &str| {
        let status = org.status_field.as_ref().map(ApiName::as_str);
        name.eq_ignore_ascii_case(org.key_field.as_str())
            || status.is_some_and(|status| name.eq_ignore_ascii_case(status))
            || uses.fills(role, object, name)
    };
    let required = described.fields.iter().filter(|field| field.required() && field.name.ends_with(CUSTOM_MARK));
    let names: Vec<&str> = required.map(|field| field.name.as_str()).filter(|name| !ours(name)).collect();
    (!names.is_empty()).then(|| Finding {
        problem: format!("{object} cannot be made without a value for {}", names.join(", ")),
        fix: format!("let a mapping fill it, give it a default value, or make it optional (Setup > Object Manager > {object} > Fields)"),
        blocking: false,
    })
}

/// Whether guests and co-hosts can be tied to an event.
pub fn attendee_findings(described: Option<&Describe>) -> Vec<Finding> {
    if described.is_some_and(|described| described.createable) {
        return Vec::new();
    }
    vec![Finding {
        problem: format!("the user may not add people to events ({})", convert::spec(Role::Attendee).object),
        fix: "grant the permission Edit Events in the user's permission set".to_owned(),
        blocking: false,
    }]
}

/// What follows from whether an event may be related to several people.
pub fn relation_remark(described: &Describe) -> Remark {
    if field(described, RELATES_MANY).is_some() {
        return Remark::Good(
            "an event may be related to several people: it stands on the timeline of up to 50 contacts or of one lead; whoever else attends is invited"
                .to_owned(),
        );
    }
    Remark::Note(
        "an event has one person: guests are invited and it does not stand on their timelines; to change that, tick Allow Users to Relate Multiple Contacts to Tasks and Events (Setup > Activity Settings)"
            .to_owned(),
    )
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

/// Standard fields that field-level security hides or locks: the flow works without, but what they hold stays out. What
/// every record has, hidden or not, is passed over.
fn hidden_fields(spec: &RoleSpec, described: &Describe) -> Option<Finding> {
    let names: Vec<&str> = spec
        .fields
        .iter()
        .filter(|known| !matches!(known.field, Std::Key | Std::Deleted | Std::MergedInto | Std::CreatedAt))
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
