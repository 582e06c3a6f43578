//! What vendors tell by themselves, carried to the server as they would send it: changes arrive at once, what is lost on the
//! way is found by the next look, and watches outlive their vendors' moods.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use futures::FutureExt;
use http_body_util::{BodyExt, Full};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use syncline_connect::{Connector, Secret, Settings, oauth::App};
use syncline_core::{Clock, ids::ConnectionId};
use syncline_engine::{
    ConnectionSetup, Engine, GrantKind, Options, Setup, World,
    calendars::{CalendarFlow, CalendarRound, CalendarRoundEnd, CalendarSetup},
};
use syncline_sandbox::{
    FaultKind, FaultRule, Faults, GoogleWorkspace, HookDelivery, HubSpotConfig, MicrosoftConfig, MicrosoftTenant,
    microsoft::Lifecycle,
};
use syncline_server::{HintSetup, Server, ServerOptions};
use syncline_store::{CalendarState, FlowStanding, StoredTokens};
use syncline_vendors::{google::Google, microsoft::Microsoft};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use url::Url;

use super::desk::{ADA, Desk, ROSA, connection, workspace};
use crate::{
    polls::Chance,
    records::desk::{Answers, Net},
};

const PUBLIC: &str = "https://sync.example";
const PATH_KEY: &str = "0123456789abcdef0123456789abcdef";
const MIA: &str = "mia@firm.example";

/// Whose calendar it is.
#[derive(Clone)]
enum House {
    Google(Arc<GoogleWorkspace>),
    Microsoft(Arc<MicrosoftTenant>),
}

/// A desk with one calendar whose vendor may tell of changes, and the server that hears it.
struct Told {
    desk: Desk,
    house: House,
    engine: Arc<Engine>,
    server: Server,
}

fn hook(name: &str) -> Url {
    format!("{PUBLIC}/hooks/{name}/{PATH_KEY}").parse().expect("an address")
}

fn calendar(name: &str, owner: &str) -> CalendarSetup {
    CalendarSetup {
        name: name.to_owned(),
        connection: ConnectionId::new(name),
        calendar: None,
        owner: owner.to_owned(),
        blocked: Vec::new(),
        every: SignedDuration::from_mins(2),
        hook: Some(hook(name)),
    }
}

fn serve(engine: &Arc<Engine>, name: &str, connector: &'static dyn Connector) -> Server {
    let mut options = ServerOptions::new(PUBLIC.parse().expect("an address"), Secret::new("admin"), [7; 32]);
    options.hints = vec![HintSetup {
        workspace: workspace(),
        id: ConnectionId::new(name),
        connector,
        path_key: PATH_KEY.to_owned(),
        url: hook(name).into(),
        secrets: Vec::new(),
    }];
    Server::new(Arc::clone(engine), Vec::new(), options)
}

impl Told {
    /// Rosa's calendar at Google.
    async fn google() -> Self {
        let desk = Desk::with(|flow| flow.calendars = vec![calendar("rosa", ROSA)]).await;
        let engine = Arc::clone(&desk.engine);
        let (house, server) = (House::Google(desk.google.clone()), serve(&engine, "rosa", &Google));
        Self { desk, house, engine, server }
    }

