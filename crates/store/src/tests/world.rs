//! What the tests act with: stores on both databases, and small values to put into them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use syncline_core::{
    Entropy,
    booking::message::{Attendee, Booking, BookingMessage, MessageKind},
    ids::{BookingKey, ChainId, ConnectionId, ExternalKey, IntegrationId, RecordId, SharedKey, WorkspaceId},
    record::{Fields, Role, Slot, Std, Value},
    step::{Link, Plan, SharedLink, Step, Write},
};

use crate::{
    Claimed, Content, Delivery, JournalEntry, JournalKind, Links, MasterKey, Outcome, Planned, Settlement, Store,
    StoreOptions, Summary, WorkerId,
};

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    Sqlite,
    Inline,
    Postgres,
}

/// Random bytes that every run repeats.
pub(crate) struct Seeded(AtomicU64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seed << 32)))
    }
}

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let block = Sha256::digest(self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

pub(crate) fn master(byte: u8) -> MasterKey {
    let mut bytes = [byte; 32];
    bytes[0] = byte.wrapping_add(1);
    MasterKey::new(&bytes).unwrap()
}

pub(crate) fn options() -> StoreOptions {
    StoreOptions { key: master(7), old_keys: Vec::new(), entropy: Seeded::new(1), pool: 8 }
}

/// A database that goes with the test.
pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) on: On,
    folder: Option<std::path::PathBuf>,
}

static WORLDS: AtomicU64 = AtomicU64::new(0);

impl World {
    pub(crate) async fn new(on: On) -> Self {
        let name = format!("t{}_{}", std::process::id(), WORLDS.fetch_add(1, Ordering::Relaxed));
        match on {
            On::Sqlite | On::Inline => {
                let folder = std::env::temp_dir().join(format!("syncline-store-{name}"));
                std::fs::create_dir_all(&folder).unwrap();
                Self { url: format!("sqlite:{}", folder.join("test.db").display()), on, folder: Some(folder) }
            }
            On::Postgres => {
                let server = std::env::var("SYNCLINE_TEST_POSTGRES").expect("run ./test, which starts PostgreSQL");
                let (client, connection) = tokio_postgres::connect(&server, tokio_postgres::NoTls).await.unwrap();
                let connection = tokio::spawn(connection);
                client
                    .batch_execute(&format!("drop schema if exists {name} cascade; create schema {name}"))
                    .await
                    .unwrap();
                drop(client);
                connection.await.unwrap().unwrap();
                let mark = if server.contains('?') { '&' } else { '?' };
                Self { url: format!("{server}{mark}options=-csearch_path%3D{name}"), on, folder: None }
            }
        }
    }

    /// The same, with SQLite in memory: for many short runs that prove nothing about disks.
    pub(crate) async fn quick(on: On) -> Self {
        match on {
            On::Postgres => Self::new(on).await,
            On::Sqlite | On::Inline => Self { url: "sqlite::memory:".to_owned(), on, folder: None },
        }
    }

    pub(crate) async fn store(&self) -> Store {
        self.store_with(options()).await.unwrap()
    }

    pub(crate) async fn store_with(&self, options: StoreOptions) -> crate::Result<Store> {
        match self.on {
            On::Inline => Store::open_inline(&self.url, options),
            On::Sqlite | On::Postgres => Store::open(&self.url, options).await,
        }
    }

    /// Writes past the store, as a damage or another version would.
    pub(crate) async fn damage(&self, sql: &str) {
        let changed = if self.on == On::Postgres {
            let (client, connection) = tokio_postgres::connect(&self.url, tokio_postgres::NoTls).await.unwrap();
            let connection = tokio::spawn(connection);
            client.batch_execute("set syncline.workspace = '*'").await.unwrap();
            let changed = client.execute(sql, &[]).await.unwrap();
            drop(client);
            connection.await.unwrap().unwrap();
            usize::try_from(changed).unwrap()
        } else {
            rusqlite::Connection::open(self.path()).unwrap().execute(sql, []).unwrap()
        };
        assert!(changed > 0, "{sql}");
    }

