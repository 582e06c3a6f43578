//! A server over an embedded database, two workspaces, a clock that tests move, and what a browser or sender would do.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use bytes::Bytes;
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use syncline_connect::{Secret, Settings, oauth::App};
use syncline_core::{
    Clock, Entropy,
    calendar::{
        eligible::Verdict,
        identity::{MeetingKey, Rid, Uid},
        look::Rules,
        privacy::Privacy,
    },
    ids::{ChainId, ConnectionId, ExternalKey, IntegrationId, RecordId, WorkspaceId},
    merge::{Blanks, Direction, EndDraft, KindSettings, PairDraft, Policy, RuleDraft, Select, WhenDeleted},
    record::{Fields, Role, Slot, Std, Value},
    step::Link,
};
use syncline_engine::{
    ConnectionSetup, Engine, GrantKind, Setup, Setups,
    calendars::{CalendarFlow, CalendarSetup},
    records::{RecordFlow, SideSetup},
};
use syncline_store::{
    Held, JournalEntry, JournalKind, Links, MasterKey, MeetingState, Outcome, SaveMeetings, Settlement, Store,
    StoreOptions, StoredMeeting, Summary, WorkerId,
};
use tower::ServiceExt;
use url::Url;

use super::vendor::{RecordedHttp, VENDOR, signature};
use crate::{HintSetup, Server, ServerOptions, SourceSetup};

pub(crate) const SECRET: &str = "webhook-secret";
pub(crate) const PATH_KEY: &str = "k7-0123456789abcdef0123456789abcdef";
pub(crate) const ADMIN: &str = "admin-token-0123456789abcdef";
pub(crate) const LINK_KEY: &str = "link-key-0123456789abcdef";
pub(crate) const HOOK: &str = "/hooks/web/k7-0123456789abcdef0123456789abcdef";
/// The webhook of the other workspace's source of the same name.
pub(crate) const OTHER_HOOK: &str = "/hooks/web/k8-fedcba9876543210fedcba9876543210";

/// A clock that stands still until it is moved.
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn advance(&self, by: SignedDuration) {
        self.0.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// Makes integrations out of nothing but their names, save of what says `"wrong"`.
struct Named;

impl Setups for Named {
    fn records(&self, name: &IntegrationId, source: &[u8]) -> Result<RecordFlow, String> {
        sound(source).map(|()| flow("main", name.as_str()))
    }

    fn calendars(&self, name: &IntegrationId, source: &[u8]) -> Result<CalendarFlow, String> {
        sound(source).map(|()| calendars("main", name.as_str()))
    }
}

fn sound(source: &[u8]) -> Result<(), String> {
    let written: Json = serde_json::from_slice(source).map_err(|error| error.to_string())?;
    if written.get("wrong").is_some() { Err("it cannot be so".to_owned()) } else { Ok(()) }
}

/// Random bytes that every run repeats.
#[derive(Default)]
pub(crate) struct Seeded(AtomicU64);

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let block = Sha256::digest(self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) router: Router,
    pub(crate) store: Store,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) http: Arc<RecordedHttp>,
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The code of a problem.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json");
        self.json()["code"].as_str().unwrap().to_owned()
    }

    /// The cookie that was set, as a browser sends it back.
    pub(crate) fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap().to_owned()
    }
}

pub(crate) fn ws() -> WorkspaceId {
    WorkspaceId::new("main")
}

fn connection(workspace: &str, id: &str, grant: GrantKind) -> ConnectionSetup {
    ConnectionSetup {
        workspace: WorkspaceId::new(workspace),
        id: ConnectionId::new(id),
        connector: &VENDOR,
        settings: Settings::new(),
        app: App {
            client_id: "client".to_owned(),
            client_secret: None,
            redirect_uri: Url::parse(&format!("https://sync.example/oauth/callback/{id}")).ok(),
        },
        grant,
        budget_share: 1.0,
    }
}

