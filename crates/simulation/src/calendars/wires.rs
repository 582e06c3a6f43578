//! The wires between the processes and the accounts: the shared network with its faults, the ledger that looks on, and what
//! must hold of every single write.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use futures::future::FutureExt;
use http::{HeaderValue, Request, Response, Uri};
use syncline_connect::{BoxFuture, Http, HttpError};
use syncline_core::Clock;
use syncline_core::calendar::identity::{Rid, Uid};
use syncline_sandbox::hubspot::{HubSpotEffect, HubSpotEffectKind, HubSpotWho};

use super::{
    ledger::{Ledger, Sure},
    office::{Office, PEOPLE, Place, integration, uid_in, workspace},
    plot::{Plot, Trouble},
};
use crate::{
    fate::Fate,
    faults::Fault,
    life::{Life, Point},
    network::{Weather, exchange},
    sim::{Sim, lock},
    story::HUSH,
    watch::Kind,
};

/// Of a thousand calls, how many find that the calendars have forgotten where readings stopped.
const FORGET_PER_MILLE: u64 = 25;
/// How many find that access tokens have ended.
const EXPIRE_PER_MILLE: u64 = 12;
/// How the CRM says that a meeting is off.
pub const OFF: &str = "CANCELED";
pub const PREFIX: &str = "[CANCELLED] ";

/// All accounts and what happens to them.
pub struct Wires {
    pub sim: Arc<Sim>,
    pub plot: Arc<Plot>,
    pub office: Office,
    pub ledger: Mutex<Ledger>,
    weather: Vec<Mutex<Weather>>,
    pub calls: AtomicU64,
    /// How often each account answered since the calm began.
    answered: Vec<AtomicU64>,
    /// How often each trouble struck.
    struck: Mutex<BTreeMap<Trouble, u64>>,
}

impl Wires {
    pub fn new(sim: &Arc<Sim>, plot: &Arc<Plot>, office: Office) -> Arc<Self> {
        Arc::new(Self {
            sim: Arc::clone(sim),
            plot: Arc::clone(plot),
            answered: office.hosts.iter().map(|_| AtomicU64::new(0)).collect(),
            weather: office.hosts.iter().map(|_| Mutex::default()).collect(),
            office,
            ledger: Mutex::default(),
            calls: AtomicU64::new(0),
            struck: Mutex::default(),
        })
    }

    /// A trouble struck.
    pub fn happened(&self, trouble: Trouble) {
        *lock(&self.struck).entry(trouble).or_default() += 1;
    }

    pub fn struck(&self) -> BTreeMap<Trouble, u64> {
        lock(&self.struck).clone()
    }

    /// Notes which meetings have come into which calendars, and which calendars have been read.
    pub fn look_around(&self) {
        let now = self.sim.clock.now();
        let mut ledger = lock(&self.ledger);
        let (google, microsoft) = (self.office.google.snapshot(), self.office.microsoft.snapshot());
        for person in &self.plot.linked {
            let who = &PEOPLE[*person];
            let all = if who.place == Place::Google { &google } else { &microsoft };
            for row in all.get(who.email).into_iter().flatten() {
                if let Some(uid) = uid_in(row).and_then(Uid::read) {
                    ledger.seen.entry((*person, uid)).or_insert(now);
                }
            }
        }
        drop(ledger);
        self.look_at_readings();
    }

    /// Notes which calendars have been read as a whole.
    fn look_at_readings(&self) {
        let mut ledger = lock(&self.ledger);
        if ledger.settled_at.len() == self.plot.linked.len() {
            return;
        }
        let states = self.sim.store.calendars(&workspace(), &integration()).now_or_never();
        for (name, state) in states.and_then(Result::ok).unwrap_or_default() {
            if let Some(person) = PEOPLE.iter().position(|one| one.name == name).filter(|_| state.settled) {
                ledger.settled_at.entry(person).or_insert_with(|| self.sim.clock.now());
            }
        }
    }

    fn arrive(&self, at: usize, request: Request<Bytes>) -> Response<Bytes> {
        let (sim, office) = (&self.sim, &self.office);
        let Some(place) = office.person(at).map(|person| person.place) else {
            let answer = office.answer(at, request);
            self.watch();
            return answer;
        };
        if sim.strikes("tokens", Fault::T1, EXPIRE_PER_MILLE) {
            match place {
                Place::Google => office.google.expire_tokens(),
                Place::Microsoft => office.microsoft.expire_tokens(),
            }
            sim.fired(Fault::T1);
        }
        let forgets = sim.in_chaos() && self.plot.has(Trouble::Forget);
        if forgets && sim.with_dice("forget", |dice| dice.chance(FORGET_PER_MILLE)) {
            match place {
                Place::Google => office.google.expire_sync_tokens(),
                Place::Microsoft => office.microsoft.expire_delta_tokens(),
            }
            sim.note(|| "the calendars forget where readings stopped".to_owned());
            self.happened(Trouble::Forget);
        }
        self.look_at_readings();
        let answer = office.answer(at, self.with_few_rows(request));
        if !sim.in_chaos() {
            self.answered[at].fetch_add(1, Ordering::Relaxed);
        }
        self.look_at_readings();
        answer
    }

