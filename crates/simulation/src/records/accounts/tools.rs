//! The tools beside the CRM, each with its own words for one and the same person.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Map, Value, json};
use syncline_connect::{Secret, Settings, oauth::App};
use syncline_core::Clock;
use syncline_engine::{ConnectionSetup, GrantKind};
use syncline_sandbox::{
    ActiveCampaignAccount, ActiveCampaignConfig, BrevoAccount, BrevoConfig, HubSpotAccount, HubSpotConfig, Site,
    brevo::BrevoRates,
    hubspot::{HubSpotEffectKind, HubSpotProperty, HubSpotRates, HubSpotRecord, HubSpotWho},
    journal::{Actor, Effect, EffectKind},
};
use url::Url;

use super::{Account, base};
use crate::{
    clock::TrueClock,
    process::connector,
    records::{
        company::workspace,
        deals::{Deal, DealNames},
        fact::{Deed, Fact, Facts, Shown, Written},
    },
    story::SECRET,
};

/// The list that mails go to where consent is kept by list.
const NEWSLETTER: u64 = 1;

/// The attribute of a deal that bears the product's key.
const DEAL_KEY: &str = "syncline_key";

fn keyed(name: &'static str, vendor: &str, key: String, path: &str, settings: Settings) -> ConnectionSetup {
    let url = Url::parse(&format!("{}{path}", base(name))).expect("the address is well formed");
    ConnectionSetup {
        workspace: workspace(),
        id: name.into(),
        connector: connector(vendor),
        settings,
        app: App { client_id: String::new(), client_secret: None, redirect_uri: None },
        grant: GrantKind::Key { key: Secret::new(key), base_url: url },
        budget_share: 1.0,
    }
}

fn by_programs(effects: Vec<Effect>, number: u64) -> (Vec<Written>, u64) {
    let last = effects.last().map_or(number, |effect| effect.number);
    let is_ours = |object: &str| matches!(object, "contact" | "deal");
    let written = effects.into_iter().filter(|effect| effect.actor != Actor::Person && is_ours(effect.object));
    let written = written.map(|effect| Written {
        deed: match effect.kind {
            EffectKind::Created => Deed::Created,
            EffectKind::Updated => Deed::Updated,
            EffectKind::Deleted => Deed::Deleted,
        },
        deal: effect.object == "deal",
        id: effect.id,
        fields: effect.fields.keys().cloned().collect(),
    });
    (written.collect(), last)
}

/// Ids that are numbers or texts of them.
fn ids<'a>(of: impl IntoIterator<Item = &'a Value>) -> BTreeSet<String> {
    let id = |value: &Value| value.as_str().map(str::to_owned).or_else(|| Some(value.as_u64()?.to_string()));
    of.into_iter().filter_map(id).collect()
}

fn number(id: &str) -> Result<u64, String> {
    id.parse().map_err(|_| format!("{id} is no number"))
}

fn word(value: &Value) -> Option<&str> {
    value.as_str()
}

/// A newsletter tool that keeps consent with the person.
pub struct Post(Arc<BrevoAccount>);

impl Post {
    pub fn new(clock: &Arc<TrueClock>) -> Self {
        let config = BrevoConfig {
            keys: vec![(format!("xkeysib-{SECRET}"), "Syncline".to_owned())],
            rates: BrevoRates::NONE,
            ..BrevoConfig::default()
        };
        let account = BrevoAccount::new(config, Arc::clone(clock) as Arc<dyn Clock>);
        account.add_deal_attribute(DEAL_KEY, "text");
        Self(account)
    }

    fn attribute(fact: Fact) -> &'static str {
        match fact {
            Fact::Email => "EMAIL",
            Fact::First => "FIRSTNAME",
            Fact::Last => "LASTNAME",
            Fact::Title => "JOB_TITLE",
            Fact::Out => "emailBlacklisted",
        }
    }
}

