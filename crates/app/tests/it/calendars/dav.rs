//! Rosa's calendar on a real CalDAV server that tells guests nothing, and a mail server that can be down, refuse, or be the last
//! thing that a process speaks to.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use jiff::SignedDuration;
use syncline_connect::{BoxFuture, Secret, Settings, oauth::App};
use syncline_core::ids::ConnectionId;
use syncline_engine::{
    ConnectionSetup, Engine, GrantKind, Options, Setup, World,
    calendars::CalendarFlow,
    mail::{Mail, Mailer, NotSent},
};
use syncline_sandbox::{Delivery, Reply};
use syncline_vendors::caldav::CalDav;
use tokio::sync::Notify;
use url::Url;

use super::desk::Desk;
use crate::{
    lab::{Connection, pause},
    records::desk::{Answers, Net},
};

/// How many times it is looked whether the server is there: two minutes.
const LOOKS_MAX: u32 = 1_200;

/// "rosa:secret", as it goes over the line.
const SIGNED_IN: &str = "Basic cm9zYTpzZWNyZXQ=";

fn target() -> PathBuf {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| here.join("../../target"), PathBuf::from)
}

/// The programs of others.
pub fn python() -> PathBuf {
    target().join("clients/python/bin/python")
}

/// A Radicale for Rosa alone, which ends with its value.
pub struct Radicale {
    child: Child,
    folder: PathBuf,
    at: SocketAddr,
    /// What it was asked, in order.
    asked: Mutex<Vec<String>>,
    /// The method of the next request whose answer gets lost.
    lost: Mutex<Option<&'static str>>,
}

