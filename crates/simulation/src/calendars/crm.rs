//! The CRM of an office, the imitation of HubSpot or of Salesforce: what its people do there and what stands there, in the same
//! words for both.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use syncline_connect::{Secret, Settings, oauth::App};
use syncline_core::Clock;
use syncline_engine::{ConnectionSetup, GrantKind};
use syncline_sandbox::{
    HubSpotAccount, HubSpotConfig, SalesforceConfig, SalesforceOrg, Site,
    hubspot::{HubSpotEffectKind, HubSpotProperty, HubSpotRates, HubSpotRecord, HubSpotUser, HubSpotWho},
    salesforce::{AppConfig, EffectKind, UserConfig},
};
use url::Url;

use super::{
    office::{HUB, PEOPLE, workspace},
    plot::Plot,
};
use crate::{
    clock::TrueClock,
    dice::{Dice, Seeded},
    orgs,
    process::connector,
    story::SECRET,
};

/// How HubSpot says that a meeting is off.
const OFF: &str = "CANCELED";
/// What the name of a meeting begins with that is off.
pub const PREFIX: &str = "[CANCELLED] ";
/// What HubSpot numbers its users and owners from.
const FIRST_USER: u64 = 6_000;
const FIRST_OWNER: u64 = 88_843_000;
/// Writes that Salesforce remembers.
const KEPT: usize = 20_000;
/// The field of Salesforce that bears the product's key.
const KEY_FIELD: &str = "Syncline_Uid__c";

/// The account.
pub enum Crm {
    HubSpot { account: Arc<HubSpotAccount>, key: String },
    Salesforce(Arc<SalesforceOrg>),
}

/// A meeting's record.
#[derive(Debug, Clone)]
pub struct Record {
    pub id: String,
    /// The product's.
    pub key: Option<String>,
    pub title: String,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
    /// Whether it says that the meeting is off; in Salesforce by its name alone.
    pub off: bool,
    /// The contacts on it, by their ids.
    pub contacts: BTreeSet<String>,
}

/// A write of a program to a meeting's record, or to who is on it.
#[derive(Debug)]
pub struct Written {
    pub number: u64,
    pub id: String,
    pub created: bool,
    /// The product's key, which is on the record.
    pub key: String,
    /// Whether it says that the meeting is off.
    pub says_off: bool,
    /// Everything that was written.
    pub texts: Vec<String>,
}

/// A meeting that somebody logs by hand.
pub struct Entry<'a> {
    pub title: &'a str,
    pub start: Timestamp,
    pub end: Timestamp,
    /// By their places.
    pub owner: usize,
    pub contact: &'a str,
}