impl Account for Post {
    fn name(&self) -> &'static str {
        "post"
    }

    fn answer(&self, base: &str, request: Request<Bytes>) -> Response<Bytes> {
        self.0.handle(base, request).response
    }

    fn connection(&self) -> ConnectionSetup {
        let key = word(&self.0.credentials("")["api_key"]).unwrap_or_default().to_owned();
        keyed(self.name(), "brevo", key, "/v3", Settings::new())
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["contact"]
    }

    fn field(&self, fact: Fact) -> Option<String> {
        Some(Self::attribute(fact).to_owned())
    }

    fn own_fields(&self) -> &'static [&'static str] {
        &["EXT_ID"]
    }

    fn people(&self) -> Vec<Shown> {
        let shown = |contact: Value| {
            let own = &contact["attributes"];
            let fact = |fact: Fact| {
                let value = match fact {
                    Fact::Email => word(&contact["email"]).map(str::to_owned),
                    Fact::Out => Some(contact["emailBlacklisted"].to_string()),
                    named => word(&own[Self::attribute(named)]).map(str::to_owned),
                };
                (fact, fact.normal(value.as_deref()))
            };
            Shown { kind: "contact", id: contact["id"].to_string(), facts: Fact::ALL.into_iter().map(fact).collect() }
        };
        self.0.contacts_snapshot().into_iter().map(shown).collect()
    }

    fn add(&self, _: &'static str, facts: &Facts) -> Result<String, String> {
        let own = facts.iter().filter(|(fact, value)| !matches!(fact, Fact::Email | Fact::Out) && value.is_some());
        let own: Map<String, Value> =
            own.map(|(fact, value)| (Self::attribute(*fact).to_owned(), json!(value))).collect();
        let body = json!({
            "email": facts.get(&Fact::Email),
            "attributes": own,
            "emailBlacklisted": facts.get(&Fact::Out).is_some_and(Option::is_some),
        });
        self.0.add_contact(body.as_object().expect("it was written as an object")).map(|id| id.to_string())
    }

    fn edit(&self, id: &str, fact: Fact, value: Option<&str>) -> Result<(), String> {
        let id = number(id)?;
        match (fact, value) {
            (Fact::Out, Some(_)) => self.0.unsubscribe(id).then_some(()).ok_or_else(|| "it is gone".to_owned()),
            (Fact::Out, None) => {
                self.0.set_blacklisted(id, Some(false), None).then_some(()).ok_or_else(|| "it is gone".to_owned())
            }
            (fact, value) => {
                let value = Value::from(value.unwrap_or_default());
                self.0.edit(id, &Map::from_iter([(Self::attribute(fact).to_owned(), value)]))
            }
        }
    }

    fn delete(&self, id: &str) -> Result<(), String> {
        self.0.delete(number(id)?)
    }

    fn deal_names(&self) -> DealNames {
        DealNames {
            kind: "deal",
            name: "deal_name",
            amount: "amount",
            person: "linkedContactsIds",
            constant: None,
            // The last two are how whom it belongs to is changed.
            own: &[DEAL_KEY, "linkContactIds", "unlinkContactIds"],
        }
    }

    fn deals(&self) -> Vec<Deal> {
        let deal = |deal: Value| Deal {
            id: word(&deal["id"]).unwrap_or_default().to_owned(),
            name: word(&deal["attributes"]["deal_name"]).unwrap_or_default().to_owned(),
            amount: deal["attributes"]["amount"].as_f64().map(|amount| amount as i64),
            people: ids(deal["linkedContactsIds"].as_array().into_iter().flatten()),
        };
        self.0.deals_snapshot().into_iter().map(deal).collect()
    }

    fn delete_deal(&self, id: &str) -> Result<(), String> {
        if self.0.delete_deal(id) { Ok(()) } else { Err("it is gone".to_owned()) }
    }

    fn written_since(&self, number: u64) -> (Vec<Written>, u64) {
        by_programs(self.0.effects_since(number), number)
    }
}

/// A tool for campaigns that keeps consent by list, and has no place for a key of ours.
pub struct Campaign(Arc<ActiveCampaignAccount>);

impl Campaign {
    pub fn new(clock: &Arc<TrueClock>) -> Self {
        let config = ActiveCampaignConfig {
            tokens: vec![(format!("token-{SECRET}"), "Syncline".to_owned())],
            calls_per_second: u32::MAX,
            ..ActiveCampaignConfig::default()
        };
        Self(ActiveCampaignAccount::new(config, Arc::clone(clock) as Arc<dyn Clock>))
    }

    /// What every contact has is called so; the title is a field of the account's own.
    fn part(fact: Fact) -> Option<&'static str> {
        match fact {
            Fact::Email => Some("email"),
            Fact::First => Some("firstName"),
            Fact::Last => Some("lastName"),
            Fact::Title | Fact::Out => None,
        }
    }

    fn title(&self) -> u64 {
        self.0.field("CITY").unwrap_or_default()
    }

    fn given(&self, fact: Fact, value: Option<&str>) -> Map<String, Value> {
        let value = value.unwrap_or_default();
        let body = match Self::part(fact) {
            Some(name) => json!({ name: value }),
            None => json!({ "fieldValues": [{ "field": self.title().to_string(), "value": value }] }),
        };
        body.as_object().cloned().unwrap_or_default()
    }
}

