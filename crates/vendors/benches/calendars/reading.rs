//! Our reading, in a process of its own: the connector over a socket, and what it says of itself at the end.

use std::{path::Path, process::Command, time::Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use syncline_connect::{
    BoxFuture, Calendars, Cx, Http, HttpError, Secret, Settings,
    calendar::{CalendarId, Changes, From, Reading},
};
use syncline_core::Clock;
use syncline_vendors::{caldav::CalDav, google::Google, microsoft::Microsoft};
use tokio::{net::TcpStream, sync::Mutex};

use super::collection::PATH;

/// The word with which the benchmark starts itself.
const WORD: &str = "--read";
/// The day that it is for whoever reads.
const TODAY: &str = "2026-03-13T08:00:00Z";

/// What a reading says of itself.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Said {
    pub events: usize,
    pub calls: u32,
    /// From the first question to the last event, without the start of the process.
    pub seconds: f64,
    pub peak_kb: usize,
}

/// Who reads, where, and as whom.
pub struct Task<'a> {
    /// `caldav`, `google` or `microsoft`.
    pub vendor: &'a str,
    pub base: &'a str,
    pub bearer: &'a str,
    /// The file with the cursor.
    pub cursor: &'a Path,
}

impl<'a> Task<'a> {
    /// The task of a process that [`Task::command`] started.
    pub fn of(args: &'a [String]) -> Option<Self> {
        let [word, vendor, base, bearer, cursor] = args else { return None };
        (word == WORD).then(|| Self { vendor, base, bearer, cursor: Path::new(cursor) })
    }

    /// This program once more, to do it.
    pub fn command(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args([WORD, self.vendor, self.base, self.bearer]).arg(self.cursor);
        command
    }
}

/// The clock of whoever reads, and of the imitations.
pub struct Today;

impl Clock for Today {
    fn now(&self) -> jiff::Timestamp {
        TODAY.parse().expect("a time")
    }
}

/// Reads what is new since the cursor in the file, everything where there is none, and leaves the new one there.
pub fn read(task: &Task<'_>) -> Said {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(reading(task))
}

async fn reading(task: &Task<'_>) -> Said {
    let http = Line { connection: Mutex::default() };
    let (base_url, bearer) = (task.base.parse().expect("an address"), Secret::new(task.bearer));
    let settings = Settings::new();
    let cx = Cx { http: &http, now: Today.now(), base_url: &base_url, bearer: &bearer, settings: &settings };
    let (calendars, calendar): (&dyn Calendars, _) = match task.vendor {
        "google" => (&Google, "primary"),
        "microsoft" => (&Microsoft, "primary"),
        _ => (&CalDav, PATH),
    };
    let calendar = CalendarId(calendar.to_owned());
    let file = task.cursor;
    let mut cursor = std::fs::read_to_string(file).ok();
    let began = Instant::now();
    let (mut events, mut calls) = (Vec::new(), 0);
    loop {
        let from = cursor.as_deref().map_or(From::Beginning, From::Cursor);
        let answered = calendars.changes(&cx, &calendar, from).await.expect("the server answers");
        let Changes::Page(page) = answered.value else { panic!("the cursor is known") };
        calls += answered.calls;
        cursor = Some(page.cursor);
        events.extend(page.events);
        if page.reading != Reading::More {
            break;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let readable = events.iter().filter(|event| event.content().is_some()).count();
    assert_eq!(readable, events.len(), "every event is understood");
    std::fs::write(file, cursor.unwrap_or_default()).expect("the cursor is kept");
    Said { events: events.len(), calls, seconds, peak_kb: super::peak_kb("self").unwrap_or_default() }
}

/// One connection that is kept, as the product's client keeps it; neither addresses nor sizes are checked.
struct Line {
    connection: Mutex<Option<SendRequest<Full<Bytes>>>>,
}

impl Line {
    async fn exchange(&self, mut request: http::Request<Bytes>) -> Result<http::Response<Bytes>, hyper::Error> {
        let authority = request.uri().authority().expect("a whole address").as_str().to_owned();
        request.headers_mut().insert(http::header::HOST, authority.parse().expect("a host"));
        let path = request.uri().path_and_query().expect("a path").as_str().parse().expect("a path");
        *request.uri_mut() = path;
        let mut kept = self.connection.lock().await;
        if kept.as_ref().is_none_or(SendRequest::is_closed) {
            let stream = TcpStream::connect(&authority).await.expect("the server is there");
            stream.set_nodelay(true).expect("a socket");
            let (sender, connection) = handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            *kept = Some(sender);
        }
        let sender = kept.as_mut().expect("it was just made");
        sender.ready().await?;
        let (parts, body) = sender.send_request(request.map(Full::new)).await?.into_parts();
        Ok(http::Response::from_parts(parts, body.collect().await?.to_bytes()))
    }
}

impl Http for Line {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpError>> {
        Box::pin(async move {
            let broken =
                |error: hyper::Error| HttpError::Unanswered { host: "server".into(), reason: error.to_string() };
            self.exchange(request).await.map_err(broken)
        })
    }
}
