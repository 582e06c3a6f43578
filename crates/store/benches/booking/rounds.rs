//! The whole way of bookings through the store, in batches, as the engine goes it.

use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use syncline_core::{
    Entropy,
    booking::message::{Answer, Attendee, Booking, BookingMessage, Host, MessageKind},
    ids::{BookingKey, ConnectionId, ExternalKey, IntegrationId, RecordId, SharedKey, WorkspaceId},
    record::{Fields, Role, Slot, Std, Value},
    step::{Link, Plan, SharedLink, Step, Write},
};
use syncline_store::{
    Claimed, Content, Delivery, JournalEntry, JournalKind, Links, Outcome, PlanOutcome, Planned, Settlement, Store,
    Summary, TakenIn, WorkerId,
};

/// Bookings in one batch.
pub const BATCH: usize = 100;
/// Size of a raw body: about what Cal.com sends.
const BODY_BYTES: usize = 2200;

/// Bytes that are fast to make and never repeat; a benchmark needs no secrecy.
pub struct Counting(pub AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let number = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        for (byte, from) in bytes.iter_mut().zip(number.iter().cycle()) {
            *byte = *from;
        }
    }
}

fn start() -> Timestamp {
    Timestamp::from_second(1_772_000_000).unwrap_or_default()
}

/// Takes a batch of new bookings through intake, claim, plan and settlement.
pub async fn round(store: &Store, round: usize) {
    let now = start() + SignedDuration::from_secs(round as i64);
    let workspace = WorkspaceId::new("bench");
    let taken = join_all((0..BATCH).map(|at| store.take_in(delivery(&workspace, round * BATCH + at, now)))).await;
    assert!(taken.into_iter().all(|taken| taken.expect("it is taken in") == TakenIn::Stored));
    let worker = WorkerId("worker-1".to_owned());
    let until = now + SignedDuration::from_secs(400);
    let claimed = store.claim(&workspace, &worker, now, until, BATCH, &[]).await.expect("it is claimed");
    assert_eq!(claimed.len(), BATCH);
    let keys: Vec<SharedKey> = claimed.iter().map(person_of).collect();
    let crm = ConnectionId::new("crm");
    assert!(store.shared_links(&workspace, &crm, &keys).await.expect("it is looked up").is_empty());
    let planned = claimed.iter().map(|chain| planned(chain, &crm)).collect();
    let outcomes = store.plan(planned, now).await.expect("it is planned");
    assert!(outcomes.iter().all(|outcome| *outcome == PlanOutcome::Ready));
    let settled = store
        .settle(claimed.into_iter().map(|chain| settlement(chain, &crm, now)).collect(), now)
        .await
        .expect("it is settled");
    assert!(settled.into_iter().all(|held| held));
}

fn delivery(workspace: &WorkspaceId, number: usize, now: Timestamp) -> Delivery {
    let answer =
        |key: &str, value: &str| Answer { key: key.to_owned(), label: format!("Your {key}?"), value: value.to_owned() };
    let booking = Booking {
        meeting_type: "intro-call".to_owned(),
        meeting_type_name: "Introduction, 30 minutes".to_owned(),
        title: format!("Introduction between Ada Lovelace {number} and Grace Hopper"),
        start: Some(now + SignedDuration::from_hours(24)),
        end: Some(now + SignedDuration::from_mins(24 * 60 + 30)),
        invitee: Attendee {
            email: format!("ada{number}@example.org"),
            full_name: Some(format!("Ada Lovelace {number}")),
            time_zone: Some("Europe/Berlin".to_owned()),
            ..Attendee::default()
        },
        hosts: vec![Host {
            email: "grace@example.com".to_owned(),
            name: Some("Grace Hopper".to_owned()),
            time_zone: None,
        }],
        location: Some("https://meet.example.com/abc-defg-hij".to_owned()),
        answers: vec![
            answer("company", "Analytical Engines"),
            answer("phone", "+49 30 123456"),
            answer("notes", "Looking forward to it"),
        ],
        cancel_url: Some(format!("https://cal.example.com/booking/{number}?cancel=true")),
        reschedule_url: Some(format!("https://cal.example.com/reschedule/{number}")),
        ..Booking::default()
    };
    let message = BookingMessage {
        booking: BookingKey::new(format!("uid-{number:08}-abcdefghij")),
        kind: MessageKind::Booked,
        at: now,
        group: None,
        replaces: None,
        replaced_by: None,
        booked: Some(Box::new(booking)),
    };
    Delivery {
        workspace: workspace.clone(),
        integration: IntegrationId::new("bookings"),
        source: ConnectionId::new("cal"),
        key: format!("{number:064x}"),
        received: now,
        body: vec![b'x'; BODY_BYTES],
        content_type: None,
        content: Content::Messages(vec![message]),
    }
}

fn person_of(chain: &Claimed) -> SharedKey {
    SharedKey::new(format!("person:{}@example.org", chain.chain))
}

fn fields(chain: &Claimed) -> Fields {
    [
        (Std::Subject, "Introduction"),
        (Std::Description, "Answers and links of the booking, as they stand on the record"),
        (Std::Location, "https://meet.example.com/abc"),
    ]
    .into_iter()
    .map(|(field, text)| (field.into(), Value::text(text)))
    .chain([(Std::Key.into(), Value::text(chain.chain.as_str()))])
    .collect()
}

fn planned(chain: &Claimed, crm: &ConnectionId) -> Planned {
    let write = || Write::Upsert { key: ExternalKey::derive(&[chain.chain.as_str()]), fields: fields(chain) };
    let step = |slot, role| Step::new(slot, role, write());
    Planned {
        workspace: chain.workspace.clone(),
        connection: crm.clone(),
        chain: chain.chain.clone(),
        fence: chain.fence,
        plan: Plan { steps: vec![step(Slot::Person, Role::Contact), step(Slot::Meeting, Role::Meeting)] },
        adopted: None,
        creates: vec![person_of(chain)],
        outdated: Vec::new(),
    }
}

fn settlement(chain: Claimed, crm: &ConnectionId, now: Timestamp) -> Settlement {
    let link = |role, id: &str| Link::new(role, RecordId::new(id), None, fields(&chain));
    let links = Links::from([
        (Slot::Person, link(Role::Contact, "003000000000001")),
        (Slot::Meeting, link(Role::Meeting, "00U000000000001")),
    ]);
    let shared = vec![SharedLink {
        key: person_of(&chain),
        role: Role::Contact,
        id: RecordId::new("003000000000001"),
        account: None,
    }];
    let details =
        serde_json::json!({ "contact": "created", "meeting": { "subject": "Introduction", "rule": "e-mail" } });
    Settlement {
        connection: crm.clone(),
        outcome: Outcome::Done { links, look_again: None },
        rest_until: None,
        shared,
        forget: Vec::new(),
        journal: vec![JournalEntry {
            at: now,
            kind: JournalKind::Written,
            text: "Wrote a contact and a meeting".to_owned(),
            details,
        }],
        summary: Some(Summary {
            standing: "active".to_owned(),
            title: "Introduction".to_owned(),
            person: "Ada Lovelace".to_owned(),
            start: None,
        }),
        workspace: chain.workspace,
        chain: chain.chain,
        fence: chain.fence,
        revision: chain.revision,
    }
}
