//! What the demo maps, and whether both sides of every mapped field say the same.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde_json::{Map, Value};

use super::accounts::{Accounts, OPT_OUT, object};

/// Fields of the CRM, and what the tool calls them.
type Fields = &'static [(&'static str, &'static str)];

/// A tool, what it calls people, and what is mapped of them.
pub struct Tool {
    pub name: &'static str,
    pub kind: &'static str,
    pub fields: Fields,
}

pub const TOOLS: [Tool; 3] = [
    Tool {
        name: "brevo",
        kind: "contact",
        fields: &[
            ("Email", "EMAIL"),
            ("FirstName", "FIRSTNAME"),
            ("LastName", "LASTNAME"),
            ("Title", "JOB_TITLE"),
            (OPT_OUT, "emailBlacklisted"),
        ],
    },
    Tool {
        name: "activecampaign",
        kind: "contact",
        fields: &[("Email", "email"), ("FirstName", "firstName"), ("LastName", "lastName"), ("Phone", "phone")],
    },
    Tool {
        name: DEALS_IN,
        kind: "contacts",
        fields: &[("Email", "email"), ("FirstName", "firstname"), ("LastName", "lastname"), ("Title", "jobtitle")],
    },
];

/// The tool that the opportunities go to.
pub const DEALS_IN: &str = "hubspot";

/// What is mapped of opportunities beside whom they belong to.
pub const DEAL_FIELDS: Fields =
    &[("Name", "dealname"), ("Amount", "amount"), ("StageName", "dealstage"), ("CloseDate", "closedate")];

/// Whom they belong to.
pub const DEAL_PERSON: (&str, &str) = ("ContactId", "associations.contacts");

/// What the tool calls the stages of the CRM.
pub const STAGES: [(&str, &str); 2] = [("Prospecting", "appointmentscheduled"), ("Closed Won", "closedwon")];

/// Records by what they are known by, as their account shows them.
type Rows = BTreeMap<String, Map<String, Value>>;

/// Whether everybody in the CRM, and every opportunity, says the same in all tools, field by field.
pub fn same_everywhere(accounts: &Accounts) -> anyhow::Result<()> {
    let people = people(accounts);
    let tools = [brevo(accounts), campaign(accounts), hub_people(accounts)];
    for (tool, there) in TOOLS.iter().zip(&tools) {
        same(tool.name, tool.fields, &people, there)?;
    }
    let deals = opportunities(accounts);
    let mapped: Vec<_> = DEAL_FIELDS.iter().copied().chain([DEAL_PERSON]).collect();
    same(DEALS_IN, &mapped, &deals, &hub_deals(accounts))?;
    println!("    {} people and {} opportunities are the same everywhere, field by field", people.len(), deals.len());
    Ok(())
}

/// Fails with the first field of which both sides do not say the same.
fn same(tool: &str, fields: &[(&str, &str)], crm: &Rows, there: &Rows) -> anyhow::Result<()> {
    for (name, row) in crm {
        let other = there.get(name).with_context(|| format!("{name} is not in {tool}"))?;
        for (left, right) in fields {
            let (here, there) = (text(row.get(*left)), text(other.get(*right)));
            if here != there {
                bail!("{name}: {left} is {here:?} in the CRM, and {right} is {there:?} in {tool}");
            }
        }
    }
    Ok(())
}

/// What a field says; nothing where it is empty or not there.
fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Rows by what one of their fields says.
fn by(field: &str, rows: impl IntoIterator<Item = Map<String, Value>>) -> Rows {
    rows.into_iter().map(|row| (text(row.get(field)), row)).filter(|(name, _)| !name.is_empty()).collect()
}

/// Contacts and leads of the CRM that are neither deleted nor converted.
fn people(accounts: &Accounts) -> Rows {
    let all = ["Contact", "Lead"].into_iter().flat_map(|kind| accounts.org.records(kind));
    let is = |row: &Map<String, Value>, field: &str| row.get(field) == Some(&Value::Bool(true));
    by("Email", all.filter(|row| !is(row, "IsDeleted") && !is(row, "IsConverted")))
}

/// Opportunities in the tool's words: of whom they belong to, the address.
fn opportunities(accounts: &Accounts) -> Rows {
    let contacts = accounts.org.records("Contact");
    let email = |id: &Value| Some(contacts.iter().find(|contact| contact.get("Id") == Some(id))?["Email"].clone());
    let in_words = |mut row: Map<String, Value>| {
        let stage = STAGES.iter().find(|(stage, _)| row.get("StageName") == Some(&Value::from(*stage)));
        let person = row.get(DEAL_PERSON.0).and_then(email).unwrap_or_default();
        row.insert("StageName".to_owned(), stage.map(|(_, stage)| *stage).into());
        row.insert(DEAL_PERSON.0.to_owned(), person);
        row
    };
    by("Name", accounts.org.records("Opportunity").into_iter().map(in_words))
}

fn brevo(accounts: &Accounts) -> Rows {
    let whole = |row: &Value| {
        let mut fields = object(row["attributes"].clone());
        fields.insert("EMAIL".to_owned(), row["email"].clone());
        fields.insert("emailBlacklisted".to_owned(), row["emailBlacklisted"].clone());
        fields
    };
    by("EMAIL", accounts.brevo.contacts_snapshot().iter().map(whole))
}

fn campaign(accounts: &Accounts) -> Rows {
    by("email", accounts.campaign.contacts_snapshot().into_iter().map(object))
}

fn hub_people(accounts: &Accounts) -> Rows {
    let all = accounts.hub.snapshot();
    by("email", all.get("contacts").into_iter().flatten().map(|row| values(&row.properties)))
}

/// Deals: of whom they belong to, the address; of the moment at which they close, the day.
fn hub_deals(accounts: &Accounts) -> Rows {
    let all = accounts.hub.snapshot();
    let of = |kind: &str| all.get(kind).into_iter().flatten();
    let email = |id: &str| of("contacts").find(|contact| contact.id == id)?.properties.get("email").cloned();
    let whole = |row: &syncline_sandbox::hubspot::HubSpotRecord| {
        let mut fields = values(&row.properties);
        let people: Vec<String> =
            row.links.iter().filter(|link| link.object == "contacts").filter_map(|link| email(&link.id)).collect();
        fields.insert(DEAL_PERSON.1.to_owned(), people.join(", ").into());
        if let Some(Value::String(closes)) = fields.get_mut("closedate") {
            closes.truncate("2026-09-30".len());
        }
        fields
    };
    by("dealname", of("deals").map(whole))
}

fn values(properties: &BTreeMap<String, String>) -> Map<String, Value> {
    properties.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Whatever field differs is named with what both sides say; a field that is not mapped may differ.
    #[test]
    fn the_field_that_differs_is_named() {
        let crm = by("Email", [object(json!({ "Email": "ada@example.org", "Title": "Countess", "Fax": "1" }))]);
        let title = |title: Value| by("EMAIL", [object(json!({ "EMAIL": "ada@example.org", "JOB_TITLE": title }))]);
        let fields = [("Email", "EMAIL"), ("Title", "JOB_TITLE")];
        let told = |there: &Rows| same("brevo", &fields, &crm, there).map_err(|error| error.to_string());
        assert_eq!(told(&title(json!("Countess"))), Ok(()));
        let says = "ada@example.org: Title is \"Countess\" in the CRM, and JOB_TITLE is \"\" in brevo";
        assert_eq!(told(&title(json!(null))), Err(says.to_owned()));
        assert_eq!(told(&Rows::new()), Err("ada@example.org is not in brevo".to_owned()));
    }
}