    /// A value that is no JSON, in the words of the database.
    pub(crate) fn junk(&self) -> &'static str {
        if self.on == On::Postgres { "'\\x7b22'::bytea" } else { "x'7b22'" }
    }

    /// The database file's path.
    pub(crate) fn path(&self) -> std::path::PathBuf {
        std::path::PathBuf::from(self.url.strip_prefix("sqlite:").unwrap())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// Declares tests that run on SQLite, on SQLite without threads, and on PostgreSQL.
macro_rules! on_all {
    ($($(#[$doc:meta])* async fn $name:ident($world:ident: &World) $body:block)*) => {
        $(async fn $name($world: &$crate::tests::world::World) $body)*

        mod sqlite {
            $($(#[$doc])* #[tokio::test] async fn $name() { super::$name(&$crate::tests::world::World::new($crate::tests::world::On::Sqlite).await).await })*
        }
        mod inline {
            $($(#[$doc])* #[tokio::test] async fn $name() { super::$name(&$crate::tests::world::World::new($crate::tests::world::On::Inline).await).await })*
        }
        mod postgres {
            $($(#[$doc])* #[tokio::test] async fn $name() { super::$name(&$crate::tests::world::World::new($crate::tests::world::On::Postgres).await).await })*
        }
    };
}
pub(crate) use on_all;

/// So many seconds after the beginning of the test's time.
pub(crate) fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
    start + SignedDuration::from_secs(seconds)
}

pub(crate) fn ws() -> WorkspaceId {
    WorkspaceId::new("acme")
}

pub(crate) fn crm() -> ConnectionId {
    ConnectionId::new("crm")
}

pub(crate) fn worker(name: &str) -> WorkerId {
    WorkerId(name.to_owned())
}

pub(crate) fn booked(booking: &str, seconds: i64) -> BookingMessage {
    let content = Booking {
        meeting_type: "intro".to_owned(),
        title: format!("Intro with {booking}"),
        start: Some(at(86_400 + seconds)),
        end: Some(at(88_200 + seconds)),
        invitee: Attendee { email: format!("{booking}@example.org"), ..Attendee::default() },
        ..Booking::default()
    };
    message(booking, seconds, MessageKind::Booked, Some(content))
}

pub(crate) fn cancelled(booking: &str, seconds: i64) -> BookingMessage {
    message(booking, seconds, MessageKind::Cancelled { reason: None, by: None, rescheduled: false }, None)
}

/// A booking that takes the place of another.
pub(crate) fn moved(old: &str, new: &str, seconds: i64) -> BookingMessage {
    BookingMessage { replaces: Some(BookingKey::from(old)), ..booked(new, seconds) }
}

fn message(booking: &str, seconds: i64, kind: MessageKind, content: Option<Booking>) -> BookingMessage {
    BookingMessage {
        booking: BookingKey::from(booking),
        kind,
        at: at(seconds),
        group: None,
        replaces: None,
        replaced_by: None,
        booked: content.map(Box::new),
    }
}

pub(crate) fn delivery(key: &str, seconds: i64, messages: Vec<BookingMessage>) -> Delivery {
    Delivery {
        workspace: ws(),
        integration: IntegrationId::new("flow"),
        source: ConnectionId::new("cal"),
        key: key.to_owned(),
        received: at(seconds),
        body: format!("{{\"raw\":\"{key}\"}}").into_bytes(),
        content_type: None,
        content: Content::Messages(messages),
    }
}

pub(crate) fn chain_of(booking: &str) -> ChainId {
    ChainId::beginning_with(&ws(), &ConnectionId::new("cal"), &BookingKey::from(booking))
}

pub(crate) fn link(slot: Slot, id: &str) -> (Slot, Link) {
    let role = match slot {
        Slot::Account | Slot::GuestAccount(_) => Role::Account,
        Slot::Person | Slot::Guest(_) => Role::Contact,
        Slot::Attendee(_) => Role::Attendee,
        Slot::Record(_) => Role::Custom,
        Slot::Case => Role::Case,
        Slot::Opportunity => Role::Opportunity,
        Slot::Meeting | Slot::Surplus(_) => Role::Meeting,
    };
    (slot, Link::new(role, RecordId::new(id), None, Fields::from([(Std::Subject.into(), Value::text(id))])))
}

pub(crate) fn links(id: &str) -> Links {
    Links::from([link(Slot::Meeting, id)])
}

pub(crate) fn shared(key: &str, id: &str) -> SharedLink {
    SharedLink {
        key: SharedKey::new(key),
        role: Role::Contact,
        id: RecordId::new(id),
        account: Some(RecordId::new("001")),
    }
}

pub(crate) fn some_plan(subject: &str) -> Plan {
    let fields = Fields::from([(Std::Subject.into(), Value::text(subject))]);
    let write = Write::Upsert { key: ExternalKey::derive(&[subject]), fields };
    Plan { steps: vec![Step::new(Slot::Meeting, Role::Meeting, write)] }
}

pub(crate) fn planned(claimed: &Claimed, creates: &[&str]) -> Planned {
    Planned {
        workspace: claimed.workspace.clone(),
        connection: crm(),
        chain: claimed.chain.clone(),
        fence: claimed.fence,
        plan: some_plan(claimed.chain.as_str()),
        adopted: None,
        creates: creates.iter().map(|key| SharedKey::new(*key)).collect(),
        outdated: Vec::new(),
    }
}

pub(crate) fn entry(seconds: i64, kind: JournalKind, text: &str) -> JournalEntry {
    JournalEntry { at: at(seconds), kind, text: text.to_owned(), details: serde_json::json!({ "n": seconds }) }
}

pub(crate) fn settlement(claimed: &Claimed, outcome: Outcome) -> Settlement {
    Settlement {
        workspace: claimed.workspace.clone(),
        connection: crm(),
        chain: claimed.chain.clone(),
        fence: claimed.fence,
        revision: claimed.revision,
        outcome,
        rest_until: None,
        shared: Vec::new(),
        forget: Vec::new(),
        journal: vec![entry(5, JournalKind::Written, "Wrote the meeting")],
        summary: Some(Summary {
            standing: "active".to_owned(),
            title: "Intro".to_owned(),
            person: "Ada".to_owned(),
            start: None,
        }),
    }
}

pub(crate) fn done(id: &str) -> Outcome {
    Outcome::Done { links: links(id), look_again: None }
}

/// Claims everything that is due, for a lease of 400 seconds.
/// Whether there is something to claim.
pub(crate) async fn is_due(store: &Store, now: Timestamp) -> bool {
    store.next_due(&[]).await.unwrap().is_some_and(|at| at <= now)
}

pub(crate) async fn claim(store: &Store, who: &str, seconds: i64) -> Vec<Claimed> {
    store.claim(&ws(), &worker(who), at(seconds), at(seconds + 400), 100, &[]).await.unwrap()
}

/// Takes one message in and claims its chain.
pub(crate) async fn take_and_claim(store: &Store, booking: &str, seconds: i64) -> Claimed {
    store.take_in(delivery(&format!("{booking}-{seconds}"), seconds, vec![booked(booking, seconds)])).await.unwrap();
    let mut claimed = claim(store, "w1", seconds).await;
    assert_eq!(claimed.len(), 1, "one chain is due");
    claimed.remove(0)
}
