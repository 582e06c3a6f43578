//! An imitation account with the connector before it.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use syncline_connect::{
    Connector, Secret, Settings,
    mirror::{From, Seen},
};
use syncline_core::ids::RecordId;
use syncline_sandbox::{ActiveCampaignAccount, ActiveCampaignConfig};
use url::Url;

use crate::{
    activecampaign::ActiveCampaign,
    testing::{
        mirror::{Mirrored, names},
        site::{Asker, Calls, Hands},
    },
};

/// As good as no limit, for tests that are about something else.
const UNLIMITED: u32 = 1_000_000;

pub struct World {
    pub account: Arc<ActiveCampaignAccount>,
    pub asker: Asker,
}

impl World {
    pub fn new() -> Self {
        let lists = vec!["Newsletter".into(), "Offers".into()];
        Self::with(ActiveCampaignConfig { calls_per_second: UNLIMITED, lists, ..ActiveCampaignConfig::default() })
    }

    pub fn with(config: ActiveCampaignConfig) -> Self {
        let hands = Hands::at("2026-05-01T10:00:00Z");
        let account = ActiveCampaignAccount::new(config, hands.clone());
        let asker = Asker {
            http: Box::new(Calls(account.clone())),
            hands,
            base_url: Url::parse("http://sandbox/api/3").expect("an address"),
            bearer: Secret::new("ac-sandbox-token-0123456789"),
            settings: Settings::default(),
        };
        Self { account, asker }
    }

    pub fn contacts(&self) -> Mirrored<'_> {
        let mirror = ActiveCampaign.mirror().expect("it keeps records in step");
        Mirrored { asker: &self.asker, mirror, kind: "contact", pace_secs: 0 }
    }

    pub fn add(&self, email: &str, contact: Json) -> u64 {
        let mut contact = object(contact);
        contact.insert("email".to_owned(), json!(email));
        self.account.add_contact(&contact).expect("a free address")
    }

    pub fn shown(&self, id: u64) -> Json {
        self.account.contact(id).expect("it is there")
    }

    /// One contact as the connector reads it.
    pub fn seen(&self, id: u64, fields: &[&str]) -> Seen {
        let (mut rows, _) = self.contacts().fetch(&[RecordId::new(id.to_string())], &names(fields));
        rows.remove(0)
    }

    pub fn all(&self, fields: &[&str]) -> Vec<Seen> {
        self.contacts().drain(&names(fields), From::Beginning).0
    }
}

pub fn object(value: Json) -> Map<String, Json> {
    match value {
        Json::Object(object) => object,
        other => panic!("no object: {other}"),
    }
}