impl Account for Campaign {
    fn name(&self) -> &'static str {
        "campaign"
    }

    fn answer(&self, base: &str, request: Request<Bytes>) -> Response<Bytes> {
        self.0.handle(base, request).response
    }

    fn connection(&self) -> ConnectionSetup {
        let key = word(&self.0.credentials("")["api_token"]).unwrap_or_default().to_owned();
        keyed(self.name(), "activecampaign", key, "/api/3", Settings::new())
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["contact"]
    }

    fn field(&self, fact: Fact) -> Option<String> {
        Some(match (fact, Self::part(fact)) {
            (_, Some(name)) => name.to_owned(),
            (Fact::Out, None) => "unsubscribed".to_owned(),
            (_, None) => format!("field:{}", self.title()),
        })
    }

    fn own_fields(&self) -> &'static [&'static str] {
        &["City", "CITY"]
    }

    fn people(&self) -> Vec<Shown> {
        let shown = |contact: Value| {
            let lists = contact["lists"].as_object();
            let left = |lists: &Map<String, Value>| !lists.is_empty() && lists.values().all(|list| list != &json!(1));
            let fact = |fact: Fact| {
                let value = match Self::part(fact) {
                    Some(name) => word(&contact[name]),
                    None if fact == Fact::Out => lists.is_some_and(left).then_some("true"),
                    None => word(&contact["fields"]["CITY"]),
                };
                (fact, fact.normal(value))
            };
            let id = word(&contact["id"]).unwrap_or_default().to_owned();
            Shown { kind: "contact", id, facts: Fact::ALL.into_iter().map(fact).collect() }
        };
        self.0.contacts_snapshot().into_iter().map(shown).collect()
    }

    fn add(&self, _: &'static str, facts: &Facts) -> Result<String, String> {
        let mut body = Map::new();
        for (fact, value) in facts.iter().filter(|(fact, value)| **fact != Fact::Out && value.is_some()) {
            body.extend(self.given(*fact, value.as_deref()));
        }
        self.0.add_contact(&body).map(|id| id.to_string())
    }

    fn edit(&self, id: &str, fact: Fact, value: Option<&str>) -> Result<(), String> {
        let number = number(id)?;
        let done = match (fact, value) {
            (Fact::Out, Some(_)) => self.0.unsubscribe(number, NEWSLETTER),
            (Fact::Out, None) => self.0.subscribe(number, NEWSLETTER),
            (fact, value) => return self.0.edit(number, &self.given(fact, value)),
        };
        if done { Ok(()) } else { Err("it is gone".to_owned()) }
    }

    fn delete(&self, id: &str) -> Result<(), String> {
        if self.0.delete(number(id)?) { Ok(()) } else { Err("it is gone".to_owned()) }
    }

    fn deal_names(&self) -> DealNames {
        DealNames {
            kind: "deal",
            name: "title",
            amount: "value",
            person: "contact",
            constant: Some(("currency", "eur")),
            own: &["description"],
        }
    }

    fn deals(&self) -> Vec<Deal> {
        let deal = |deal: Value| Deal {
            id: word(&deal["id"]).unwrap_or_default().to_owned(),
            name: word(&deal["title"]).unwrap_or_default().to_owned(),
            // In cents.
            amount: word(&deal["value"]).and_then(|cents| cents.parse::<i64>().ok()).map(|cents| cents / 100),
            people: ids([&deal["contact"]]),
        };
        self.0.deals_snapshot().into_iter().map(deal).collect()
    }

    fn delete_deal(&self, id: &str) -> Result<(), String> {
        if self.0.delete_deal(number(id)?) { Ok(()) } else { Err("it is gone".to_owned()) }
    }

    fn written_since(&self, number: u64) -> (Vec<Written>, u64) {
        by_programs(self.0.effects_since(number), number)
    }
}

/// Another CRM that takes the place of a tool, with a search that shows changes late.
pub struct Hub(Arc<HubSpotAccount>);

impl Hub {
    pub fn new(clock: &Arc<TrueClock>) -> Self {
        // Allowances have faults of their own.
        let rates = HubSpotRates {
            oauth_per_ten_seconds: u32::MAX,
            private_per_ten_seconds: u32::MAX,
            daily: u32::MAX,
            searches_per_second: u32::MAX,
        };
        let config = HubSpotConfig { rates, ..HubSpotConfig::default() };
        let account = HubSpotAccount::new(config, Arc::clone(clock) as Arc<dyn Clock>);
        let account = account.expect("the usual account contradicts itself nowhere");
        let key = HubSpotProperty { unique: true, ..HubSpotProperty::text("syncline_key") };
        for kind in ["contacts", "deals"] {
            account.add_property(kind, &key).expect("the account has no such property yet");
        }
        Self(account)
    }