    /// Mia's at Microsoft, beside the same CRM.
    async fn microsoft() -> Self {
        let desk = Desk::new().await;
        let config = MicrosoftConfig::default();
        let secret = Some(Secret::new(config.client_secret.clone()));
        let app = App { client_id: config.client_id.clone(), client_secret: secret, redirect_uri: None };
        let tenant = MicrosoftTenant::new(config, desk.hands.clone());
        let tokens = tenant.install(MIA).expect("a grant");
        let mias = connection(&desk.store, "mia", &Microsoft, &tokens, app).await;
        let token = HubSpotConfig::default().private_apps[0].token.clone();
        let hub = ConnectionSetup {
            workspace: workspace(),
            id: ConnectionId::new("hub"),
            connector: &syncline_vendors::hubspot::HubSpot,
            settings: Settings::new(),
            app: App { client_id: String::new(), client_secret: None, redirect_uri: None },
            grant: GrantKind::Key {
                key: Secret::new(token),
                base_url: "https://hub.sandbox".parse().expect("an address"),
            },
            budget_share: 1.0,
        };
        let mut flow = CalendarFlow { calendars: vec![calendar("mia", MIA)], ..desk.flow().clone() };
        flow.rules.policy.own_domains.push("firm.example".to_owned());
        let setup = Setup { connections: vec![mias, hub], calendars: vec![flow], ..Setup::default() };
        let sites: BTreeMap<String, Arc<dyn Answers>> = BTreeMap::from([
            ("mia.sandbox".to_owned(), tenant.clone() as Arc<dyn Answers>),
            ("hub.sandbox".to_owned(), desk.hub.clone() as Arc<dyn Answers>),
        ]);
        let world = World {
            store: desk.store.clone(),
            http: Arc::new(Net(sites)),
            clock: desk.hands.clone(),
            entropy: Arc::new(Chance::new(13)),
            rest: desk.hands.clone(),
        };
        let engine = Engine::new(world, setup, Options::default());
        let server = serve(&engine, "mia", &Microsoft);
        Self { desk, house: House::Microsoft(tenant), engine, server }
    }

    /// Both, each active, with its calendar read and its watch begun.
    async fn both() -> [Self; 2] {
        [Self::google().await.active().await, Self::microsoft().await.active().await]
    }

    async fn active(self) -> Self {
        self.stand(FlowStanding::Active).await;
        self.quiet().await;
        assert!(self.told_until().await.is_some(), "{:?}", self.state().await);
        self
    }

    fn flow(&self) -> &CalendarFlow {
        &self.engine.setup().calendars[0]
    }

    async fn stand(&self, standing: FlowStanding) {
        self.engine.set_standing(self.flow(), standing, None, Some("Ada")).await.expect("it is kept");
    }

    fn pass(&self, seconds: i64) {
        self.desk.hands.pass(SignedDuration::from_secs(seconds));
    }

    /// What the server's own loop does, once: a round, and what there is to do about watches.
    async fn turn(&self) -> CalendarRound {
        let end = self.engine.calendars_round(self.flow(), false).await.expect("the database answers");
        self.engine.watch_calendars(self.flow()).await.expect("the database answers");
        match end {
            CalendarRoundEnd::Done(round) => round,
            CalendarRoundEnd::NotActive(_) => CalendarRound::default(),
            end => panic!("{end:?}"),
        }
    }

    /// Turns, with whatever is told carried, until nothing more comes of it.
    async fn quiet(&self) {
        for _ in 0..12 {
            self.turn().await;
            self.carry().await;
            self.pass(3);
        }
    }

    fn waiting(&self) -> Vec<HookDelivery> {
        match &self.house {
            House::Google(site) => site.take_deliveries(),
            House::Microsoft(site) => site.take_deliveries(),
        }
    }

    /// Carries what the vendor has to tell to the server, and its answers back; how much that was.
    async fn carry(&self) -> usize {
        let sent = self.waiting();
        for one in &sent {
            let (status, body) = self.post(one).await;
            match &self.house {
                House::Google(site) => site.report(one, Some(status)),
                House::Microsoft(site) => site.report(one, Some(status), &body),
            }
        }
        sent.len()
    }

