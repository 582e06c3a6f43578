//! Sources that are asked by themselves: the engine, the store and the connectors against imitation vendors, as function
//! calls under a clock that is moved by hand.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use syncline_connect::{BoxFuture, Connector, Hook, Http, HttpError, RawRequest, Secret, Settings};
use syncline_core::{
    Clock, Entropy,
    booking::{chain::ChainState, message::Booking},
    ids::{ConnectionId, IntegrationId, WorkspaceId},
};
use syncline_engine::{Engine, Options, PolledSource, Rest, Setup, Step, World};
use syncline_sandbox::{
    CalcomAccount, CalcomConfig, CalendlyConfig, CalendlyOrg, Site, Webhook, calcom::NewBooking, calendly::NewInvitee,
};
use syncline_store::{ActivityFilter, Content, Delivery, MasterKey, Store, StoreOptions, WorkerId};
use syncline_vendors::{calcom::Calcom, calendly::Calendly};
use url::Url;

const SECRET: &str = "a secret of sixteen characters";

/// The time, moved by hand.
pub struct Hands(pub Mutex<Timestamp>);

impl Hands {
    pub fn pass(&self, span: SignedDuration) {
        *self.0.lock().expect("a test panicked") += span;
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("a test panicked")
    }
}

impl Rest for Hands {
    fn rest(&self, time: std::time::Duration) -> BoxFuture<'_, ()> {
        self.pass(SignedDuration::try_from(time).expect("a wait is short"));
        Box::pin(std::future::ready(()))
    }
}

/// Chance that is the same for the same seed.
pub struct Chance(AtomicU64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// SplitMix64.
    fn next(&self) -> u64 {
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&self, end: u64) -> u64 {
        self.next() % end
    }
}

impl Entropy for Chance {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let next = self.next().to_le_bytes();
            chunk.copy_from_slice(&next[..chunk.len()]);
        }
    }
}

/// Both vendors behind one carrier, which can be cut.
struct Net {
    calcom: Arc<CalcomAccount>,
    calendly: Arc<CalendlyOrg>,
    cut: AtomicBool,
}

impl Http for Net {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpError>> {
        let answer = if self.cut.load(Ordering::Relaxed) {
            Err(HttpError::NotSent { host: "calcom.sandbox".into(), reason: "connection refused".into() })
        } else if request.uri().host() == Some("calcom.sandbox") {
            Ok(self.calcom.handle("http://calcom.sandbox", request).response)
        } else {
            Ok(self.calendly.handle("http://calendly.sandbox", request).response)
        };
        Box::pin(std::future::ready(answer))
    }
}

struct Town {
    hands: Arc<Hands>,
    calcom: Arc<CalcomAccount>,
    calendly: Arc<CalendlyOrg>,
    net: Arc<Net>,
    store: Store,
    engine: Arc<Engine>,
    began: Timestamp,
}

fn source(name: &str, connector: &'static dyn Connector, token: &str, settings: Settings) -> PolledSource {
    PolledSource {
        workspace: WorkspaceId::new("acme"),
        integration: IntegrationId::new("bookings"),
        id: ConnectionId::new(name),
        connector,
        base_url: Url::parse(&format!("http://{name}.sandbox")).expect("an address"),
        token: Secret::new(token),
        settings,
        every: SignedDuration::from_mins(5),
        since: None,
        hook: Some(Hook {
            url: Url::parse(&format!("https://syncline.example/hooks/{name}/key")).expect("an address"),
            secret: Secret::new(SECRET),
        }),
    }
}

impl Town {
    fn new() -> Self {
        let began = "2026-05-04T09:00:00Z".parse().expect("a time");
        let hands = Arc::new(Hands(Mutex::new(began)));
        let calcom = CalcomAccount::new(CalcomConfig::default(), hands.clone());
        let calendly = CalendlyOrg::new(CalendlyConfig::default(), hands.clone());
        let net = Arc::new(Net { calcom: calcom.clone(), calendly: calendly.clone(), cut: AtomicBool::new(false) });
        let key: [u8; 32] = std::array::from_fn(|n| u8::try_from(n).expect("small"));
        let options = StoreOptions {
            key: MasterKey::new(&key).expect("a key"),
            old_keys: Vec::new(),
            entropy: Arc::new(Chance::new(7)),
            pool: 1,
        };
        let store = Store::open_inline("sqlite::memory:", options).expect("a store");
        let booker = Settings::from([("booker_url".to_owned(), "https://cal.example.com".to_owned())]);
        let setup = Setup {
            polled: vec![
                source("calcom", &Calcom, "cal_sandbox_0123456789abcdef", booker),
                source("calendly", &Calendly, "sandbox-personal-token-0123456789", Settings::new()),
            ],
            ..Setup::default()
        };
        let world = World {
            store: store.clone(),
            http: net.clone(),
            clock: hands.clone(),
            entropy: Arc::new(Chance::new(11)),
            rest: hands.clone(),
        };
        let engine = Engine::new(world, setup, Options::default());
        Self { hands, calcom, calendly, net, store, engine, began }
    }

