//! The CRM of two reps, Salesforce or HubSpot, as people use it.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use syncline_sandbox::{Site, hubspot::HubSpotUser};

use super::suite::Said;
use crate::{
    crms::{Hub, value},
    lab::{Crm, Installation, Sandbox},
};

/// Before the subject of what is called off.
const PREFIX: &str = "[CANCELLED] ";

/// Where the reps' contacts and meetings are.
pub enum Timeline {
    Salesforce(Sandbox),
    /// With the reps' ids, by their addresses.
    HubSpot(Hub, BTreeMap<String, String>),
}

impl Timeline {
    /// One of this vendor, whose users the reps are.
    pub fn start(vendor: &str, reps: &[(&str, &str)]) -> Self {
        if vendor != "hubspot" {
            return Self::Salesforce(Sandbox::start());
        }
        let mut owners = BTreeMap::new();
        let hub = Hub::with(|config| {
            config.users = (1..).zip(reps).map(|(id, (name, email))| user(id, name, email)).collect();
            owners.extend(config.users.iter().map(|user| (user.email.clone(), user.owner_id.to_string())));
        });
        Self::HubSpot(hub, owners)
    }

    fn as_crm(&self) -> &dyn Crm {
        match self {
            Self::Salesforce(sandbox) => sandbox,
            Self::HubSpot(hub, _) => hub,
        }
    }

    /// The vendor, which is also the name of the connection.
    pub fn vendor(&self) -> &'static str {
        self.as_crm().vendor()
    }

    pub fn installation(&self, name: &str, database: &str, more: &str) -> Installation {
        Installation::new(name, self.as_crm(), database, more)
    }

    /// Serves another vendor's imitation beside it, and says where.
    pub fn beside<S: Site>(&self, site: &Arc<S>) -> String {
        match self {
            Self::Salesforce(sandbox) => sandbox.beside(site),
            Self::HubSpot(hub, _) => hub.beside(site),
        }
    }

    /// Makes a contact; its id.
    pub fn contact(&self, email: &str) -> String {
        match self {
            Self::Salesforce(sandbox) => {
                let person = json!({ "FirstName": "Some", "LastName": "Body", "Email": email });
                sandbox.org.seed("Contact", &object(person)).expect("a contact")
            }
            Self::HubSpot(hub, _) => hub.account.create("contacts", &[("email", email)]).expect("a contact"),
        }
    }

    /// A rep's id as a user.
    pub fn user(&self, email: &str) -> String {
        match self {
            Self::Salesforce(sandbox) => {
                let user = sandbox.records("User").into_iter().find(|user| user["Email"] == email);
                text(&user.expect("a user"), "Id")
            }
            Self::HubSpot(_, owners) => owners[email].clone(),
        }
    }

    /// A rep logs a meeting with a contact; its id.
    pub fn log(&self, name: &str, start: Timestamp, user: &str, contact: &str) -> String {
        let end = start + SignedDuration::from_mins(30);
        let at = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        match self {
            Self::Salesforce(sandbox) => {
                let event = json!({
                    "Subject": name, "WhoId": contact, "OwnerId": user, "StartDateTime": at(start), "EndDateTime": at(end),
                });
                sandbox.org.seed("Event", &object(event)).expect("an event")
            }
            Self::HubSpot(hub, _) => {
                let (start, end) = (at(start), at(end));
                let fields = [
                    ("hs_timestamp", start.as_str()),
                    ("hs_meeting_title", name),
                    ("hs_meeting_start_time", &start),
                    ("hs_meeting_end_time", &end),
                    ("hubspot_owner_id", user),
                ];
                let id = hub.account.create("meetings", &fields).expect("a meeting");
                hub.account.associate(("meetings", &id), ("contacts", contact), None).expect("a person may");
                id
            }
        }
    }

    /// Somebody renames a meeting.
    pub fn rename(&self, id: &str, name: &str) {
        match self {
            Self::Salesforce(sandbox) => {
                sandbox.org.edit(id, &object(json!({ "Subject": name }))).expect("a person may");
            }
            Self::HubSpot(hub, _) => {
                hub.account.edit("meetings", id, &[("hs_meeting_title", name)]).expect("a person may");
            }
        }
    }

    /// What it says of every meeting.
    pub fn said(&self) -> Vec<Said> {
        let said = |subject: &str, start: &str| {
            let name = subject.strip_prefix(PREFIX).unwrap_or(subject).to_owned();
            Said { off: name != subject, name, start: start.replace("+0000", "Z").parse().expect("a time") }
        };
        match self {
            Self::Salesforce(sandbox) => {
                // Of a meeting with a colleague who is a user Salesforce keeps a copy for that one.
                let all = sandbox.records("Event").into_iter().filter(|record| record["IsChild"] != json!(true));
                all.map(|record| said(&text(&record, "Subject"), &text(&record, "StartDateTime"))).collect()
            }
            Self::HubSpot(hub, _) => {
                let all = hub.records("meetings").into_iter();
                all.map(|one| said(value(&one, "hs_meeting_title"), value(&one, "hs_meeting_start_time"))).collect()
            }
        }
    }

    pub fn calls(&self) -> u64 {
        match self {
            Self::Salesforce(sandbox) => sandbox.org.request_count(),
            Self::HubSpot(hub, _) => hub.account.call_count(),
        }
    }

    /// Whatever moves when anything is written.
    pub fn marks(&self) -> Vec<String> {
        match self {
            Self::Salesforce(sandbox) => {
                let of = |object: &'static str| sandbox.records(object).into_iter();
                let stamp = |one: Map<String, Value>| format!("{} {}", one["Id"], one["SystemModstamp"]);
                of("Event").chain(of("EventRelation")).map(stamp).collect()
            }
            Self::HubSpot(hub, _) => vec![hub.account.effects_since(0).len().to_string()],
        }
    }
}

fn user(id: u64, name: &str, email: &str) -> HubSpotUser {
    HubSpotUser {
        user_id: id,
        owner_id: 1_000 + id,
        email: email.to_owned(),
        first_name: name.to_owned(),
        last_name: "Rep".to_owned(),
        active: true,
    }
}

fn text(record: &Map<String, Value>, field: &str) -> String {
    record.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}