    async fn post(&self, sent: &HookDelivery) -> (u16, Bytes) {
        let mut request = http::Request::post(sent.url.strip_prefix(PUBLIC).expect("it is ours"));
        for (name, value) in &sent.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(sent.body.clone()))).expect("a request");
        let answer = self.server.router().oneshot(request).await.expect("it always answers");
        (answer.status().as_u16(), answer.into_body().collect().await.expect("an answer").to_bytes())
    }

    fn meet(&self, title: &str) -> String {
        match &self.house {
            House::Google(_) => self.desk.meet(ROSA, title, 24, &[ADA]),
            House::Microsoft(site) => {
                let start = self.desk.hands.now() + SignedDuration::from_hours(24);
                let at = |at: Timestamp| json!({ "dateTime": at.strftime("%Y-%m-%dT%H:%M:%S").to_string(), "timeZone": "UTC" });
                let event = json!({
                    "subject": title, "start": at(start), "end": at(start + SignedDuration::from_hours(1)),
                    "attendees": [{ "type": "required", "emailAddress": { "address": ADA } }],
                });
                site.create(MIA, &event).expect("a meeting")
            }
        }
    }

    fn rename(&self, id: &str, title: &str) {
        match &self.house {
            House::Google(site) => site.edit(ROSA, id, &json!({ "summary": title })),
            House::Microsoft(site) => site.edit(MIA, id, &json!({ "subject": title })),
        }
        .expect("a person may");
    }

    /// Looks at the calendar for changes, so far.
    fn looks(&self) -> u64 {
        let (counts, ends) = match &self.house {
            House::Google(site) => (site.call_counts(), "/events"),
            House::Microsoft(site) => (site.call_counts(), "/calendarView/delta"),
        };
        counts.iter().filter(|(kind, _)| kind.starts_with("GET") && kind.ends_with(ends)).map(|(_, count)| count).sum()
    }

    fn faults(&self) -> &Faults {
        match &self.house {
            House::Google(site) => site.faults(),
            House::Microsoft(site) => site.faults(),
        }
    }

    /// How the next watch is asked for.
    fn asking(&self) -> (&'static str, &'static str) {
        match self.house {
            House::Google(_) => ("POST", "/calendar/v3/calendars"),
            House::Microsoft(_) => ("POST", "/v1.0/subscriptions"),
        }
    }

    async fn state(&self) -> CalendarState {
        let status = self.engine.calendars_status(self.flow()).await.expect("the database answers");
        status.calendars[0].1.clone().expect("it is read")
    }

    async fn told_until(&self) -> Option<Timestamp> {
        let status = self.engine.calendars_status(self.flow()).await.expect("the database answers");
        status.told_until.values().next().copied()
    }

    /// How long until the calendar is looked at by itself.
    async fn rests(&self) -> SignedDuration {
        self.state().await.next_at.duration_since(self.desk.hands.now())
    }

    async fn watches(&self) -> usize {
        self.desk.store.watches(&workspace()).await.expect("the database answers").len()
    }

    fn titles(&self) -> Vec<String> {
        self.desk.titles()
    }
}

const MINUTES: i64 = 60;

/// While a vendor tells, its calendar is hardly asked; a change is in the CRM seconds after it was told, by one look, however
/// often it was told.
///
/// proves: C10
#[tokio::test]
async fn a_change_arrives_without_waiting_for_the_poll() {
    for told in Told::both().await {
        assert!(told.rests().await > SignedDuration::from_mins(40), "{:?}", told.state().await);
        let looks = told.looks();
        for _ in 0..20 {
            told.pass(2 * MINUTES);
            told.turn().await;
        }
        assert_eq!(told.looks(), looks, "nobody asks for forty minutes");
        let id = told.meet("Demo");
        for number in 0..20 {
            told.rename(&id, &format!("Demo {number}"));
        }
        let sent = told.waiting();
        assert!(sent.len() > 10, "{}", sent.len());
        for one in sent.iter().chain(&sent) {
            assert_eq!(told.post(one).await.0, 200);
        }
        assert_eq!(told.titles(), Vec::<String>::new());
        told.pass(3);
        told.turn().await;
        assert_eq!(told.titles(), ["Demo 19"], "{:?}", told.desk.told().await);
        for _ in 0..10 {
            told.pass(5);
            told.turn().await;
        }
        assert_eq!(told.looks() - looks, 1, "one look for all of them");
        assert_eq!(told.waiting().len(), 0);
    }
}