    fn source(&self, at: usize) -> &PolledSource {
        &self.engine.setup().polled[at]
    }

    /// Asks every source until none has more to say, as the loops would.
    async fn ask(&self) {
        for at in 0..2 {
            for _ in 0..100 {
                self.engine.watch_once(self.source(at)).await.expect("the database answers");
                match self.engine.poll_once(self.source(at)).await.expect("the database answers") {
                    Step::Taken { more: true, next, .. } => {
                        let wait = next.duration_since(self.hands.now()).max(SignedDuration::from_millis(1));
                        self.hands.pass(wait);
                    }
                    _ => break,
                }
            }
        }
    }

    /// What the server does with a webhook that arrives.
    async fn arrive(&self, webhook: &Webhook) {
        let source = self.source(usize::from(webhook.url.contains("calendly")));
        assert_eq!(Some(webhook.url.as_str()), source.hook.as_ref().map(|hook| hook.url.as_str()));
        let mut headers = http::HeaderMap::new();
        for (name, value) in &webhook.headers {
            headers.insert(*name, value.parse().expect("a header"));
        }
        let raw = RawRequest { headers, body: Bytes::copy_from_slice(&webhook.body) };
        let bookings = source.connector.bookings().expect("a booking source");
        let now = self.hands.now();
        bookings.verify(&raw, &[Secret::new(SECRET)], now).expect("it is signed");
        let reading = bookings.read(&raw, now).expect("it can be read");
        let delivery = Delivery {
            workspace: source.workspace.clone(),
            integration: source.integration.clone(),
            source: source.id.clone(),
            key: reading.delivery,
            received: now,
            body: webhook.body.clone(),
            content_type: None,
            content: Content::Messages(reading.messages),
        };
        self.store.take_in(delivery).await.expect("the database answers");
    }

    /// The webhooks that were sent, each of which is lost, doubled or delivered.
    async fn post(&self, fate: impl Fn() -> usize) {
        let mut sent = self.calcom.take_webhooks();
        for one in self.calendly.take_webhooks() {
            self.calendly.report(&one, true);
            sent.push(one.webhook);
        }
        for webhook in &sent {
            for _ in 0..fate() {
                self.arrive(webhook).await;
            }
        }
    }

    /// What every booking has come to. A chain's own name depends on which of its messages came first, so it is left out.
    async fn bookings(&self) -> Vec<String> {
        let (now, worker) = (self.hands.now(), WorkerId("w".into()));
        let until = now + SignedDuration::from_hours(1);
        let claimed = self.store.claim(&"acme".into(), &worker, now, until, 10_000, &[]).await.expect("claimed");
        let shown = |state: &ChainState| {
            let Some(view) = state.view() else { return String::new() };
            // How a message told of a move is seen by nobody: only the moves themselves are.
            let content =
                Booking { previous_start: None, reschedule_reason: None, rescheduled_by: None, ..view.content.clone() };
            let (ever, who) = ((view.ever_booked, view.ever_requested), (&view.other_seats, &view.no_shows));
            format!("{:?} {ever:?} {:?} {who:?} {content:#?}", view.standing, view.moves)
        };
        let mut views: Vec<String> = claimed.iter().map(|one| shown(&one.state)).collect();
        views.sort();
        views
    }

    async fn told(&self) -> Vec<String> {
        let filter = ActivityFilter { limit: 100, ..ActivityFilter::default() };
        let rows = self.store.activity(&"acme".into(), filter).await.expect("the database answers");
        rows.into_iter().map(|row| row.entry.text).collect()
    }

    fn book(&self, day: i64) -> Option<String> {
        self.calcom.book(&NewBooking {
            event_type: 1,
            start: self.began + SignedDuration::from_hours(24 * day),
            name: "Ada Lovelace".into(),
            email: format!("ada{day}@example.org"),
            guests: vec!["bob@example.net".into()],
            responses: serde_json::Map::from_iter([("team_size".to_owned(), "25".into())]),
        })
    }

    fn invite(&self, day: i64, kind: &str) -> Option<String> {
        self.calendly.book(&NewInvitee {
            event_type: kind.into(),
            start: self.began + SignedDuration::from_hours(24 * day),
            name: "Grace Hopper".into(),
            email: format!("grace{day}@example.org"),
            guests: Vec::new(),
            answers: vec![("How large is your team?".into(), "25".into())],
        })
    }

    /// Something that bookers and hosts do.
    fn act(&self, chance: &Chance, uids: &mut Vec<String>, invitees: &mut Vec<String>) {
        let day = i64::try_from(chance.below(5)).expect("small") + 2;
        let later = self.began + SignedDuration::from_hours(24 * day + 3);
        let pick = |list: &[String], at: u64| {
            (!list.is_empty()).then(|| list[usize::try_from(at).expect("small") % list.len()].clone())
        };
        let at = chance.below(1_000);
        match chance.below(8) {
            0 | 1 => uids.extend(self.book(day)),
            2 => uids
                .extend(pick(uids, at).and_then(|uid| self.calcom.reschedule(&uid, later, "ada@example.org", "later"))),
            3 => drop(pick(uids, at).map(|uid| self.calcom.cancel(&uid, "ada@example.org", "ill"))),
            4 => invitees.extend(self.invite(day, "TYPE1")),
            5 => invitees.extend(self.invite(day, "TYPE2")),
            6 => invitees
                .extend(pick(invitees, at).and_then(|one| self.calendly.reschedule(&one, later, "Grace", "later"))),
            _ => drop(pick(invitees, at).map(|one| self.calendly.cancel(&one, "Grace Hopper", "ill"))),
        }
    }
}

