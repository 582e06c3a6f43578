//! An imitation account with the connector before it.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use syncline_connect::{Connector, Secret, Settings};
use syncline_sandbox::{BrevoAccount, BrevoConfig, brevo::BrevoRates};
use url::Url;

use crate::{
    brevo::Brevo,
    testing::{
        mirror::Mirrored,
        site::{Asker, Calls, Hands},
    },
};

pub const KEY: &str = "xkeysib-sandbox-0123456789";

pub struct World {
    pub account: Arc<BrevoAccount>,
    pub asker: Asker,
}

impl World {
    pub fn new() -> Self {
        Self::with(BrevoConfig {
            rates: BrevoRates::NONE,
            lists: vec!["Newsletter".into(), "Syncline".into()],
            ..BrevoConfig::default()
        })
    }

    pub fn with(config: BrevoConfig) -> Self {
        let hands = Hands::at("2026-05-01T10:00:00Z");
        let account = BrevoAccount::new(config, hands.clone());
        let asker = Asker {
            http: Box::new(Calls(account.clone())),
            hands,
            base_url: Url::parse("http://sandbox/v3").expect("an address"),
            bearer: Secret::new(KEY),
            settings: Settings::default(),
        };
        Self { account, asker }
    }

    /// With the second list for imports.
    pub fn importing() -> Self {
        let mut world = Self::new();
        world.asker.settings.insert("import_list".to_owned(), world.list("Syncline").to_string());
        world
    }

    /// The number of a list: the folder comes first.
    pub fn list(&self, name: &str) -> u64 {
        match name {
            "Newsletter" => 2,
            "Syncline" => 3,
            other => panic!("no list {other}"),
        }
    }

    pub fn contacts(&self) -> Mirrored<'_> {
        let mirror = Brevo.mirror().expect("it keeps records in step");
        Mirrored { asker: &self.asker, mirror, kind: "contact", pace_secs: 0 }
    }

    pub fn add(&self, email: &str, attributes: Json) -> u64 {
        self.account.add_contact(&object(json!({"email": email, "attributes": attributes}))).expect("a free address")
    }

    pub fn edit(&self, id: u64, attributes: Json) {
        self.account.edit(id, &object(attributes)).expect("it is there");
    }

    pub fn shown(&self, id: u64) -> Json {
        self.account.contact(id).expect("it is there")
    }
}

pub fn object(value: Json) -> Map<String, Json> {
    match value {
        Json::Object(object) => object,
        other => panic!("no object: {other}"),
    }
}
