//! Whether an account has what the booking flow needs: a call for each object's properties, and one for its people.

use syncline_connect::{
    Answered, Cx, Error, ErrorKind, Usage,
    records::{Finding, Remark},
};
use syncline_core::{ids::ObjectName, record::Role};

use super::fields;
use crate::hubspot::{
    api,
    roles::{ATTENDING_OWNERS, STANDING},
    settings::key_property,
    wire::{Properties, Property},
};

const OP: &str = "check";

/// The objects that are written, in the order of the findings.
const WRITTEN: [Role; 5] = [Role::Meeting, Role::Contact, Role::Account, Role::Opportunity, Role::Case];

/// Looks at everything, line by line.
pub async fn examine(cx: &Cx<'_>, further: &[ObjectName]) -> Result<Answered<Vec<Remark>>, Error> {
    let key = key_property(cx.settings, OP)?;
    let (mut value, mut calls, mut usage) = (Vec::new(), 0, None::<Usage>);
    for role in WRITTEN {
        let object = fields::object_name(role, None).unwrap_or_default();
        let (properties, used) = api::properties(cx, OP, object).await?;
        (calls, usage) = (calls + 1, used.or(usage));
        value.extend(remarks(&key, object, role, properties.as_ref()));
    }
    for name in further {
        let Ok(object) = fields::object_name(Role::Custom, Some(name)) else { continue };
        calls += 1;
        // Whether it is there the check of the mappings says.
        match api::properties(cx, OP, object).await {
            Ok((Some(properties), used)) => {
                usage = used.or(usage);
                value.extend(remarks(&key, object, Role::Custom, Some(&properties)));
            }
            Ok((None, _)) => {}
            Err(error) if error.kind == ErrorKind::Invalid => {}
            Err(error) => return Err(error),
        }
    }
    calls += 1;
    match api::owners(cx, OP, "limit=1").await {
        Ok(answer) => {
            usage = answer.usage.or(usage);
            value.push(Remark::Good("the account's people can be seen, so that hosts own what is written".to_owned()));
        }
        Err(error) if error.kind == ErrorKind::Forbidden => value.push(Remark::Lacks(Finding {
            problem: "the app may not see the account's people: nobody would own what is written".to_owned(),
            fix: "add the scope crm.objects.owners.read to the app, then connect again".to_owned(),
            blocking: true,
        })),
        Err(error) => return Err(error),
    }
    Ok(Answered { value, calls, usage })
}

/// What an object's properties say. Tickets and deals are optional: their lack blocks nothing.
pub fn remarks(key: &str, object: &str, role: Role, properties: Option<&Properties>) -> Vec<Remark> {
    let blocking = !matches!(role, Role::Case | Role::Opportunity);
    let Some(properties) = properties else {
        return vec![Remark::Lacks(Finding {
            problem: format!("the app may not see the properties of {object}"),
            fix: format!("add the scopes of {object} to the app (step 1 of the set-up), then connect again"),
            blocking,
        })];
    };
    let mut remarks = vec![match lack(key, object, find(properties, key)) {
        Some((problem, fix)) => Remark::Lacks(Finding { problem, fix, blocking }),
        None => Remark::Good(format!("{object} can be written, and made only once by {key}")),
    }];
    if role == Role::Meeting {
        for (name, without) in [
            (STANDING.field, "how a booking stands is not written"),
            (ATTENDING_OWNERS, "co-hosts cannot be named on a meeting; set `co_hosts = false`"),
        ] {
            if find(properties, name).is_none() {
                let text = format!("{object} have no property {name} that the app may see: {without}");
                remarks.push(Remark::Note(text));
            }
        }
    }
    remarks
}

fn find<'a>(properties: &'a Properties, name: &str) -> Option<&'a Property> {
    properties.results.iter().find(|property| property.name == name)
}

/// What is wrong with the key property, and what helps.
fn lack(key: &str, object: &str, property: Option<&Property>) -> Option<(String, String)> {
    let create = format!(
        "create {key} on {object} (Settings > Properties): single-line text, with unique values; an existing property cannot be given them later"
    );
    let Some(property) = property else {
        return Some((format!("{object} have no property {key}"), create));
    };
    let mut lacks = Vec::new();
    if !property.has_unique_value {
        lacks.push("has no unique values");
    }
    if property.kind != "string" {
        lacks.push("is no text");
    }
    if property.calculated || property.modification_metadata.read_only_value {
        lacks.push("cannot be written");
    }
    (!lacks.is_empty()).then(|| {
        let fix = format!("delete it, or choose another name with the setting `key_property`; then {create}");
        (format!("the property {key} of {object} {}", lacks.join(" and ")), fix)
    })
}