    /// A vendor may show fewer rows a page than it is asked for.
    fn with_few_rows(&self, mut request: Request<Bytes>) -> Request<Bytes> {
        let Some(rows) = self.plot.page else { return request };
        let uri = request.uri().to_string();
        // What repeats a row has to show another one.
        let few = uri.replace("maxResults=2500", &format!("maxResults={}", rows + 1));
        if few != uri {
            self.happened(Trouble::Pages);
            *request.uri_mut() = few.parse::<Uri>().expect("one number in the place of another");
        }
        let prefer = request.headers().get("prefer").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let few = prefer.replace("odata.maxpagesize=50", &format!("odata.maxpagesize={rows}"));
        if few != prefer {
            self.happened(Trouble::Pages);
            let few = HeaderValue::from_str(&few).expect("one number in the place of another");
            request.headers_mut().insert("prefer", few);
        }
        request
    }

    /// Whether every calendar was asked since the calm began.
    pub fn all_asked(&self) -> bool {
        let calendars = self.office.hosts.iter().enumerate().filter(|(at, _)| !self.office.is_hub(*at));
        calendars.into_iter().all(|(at, _)| self.answered[at].load(Ordering::Relaxed) > 1)
    }

    /// Forgets who was asked.
    pub fn ask_again(&self) {
        self.answered.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }

    /// Looks at what was written into the CRM since the last look.
    fn watch(&self) {
        let mut ledger = lock(&self.ledger);
        let effects = self.office.hub.effects_since(ledger.effects);
        for effect in effects {
            ledger.effects = effect.number;
            if matches!(effect.who, HubSpotWho::App(_)) && effect.object == "meetings" {
                ledger.writes += 1;
                self.written(&mut ledger, &effect);
            }
        }
    }

    /// What must hold of every write.
    fn written(&self, ledger: &mut Ledger, effect: &HubSpotEffect) {
        let sim = &self.sim;
        sim.note(|| format!("hub {:?} {} {:?} {:?}", effect.kind, effect.id, effect.properties, effect.other));
        if effect.properties.values().any(|value| value.to_lowercase().contains(HUSH)) {
            sim.violation("private", format!("what is private stands in the CRM: {:?}", effect.properties));
        }
        let record = self.office.hub.record("meetings", &effect.id);
        let property = |name: &str| {
            let known = record.as_ref().and_then(|record| record.properties.get(name).cloned());
            effect.properties.get(name).cloned().or(known).unwrap_or_default()
        };
        let key = property("syncline_key");
        if ledger.logged.iter().any(|logged| logged.id == effect.id) {
            return;
        }
        let Some((at, rid)) = ledger.keys.get(&key).copied() else {
            sim.violation("stray", format!("a record that stands for no meeting: {} {key}", effect.id));
            return;
        };
        let meeting = &ledger.meetings[at];
        if effect.kind == HubSpotEffectKind::Created {
            if ledger.is_new(meeting, &self.plot.linked) == Sure::No {
                sim.violation("before", format!("{} was there before, and is logged", meeting.title));
            }
            let times = ledger.created.get(&key).copied().unwrap_or(0) + 1;
            let excused = ledger.removed.get(&key) == Some(&false);
            if times > 1 && !excused {
                sim.violation("double", format!("{} ({rid}) has {times} records by now", meeting.title));
            }
            ledger.created.insert(key.clone(), times);
        }
        let meeting = &ledger.meetings[at];
        let says_off = effect.properties.get("hs_meeting_outcome").is_some_and(|word| word == OFF)
            || effect.properties.get("hs_meeting_title").is_some_and(|title| title.starts_with(PREFIX));
        if says_off && !meeting.ever_off && !meeting.hearsay && !meeting.shown(rid).off {
            sim.violation("off", format!("{} ({rid}) is called off, and nobody did so", meeting.title));
        }
    }

    fn fate(&self, at: usize, process: usize) -> Fate {
        if !self.sim.in_chaos() {
            return Fate::Arrives;
        }
        let weather = lock(&self.weather[at]).fate(&self.sim, process);
        weather.unwrap_or_else(|| Fate::draw(&self.sim, Kind::Other))
    }

    /// What is private must not even be asked for.
    fn departs(&self, at: usize, request: &Request<Bytes>) {
        let body = String::from_utf8_lossy(request.body()).to_lowercase();
        if self.office.is_hub(at) && (body.contains(HUSH) || request.uri().to_string().contains(HUSH)) {
            self.sim.violation("private", format!("what is private is sent to {}", request.uri().path()));
        }
    }

    /// The occurrence that a record stands for.
    pub fn stands_for(&self, key: &str) -> Option<(usize, Rid)> {
        lock(&self.ledger).keys.get(key).copied()
    }
}

/// What one life of a process calls through.
pub struct Carrier {
    pub wires: Arc<Wires>,
    pub life: Arc<Life>,
}

impl Http for Carrier {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        self.carry(request).boxed()
    }
}

impl Carrier {
    async fn carry(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (wires, sim, process) = (&self.wires, &self.wires.sim, self.life.process);
        self.life.pass(Point::Call).await;
        let host = request.uri().host().unwrap_or_default().to_owned();
        let Some(at) = wires.office.at(&host) else {
            sim.violation("I7", "a request leaves for a host that belongs to nobody".to_owned());
            return Err(HttpError::NotSent { host, reason: "no such host".into() });
        };
        wires.departs(at, &request);
        let number = 1 + wires.calls.fetch_add(1, Ordering::Relaxed);
        let fate = wires.fate(at, process);
        sim.note(|| format!("p{process} #{number} {} {} {fate}", request.method(), request.uri()));
        let far = Arc::clone(wires);
        let answer = exchange(sim, host, fate, move || far.arrive(at, request), || ()).await;
        sim.note(|| match &answer {
            Ok(answer) => format!("p{process} #{number} {}", answer.status()),
            Err(error) => format!("p{process} #{number} {error}"),
        });
        self.life.pass(Point::Call).await;
        answer
    }
}