/// A week of bookings, with webhooks lost and doubled or not, and polls between; in the end some did not come.
async fn week(seed: u64, losses: bool) -> Vec<String> {
    let town = Town::new();
    let (acts, fates) = (Chance::new(seed), Chance::new(seed ^ 0xfa7e));
    let fate = || match (losses, fates.below(4)) {
        (false, _) | (true, 3) => 1,
        (true, 2) => 2,
        (true, _) => 0,
    };
    town.ask().await;
    let (mut uids, mut invitees) = (Vec::new(), Vec::new());
    for step in 0..40 {
        town.hands.pass(SignedDuration::from_secs(97));
        town.act(&acts, &mut uids, &mut invitees);
        town.post(fate).await;
        if step % 7 == 6 {
            town.ask().await;
        }
    }
    town.hands.pass(SignedDuration::from_hours(8 * 24));
    for (uid, invitee) in uids.iter().zip(&invitees).step_by(3) {
        town.calcom.mark_absent(uid, "bob@example.net", true);
        town.calendly.mark_no_show(invitee, true);
    }
    town.post(fate).await;
    for _ in 0..3 {
        town.hands.pass(SignedDuration::from_mins(10));
        town.ask().await;
    }
    town.bookings().await
}

/// Whatever webhooks are lost, after the polls every booking is as if none had been.
/// proves: B5, fault:W4
#[tokio::test]
async fn polls_fill_the_gaps_that_lost_webhooks_left() {
    for seed in 0..12 {
        let (whole, mended) = (week(seed, false).await, week(seed, true).await);
        assert!(whole.len() > 5, "there is something to compare");
        assert_eq!(whole.len(), mended.len(), "seed {seed}");
        for (whole, mended) in whole.iter().zip(&mended) {
            assert_eq!(whole, mended, "seed {seed}");
        }
    }
}

/// Of many processes one asks, a page is taken in once, and a failing source keeps its place.
/// proves: B5, V3
#[tokio::test]
async fn one_of_many_asks_and_a_failure_moves_nothing() {
    let town = Town::new();
    town.ask().await;
    town.book(3);
    town.hands.pass(SignedDuration::from_mins(6));
    town.net.cut.store(true, Ordering::Relaxed);
    let failed = town.engine.poll_once(town.source(0)).await.expect("the database answers");
    let Step::Failed { next, .. } = failed else { panic!("{failed:?}") };
    let state = || async {
        town.store.poll_state(&"acme".into(), &"calcom".into()).await.expect("it answers").expect("it began")
    };
    let before = state().await;
    assert_eq!((before.failures, before.next_at), (1, next));
    town.hands.pass(next.duration_since(town.hands.now()));
    town.engine.poll_once(town.source(0)).await.expect("the database answers");
    assert_eq!((state().await.failures, state().await.cursor), (2, before.cursor));
    town.net.cut.store(false, Ordering::Relaxed);
    town.hands.pass(SignedDuration::from_mins(20));
    let (one, other) = tokio::join!(town.engine.poll_once(town.source(0)), town.engine.poll_once(town.source(0)));
    let taken = [one, other].into_iter().filter(|step| matches!(step, Ok(Step::Taken { .. }))).count();
    assert_eq!(taken, 1, "the other finds it held or not due");
    assert_eq!(town.bookings().await.len(), 1);
    let told = town.told().await;
    let about = |part: &str| told.iter().filter(|text| text.contains(part)).count();
    assert_eq!((about("could not be asked"), about("answers again")), (1, 1), "{told:#?}");
}

/// proves: fault:W4
#[tokio::test]
async fn a_disabled_subscription_is_set_up_anew_and_the_admin_is_told() {
    let town = Town::new();
    town.ask().await;
    let told = town.told().await;
    assert!(told.iter().any(|text| text.contains("had no webhook for source calendly")), "{told:#?}");
    town.invite(3, "TYPE1");
    for _ in 0..3 {
        for one in town.calendly.take_webhooks() {
            town.calendly.report(&one, false);
        }
        town.hands.pass(SignedDuration::from_hours(13));
        town.ask().await;
    }
    let told = town.told().await;
    for part in ["cannot deliver webhooks to source calendly", "source calendly was set up anew: it was switched off"] {
        assert_eq!(told.iter().filter(|text| text.contains(part)).count(), 1, "{part}: {told:#?}");
    }
    town.invite(4, "TYPE1");
    town.post(|| 1).await;
    assert_eq!(town.bookings().await.len(), 2, "the lost one by the poll, the next by its webhook");
}
