//! Listening at the sandbox, over an exchange without a socket.

use std::collections::BTreeSet;

use serde_json::json;
use syncline_connect::{Announcements, Error, ErrorKind, Heard, Hint, Listen, Opening, Retry, Settings};
use syncline_sandbox::{
    SalesforceConfig,
    salesforce::{CustomField, FaultKind, FaultRule, LeadConversion, SchemaChange},
};

use crate::salesforce::{
    Salesforce,
    manifest::{CHANGE_EVENTS, EVENT_ENDPOINT},
    mirror::tests::lab::{Lab, map, text, update},
};

struct Room {
    lab: Lab,
    kinds: BTreeSet<String>,
}

impl Room {
    fn new() -> Self {
        let selected = ["Account", "Contact", "Lead", "Opportunity"].map(str::to_owned).to_vec();
        Self::with(SalesforceConfig { change_events: Some(selected), ..SalesforceConfig::default() })
    }

    fn with(config: SalesforceConfig) -> Self {
        let mut lab = Lab::with(config);
        lab.asker.settings = Settings::from([
            (CHANGE_EVENTS.to_owned(), "on".to_owned()),
            (EVENT_ENDPOINT.to_owned(), "http://127.0.0.1:1".to_owned()),
        ]);
        Self { lab, kinds: ["Contact", "Lead", "Account"].map(str::to_owned).into() }
    }

    async fn open(&self, place: Option<&str>) -> Result<Box<dyn Announcements>, Error> {
        Salesforce.open(&self.lab.asker.cx(), Opening { account: None, place, kinds: &self.kinds }).await
    }

    async fn next(&self, open: &mut Box<dyn Announcements>) -> Result<Heard, Error> {
        open.next(&self.lab.asker.cx()).await
    }

    /// Listens from now on; what it hears until it is sure of it, and where it stands then.
    async fn listen(&self) -> (Box<dyn Announcements>, String) {
        let mut open = self.open(None).await.expect("the sandbox lets listen");
        let first = self.next(&mut open).await.expect("it begins");
        assert_eq!(first, Heard { hints: vec![Hint::Everything], place: None }, "what came before is read");
        let heard = self.sign(&mut open).await;
        assert_eq!(heard.hints, [Hint::Everything], "and what came while it was opened");
        let place = heard.place.expect("a sign of life tells the place");
        (open, place)
    }

    /// A sign of life; the sandbox may not have read our first request yet.
    async fn sign(&self, open: &mut Box<dyn Announcements>) -> Heard {
        for _ in 0..1_000 {
            self.lab.org.sign_of_life().expect("it announces changes");
            let cx = self.lab.asker.cx();
            let wait = tokio::time::timeout(std::time::Duration::from_millis(10), open.next(&cx));
            if let Ok(heard) = wait.await {
                return heard.expect("the sandbox answers");
            }
        }
        panic!("there is no sign of life");
    }

    /// All that is announced until the place is that of the last event.
    async fn hear(&self, open: &mut Box<dyn Announcements>, count: usize) -> Vec<Hint> {
        let mut hints = Vec::new();
        while hints.len() < count {
            let heard = self.next(open).await.expect("the sandbox tells");
            assert!(heard.place.is_some());
            hints.extend(heard.hints);
        }
        hints
    }

    async fn refusal(&self, place: Option<&str>) -> Error {
        match self.open(place).await {
            Err(error) => error,
            Ok(mut open) => loop {
                if let Err(error) = self.next(&mut open).await {
                    return error;
                }
            },
        }
    }
}

fn named(kind: &str, id: &str) -> Hint {
    Hint::Record { kind: kind.into(), id: id.into(), ours: false }
}

/// What is made, changed, deleted and brought back is announced by its id; our own writes are known as such.
#[tokio::test]
async fn changes_are_announced() {
    let room = Room::new();
    let (mut open, _) = room.listen().await;
    let id = room.lab.seed("Contact", json!({ "LastName": "Hopper" }));
    room.lab.org.edit(&id, &map(json!({ "Phone": "1" }))).unwrap();
    room.lab.org.delete(&id).unwrap();
    room.lab.org.undelete(&id).unwrap();
    room.lab
        .org
        .seed("Opportunity", &map(json!({ "Name": "None of ours", "StageName": "x", "CloseDate": "2026-06-01" })))
        .unwrap();
    let hints = room.hear(&mut open, 1).await;
    assert!(hints.iter().all(|hint| *hint == named("Contact", &id)), "{hints:?}");
    let other = room.lab.seed("Lead", json!({ "LastName": "Byron", "Company": "B" }));
    assert!(room.hear(&mut open, 1).await.contains(&named("Lead", &other)));
    room.lab.write("Contact", &[update(&id, &[("Phone", text("2"))])]).expect("it answers");
    assert_eq!(
        room.hear(&mut open, 1).await,
        [Hint::Record { kind: "Contact".into(), id: id.as_str().into(), ours: true }]
    );
}

