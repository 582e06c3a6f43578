//! An org with a clock that is moved by hand, a session of its administrator, and short ways to ask.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use futures::FutureExt;
use serde_json::{Map, Value as Json};
use syncline_connect::{
    Answered, Error, Mirror, Secret, Settings,
    mirror::{Ask, Changes, From, Lookup, Op, RowOutcome, RowWrite, Seen, Written},
};
use syncline_core::{
    Entropy,
    ids::{ExternalKey, RecordId},
    record::Value,
};
use syncline_sandbox::{
    SalesforceConfig, SalesforceOrg,
    salesforce::{CustomField, FaultRule},
};
use url::Url;

use crate::{
    salesforce::{
        Salesforce,
        manifest::USER_ID,
        mirror::changes::{self, Pace},
    },
    testing::site::{Asker, Calls, Hands},
};

struct Seeded(AtomicU64);

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let state = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            *byte = state.wrapping_mul(0xBF58_476D_1CE4_E5B9).to_be_bytes()[0];
        }
    }
}

pub struct Lab {
    pub org: Arc<SalesforceOrg>,
    pub asker: Asker,
}

pub fn map(json: Json) -> Map<String, Json> {
    json.as_object().expect("an object").clone()
}

pub fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub fn update(id: &str, fields: &[(&str, Value)]) -> RowWrite {
    RowWrite { op: Op::Update { id: id.into() }, fields: owned(fields), seen: None }
}

pub fn create(key: &str, fields: &[(&str, Value)]) -> RowWrite {
    RowWrite { op: Op::Create { key: ExternalKey::new(key) }, fields: owned(fields), seen: None }
}

pub fn delete(id: &str) -> RowWrite {
    RowWrite { op: Op::Delete { id: id.into() }, fields: Vec::new(), seen: None }
}

fn owned(fields: &[(&str, Value)]) -> Vec<(String, Value)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

pub fn text(text: &str) -> Value {
    Value::text(text)
}

impl Lab {
    pub fn new() -> Self {
        Self::with(SalesforceConfig::default())
    }