impl Radicale {
    pub fn start() -> Arc<Self> {
        let python = python();
        assert!(python.exists(), "{} is not there: run ./test, which installs radicale", python.display());
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let at = free.local_addr().expect("a bound port has an address");
        drop(free);
        let folder = target().join("tmp").join(format!("calendars-radicale-{}", at.port()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut command = Command::new(python);
        command
            .args(["-m", "radicale", "--auth-type", "none", "--logging-level", "error", "--hosts"])
            .arg(at.to_string());
        command.arg("--storage-filesystem-folder").arg(&folder);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("python");
        for _ in 0..LOOKS_MAX {
            if TcpStream::connect(at).is_ok() {
                break;
            }
            pause(Duration::from_millis(100));
        }
        let server = Self { child, folder, at, asked: Mutex::default(), lost: Mutex::default() };
        assert_eq!(server.ask("MKCALENDAR", "/rosa/meetings/", &[], b"").0, 201, "a calendar");
        Arc::new(server)
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Option<String>, Vec<u8>) {
        let mut headers = headers.to_vec();
        headers.extend([("authorization", SIGNED_IN), ("connection", "close")]);
        let answer = Connection::open(self.at).exchange(method, path, &headers, body).expect("the server answers");
        (answer.status, answer.header("etag").map(str::to_owned), answer.body)
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.at)
    }

    /// The next answer to this method gets lost, after what was asked is done.
    pub fn lose(&self, method: &'static str) {
        *self.lost.lock().expect("nobody panics") = Some(method);
    }

    /// How often it was asked so.
    pub fn count(&self, method: &str) -> usize {
        self.asked.lock().expect("nobody panics").iter().filter(|asked| *asked == method).count()
    }

    /// The events as a person's own program would see them, long lines joined.
    pub fn events(&self) -> Vec<String> {
        let folder = self.folder.join("collection-root/rosa/meetings");
        let all = std::fs::read_dir(folder).expect("a calendar").map(|entry| entry.expect("an entry").path());
        let events = all.filter(|path| path.extension().is_some_and(|end| end == "ics"));
        events.map(|path| unfolded(&std::fs::read_to_string(path).expect("an event"))).collect()
    }

    /// Rosa puts an event into her calendar.
    pub fn put(&self, name: &str, text: &str) {
        let head = [("content-type", "text/calendar; charset=utf-8")];
        let (status, ..) = self.ask("PUT", &format!("/rosa/meetings/{name}.ics"), &head, text.as_bytes());
        assert_eq!(status, 201, "{text}");
    }

    /// Rosa takes an event out of her calendar.
    pub fn remove(&self, name: &str) {
        let (status, ..) = self.ask("DELETE", &format!("/rosa/meetings/{name}.ics"), &[], b"");
        assert!((200..300).contains(&status), "{status}");
    }

    /// Rosa puts other values into lines of an event.
    pub fn rewrite(&self, name: &str, lines: &[(&str, &str)]) {
        let path = self.folder.join(format!("collection-root/rosa/meetings/{name}.ics"));
        let mut text = unfolded(&std::fs::read_to_string(path).expect("an event"));
        for (field, value) in lines {
            let old =
                text.lines().find(|line| line.split([':', ';']).next() == Some(field)).expect("a line").to_owned();
            text = text.replacen(&old, &format!("{field}:{value}"), 1);
        }
        let head = [("content-type", "text/calendar; charset=utf-8")];
        let (status, ..) = self.ask("PUT", &format!("/rosa/meetings/{name}.ics"), &head, text.as_bytes());
        assert!((200..300).contains(&status), "{status}: {text}");
    }

    /// Rosa changes her only event by hand.
    pub fn change(&self, change: impl FnOnce(&str) -> String) {
        let folder = self.folder.join("collection-root/rosa/meetings");
        let mut all = std::fs::read_dir(folder).expect("a calendar").map(|entry| entry.expect("an entry").path());
        let path = all.find(|path| path.extension().is_some_and(|end| end == "ics")).expect("an event");
        let text = change(&unfolded(&std::fs::read_to_string(&path).expect("an event")));
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let head = [("content-type", "text/calendar; charset=utf-8")];
        let (status, ..) = self.ask("PUT", &format!("/rosa/meetings/{name}"), &head, text.as_bytes());
        assert!((200..300).contains(&status), "{status}: {text}");
    }
}

/// Long lines in one piece.
pub fn unfolded(text: &str) -> String {
    text.replace("\r\n", "\n").replace("\n ", "")
}

impl Answers for Radicale {
    fn answer(&self, _base: &str, request: http::Request<Bytes>) -> Reply {
        let (parts, body) = request.into_parts();
        let method = parts.method.as_str();
        self.asked.lock().expect("nobody panics").push(method.to_owned());
        let path = parts.uri.path_and_query().expect("a path").as_str();
        let own = ["content-length", "host", "authorization"];
        let headers = parts.headers.iter().filter(|(name, _)| !own.contains(&name.as_str()));
        let headers: Vec<(&str, &str)> =
            headers.map(|(name, value)| (name.as_str(), value.to_str().expect("a header of text"))).collect();
        let (status, etag, body) = self.ask(method, path, &headers, &body);
        let lost = self.lost.lock().expect("nobody panics").take_if(|lost| *lost == method).is_some();
        let mut response = http::Response::builder().status(status);
        if let Some(etag) = etag {
            response = response.header("etag", etag);
        }
        let deliver = if lost { Delivery::DropConnection } else { Delivery::Answer };
        let response = response.header("dav", "1, 2, 3, calendar-access").body(Bytes::from(body)).expect("an answer");
        Reply { response, delay: Duration::ZERO, deliver }
    }
}

impl Drop for Radicale {
    fn drop(&mut self) {
        drop((self.child.kill(), self.child.wait(), std::fs::remove_dir_all(&self.folder)));
    }
}

/// What happens to mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    #[default]
    Takes,
    Down,
    Refuses,
    /// It takes them, and the answer gets lost.
    Lost,
    /// The process dies with the mail in its hand.
    DiesBefore,
    /// The process dies once the mail is taken.
    DiesAfter,
}

/// A mail server that keeps what it takes.
#[derive(Default)]
pub struct Post {
    taken: Mutex<Vec<Mail>>,
    pub mood: Mutex<Mood>,
    reached: Notify,
}

impl Post {
    pub fn is(&self, mood: Mood) {
        *self.mood.lock().expect("nobody panics") = mood;
    }

    /// Whom each mail went to, and its subject.
    pub fn told(&self) -> Vec<(String, String)> {
        let all = self.mails();
        all.into_iter().map(|mail| (mail.guest.expect("a guest").email, mail.subject)).collect()
    }

    pub fn mails(&self) -> Vec<Mail> {
        self.taken.lock().expect("nobody panics").clone()
    }
}

impl Mailer for Post {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), NotSent>> {
        let mood = *self.mood.lock().expect("nobody panics");
        if matches!(mood, Mood::Takes | Mood::Lost | Mood::DiesAfter) {
            self.taken.lock().expect("nobody panics").push(mail.clone());
        }
        let why = "the post is closed".to_owned();
        match mood {
            Mood::Takes => Box::pin(std::future::ready(Ok(()))),
            Mood::Down => Box::pin(std::future::ready(Err(NotSent::Later(why)))),
            Mood::Refuses => Box::pin(std::future::ready(Err(NotSent::Refused(why)))),
            Mood::Lost => Box::pin(std::future::ready(Err(NotSent::Unknown(why)))),
            Mood::DiesBefore | Mood::DiesAfter => {
                self.reached.notify_one();
                Box::pin(std::future::pending())
            }
        }
    }
}

