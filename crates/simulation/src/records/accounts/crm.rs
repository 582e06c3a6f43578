//! The CRM in the middle: contacts and leads, which its people merge and convert.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Map, Value, json};
use syncline_connect::{Secret, Settings, oauth::App};
use syncline_core::Clock;
use syncline_engine::{ConnectionSetup, GrantKind};
use syncline_sandbox::{
    SalesforceConfig, SalesforceOrg,
    salesforce::{AppConfig, EffectKind, LeadConversion, SchemaChange},
};

use super::{Account, base};
use crate::{
    clock::TrueClock,
    dice::{Dice, Seeded},
    process::connector,
    records::{
        acts::AWAY,
        company::workspace,
        deals::{Deal, DealNames},
        fact::{Deed, Fact, Facts, Shown, Written},
    },
    story::SECRET,
};

/// The org's own field for opting out: what the standard one is called hangs on the org.
const OUT: &str = "Opted_Out__c";
/// Writes of which the account keeps what they did.
const KEPT: usize = 5_000;
const KINDS: [&str; 2] = ["Contact", "Lead"];
const OPPORTUNITY: &str = "Opportunity";

/// The org.
pub struct Crm(pub Arc<SalesforceOrg>);

impl Crm {
    pub fn new(seed: u64, clock: &Arc<TrueClock>) -> Self {
        let config = SalesforceConfig {
            daily_call_limit: 1_000_000,
            kept_effects: KEPT,
            access_token_seconds: 3_600,
            app: AppConfig { client_secret: format!("{SECRET}-of-the-crm"), ..AppConfig::default() },
            ..SalesforceConfig::default()
        };
        let entropy = Arc::new(Seeded::new(Dice::of(seed, "crm", 0)));
        let org = SalesforceOrg::new(config, Arc::clone(clock) as Arc<dyn Clock>, entropy);
        for object in KINDS {
            let field = json!({ "object": object, "name": OUT, "label": "Opted out", "type": "boolean" });
            let field = serde_json::from_value(field).expect("the field is written down as one");
            org.change_schema(&SchemaChange::AddField { field }).expect("the org has no such field yet");
        }
        Self(org)
    }

    /// Somebody makes a contact of a lead. What the org's own field says goes along, as administrators set it up.
    pub fn convert(&self, lead: &str) -> Result<String, String> {
        let out = self.shown("Lead", lead).is_some_and(|shown| shown.get(Fact::Out).is_some());
        let converted = self.0.convert_lead(&LeadConversion {
            lead_id: lead.to_owned(),
            converted_status: "Closed - Converted".to_owned(),
            do_not_create_opportunity: true,
            ..LeadConversion::default()
        })?;
        if out {
            self.edit(&converted.contact_id, Fact::Out, Some("true"))?;
        }
        Ok(converted.contact_id)
    }

    /// Somebody merges two records of one kind. Whoever opted out in either stays out, as people take care of.
    pub fn merge(&self, kind: &str, stays: &str, goes: &str) -> Result<(), String> {
        let out = self.shown(kind, goes).is_some_and(|shown| shown.get(Fact::Out).is_some());
        let on_top = if out { Map::from_iter([(OUT.to_owned(), Value::Bool(true))]) } else { Map::new() };
        self.0.merge(stays, &[goes], &on_top)
    }

    /// Somebody opens an opportunity with a contact.
    pub fn open(&self, name: &str, amount: u64, contact: &str) -> Result<String, String> {
        let record = json!({ "Name": name, "Amount": amount, "StageName": "Prospecting", "CloseDate": "2027-09-30",
                             "ContactId": contact });
        self.0.seed(OPPORTUNITY, record.as_object().expect("it was written as an object"))
    }

    /// Somebody says how much an opportunity is worth.
    pub fn revalue(&self, opportunity: &str, amount: u64) -> Result<(), String> {
        self.0.edit(opportunity, &Map::from_iter([("Amount".to_owned(), json!(amount))]))
    }

    /// Somebody makes another contact the primary one of an opportunity.
    pub fn hand_over(&self, opportunity: &str, contact: &str) -> Result<(), String> {
        let role = json!({ "OpportunityId": opportunity, "ContactId": contact, "IsPrimary": true });
        self.0.seed("OpportunityContactRole", role.as_object().expect("it was written as an object")).map(drop)
    }

    fn shown(&self, kind: &str, id: &str) -> Option<Shown> {
        self.people().into_iter().find(|shown| shown.kind == kind && shown.id == id)
    }
}

fn name(fact: Fact) -> &'static str {
    match fact {
        Fact::Email => "Email",
        Fact::First => "FirstName",
        Fact::Last => "LastName",
        Fact::Title => "Title",
        Fact::Out => OUT,
    }
}