    pub fn with(mut config: SalesforceConfig) -> Self {
        // A yes or no of the org's own: the describes that the org is made of come from one without opt-outs.
        let key = config.custom_fields.iter().find(|field| field.object == "Contact").cloned();
        config.custom_fields.extend(key.map(|key| CustomField {
            name: "Opted_Out__c".to_owned(),
            label: "Opted Out".to_owned(),
            kind: "boolean".to_owned(),
            unique: false,
            external_id: false,
            ..key
        }));
        let hands = Hands::at("2026-05-06T12:00:00Z");
        let app = config.app.clone();
        let org = SalesforceOrg::new(config, hands.clone(), Arc::new(Seeded(AtomicU64::new(7))));
        let form =
            format!("grant_type=client_credentials&client_id={}&client_secret={}", app.client_id, app.client_secret);
        let request = http::Request::post("/services/oauth2/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(form))
            .unwrap();
        let token: Json = serde_json::from_slice(org.handle("http://sandbox", request).response.body()).unwrap();
        let asker = Asker {
            http: Box::new(Calls(org.clone())),
            hands,
            base_url: Url::parse("http://sandbox").unwrap(),
            bearer: Secret::new(token["access_token"].as_str().unwrap()),
            settings: Settings::from([(USER_ID.to_owned(), token["id"].as_str().unwrap().to_owned())]),
        };
        Self { org, asker }
    }

    /// A record by the back door.
    pub fn seed(&self, object: &str, fields: Json) -> String {
        self.org.seed(object, &map(fields)).expect("the record is sound")
    }

    pub fn contacts(&self, count: usize) -> Vec<String> {
        (0..count)
            .map(|n| {
                let email = format!("person{n}@example.org");
                self.seed("Contact", serde_json::json!({ "LastName": format!("Person {n}"), "Email": email }))
            })
            .collect()
    }

    pub fn pass(&self, seconds: i64) {
        self.asker.hands.pass(seconds);
    }

    pub fn fault(&self, rule: FaultRule) {
        self.org.faults().add(rule);
    }

    /// How many calls this takes.
    pub fn calls<T>(&self, act: impl FnOnce() -> T) -> (T, u64) {
        let before = self.org.calls().total;
        let out = act();
        (out, self.org.calls().total - before)
    }

    pub fn changes(&self, asks: &[Ask<'_>]) -> Result<Answered<Vec<Changes>>, Error> {
        Salesforce.changes(&self.asker.cx(), asks).now_or_never().expect("the org answers at once")
    }

    /// One kind, read to the end in pages of so many rows; what came, and where it ended.
    pub fn read(
        &self,
        kind: &str,
        fields: &[String],
        start: From<'_>,
        page: usize,
        between: impl FnMut(usize),
    ) -> (Vec<Seen>, String) {
        self.read_at(kind, fields, start, Pace { page, job_from: u64::MAX }, between)
    }

    /// The same at another pace; while a job is waited for, time passes.
    pub fn read_at(
        &self,
        kind: &str,
        fields: &[String],
        start: From<'_>,
        pace: Pace,
        mut between: impl FnMut(usize),
    ) -> (Vec<Seen>, String) {
        let (mut rows, mut cursor) = (Vec::new(), None::<String>);
        for round in 0..1_000 {
            let start = cursor.as_deref().map_or(start, From::Cursor);
            let cx = self.asker.cx();
            let asks = [Ask { kind, fields, start }];
            let answered = changes::changes(&cx, &asks, pace).now_or_never().expect("the org answers at once");
            let mut answered = answered.expect("the org answers");
            let changes = answered.value.remove(0);
            assert!(answered.calls == 1 || pace.job_from < u64::MAX, "{} calls", answered.calls);
            self.pass(i64::try_from(changes.ask_in.as_secs()).unwrap());
            rows.extend(changes.rows);
            if !changes.more {
                return (rows, changes.cursor);
            }
            cursor = Some(changes.cursor);
            between(round);
        }
        panic!("the reading does not end");
    }

    pub fn fetch(&self, kind: &str, ids: &[RecordId], fields: &[&str]) -> Answered<Vec<Seen>> {
        let (cx, fields) = (self.asker.cx(), names(fields));
        Salesforce.fetch(&cx, kind, ids, &fields).now_or_never().expect("at once").expect("the org answers")
    }

    pub fn find(&self, kind: &str, key: Lookup<'_>, fields: &[&str]) -> Result<Answered<Vec<Seen>>, Error> {
        let (cx, fields) = (self.asker.cx(), names(fields));
        Salesforce.find(&cx, kind, key, &fields).now_or_never().expect("at once")
    }

    pub fn write(&self, kind: &str, rows: &[RowWrite]) -> Result<Answered<Written>, Error> {
        let cx = self.asker.cx();
        let written = Salesforce.write(&cx, kind, rows).now_or_never().expect("the org answers at once")?;
        Ok(written)
    }

    /// Writes at once; the outcomes.
    pub fn rows(&self, kind: &str, rows: &[RowWrite]) -> Vec<RowOutcome> {
        match self.write(kind, rows).expect("the org answers").value {
            Written::Rows(outcomes) => outcomes,
            later @ Written::Later { .. } => panic!("not at once: {later:?}"),
        }
    }

    pub fn collect(&self, kind: &str, ticket: &str, rows: &[RowWrite]) -> Result<Answered<Written>, Error> {
        Salesforce.collect(&self.asker.cx(), kind, ticket, rows).now_or_never().expect("the org answers at once")
    }

    /// The live record with this id, as the org holds it.
    pub fn record(&self, object: &str, id: &str) -> Map<String, Json> {
        let found = self.org.records(object).into_iter().find(|record| record["Id"] == id);
        found.expect("the record is there")
    }
}

/// The one refusal of a row.
pub fn refusal(outcome: &RowOutcome) -> &Error {
    match outcome {
        RowOutcome::Refused(error) => error,
        other => panic!("not refused: {other:?}"),
    }
}