/// The connections once more: a setup belongs to one process.
fn copied(connection: &ConnectionSetup) -> ConnectionSetup {
    let ConnectionSetup { workspace, id, connector, settings, app, grant, budget_share } = connection;
    ConnectionSetup {
        workspace: workspace.clone(),
        id: id.clone(),
        connector: *connector,
        settings: settings.clone(),
        app: app.clone(),
        grant: grant.clone(),
        budget_share: *budget_share,
    }
}

impl Desk {
    /// Rosa's calendar is on a CalDAV server; Sam has none.
    pub async fn on_caldav(
        server: &Arc<impl Answers + 'static>,
        post: Option<&Arc<Post>>,
        change: impl FnOnce(&mut CalendarFlow),
    ) -> Self {
        let desk = Self::with(|flow| {
            flow.calendars.truncate(1);
            flow.calendars[0].connection = ConnectionId::new("dav");
            change(flow);
        });
        let mut desk = desk.await;
        let workspace = desk.flow().workspace.clone();
        desk.store.ensure_connection(&workspace, &ConnectionId::new("dav"), "caldav").await.expect("a row");
        let mut connections: Vec<ConnectionSetup> = desk.engine.setup().connections.iter().map(copied).collect();
        let base_url = Url::parse("https://dav.sandbox/").expect("a URL");
        connections.push(ConnectionSetup {
            workspace,
            id: ConnectionId::new("dav"),
            connector: &CalDav,
            settings: Settings::new(),
            app: App { client_id: String::new(), client_secret: None, redirect_uri: None },
            grant: GrantKind::Key { key: Secret::new("rosa:secret"), base_url },
            budget_share: 1.0,
        });
        let sites: BTreeMap<String, Arc<dyn Answers>> = BTreeMap::from([
            ("dav.sandbox".to_owned(), server.clone() as Arc<dyn Answers>),
            ("hub.sandbox".to_owned(), desk.hub.clone() as Arc<dyn Answers>),
        ]);
        let world = World { http: Arc::new(Net(sites)), ..desk.engine.world().clone() };
        let calendars = desk.engine.setup().calendars.clone();
        let mailer = post.map(|post| post.clone() as Arc<dyn Mailer>);
        let setup = Setup { connections, calendars, mailer, ..Setup::default() };
        desk.engine = Engine::new(world, setup, Options::default());
        desk
    }

    /// The same with somebody else in the place of Rosa's and Sam's calendars, or of the CRM.
    pub fn over(mut self, calendars: Option<Arc<dyn Answers>>, crm: Option<Arc<dyn Answers>>) -> Self {
        let calendars = calendars.unwrap_or_else(|| self.google.clone());
        let sites: BTreeMap<String, Arc<dyn Answers>> = BTreeMap::from([
            ("rosa.sandbox".to_owned(), calendars.clone()),
            ("sam.sandbox".to_owned(), calendars),
            ("hub.sandbox".to_owned(), crm.unwrap_or_else(|| self.hub.clone())),
        ]);
        let world = World { http: Arc::new(Net(sites)), ..self.engine.world().clone() };
        let known = self.engine.setup();
        let connections = known.connections.iter().map(copied).collect();
        let setup = Setup { connections, calendars: known.calendars.clone(), ..Setup::default() };
        self.engine = Engine::new(world, setup, Options::default());
        self
    }

    /// Another process over the same database, after the leases of the one before have run out.
    pub fn reborn(&mut self) {
        let setup = self.engine.setup();
        let setup = Setup {
            connections: setup.connections.iter().map(copied).collect(),
            calendars: setup.calendars.clone(),
            mailer: setup.mailer.clone(),
            ..Setup::default()
        };
        self.engine = Engine::new(self.engine.world().clone(), setup, Options::default());
        self.hands.pass(SignedDuration::from_mins(20));
    }

    /// Rounds in which the process dies while it hands a mail over.
    pub async fn die(&self, post: &Post) {
        for _ in 0..10 {
            self.hands.pass(SignedDuration::from_mins(3));
            tokio::select! {
                biased;
                round = self.engine.calendars_round(self.flow(), false) => drop(round.expect("the database answers")),
                () = post.reached.notified() => return,
            }
        }
        panic!("no mail was handed over: {:?}", self.told().await);
    }
}
