//! A server of others in a process of its own, and what carries requests to it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, mpsc},
    time::Duration,
};

use bytes::Bytes;
use futures::FutureExt;
use syncline_connect::{
    Answered, BoxFuture, CalendarWrites, Calendars, Cx, Error, Http, HttpError, Secret, Settings,
    calendar::{CalendarEntry, CalendarId, Changes, EventWrite, From, Invitation, Page, WriteOutcome},
};
use syncline_core::calendar::{
    event::{Event, EventId},
    identity::Rid,
};
use url::Url;

use crate::caldav::CalDav;

/// How often it is looked whether a server is there, and how many times: two minutes on a machine with much to do.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS_MAX: u32 = 1_200;

/// A server that answers later than this is broken.
const ANSWER_MAX: Duration = Duration::from_secs(60);

fn target() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| here.join("../../target"), PathBuf::from)
}

fn python() -> PathBuf {
    target().join("clients/python/bin/python")
}

/// A server of others, which ends with its value.
pub struct Server {
    child: Child,
    folder: PathBuf,
    at: SocketAddr,
}

impl Server {
    pub fn radicale() -> Self {
        Self::start("radicale", |command, folder, at| {
            command.args(["-m", "radicale", "--auth-type", "none", "--logging-level", "warning"]);
            command.arg("--hosts").arg(at.to_string()).arg("--storage-filesystem-folder").arg(folder);
        })
    }

    pub fn xandikos() -> Self {
        Self::start("xandikos", |command, folder, at| {
            command.args(["-m", "xandikos", "serve", "--defaults", "-l", "127.0.0.1", "-p"]).arg(at.port().to_string());
            command.arg("-d").arg(folder.join("files")).arg("--state-dir").arg(folder.join("state"));
        })
    }

