//! An account with a clock that is moved by hand, and short ways to ask.

use std::sync::Arc;

use futures::FutureExt;
use syncline_connect::{
    Answered, Error, Mirror, Secret, Settings,
    mirror::{Ask, From, Lookup, Op, RowOutcome, RowWrite, Seen, Written},
};
use syncline_core::{
    ids::{ExternalKey, RecordId},
    record::Value,
};
use syncline_sandbox::{
    HubSpotAccount, HubSpotConfig,
    hubspot::{HubSpotProperty, HubSpotRates},
};
use url::Url;

use crate::{
    hubspot::{HubSpot, mirror::changes},
    testing::site::{Asker, Calls, Hands},
};

pub struct Lab {
    pub account: Arc<HubSpotAccount>,
    pub asker: Asker,
}

pub fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn owned(fields: &[(&str, Value)]) -> Vec<(String, Value)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
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

pub fn text(text: &str) -> Value {
    Value::text(text)
}

impl Lab {
    /// With the key property on every kind, and no limit to calls but the batches' own.
    pub fn new() -> Self {
        let mut config = HubSpotConfig::default();
        for kind in ["contacts", "companies", "deals", "tickets"] {
            config.properties.push((kind.to_owned(), HubSpotProperty::text("syncline_key").unique()));
        }
        Self::with(config)
    }

    pub fn with(mut config: HubSpotConfig) -> Self {
        config.rates = HubSpotRates {
            oauth_per_ten_seconds: u32::MAX,
            private_per_ten_seconds: u32::MAX,
            daily: u32::MAX,
            searches_per_second: u32::MAX,
        };
        let hands = Hands::at("2026-05-06T12:00:00Z");
        let token = config.private_apps[0].token.clone();
        let account = HubSpotAccount::new(config, hands.clone()).unwrap();
        let asker = Asker {
            http: Box::new(Calls(account.clone())),
            hands,
            base_url: Url::parse("http://sandbox").unwrap(),
            bearer: Secret::new(token),
            settings: Settings::new(),
        };
        Self { account, asker }
    }

    pub fn contacts(&self, count: usize) -> Vec<String> {
        (0..count)
            .map(|n| self.account.create("contacts", &[("email", &format!("person{n}@example.org"))]).unwrap())
            .collect()
    }

    pub fn pass(&self, seconds: i64) {
        self.asker.hands.pass(seconds);
    }

    /// How many calls this takes.
    pub fn calls<T>(&self, act: impl FnOnce() -> T) -> (T, u64) {
        let before = self.account.call_count();
        let out = act();
        (out, self.account.call_count() - before)
    }

    /// One kind, read to the end in pages of so many rows; what came, and where it ended.
    pub fn read(
        &self,
        kind: &str,
        fields: &[String],
        start: From<'_>,
        page: usize,
        mut between: impl FnMut(usize),
    ) -> (Vec<Seen>, String) {
        let (mut rows, mut cursor) = (Vec::new(), None::<String>);
        for round in 0..2_000 {
            let start = cursor.as_deref().map_or(start, From::Cursor);
            let cx = self.asker.cx();
            let asks = [Ask { kind, fields, start }];
            let answered = changes::changes(&cx, &asks, page).now_or_never().expect("the account answers at once");
            let mut answered = answered.expect("the account answers");
            assert_eq!(answered.calls, 1);
            let changes = answered.value.remove(0);
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
        HubSpot.fetch(&cx, kind, ids, &fields).now_or_never().expect("at once").expect("the account answers")
    }

    pub fn find(&self, kind: &str, key: Lookup<'_>, fields: &[&str]) -> Result<Answered<Vec<Seen>>, Error> {
        let (cx, fields) = (self.asker.cx(), names(fields));
        HubSpot.find(&cx, kind, key, &fields).now_or_never().expect("at once")
    }

    pub fn write(&self, kind: &str, rows: &[RowWrite]) -> Result<Answered<Written>, Error> {
        HubSpot.write(&self.asker.cx(), kind, rows).now_or_never().expect("the account answers at once")
    }

    pub fn rows(&self, kind: &str, rows: &[RowWrite]) -> Vec<RowOutcome> {
        match self.write(kind, rows).expect("the account answers").value {
            Written::Rows(outcomes) => outcomes,
            later @ Written::Later { .. } => panic!("not at once: {later:?}"),
        }
    }

    /// Whom a record is associated with, by their ids.
    pub fn associated(&self, kind: &str, id: &str, to: &str) -> Vec<String> {
        let links = self.account.record(kind, id).expect("the record is there").links;
        links.into_iter().filter(|link| link.object == to).map(|link| link.id).collect()
    }

    pub fn property(&self, kind: &str, id: &str, name: &str) -> Option<String> {
        self.account.record(kind, id).expect("the record is there").properties.get(name).cloned()
    }
}

pub fn refusal(outcome: &RowOutcome) -> &Error {
    match outcome {
        RowOutcome::Refused(error) => error,
        other => panic!("not refused: {other:?}"),
    }
}
