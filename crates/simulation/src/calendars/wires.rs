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
use http::{HeaderValue, Method, Request, Response, Uri};
use syncline_connect::{BoxFuture, Http, HttpError};
use syncline_core::Clock;
use syncline_core::calendar::identity::{Rid, Uid};

use super::{
    crm::Written,
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
/// All accounts and what happens to them.
pub struct Wires {
    pub sim: Arc<Sim>,
    pub plot: Arc<Plot>,
    pub office: Office,
    pub ledger: Mutex<Ledger>,
    weather: Vec<Mutex<Weather>>,
    pub calls: AtomicU64,
    /// How often each account was asked for changes since the calm began.
    answered: Vec<AtomicU64>,
    /// How many channels were begun at each account.
    begun: Vec<AtomicU64>,
    /// How often each trouble struck.
    struck: Mutex<BTreeMap<Trouble, u64>>,
}

impl Wires {
    pub fn new(sim: &Arc<Sim>, plot: &Arc<Plot>, office: Office) -> Arc<Self> {
        Arc::new(Self {
            sim: Arc::clone(sim),
            plot: Arc::clone(plot),
            answered: office.hosts.iter().map(|_| AtomicU64::new(0)).collect(),
            begun: office.hosts.iter().map(|_| AtomicU64::new(0)).collect(),
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
            if self.plot.salesforce && sim.strikes("tokens", Fault::T1, EXPIRE_PER_MILLE) && office.crm.expire_tokens()
            {
                sim.fired(Fault::T1);
            }
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
        let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
        let is_list = path.ends_with("/events") || path.ends_with("/calendarView/delta");
        // A further page shows what there was when the first one was asked for.
        let is_first = !query.contains("pageToken=") && !query.contains("skiptoken=");
        let is_look = request.method() == Method::GET && is_list && is_first;
        let is_channel = path.ends_with("/watch");
        let answer = office.answer(at, self.with_few_rows(request));
        if !sim.in_chaos() && is_look {
            self.answered[at].fetch_add(1, Ordering::Relaxed);
        }
        let follows = is_channel && answer.status().is_success() && self.begun[at].fetch_add(1, Ordering::Relaxed) > 0;
        if follows && self.plot.has(Trouble::Ends) {
            self.happened(Trouble::Ends);
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

    /// Whether every calendar was asked since the calm began: once where changes are told, which takes up to an hour.
    pub fn all_asked(&self) -> bool {
        let calendars = self.office.hosts.iter().enumerate().filter(|(at, _)| !self.office.is_hub(*at));
        let least = if self.plot.told { 1 } else { 2 };
        calendars.into_iter().all(|(at, _)| self.answered[at].load(Ordering::Relaxed) >= least)
    }

    /// Forgets who was asked.
    pub fn ask_again(&self) {
        self.answered.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }

    /// Looks at what was written into the CRM since the last look.
    fn watch(&self) {
        let mut ledger = lock(&self.ledger);
        for written in self.office.crm.written_since(ledger.effects) {
            ledger.effects = written.number;
            ledger.writes += 1;
            self.written(&mut ledger, &written);
        }
    }

    /// What must hold of every write.
    fn written(&self, ledger: &mut Ledger, written: &Written) {
        let (sim, key) = (&self.sim, &written.key);
        sim.note(|| format!("the CRM has {written:?}"));
        if written.texts.iter().any(|text| text.to_lowercase().contains(HUSH)) {
            sim.violation("private", format!("what is private stands in the CRM: {written:?}"));
        }
        if ledger.logged.iter().any(|logged| logged.id == written.id) {
            return;
        }
        let Some((at, rid)) = ledger.keys.get(key).copied() else {
            sim.violation("stray", format!("a record that stands for no meeting: {} {key}", written.id));
            return;
        };
        let meeting = &ledger.meetings[at];
        if written.created {
            if ledger.is_new(meeting, &self.plot.linked) == Sure::No {
                sim.violation("before", format!("{} was there before, and is logged", meeting.title));
            }
            let times = ledger.created.get(key).copied().unwrap_or(0) + 1;
            let excused = ledger.removed.get(key) == Some(&false);
            if times > 1 && !excused {
                sim.violation("double", format!("{} ({rid}) has {times} records by now", meeting.title));
            }
            ledger.created.insert(key.clone(), times);
        }
        let meeting = &ledger.meetings[at];
        if written.says_off && !meeting.ever_off && !meeting.hearsay && !meeting.shown(rid).off {
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