    /// Hands a mail to Xandikos, whose inbox takes it as that of its user.
    pub fn mailed(&self, invitation: &Invitation) {
        let mut command = Command::new(python());
        command.args(["-m", "xandikos", "import-imip", "--principal", "/user/", "-d"]).arg(self.folder.join("files"));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("python starts");
        let mail = format!(
            "From: rita@host.example\r\nTo: user@host.example\r\nSubject: Demo\r\nMIME-Version: 1.0\r\n\
             Content-Type: {}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{}",
            invitation.content_type, invitation.body
        );
        child.stdin.take().expect("it is piped").write_all(mail.as_bytes()).expect("it is read");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}\n{mail}", String::from_utf8_lossy(&output.stderr));
    }

    fn start(name: &str, arguments: impl FnOnce(&mut Command, &Path, SocketAddr)) -> Self {
        let (target, python) = (target(), python());
        assert!(python.exists(), "{} is not there: run ./test, which installs {name}", python.display());
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let at = free.local_addr().expect("a bound port has an address");
        drop(free);
        let folder = target.join("tmp").join(format!("{name}-{}", at.port()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let log = std::fs::File::create(folder.join("log")).expect("a file");
        let mut command = Command::new(python);
        arguments(&mut command, &folder, at);
        let output = log.try_clone().expect("a file twice");
        let child = command.stdin(Stdio::null()).stdout(output).stderr(log).spawn().expect("python starts");
        let mut server = Self { child, folder, at };
        server.wait(name);
        server
    }

    fn wait(&mut self, name: &str) {
        // Nobody ever sends: this is how long we wait.
        let (_never, pause) = mpsc::channel::<()>();
        for _ in 0..LOOKS_MAX {
            if TcpStream::connect(self.at).is_ok() {
                return;
            }
            let ended = self.child.try_wait().expect("it can be asked");
            let log = || std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(ended.is_none(), "{name} did not start:\n{}", log());
            let _ = pause.recv_timeout(LOOK_EVERY);
        }
        panic!("{name} is not there after {LOOKS_MAX} looks");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// An account at a server, with what was said to it and how much.
pub struct Account<H> {
    pub http: H,
    base_url: Url,
    bearer: Secret,
    settings: Settings,
}

impl<H: Http> Account<H> {
    pub fn new(base: &str, http: H) -> Self {
        Self {
            http,
            base_url: base.parse().expect("an address"),
            bearer: Secret::new("user:secret"),
            settings: Settings::new(),
        }
    }

    fn cx(&self) -> Cx<'_> {
        Cx {
            http: &self.http,
            now: "2026-11-22T12:00:00Z".parse().expect("a time"),
            base_url: &self.base_url,
            bearer: &self.bearer,
            settings: &self.settings,
        }
    }

    pub fn list(&self) -> Result<Answered<Vec<CalendarEntry>>, Error> {
        CalDav.list(&self.cx()).now_or_never().expect("nothing here waits")
    }

    pub fn changes(&self, calendar: &CalendarId, from: From<'_>) -> Result<(Changes, u32), Error> {
        let cx = self.cx();
        let answered = CalDav.changes(&cx, calendar, from).now_or_never().expect("nothing here waits")?;
        assert!(answered.calls <= CalDav.calls_per_page(), "{} calls for one page", answered.calls);
        Ok((answered.value, answered.calls))
    }

    /// A page that must be there, and its calls.
    pub fn page(&self, calendar: &CalendarId, from: From<'_>) -> (Page, u32) {
        match self.changes(calendar, from).expect("the server answers") {
            (Changes::Page(page), calls) => (page, calls),
            (Changes::Expired, _) => panic!("the cursor is not known"),
        }
    }

    pub fn fetch(&self, calendar: &CalendarId, events: &[EventId]) -> Result<Vec<Option<Event>>, Error> {
        let cx = self.cx();
        let answered = CalDav.fetch(&cx, calendar, events).now_or_never().expect("nothing here waits")?;
        assert_eq!(answered.value.len(), events.len());
        Ok(answered.value)
    }

    pub fn write(&self, calendar: &CalendarId, write: EventWrite<'_>) -> Result<(WriteOutcome, u32), Error> {
        let cx = self.cx();
        let answered = CalDav.write(&cx, calendar, &write).now_or_never().expect("nothing here waits")?;
        assert!(answered.calls <= CalDav.calls_per_write(), "{} calls for one write", answered.calls);
        Ok((answered.value, answered.calls))
    }

    pub fn occurrence(&self, calendar: &CalendarId, series: &EventId, rid: Rid) -> Result<Option<Event>, Error> {
        let cx = self.cx();
        let answered = CalDav.occurrence(&cx, calendar, series, rid).now_or_never().expect("nothing here waits")?;
        assert!(answered.calls <= CalDav.calls_per_write(), "{} calls for an occurrence", answered.calls);
        Ok(answered.value)
    }

    pub fn tells(&self, calendar: &CalendarId) -> Result<bool, Error> {
        let cx = self.cx();
        Ok(CalDav.tells(&cx, calendar).now_or_never().expect("nothing here waits")?.value)
    }
}

/// Carries requests over a socket, and may keep the server from telling changes.
pub struct Line {
    at: SocketAddr,
    pub without_sync: Mutex<bool>,
    /// Bytes of the bodies of the last exchange, there and back.
    pub bytes: Mutex<usize>,
}

impl Line {
    pub fn to(server: &Server) -> Self {
        Self { at: server.at, without_sync: Mutex::new(false), bytes: Mutex::new(0) }
    }

    pub fn base(&self) -> String {
        format!("http://{}/", self.at)
    }

    /// What a person's own program does.
    pub fn person(&self, method: &str, path: &str, body: &str) -> u16 {
        self.asked(method, path, body).status().as_u16()
    }

    /// What a person's own program sees of an event.
    pub fn shown(&self, path: &str) -> String {
        let response = self.asked("GET", path, "");
        assert_eq!(response.status().as_u16(), 200, "{path}");
        String::from_utf8(response.body().to_vec()).expect("text")
    }

    fn asked(&self, method: &str, path: &str, body: &str) -> http::Response<Bytes> {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.at))
            .header("authorization", "Basic dXNlcjpzZWNyZXQ=")
            .header("content-type", "text/calendar; charset=utf-8")
            .body(Bytes::from(body.to_owned()));
        self.carry(&request.expect("a request")).expect("an answer")
    }

    fn carry(&self, request: &http::Request<Bytes>) -> Result<http::Response<Bytes>, HttpError> {
        let broken = |reason: &str| HttpError::Unanswered { host: "server".to_owned(), reason: reason.to_owned() };
        let io = |error: std::io::Error| broken(&error.to_string());
        assert_eq!(request.uri().authority().expect("a host").as_str(), self.at.to_string());
        let mut stream = TcpStream::connect(self.at).map_err(io)?;
        stream.set_read_timeout(Some(ANSWER_MAX)).map_err(io)?;
        let path = request.uri().path_and_query().expect("a path");
        let mut head = format!("{} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", request.method(), self.at);
        for (name, value) in request.headers() {
            head += &format!("{name}: {}\r\n", value.to_str().expect("a header of text"));
        }
        head += &format!("content-length: {}\r\n\r\n", request.body().len());
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(request.body())).map_err(io)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map_err(io)?;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(|| broken("no head"))?;
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or_else(|| broken("no status"))?;
        let mut response = http::Response::builder().status(status);
        let mut is_chunked = false;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            is_chunked |=
                name.eq_ignore_ascii_case("transfer-encoding") && value.trim().eq_ignore_ascii_case("chunked");
            response = response.header(name, value.trim());
        }
        let body = if is_chunked { unchunked(&answer[end + 4..]) } else { answer[end + 4..].to_vec() };
        *self.bytes.lock().expect("no panic") = request.body().len() + body.len();
        response.body(Bytes::from(body)).map_err(|_| broken("no answer"))
    }
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).expect("a size");
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default(), 16).expect("a size");
        let start = end + 2;
        body.extend_from_slice(&rest[start..start + size]);
        rest = &rest[start + size + 2..];
        if size == 0 {
            break;
        }
    }
    body
}

impl Http for Line {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpError>> {
        let asks = String::from_utf8_lossy(request.body()).contains("sync-collection");
        let answer = if asks && *self.without_sync.lock().expect("no panic") {
            let body = "<error xmlns=\"DAV:\"><supported-report/></error>";
            Ok(http::Response::builder().status(403).body(Bytes::from(body)).expect("an answer"))
        } else {
            self.carry(&request)
        };
        Box::pin(std::future::ready(answer))
    }
}