/// What was not told is found within the hour, and from then on the calendar is asked as if nobody told anything, until
/// somebody does.
///
/// proves: C10
#[tokio::test]
async fn what_is_lost_on_the_way_is_found_by_the_poll() {
    for told in Told::both().await {
        told.meet("Demo");
        assert!(!told.waiting().is_empty(), "they are lost");
        told.pass(10 * MINUTES);
        told.turn().await;
        assert_eq!(told.titles(), Vec::<String>::new());
        told.pass(50 * MINUTES);
        told.turn().await;
        assert_eq!((told.titles(), told.told_until().await), (vec!["Demo".to_owned()], None));
        assert!(told.rests().await <= SignedDuration::from_mins(2));
        told.meet("Offer");
        told.waiting();
        told.pass(2 * MINUTES);
        told.turn().await;
        assert_eq!(told.titles(), ["Demo", "Offer"]);
        told.meet("Review");
        told.carry().await;
        told.pass(3);
        told.turn().await;
        assert_eq!((told.titles().len(), told.told_until().await.is_some()), (3, true));
        assert!(told.rests().await > SignedDuration::from_mins(40));
    }
}

/// For weeks there is a watch at any time, never more than one once the dust has settled, and what changes arrives.
///
/// proves: C10
#[tokio::test]
async fn watches_are_renewed_before_they_end() {
    for told in Told::both().await {
        let mut ends = std::collections::BTreeSet::new();
        for day in 0..21 {
            for _ in 0..4 {
                told.pass(6 * 60 * MINUTES);
                told.turn().await;
                told.carry().await;
                told.turn().await;
                let until = told.told_until().await;
                assert!(
                    until.is_some_and(|until| until > told.desk.hands.now()),
                    "day {day}: {:?}",
                    told.state().await
                );
                ends.extend(until);
                assert_eq!(told.watches().await, 1);
            }
            let title = format!("Day {day:02}");
            told.meet(&title);
            assert_eq!(told.carry().await, 1, "one watch tells");
            told.pass(3);
            told.turn().await;
            assert!(told.titles().contains(&title), "{:?}", told.desk.told().await);
        }
        assert!((4..30).contains(&ends.len()), "{ends:?}");
    }
}

/// What a vendor says of its watch's life: that something was missed, that it has to be renewed, that it is gone.
///
/// proves: C10
#[tokio::test]
async fn a_watch_that_its_vendor_ends_is_begun_anew() {
    let told = Told::microsoft().await.active().await;
    let House::Microsoft(site) = told.house.clone() else { panic!("it is Mia's") };
    for (number, event) in
        [Lifecycle::Missed, Lifecycle::ReauthorizationRequired, Lifecycle::SubscriptionRemoved].into_iter().enumerate()
    {
        // What is told of this is lost.
        told.meet(&format!("Missed {number}"));
        told.waiting();
        site.tell_lifecycle(MIA, event);
        // It says so, and has forgotten it afterwards.
        assert_eq!(told.carry().await, 1);
        told.pass(3);
        told.quiet().await;
        assert_eq!(told.titles().len(), 2 * number + 1, "{event:?}: {:?}", told.desk.told().await);
        told.meet(&format!("Told {number}"));
        assert_eq!(told.carry().await, 1, "{event:?}");
        told.pass(3);
        told.turn().await;
        assert_eq!((told.titles().len(), told.watches().await), (2 * number + 2, 1), "{event:?}");
    }
}

/// A place in the calendar that is forgotten while changes are told: nothing is lost or doubled.
///
/// proves: C10
#[tokio::test]
async fn a_forgotten_place_heals_itself_while_changes_are_told() {
    for told in Told::both().await {
        let id = told.meet("Demo");
        told.quiet().await;
        match &told.house {
            House::Google(site) => site.expire_sync_tokens(),
            House::Microsoft(site) => site.expire_delta_tokens(),
        }
        told.rename(&id, "Demo, moved");
        told.meet("Offer");
        told.carry().await;
        told.quiet().await;
        assert_eq!(told.titles(), ["Demo, moved", "Offer"], "{:?}", told.desk.told().await);
        told.pass(3 * MINUTES);
        told.quiet().await;
        assert!(told.rests().await > SignedDuration::from_mins(30), "{:?}", told.state().await);
    }
}