/// An integration between two accounts whose vendor, in these tests, keeps no records in step.
fn flow(workspace: &str, name: &str) -> RecordFlow {
    let side = |name: &str| SideSetup { connection: ConnectionId::new(name), every: SignedDuration::from_mins(2) };
    let kind = |kind: &str| KindSettings {
        kind: kind.to_owned(),
        create: false,
        deleted: WhenDeleted::Detach,
        created: None,
        read: Vec::new(),
    };
    let end = |field: &str| EndDraft { field: field.to_owned(), ..EndDraft::default() };
    let row = RuleDraft {
        left: end("LastName"),
        right: end("SURNAME"),
        direction: Direction::Both,
        policy: Policy::Manual,
        blanks: Blanks::Propagate,
        truncate: false,
        group: None,
    };
    let pair = PairDraft {
        name: "contacts".to_owned(),
        left: kind("Contact"),
        right: kind("contact"),
        rows: vec![row],
        select: Select::All,
        primary: None,
        marks: None,
        on_request: false,
    };
    RecordFlow {
        workspace: WorkspaceId::new(workspace),
        id: IntegrationId::new(name),
        left: side("crm"),
        right: side("spare"),
        pairs: vec![pair],
        sweep_every: SignedDuration::from_hours(24),
        tasks_per_month: Some(100_000),
        to_left: None,
        to_right: None,
    }
}

/// An integration of calendars between accounts whose vendor, in these tests, has none.
fn calendars(workspace: &str, name: &str) -> CalendarFlow {
    let rosa = CalendarSetup {
        name: "rosa".to_owned(),
        connection: ConnectionId::new("spare"),
        calendar: None,
        owner: "rosa@acme.example".to_owned(),
        blocked: Vec::new(),
        every: SignedDuration::from_mins(1),
        hook: None,
    };
    CalendarFlow {
        workspace: WorkspaceId::new(workspace),
        id: IntegrationId::new(name),
        crm: ConnectionId::new("crm"),
        calendars: vec![rosa],
        rules: Rules::default(),
        sweep_every: SignedDuration::from_hours(168),
    }
}

/// What an integration of calendars keeps of an event.
pub(crate) fn meeting(uid: &str, title: Option<&str>, verdict: Verdict, privacy: Privacy) -> StoredMeeting {
    let with = Fields::from([(Std::Email.into(), Value::text("ada@client.example"))]);
    let record = Link::new(Role::Meeting, RecordId::new(format!("00U_{uid}")), None, with);
    let links = if verdict == Verdict::Log { [(Slot::Meeting, record)].into() } else { Links::new() };
    StoredMeeting {
        key: MeetingKey { uid: Uid::read(uid).unwrap(), rid: Rid::Single },
        state: MeetingState {
            verdict,
            privacy,
            title: title.map(str::to_owned),
            start: Some("2027-02-01T09:00:00Z".parse().unwrap()),
            first: false,
            shortened: BTreeSet::new(),
            problem: None,
            rest_until: None,
            invited: BTreeSet::new(),
            refused: None,
            carried: Fields::new(),
            untold: None,
            made: None,
            doubt: None,
        },
        links,
        plan: None,
    }
}