    /// Changes are found so much later from now on.
    pub fn lag(&self, lag: std::time::Duration) {
        self.0.set_search_lag(lag);
    }

    fn property(fact: Fact) -> Option<&'static str> {
        match fact {
            Fact::Email => Some("email"),
            Fact::First => Some("firstname"),
            Fact::Last => Some("lastname"),
            Fact::Title => Some("jobtitle"),
            Fact::Out => None,
        }
    }
}

impl Account for Hub {
    fn name(&self) -> &'static str {
        "hub"
    }

    fn answer(&self, base: &str, request: Request<Bytes>) -> Response<Bytes> {
        self.0.handle(base, request).response
    }

    fn connection(&self) -> ConnectionSetup {
        let credentials = self.0.credentials("");
        let key = word(&credentials["private_apps"][0]["token"]).unwrap_or_default().to_owned();
        let settings = Settings::from([("allow_host".to_owned(), base(self.name()))]);
        keyed(self.name(), "hubspot", key, "", settings)
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["contacts"]
    }

    fn field(&self, fact: Fact) -> Option<String> {
        Self::property(fact).map(str::to_owned)
    }

    fn own_fields(&self) -> &'static [&'static str] {
        &["syncline_key"]
    }

    fn people(&self) -> Vec<Shown> {
        let all = self.0.snapshot();
        let contacts = all.get("contacts").into_iter().flatten();
        let shown = contacts.map(|record| {
            let fact = |fact: Fact| {
                let value = Self::property(fact).and_then(|name| record.properties.get(name));
                (fact, fact.normal(value.map(String::as_str)))
            };
            let facts: BTreeMap<_, _> = Fact::ALL.into_iter().map(fact).collect();
            Shown { kind: "contacts", id: record.id.clone(), facts }
        });
        shown.collect()
    }

    fn add(&self, _: &'static str, facts: &Facts) -> Result<String, String> {
        let given = facts.iter().filter_map(|(fact, value)| Some((Self::property(*fact)?, value.as_deref()?)));
        self.0.create("contacts", &given.collect::<Vec<_>>())
    }

    fn edit(&self, id: &str, fact: Fact, value: Option<&str>) -> Result<(), String> {
        let name = Self::property(fact).ok_or("there is no such property")?;
        self.0.edit("contacts", id, &[(name, value.unwrap_or_default())])
    }

    fn delete(&self, id: &str) -> Result<(), String> {
        self.0.archive("contacts", id)
    }

    fn deal_names(&self) -> DealNames {
        DealNames {
            kind: "deals",
            name: "dealname",
            amount: "amount",
            person: "associations.contacts",
            constant: None,
            own: &["syncline_key"],
        }
    }

    fn deals(&self) -> Vec<Deal> {
        let all = self.0.snapshot();
        let deal = |record: &HubSpotRecord| Deal {
            id: record.id.clone(),
            name: record.properties.get("dealname").cloned().unwrap_or_default(),
            amount: record.properties.get("amount").and_then(|amount| amount.parse::<f64>().ok()).map(|sum| sum as i64),
            people: record.links.iter().filter(|link| link.object == "contacts").map(|link| link.id.clone()).collect(),
        };
        all.get("deals").into_iter().flatten().map(deal).collect()
    }

    fn delete_deal(&self, id: &str) -> Result<(), String> {
        self.0.archive("deals", id)
    }

    fn written_since(&self, number: u64) -> (Vec<Written>, u64) {
        let effects = self.0.effects_since(number);
        let last = effects.last().map_or(number, |effect| effect.number);
        let is_ours = |object: &str| matches!(object, "contacts" | "deals");
        let by_programs =
            effects.into_iter().filter(|effect| matches!(effect.who, HubSpotWho::App(_)) && is_ours(&effect.object));
        let written = by_programs.filter_map(|effect| {
            let deal = effect.object == "deals";
            let deed = match effect.kind {
                HubSpotEffectKind::Created => Deed::Created,
                HubSpotEffectKind::Updated => Deed::Updated,
                HubSpotEffectKind::Archived => Deed::Deleted,
                HubSpotEffectKind::Associated | HubSpotEffectKind::Disassociated if deal => Deed::Tied,
                _ => return None,
            };
            Some(Written { deed, deal, id: effect.id, fields: effect.properties.into_keys().collect() })
        });
        (written.collect(), last)
    }
}