fn value(fact: Fact, value: Option<&str>) -> Value {
    match fact {
        Fact::Out => Value::Bool(value == Some("true")),
        _ => json!(value),
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Bool(flag) => Some(flag.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

impl Account for Crm {
    fn name(&self) -> &'static str {
        "crm"
    }

    fn answer(&self, base: &str, request: Request<Bytes>) -> Response<Bytes> {
        self.0.handle(base, request).response
    }

    fn connection(&self) -> ConnectionSetup {
        let base = base(self.name());
        let credentials = self.0.credentials(&base);
        let word = |name: &str| credentials[name].as_str().unwrap_or_default().to_owned();
        let host = |name: &str| (name.to_owned(), base.clone());
        ConnectionSetup {
            workspace: workspace(),
            id: self.name().into(),
            connector: connector("salesforce"),
            settings: Settings::from([host("login_host"), host("allow_host")]),
            app: App {
                client_id: word("client_id"),
                client_secret: Some(Secret::new(word("client_secret"))),
                redirect_uri: None,
            },
            grant: GrantKind::ClientCredentials,
            budget_share: 1.0,
        }
    }

    fn kinds(&self) -> &'static [&'static str] {
        &KINDS
    }

    fn field(&self, fact: Fact) -> Option<String> {
        Some(name(fact).to_owned())
    }

    fn own_fields(&self) -> &'static [&'static str] {
        &[
            "AccountId",
            "Company",
            "ConvertedAccountId",
            "ConvertedContactId",
            "CreatedById",
            "CreatedDate",
            "IsDeleted",
            "LastModifiedById",
            "LastModifiedDate",
            "Name",
            "OwnerId",
            "Status",
            "SystemModstamp",
            "Syncline_Uid__c",
        ]
    }

    fn people(&self) -> Vec<Shown> {
        let mut all = Vec::new();
        for kind in KINDS {
            for record in self.0.records(kind) {
                let is = |field: &str| record.get(field) == Some(&Value::Bool(true));
                if is("IsDeleted") || is("IsConverted") {
                    continue;
                }
                let id = text(record.get("Id")).unwrap_or_default();
                let held = |fact: Fact| {
                    let meanwhile = record.get(AWAY.1).filter(|_| name(fact) == AWAY.0);
                    text(record.get(name(fact)).or(meanwhile))
                };
                let fact = |fact: Fact| (fact, fact.normal(held(fact).as_deref()));
                all.push(Shown { kind, id, facts: Fact::ALL.into_iter().map(fact).collect() });
            }
        }
        all
    }

    fn add(&self, kind: &'static str, facts: &Facts) -> Result<String, String> {
        let mut record: Map<String, Value> =
            facts.iter().map(|(fact, given)| (name(*fact).to_owned(), value(*fact, given.as_deref()))).collect();
        if kind == "Lead" {
            record.insert("Company".to_owned(), json!("Analytical Engines"));
        }
        self.0.seed(kind, &record)
    }

    fn edit(&self, id: &str, fact: Fact, given: Option<&str>) -> Result<(), String> {
        self.0.edit(id, &Map::from_iter([(name(fact).to_owned(), value(fact, given))]))
    }

    fn delete(&self, id: &str) -> Result<(), String> {
        self.0.delete(id)
    }

    fn deal_names(&self) -> DealNames {
        DealNames { kind: OPPORTUNITY, name: "Name", amount: "Amount", person: "ContactId", constant: None, own: &[] }
    }

    fn deals(&self) -> Vec<Deal> {
        let live = self.0.records(OPPORTUNITY).into_iter();
        let live = live.filter(|record| record.get("IsDeleted") != Some(&Value::Bool(true)));
        let deal = |record: Map<String, Value>| Deal {
            id: text(record.get("Id")).unwrap_or_default(),
            name: text(record.get("Name")).unwrap_or_default(),
            amount: record.get("Amount").and_then(Value::as_f64).map(|amount| amount as i64),
            people: text(record.get("ContactId")).into_iter().collect(),
        };
        live.map(deal).collect()
    }

    fn delete_deal(&self, id: &str) -> Result<(), String> {
        self.0.delete(id)
    }

    fn written_since(&self, number: u64) -> (Vec<Written>, u64) {
        let effects = self.0.effects_since(number);
        let last = effects.last().map_or(number, |effect| effect.number);
        let is_ours = |object: &str| object == OPPORTUNITY || KINDS.contains(&object);
        let by_programs = effects.into_iter().filter(|effect| effect.request > 0 && is_ours(&effect.object));
        let written = by_programs.map(|effect| Written {
            deed: match effect.kind {
                EffectKind::Created | EffectKind::Undeleted => Deed::Created,
                EffectKind::Updated => Deed::Updated,
                EffectKind::Deleted => Deed::Deleted,
            },
            deal: effect.object == OPPORTUNITY,
            id: effect.id,
            fields: effect.fields.keys().cloned().collect(),
        });
        (written.collect(), last)
    }

    fn crm(&self) -> Option<&Crm> {
        Some(self)
    }

    fn expire(&self) {
        self.0.expire_sessions();
    }
}