fn source(workspace: &str, id: &str, path_key: &str, secret: &str) -> SourceSetup {
    SourceSetup {
        workspace: WorkspaceId::new(workspace),
        integration: IntegrationId::new("meetings"),
        id: ConnectionId::new(id),
        connector: &VENDOR,
        path_key: path_key.to_owned(),
        secrets: vec![Secret::new(secret)],
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    /// A world whose options are not the usual ones.
    pub(crate) fn with(change: impl FnOnce(&mut ServerOptions)) -> Self {
        let entropy = Arc::new(Seeded::default());
        let store = Store::open_inline("sqlite::memory:", store_options(entropy.clone())).unwrap();
        Self::over(store, entropy, change)
    }

    /// A world whose store has threads, so that requests really meet in it.
    pub(crate) async fn threaded() -> Self {
        let entropy = Arc::new(Seeded::default());
        let store = Store::open("sqlite::memory:", store_options(entropy.clone())).await.unwrap();
        Self::over(store, entropy, |_| ())
    }

    fn over(store: Store, entropy: Arc<Seeded>, change: impl FnOnce(&mut ServerOptions)) -> Self {
        let clock = Arc::new(TestClock(AtomicI64::new(1_800_000_000_000_000)));
        let http = Arc::new(RecordedHttp::default());
        let rest = Arc::new(syncline_engine::Timer);
        let world =
            syncline_engine::World { store: store.clone(), http: http.clone(), clock: clock.clone(), entropy, rest };
        let connections = vec![
            connection("main", "crm", GrantKind::Browser),
            connection("main", "spare", GrantKind::Browser),
            connection("main", "machine", GrantKind::ClientCredentials),
            connection("other", "crm", GrantKind::Browser),
        ];
        let records = vec![flow("main", "people"), flow("other", "people"), flow("other", "theirs")];
        let calendars =
            vec![calendars("main", "meetings"), calendars("other", "meetings"), calendars("other", "visits")];
        let written: Option<Arc<dyn Setups>> = Some(Arc::new(Named));
        let setup = Setup { connections, records, calendars, written, ..Setup::default() };
        let engine = Engine::new(world, setup, syncline_engine::Options::default());
        let sources = vec![
            source("main", "web", PATH_KEY, SECRET),
            source("other", "web", "k8-fedcba9876543210fedcba9876543210", SECRET),
            source("main", "silent", "k9-0123456789abcdef0123456789abcdef", ""),
        ];
        let public = Url::parse("https://sync.example").unwrap();
        let mut options = ServerOptions::new(public, Secret::new(ADMIN), [7; 32]);
        options.sign_in_key = Some(Secret::new(LINK_KEY));
        options.metrics = Arc::new(|| "syncline_up 1\n".to_owned());
        let hint = |id: &str, key: &str, secret: &str| HintSetup {
            workspace: ws(),
            id: ConnectionId::new(id),
            connector: &VENDOR,
            path_key: key.to_owned(),
            url: format!("https://sync.example/hooks/{id}/{key}"),
            secrets: vec![Secret::new(secret)],
        };
        options.hints = vec![hint("crm", PATH_KEY, SECRET), hint("spare", PATH_KEY, "")];
        change(&mut options);
        let server = Server::new(engine, sources, options);
        Self { router: server.router(), server, store, clock, http }
    }

    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        Answer { status: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.request(Method::GET, path, headers, Body::empty()).await
    }

    /// A webhook, signed as the vendor signs.
    pub(crate) async fn hook(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        let body = body.as_ref();
        let signature = signature(SECRET, self.clock.now(), body);
        self.request(Method::POST, path, &[("x-acme-signature", &signature)], body.to_vec()).await
    }

    /// An API call with the admin token.
    pub(crate) async fn api(&self, method: Method, path: &str, body: impl AsRef<[u8]>) -> Answer {
        let bearer = format!("Bearer {ADMIN}");
        self.request(method, path, &[("authorization", &bearer)], body.as_ref().to_vec()).await
    }

    /// A cookie of somebody who has just signed in.
    pub(crate) async fn sign_in(&self) -> String {
        let answer = self.form("/sign-in", &[], &[("token", ADMIN)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        answer.cookie()
    }

    pub(crate) async fn page(&self, path: &str, cookie: &str) -> Answer {
        self.get(path, &[("cookie", cookie)]).await
    }

    pub(crate) async fn form(&self, path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut all = vec![(header::CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded")];
        all.extend_from_slice(headers);
        self.request(Method::POST, path, &all, body).await
    }

    /// Takes a booking in and settles it with these lines, as a worker would.
    pub(crate) async fn booking(
        &self,
        id: &str,
        person: &str,
        title: &str,
        journal: Vec<JournalEntry>,
        outcome: Outcome,
    ) -> ChainId {
        let body = serde_json::json!({"id": id, "name": person, "title": title}).to_string();
        assert_eq!(self.hook(HOOK, body.as_bytes()).await.status, StatusCode::OK);
        let now = self.clock.now();
        let until = now.saturating_add(SignedDuration::from_mins(1)).unwrap();
        let claimed = self.store.claim(&ws(), &WorkerId("w".to_owned()), now, until, 10, &[]).await.unwrap();
        let chain = &claimed[0];
        let summary = Summary {
            standing: "active".to_owned(),
            title: title.to_owned(),
            person: person.to_owned(),
            start: Some("2027-02-01T09:00:00Z".parse().unwrap()),
        };
        let settlement = Settlement {
            workspace: ws(),
            connection: ConnectionId::new("crm"),
            chain: chain.chain.clone(),
            fence: chain.fence,
            revision: chain.revision,
            outcome,
            rest_until: None,
            shared: Vec::new(),
            forget: Vec::new(),
            journal,
            summary: Some(summary),
        };
        assert_eq!(self.store.settle(vec![settlement], now).await.unwrap(), [true]);
        chain.chain.clone()
    }

    /// Keeps these events of the integration `meetings`, as a round would.
    pub(crate) async fn meetings(&self, meetings: Vec<StoredMeeting>) {
        let (integration, name) = (IntegrationId::new("meetings"), "calendars:meetings".to_owned());
        let (holder, now) = (WorkerId("w".to_owned()), self.clock.now());
        let until = now.saturating_add(SignedDuration::from_mins(1)).unwrap();
        let fence = self.store.acquire_lease(&ws(), &name, &holder, now, until).await.unwrap().unwrap();
        let held = Held { name: name.clone(), holder: holder.clone(), fence };
        let (looked, journal, mails) = (Vec::new(), Vec::new(), Vec::new());
        let save = SaveMeetings { workspace: ws(), integration, held, now, meetings, looked, journal, mails };
        assert!(self.store.save_meetings(save).await.unwrap());
        self.store.release_lease(&ws(), &name, &holder, fence).await.unwrap();
    }

    /// A booking that was written.
    pub(crate) async fn written(&self, id: &str, person: &str, title: &str, details: Json) -> ChainId {
        let entry = self.entry(JournalKind::Written, "meeting created", details);
        let key = Some(ExternalKey::derive(&["m"]));
        let meeting = Link::new(Role::Meeting, RecordId::new("00U1"), key, Fields::new());
        let links: Links = [(Slot::Meeting, meeting)].into();
        self.booking(id, person, title, vec![entry], Outcome::Done { links, look_again: None }).await
    }

    /// A booking that was laid aside.
    pub(crate) async fn parked(&self, id: &str, person: &str, reason: &str) -> ChainId {
        let details = serde_json::json!({"error": reason, "code": "E1", "record": "case", "fields": ["status"]});
        let entry = self.entry(JournalKind::Parked, reason, details);
        let outcome = Outcome::Parked {
            reason: reason.to_owned(),
            fix: "mend it, then replay the booking".to_owned(),
            unsettled: false,
            links: Links::new(),
        };
        self.booking(id, person, "Demo", vec![entry], outcome).await
    }

    pub(crate) fn entry(&self, kind: JournalKind, text: &str, details: Json) -> JournalEntry {
        JournalEntry { at: self.clock.now(), kind, text: text.to_owned(), details }
    }
}

fn store_options(entropy: Arc<Seeded>) -> StoreOptions {
    StoreOptions {
        key: MasterKey::new(b"a master key for tests, 32 bytes").unwrap(),
        old_keys: Vec::new(),
        entropy,
        pool: 1,
    }
}

/// A list of strings among the test data that others collected (see `testdata/README.md`).
pub(crate) fn strings(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap()
}

/// Strings that become markup or script where they are not escaped.
pub(crate) const XSS: &str = include_str!("../../../../testdata/strings/xss.json");
/// Strings that programs stumble over.
pub(crate) const BLNS: &str = include_str!("../../../../testdata/strings/blns.json");
/// Writing directions and combining marks.
pub(crate) const UNICODE: &str = include_str!("../../../../testdata/strings/unicode.json");
/// Line breaks that want to become headers.
pub(crate) const CRLF: &str = include_str!("../../../../testdata/strings/crlf.json");