/// Whoever comes back hears all that was announced meanwhile, behind the place that was kept, and nothing from before.
#[tokio::test]
async fn nothing_is_lost_between_two_exchanges() {
    let room = Room::new();
    let (mut open, _) = room.listen().await;
    let before = room.lab.seed("Contact", json!({ "LastName": "Before" }));
    let place = room.next(&mut open).await.unwrap();
    assert_eq!(place.hints, [named("Contact", &before)]);
    drop(open);
    let ids = room.lab.contacts(250);
    let mut open = room.open(place.place.as_deref()).await.unwrap();
    let hints = room.hear(&mut open, 250).await;
    let expected: BTreeSet<Hint> = ids.iter().map(|id| named("Contact", id)).collect();
    assert_eq!((hints.len(), hints.into_iter().collect::<BTreeSet<_>>()), (250, expected), "each once");
}

/// More events than are asked for at once keep coming, because more is asked for.
#[tokio::test]
async fn a_flood_keeps_coming() {
    let room = Room::new();
    let (mut open, _) = room.listen().await;
    let ids = room.lab.contacts(730);
    assert_eq!(room.hear(&mut open, 730).await.len(), ids.len());
}

/// A place that is no longer kept, damaged, or another channel's is said to be gone; so it is listened anew.
#[tokio::test]
async fn a_place_that_is_not_kept_is_gone() {
    let room = Room::new();
    let (_open, place) = room.listen().await;
    room.lab.contacts(1);
    room.lab.org.forget_events().unwrap();
    let damaged = "/data/ChangeEvents AAAA".to_owned();
    for place in [place, damaged, "/data/LeadChangeEvent AAAA".into(), "nonsense".into()] {
        let error = room.refusal(Some(&place)).await;
        assert_eq!((error.kind, error.retry), (ErrorKind::Gone, Retry::Replan), "{place}");
    }
    room.listen().await;
}

/// After three days the platform has forgotten.
#[tokio::test]
async fn seventy_two_hours_are_kept() {
    let selected = vec!["Contact".to_owned()];
    let sessions = 1_000 * 3_600;
    let config = SalesforceConfig {
        change_events: Some(selected),
        access_token_seconds: sessions,
        ..SalesforceConfig::default()
    };
    let room = Room::with(config);
    let (_open, place) = room.listen().await;
    let id = room.lab.contacts(1).remove(0);
    room.lab.asker.hands.pass(3_600);
    let mut open = room.open(Some(&place)).await.unwrap();
    assert_eq!(room.hear(&mut open, 1).await, [named("Contact", &id)]);
    room.lab.asker.hands.pass(73 * 3_600);
    room.lab.contacts(1);
    assert_eq!(room.refusal(Some(&place)).await.kind, ErrorKind::Gone);
}

/// What cannot be told record by record is told as a whole.
#[tokio::test]
async fn gaps_and_overflows_are_heard() {
    let room = Room::new();
    let (mut open, _) = room.listen().await;
    let whole = Hint::Kind { kind: "Contact".into() };
    let id = room.lab.contacts(1).remove(0);
    room.hear(&mut open, 1).await;
    room.lab.org.announce_gap("Contact", "GAP_OVERFLOW", &[]).unwrap();
    assert_eq!(room.hear(&mut open, 1).await, std::slice::from_ref(&whole));
    room.lab.org.announce_gap("Contact", "GAP_UPDATE", &[&id]).unwrap();
    assert_eq!(room.hear(&mut open, 2).await, [named("Contact", &id), whole]);
}