/// Who is paused hears nothing more and is told nothing more; who goes on is told again, and what happened meanwhile is
/// found. What is asked for a calendar that is taken out ends, too.
///
/// proves: C10
#[tokio::test]
async fn a_pause_ends_the_watch() {
    for told in Told::both().await {
        told.stand(FlowStanding::Paused).await;
        told.quiet().await;
        assert_eq!((told.watches().await, told.told_until().await), (0, None));
        told.meet("Demo");
        assert_eq!(told.carry().await, 0, "the vendor has nobody to tell");
        told.stand(FlowStanding::Active).await;
        told.pass(2 * MINUTES);
        told.quiet().await;
        assert_eq!((told.titles(), told.watches().await), (vec!["Demo".to_owned()], 1));
        assert!(told.told_until().await.is_some());

        let others = CalendarFlow { calendars: Vec::new(), ..told.flow().clone() };
        let connections = told.engine.setup().connections.iter().map(|setup| ConnectionSetup {
            workspace: setup.workspace.clone(),
            id: setup.id.clone(),
            connector: setup.connector,
            settings: setup.settings.clone(),
            app: setup.app.clone(),
            grant: setup.grant.clone(),
            budget_share: setup.budget_share,
        });
        let setup = Setup { connections: connections.collect(), calendars: vec![others], ..Setup::default() };
        let restarted = Engine::new(told.engine.world().clone(), setup, Options::default());
        let stop = CancellationToken::new();
        stop.cancel();
        restarted.keep_calendars(stop).await;
        assert_eq!(told.watches().await, 0);
        told.meet("Offer");
        assert_eq!(told.carry().await, 0);
    }
}

/// Where a watch cannot be had the calendar is asked as before, people are told once and why, and it is tried again; a watch of
/// which nobody knows whether it is there is followed by another, and tells nobody anything.
///
/// proves: C10
#[tokio::test]
async fn without_a_watch_the_calendar_is_asked_as_before() {
    use FaultKind::{Limited, LostAnswer, LostRequest, Status, Truncated};
    for kind in [Status, Limited, LostRequest, LostAnswer, Truncated] {
        for told in [Told::google().await, Told::microsoft().await] {
            let (method, path) = told.asking();
            told.faults().add(FaultRule::always(kind).on(method, path));
            told.stand(FlowStanding::Active).await;
            told.quiet().await;
            let tried = format!("{kind:?}: {:?} {:?}", told.state().await, told.desk.told().await);
            assert!(told.told_until().await.is_none() && told.state().await.watch.problem.is_some(), "{tried}");
            told.meet("Demo");
            told.carry().await;
            told.pass(2 * MINUTES);
            told.turn().await;
            assert_eq!(told.titles(), ["Demo"], "{tried}");
            told.faults().clear();
            for _ in 0..70 {
                told.pass(MINUTES);
                told.turn().await;
                told.carry().await;
            }
            assert!(told.told_until().await.is_some() && told.watches().await == 1, "{tried}");
            let said = told.desk.told().await;
            let about = |text: &str| said.iter().filter(|line| line.contains(text)).count();
            assert_eq!((about("are not told, so it is only asked"), about("are told again")), (1, 1), "{said:?}");
            told.meet("Offer");
            assert!(told.carry().await >= 1);
            told.pass(3);
            told.turn().await;
            assert_eq!(told.titles(), ["Demo", "Offer"]);
        }
    }
}