/// A moment as the CRM writes it.
fn time(text: &str) -> Option<Timestamp> {
    match text.parse::<i64>() {
        Ok(millis) => Timestamp::from_millisecond(millis).ok(),
        Err(_) => text.replace("+0000", "Z").parse().ok(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn fields(value: Value) -> Map<String, Value> {
    if let Value::Object(fields) = value { fields } else { Map::new() }
}

impl Crm {
    pub fn new(plot: &Plot, clock: &Arc<TrueClock>) -> Self {
        if plot.salesforce { Self::salesforce(plot.seed, clock) } else { Self::hubspot(clock) }
    }

    fn hubspot(clock: &Arc<TrueClock>) -> Self {
        // Allowances have faults of their own.
        let rates = HubSpotRates {
            oauth_per_ten_seconds: u32::MAX,
            private_per_ten_seconds: u32::MAX,
            daily: u32::MAX,
            searches_per_second: u32::MAX,
        };
        let mut config = HubSpotConfig { rates, users: Vec::new(), ..HubSpotConfig::default() };
        for kind in ["contacts", "companies", "deals", "tickets", "meetings"] {
            config.properties.push((kind.to_owned(), HubSpotProperty::text("syncline_key").unique()));
        }
        config.users.extend(PEOPLE.iter().enumerate().map(|(person, who)| HubSpotUser {
            user_id: FIRST_USER + person as u64,
            owner_id: FIRST_OWNER + person as u64,
            email: who.email.to_owned(),
            first_name: who.name.to_owned(),
            last_name: "Host".to_owned(),
            active: true,
        }));
        let key = config.private_apps[0].token.clone();
        let clock = Arc::clone(clock) as Arc<dyn Clock>;
        let account = HubSpotAccount::new(config, clock).expect("the usual account contradicts itself nowhere");
        Self::HubSpot { account, key }
    }

    fn salesforce(seed: u64, clock: &Arc<TrueClock>) -> Self {
        let mut config = SalesforceConfig {
            daily_call_limit: 1_000_000,
            kept_effects: KEPT,
            app: AppConfig { client_secret: format!("{SECRET}-of-the-crm"), ..AppConfig::default() },
            ..SalesforceConfig::default()
        };
        config.users.extend(PEOPLE.iter().map(|who| UserConfig {
            username: who.email.to_owned(),
            email: who.email.to_owned(),
            first_name: who.name.to_owned(),
            last_name: "Host".to_owned(),
            ..UserConfig::default()
        }));
        let entropy = Arc::new(Seeded::new(Dice::of(seed, "crm", 0)));
        Self::Salesforce(orgs::another(config, Arc::clone(clock) as Arc<dyn Clock>, entropy))
    }

    /// How the operator connected it.
    pub fn connection(&self, base: &str) -> ConnectionSetup {
        let host = |name: &str| (name.to_owned(), base.to_owned());
        let (vendor, hosts, app, grant) = match self {
            Self::HubSpot { key, .. } => {
                let base_url = Url::parse(base).expect("the address is well formed");
                let app = App { client_id: String::new(), client_secret: None, redirect_uri: None };
                let grant = GrantKind::Key { key: Secret::new(key.clone()), base_url };
                ("hubspot", vec![host("allow_host")], app, grant)
            }
            Self::Salesforce(org) => {
                let credentials = org.credentials(base);
                let word = |name: &str| text(&credentials[name]).to_owned();
                let client_secret = Some(Secret::new(word("client_secret")));
                let app = App { client_id: word("client_id"), client_secret, redirect_uri: None };
                ("salesforce", vec![host("login_host"), host("allow_host")], app, GrantKind::ClientCredentials)
            }
        };
        ConnectionSetup {
            workspace: workspace(),
            id: HUB.into(),
            connector: connector(vendor),
            settings: Settings::from_iter(hosts),
            app,
            grant,
            budget_share: 1.0,
        }
    }

    /// Answers a request.
    pub fn answer(&self, base: &str, request: Request<Bytes>) -> Response<Bytes> {
        match self {
            Self::HubSpot { account, .. } => account.handle(base, request).response,
            Self::Salesforce(org) => org.handle(base, request).response,
        }
    }

    /// Access tokens end, where there are such.
    pub fn expire_tokens(&self) -> bool {
        match self {
            Self::HubSpot { .. } => false,
            Self::Salesforce(org) => {
                org.expire_sessions();
                true
            }
        }
    }

    /// All records of meetings.
    pub fn records(&self) -> Vec<Record> {
        match self {
            Self::HubSpot { account, .. } => {
                let all = account.snapshot().remove("meetings").unwrap_or_default();
                all.into_iter().filter(|record| !record.archived).map(|record| in_hubspot(&record)).collect()
            }
            Self::Salesforce(org) => in_salesforce(org),
        }
    }

    /// One of them, where it is still there.
    pub fn record(&self, id: &str) -> Option<Record> {
        match self {
            Self::HubSpot { account, .. } => {
                account.record("meetings", id).filter(|record| !record.archived).map(|record| in_hubspot(&record))
            }
            Self::Salesforce(org) => in_salesforce(org).into_iter().find(|record| record.id == id),
        }
    }

    /// What programs wrote to meetings since that number.
    pub fn written_since(&self, number: u64) -> Vec<Written> {
        match self {
            Self::HubSpot { account, .. } => {
                let is_meant = |effect: &syncline_sandbox::hubspot::HubSpotEffect| {
                    matches!(effect.who, HubSpotWho::App(_)) && effect.object == "meetings"
                };
                let written = |effect: syncline_sandbox::hubspot::HubSpotEffect| {
                    let said = |name: &str| effect.properties.get(name).cloned();
                    let known = || account.record("meetings", &effect.id)?.properties.get("syncline_key").cloned();
                    Written {
                        number: effect.number,
                        created: effect.kind == HubSpotEffectKind::Created,
                        key: said("syncline_key").or_else(known).unwrap_or_default(),
                        says_off: said("hs_meeting_outcome").is_some_and(|word| word == OFF)
                            || said("hs_meeting_title").is_some_and(|title| title.starts_with(PREFIX)),
                        texts: effect.properties.into_values().chain(effect.other).collect(),
                        id: effect.id,
                    }
                };
                account.effects_since(number).into_iter().filter(is_meant).map(written).collect()
            }
            Self::Salesforce(org) => {
                // Users who attend have copies, which the platform makes.
                let own = org.columns_with_bin("Event", ["Id", KEY_FIELD, "IsChild"]).into_iter();
                let own = own.filter(|[.., is_copy]| *is_copy != Value::Bool(true));
                let keys: BTreeMap<String, String> =
                    own.map(|[id, key, _]| (text(&id).to_owned(), text(&key).to_owned())).collect();
                let is_meant = |effect: &syncline_sandbox::salesforce::Effect| {
                    effect.request > 0 && effect.object == "Event" && keys.contains_key(&effect.id)
                };
                let written = |effect: syncline_sandbox::salesforce::Effect| Written {
                    number: effect.number,
                    created: effect.kind == EffectKind::Created,
                    key: keys.get(&effect.id).cloned().unwrap_or_default(),
                    says_off: effect.fields.get("Subject").is_some_and(|title| text(title).starts_with(PREFIX)),
                    texts: effect.fields.values().map(Value::to_string).collect(),
                    id: effect.id,
                };
                org.effects_since(number).into_iter().filter(is_meant).map(written).collect()
            }
        }
    }

    /// Somebody adds a contact; answers its id.
    pub fn add_contact(&self, email: &str) -> Result<String, String> {
        match self {
            Self::HubSpot { account, .. } => account.create("contacts", &[("email", email)]),
            Self::Salesforce(org) => org.seed("Contact", &fields(json!({ "LastName": "Guest", "Email": email }))),
        }
    }

    /// Somebody deletes a contact.
    pub fn delete_contact(&self, id: &str) -> Result<(), String> {
        match self {
            Self::HubSpot { account, .. } => account.archive("contacts", id),
            Self::Salesforce(org) => org.delete(id),
        }
    }

    /// Somebody logs a meeting; answers its id.
    pub fn log(&self, entry: &Entry<'_>) -> Result<String, String> {
        let (start, end) = (entry.start.to_string(), entry.end.to_string());
        match self {
            Self::HubSpot { account, .. } => {
                let owner = (FIRST_OWNER + entry.owner as u64).to_string();
                let fields = [
                    ("hs_timestamp", start.as_str()),
                    ("hs_meeting_title", entry.title),
                    ("hs_meeting_start_time", start.as_str()),
                    ("hs_meeting_end_time", end.as_str()),
                    ("hubspot_owner_id", owner.as_str()),
                ];
                let id = account.create("meetings", &fields)?;
                account.associate(("meetings", &id), ("contacts", entry.contact), None)?;
                Ok(id)
            }
            Self::Salesforce(org) => {
                let users = org.columns("User", ["Id", "Email"]);
                let owner = users.into_iter().find(|[_, email]| text(email) == PEOPLE[entry.owner].email);
                let [owner, _] = owner.ok_or("the owner is no user")?;
                let event = json!({ "Subject": entry.title, "StartDateTime": start, "EndDateTime": end,
                                    "OwnerId": owner, "WhoId": entry.contact });
                org.seed("Event", &fields(event))
            }
        }
    }

    /// Somebody gives a meeting another name.
    pub fn name(&self, id: &str, name: &str) -> Result<(), String> {
        match self {
            Self::HubSpot { account, .. } => account.edit("meetings", id, &[("hs_meeting_title", name)]).map(drop),
            Self::Salesforce(org) => org.edit(id, &fields(json!({ "Subject": name }))),
        }
    }

    /// Somebody deletes a meeting's record.
    pub fn delete_meeting(&self, id: &str) -> Result<(), String> {
        match self {
            Self::HubSpot { account, .. } => account.archive("meetings", id),
            Self::Salesforce(org) => org.delete(id),
        }
    }
}

fn in_hubspot(record: &HubSpotRecord) -> Record {
    let says = |name: &str| record.properties.get(name).map(String::as_str).unwrap_or_default();
    let contacts = record.links.iter().filter(|link| link.object == "contacts");
    Record {
        id: record.id.clone(),
        key: record.properties.get("syncline_key").cloned(),
        title: says("hs_meeting_title").to_owned(),
        start: time(says("hs_meeting_start_time")),
        end: time(says("hs_meeting_end_time")),
        off: says("hs_meeting_outcome") == OFF,
        contacts: contacts.map(|link| link.id.clone()).collect(),
    }
}

fn in_salesforce(org: &SalesforceOrg) -> Vec<Record> {
    let mut with: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for [event, who] in org.columns("EventRelation", ["EventId", "RelationId"]) {
        with.entry(text(&event).to_owned()).or_default().insert(text(&who).to_owned());
    }
    let events = org.columns("Event", ["Id", KEY_FIELD, "Subject", "StartDateTime", "EndDateTime", "WhoId", "IsChild"]);
    let events = events.into_iter().filter(|[.., is_copy]| *is_copy != Value::Bool(true));
    let record = |[id, key, title, start, end, who, _]: [Value; 7]| {
        let mut contacts = with.remove(text(&id)).unwrap_or_default();
        contacts.extend(who.as_str().map(str::to_owned));
        Record {
            id: text(&id).to_owned(),
            key: key.as_str().map(str::to_owned),
            off: text(&title).starts_with(PREFIX),
            title: text(&title).to_owned(),
            start: time(text(&start)),
            end: time(text(&end)),
            contacts,
        }
    };
    events.map(record).collect()
}
