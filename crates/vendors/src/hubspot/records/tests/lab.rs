//! An account with the key property on all that bookings write, and short ways to ask.

use std::sync::Arc;

use futures::FutureExt;
use jiff::Timestamp;
use syncline_connect::{Answered, Error, Find, GraphOutcome, Recent, Records, Secret, Settings, Wanted};
use syncline_core::{
    ids::RecordId,
    record::{Field, Record, Role, Slot, Std, Value},
    step::{Plan, Step, Write},
};
use syncline_sandbox::{
    HubSpotAccount, HubSpotConfig,
    hubspot::{HubSpotObject, HubSpotProperty, HubSpotRates, HubSpotRecord},
};
use url::Url;

use crate::{
    hubspot::{HubSpot, records::recent},
    testing::site::{Asker, Calls, Hands},
};

/// An object that only this account has.
pub const OBJECT: &str = "2-100";

pub struct Lab {
    pub account: Arc<HubSpotAccount>,
    asker: Asker,
}

impl Lab {
    pub fn new() -> Self {
        let mut config = HubSpotConfig {
            rates: HubSpotRates {
                oauth_per_ten_seconds: u32::MAX,
                private_per_ten_seconds: u32::MAX,
                daily: u32::MAX,
                searches_per_second: u32::MAX,
            },
            ..HubSpotConfig::default()
        };
        for kind in ["contacts", "companies", "deals", "tickets", "meetings"] {
            config.properties.push((kind.to_owned(), HubSpotProperty::text("syncline_key").unique()));
        }
        config.custom_objects.push(HubSpotObject {
            type_id: OBJECT.into(),
            name: "visit".into(),
            singular: "visit".into(),
            plural: "visits".into(),
            required: Vec::new(),
            properties: vec![HubSpotProperty::text("purpose"), HubSpotProperty::text("syncline_key").unique()],
        });
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

    pub fn find(&self, role: Role, any: Vec<Wanted>, fields: &[Std]) -> Vec<Record> {
        self.try_find(role, any, fields).unwrap()
    }

    pub fn try_find(&self, role: Role, any: Vec<Wanted>, fields: &[Std]) -> Result<Vec<Record>, Error> {
        let fields = fields.iter().map(|std| Field::Std(*std)).collect();
        let finds = [Find::new(role, any, fields)];
        let answered = HubSpot.find(&self.asker.cx(), &finds).now_or_never().unwrap()?;
        Ok(answered.value.into_iter().next().unwrap())
    }

    /// One page of meetings that changed, of at most so many rows.
    pub fn recent(&self, since: Timestamp, limit: usize) -> Result<Answered<Recent>, Error> {
        recent::recent(&self.asker.cx(), Role::Meeting, since, limit)
            .now_or_never()
            .expect("the account answers at once")
    }

    /// A meeting as a person logs it, with the least that one has.
    pub fn meeting(&self, title: &str) -> String {
        let properties = [("hs_timestamp", "2026-05-07T10:00:00Z"), ("hs_meeting_title", title)];
        self.account.create("meetings", &properties).expect("the meeting is sound")
    }

    pub fn now(&self) -> Timestamp {
        self.asker.cx().now
    }

    pub fn pass(&self, seconds: i64) {
        self.asker.hands.pass(seconds);
    }

    pub fn write(&self, plans: &[&Plan]) -> Result<Answered<Vec<GraphOutcome>>, Error> {
        HubSpot.write(&self.asker.cx(), plans).now_or_never().unwrap()
    }

    /// Writes one plan that has to succeed.
    pub fn done(&self, plan: &Plan) -> Vec<(Slot, RecordId)> {
        match self.write(&[plan]).unwrap().value.remove(0) {
            GraphOutcome::Done(ids) => ids,
            other => panic!("{other:?}"),
        }
    }

    /// The only record of an object.
    pub fn only(&self, object: &str) -> HubSpotRecord {
        let mut all = self.account.snapshot().remove(object).unwrap_or_default();
        assert_eq!(all.len(), 1, "{object}: {all:?}");
        all.remove(0)
    }
}

/// A step that makes a record under a key that is called as the slot.
pub fn make(slot: Slot, role: Role, fields: &[(Std, Value)]) -> Step {
    let fields = fields.iter().map(|(std, value)| (Field::Std(*std), value.clone())).collect();
    Step::new(slot, role, Write::Upsert { key: format!("key-{slot}").as_str().into(), fields })
}

pub fn text(text: &str) -> Value {
    Value::text(text)
}

pub fn time(text: &str) -> Value {
    Value::Time(text.parse().unwrap())
}

/// Somebody new with a company, who books a meeting to which a guest comes.
pub fn booked() -> Plan {
    let company = make(Slot::Account, Role::Account, &[(Std::Name, text("One")), (Std::Website, text("one.example"))]);
    let person = |slot, email: &str| {
        let fields =
            [(Std::Email, text(email)), (Std::LastName, text("Lovelace")), (Std::Account, Value::Slot(Slot::Account))];
        make(slot, Role::Contact, &fields)
    };
    let meeting = make(
        Slot::Meeting,
        Role::Meeting,
        &[
            (Std::Subject, text("Introduction")),
            (Std::Start, time("2026-06-01T10:00:00Z")),
            (Std::End, time("2026-06-01T10:30:00Z")),
            (Std::Who, Value::Slot(Slot::Person)),
            (Std::Account, Value::Slot(Slot::Account)),
        ],
    );
    let attends = [(Std::Meeting, Value::Slot(Slot::Meeting)), (Std::Attends, Value::Slot(Slot::Guest(1)))];
    let attendee = make(Slot::Attendee(1), Role::Attendee, &attends);
    let (ada, bob) = (person(Slot::Person, "ada@one.example"), person(Slot::Guest(1), "bob@one.example"));
    Plan { steps: vec![company, ada, bob, meeting, attendee] }
}