/// A merge and a conversion are announced by all records that they touch.
#[tokio::test]
async fn merges_and_conversions_are_announced() {
    let room = Room::new();
    let ids = room.lab.contacts(2);
    let lead = room.lab.seed("Lead", json!({ "LastName": "Byron", "Company": "B" }));
    let (mut open, _) = room.listen().await;
    room.lab.org.merge(&ids[0], &[ids[1].as_str()], &map(json!({ "Phone": "1" }))).unwrap();
    let hints = room.hear(&mut open, 2).await;
    assert!(ids.iter().all(|id| hints.contains(&named("Contact", id))), "{hints:?}");
    let asked = LeadConversion {
        lead_id: lead.clone(),
        converted_status: "Closed - Converted".into(),
        ..LeadConversion::default()
    };
    let became = room.lab.org.convert_lead(&asked).unwrap();
    let hints = room.hear(&mut open, 3).await;
    for (kind, id) in [("Contact", &became.contact_id), ("Account", &became.account_id), ("Lead", &lead)] {
        assert!(hints.contains(&named(kind, id)), "{kind}: {hints:?}");
    }
}

/// A field that comes while it is listened changes the schema, which is asked for.
#[tokio::test]
async fn a_changed_schema_is_asked_for() {
    let room = Room::new();
    let id = room.lab.contacts(1).remove(0);
    let (mut open, _) = room.listen().await;
    room.lab.org.edit(&id, &map(json!({ "Phone": "1" }))).unwrap();
    room.hear(&mut open, 1).await;
    let field = json!({ "object": "Contact", "name": "New__c", "label": "New", "type": "string", "length": 20 });
    let field: CustomField = serde_json::from_value(field).unwrap();
    room.lab.org.change_schema(&SchemaChange::AddField { field }).unwrap();
    room.lab.org.edit(&id, &map(json!({ "New__c": "x" }))).unwrap();
    assert_eq!(room.hear(&mut open, 1).await, [named("Contact", &id)]);
}

/// Who may not listen is told why in words, and who has to sign in again does.
#[tokio::test]
async fn refusals_are_told_in_words() {
    let without = Room::with(SalesforceConfig::default());
    let error = without.refusal(None).await;
    assert_eq!((error.kind, error.retry), (ErrorKind::Configuration, Retry::Never));
    assert!(error.message.contains("Change Data Capture"), "{}", error.message);
    let mut room = Room::new();
    room.lab.asker.settings.insert(CHANGE_EVENTS.to_owned(), "/data/Nothing__chn".to_owned());
    assert_eq!(room.refusal(None).await.retry, Retry::Never);
    let room = Room::new();
    let path = Some("/eventbus.v1.PubSub".to_owned());
    room.lab.org.faults().add(FaultRule {
        next: Some(1),
        path: path.clone(),
        ..FaultRule::new(FaultKind::ExpiredToken)
    });
    let error = room.refusal(None).await;
    assert_eq!((error.kind, error.retry), (ErrorKind::Unauthorised, Retry::Reauthorise));
    room.lab.org.faults().add(FaultRule { next: Some(1), path, ..FaultRule::new(FaultKind::Status) });
    assert_eq!(room.refusal(None).await.retry, Retry::Backoff);
}

/// An exchange that breaks, and a session that ends while it is open, end in an error.
#[tokio::test]
async fn an_exchange_that_ends_is_an_error() {
    let room = Room::new();
    let (mut open, _) = room.listen().await;
    room.lab.org.break_streams().unwrap();
    assert_eq!(room.next(&mut open).await.unwrap_err().retry, Retry::Backoff);
    let (mut open, _) = room.listen().await;
    room.lab.org.expire_sessions();
    room.lab.org.sign_of_life().unwrap();
    assert_eq!(room.next(&mut open).await.unwrap_err().retry, Retry::Reauthorise);
}

/// Given up in the middle again and again, it loses nothing.
#[tokio::test]
async fn giving_up_loses_nothing() {
    let room = Room::new();
    let (mut open, _) = room.listen().await;
    let ids = room.lab.contacts(120);
    let mut hints = BTreeSet::new();
    while hints.len() < ids.len() {
        let cx = room.lab.asker.cx();
        let heard = tokio::time::timeout(std::time::Duration::from_micros(200), open.next(&cx)).await;
        if let Ok(heard) = heard {
            hints.extend(heard.unwrap().hints);
        }
    }
    assert_eq!(hints, ids.iter().map(|id| named("Contact", id)).collect());
}