/// An account whose approval is taken back: its watch is believed no longer, and once it is connected again the calendar is
/// read and watched anew.
///
/// proves: C10
#[tokio::test]
async fn an_account_that_is_connected_again_is_watched_anew() {
    for told in Told::both().await {
        let name = told.flow().calendars[0].connection.clone();
        match &told.house {
            House::Google(site) => {
                site.revoke(ROSA);
                site.expire_tokens();
            }
            House::Microsoft(site) => {
                site.revoke(MIA);
                site.expire_tokens();
            }
        }
        told.pass(60 * MINUTES);
        told.engine.calendars_round(told.flow(), false).await.expect("the database answers");
        assert_eq!(told.told_until().await, None, "{:?}", told.desk.told().await);
        let before = told.looks();
        told.meet("Demo");
        told.waiting();
        told.quiet().await;
        assert_eq!(told.looks(), before, "nobody asks an account that has to be connected");
        // What was refused is not tried again within the hour.
        told.pass(60 * MINUTES);
        let tokens: Value = match &told.house {
            House::Google(site) => site.install(ROSA),
            House::Microsoft(site) => site.install(MIA),
        }
        .expect("a grant");
        let text = |name: &str| tokens[name].as_str().expect("a token").to_owned();
        let stored = StoredTokens {
            access: text("access_token"),
            refresh: Some(text("refresh_token")),
            base_url: format!("https://{name}.sandbox/"),
            expires_at: None,
            account: None,
        };
        told.desk.store.store_tokens(&workspace(), &name, &stored, None).await.expect("they are kept");
        told.pass(2 * MINUTES);
        told.quiet().await;
        assert_eq!(told.titles(), ["Demo"], "{:?}", told.desk.told().await);
        told.meet("Offer");
        assert_eq!((told.watches().await, told.carry().await), (1, 1));
        told.pass(3);
        told.turn().await;
        assert_eq!(told.titles(), ["Demo", "Offer"]);
        assert!(told.told_until().await.is_some(), "now something was told");
    }
}

/// Forged, of another watch, or of one that has ended: answered alike, and nobody looks.
///
/// proves: sec:S22, sec:S31
#[tokio::test]
async fn what_is_not_the_vendors_wakes_nobody() {
    for told in Told::both().await {
        let id = told.meet("Demo");
        let sent = told.waiting().pop().expect("it is told");
        let forged = |from: &str, to: &str| HookDelivery {
            headers: sent.headers.iter().map(|(name, value)| (name.clone(), value.replace(from, to))).collect(),
            body: String::from_utf8_lossy(&sent.body).replace(from, to).into_bytes(),
            ..sent.clone()
        };
        let watch = told.desk.store.watches(&workspace()).await.expect("the database answers").remove(0);
        let secret = match &told.house {
            House::Google(_) => {
                sent.headers.iter().find(|(name, _)| name == "x-goog-channel-token").expect("a token").1.clone()
            }
            House::Microsoft(_) => {
                let body: Value = serde_json::from_slice(&sent.body).expect("JSON");
                body["value"][0]["clientState"].as_str().expect("a secret").to_owned()
            }
        };
        let looks = told.looks();
        for one in [forged(&secret, "another"), forged(&secret, &watch.watch), forged(&watch.watch, "w9")] {
            assert_eq!(told.post(&one).await.0, 200);
            told.pass(5);
            told.turn().await;
        }
        assert_eq!((told.looks(), told.titles()), (looks, vec![]));
        told.stand(FlowStanding::Paused).await;
        told.turn().await;
        assert_eq!(told.post(&sent).await.0, 200, "what has ended is told in vain");
        told.rename(&id, "Demo");
        assert_eq!(told.looks(), looks);
    }
}

/// The server's loop wakes at a word and does not wait for its own time.
///
/// proves: C10
#[tokio::test(start_paused = true)]
async fn the_loop_wakes_at_a_word() {
    let told = Told::google().await.active().await;
    let stop = CancellationToken::new();
    let (engine, stopped) = (Arc::clone(&told.engine), stop.clone());
    let looping = tokio::spawn(async move { engine.keep_calendars(stopped).await });
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    told.meet("Demo");
    told.carry().await;
    told.pass(2);
    for _ in 0..100 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(told.titles(), ["Demo"], "{:?}", told.desk.told().await);
    assert!(looping.now_or_never().is_none(), "it goes on");
    stop.cancel();
}
