//! A calendar collection that answers at once: every answer was made before anybody asked, so that whoever reads is what is
//! measured. It counts what goes over the line. Only reading: nobody here has anything to write.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use syncline_sandbox::{Delivery, Reply, Site};

use super::events;

/// Where the collection is.
pub const PATH: &str = "/user/meetings/";

const TOKEN: &str = "http://calendars.example/sync/1";

/// What went over the line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    pub requests: usize,
    /// Bodies, there and back, and of the collection headers, too.
    pub bytes: usize,
    /// What answering took.
    pub busy: Duration,
}

/// The collection with its answers.
pub struct Collection {
    itself: Bytes,
    listing: Bytes,
    versions: Bytes,
    unchanged: Bytes,
    whole: Bytes,
    /// Answers for single members, by path.
    members: HashMap<String, String>,
    tally: Mutex<Tally>,
}

impl Collection {
    pub fn new(size: usize) -> Self {
        let (mut listing, mut versions, mut whole) = (of_itself(), String::new(), String::new());
        let mut members = HashMap::with_capacity(size);
        for number in 0..size {
            let path = format!("{PATH}{}.ics", events::uid(number));
            let etag = format!("<getetag>&quot;{number:016x}&quot;</getetag>");
            let kind = "<getcontenttype>text/calendar; charset=utf-8; component=VEVENT</getcontenttype><resourcetype/>";
            listing.push_str(&row(&path, &format!("{etag}{kind}")));
            versions.push_str(&row(&path, &etag));
            let text = escaped(&events::resource(number));
            let member = row(&path, &format!("{etag}<c:calendar-data>{text}</c:calendar-data>"));
            whole.push_str(&member);
            members.insert(path, member);
        }
        let token = format!("<sync-token>{TOKEN}</sync-token>");
        Self {
            itself: told(&of_itself()),
            listing: told(&listing),
            versions: told(&format!("{versions}{token}")),
            unchanged: told(&token),
            whole: told(&whole),
            members,
            tally: Mutex::default(),
        }
    }

    /// The bytes of all events in one answer.
    pub fn bytes(&self) -> usize {
        self.whole.len()
    }

    /// What was said since the last time it was asked.
    pub fn take(&self) -> Tally {
        std::mem::take(&mut *self.tally.lock().expect("no request panicked"))
    }

    fn answer(&self, request: &Request<Bytes>) -> (StatusCode, Bytes) {
        let body = std::str::from_utf8(request.body()).unwrap_or_default();
        let members = request.headers().get("depth").is_some_and(|depth| depth.as_bytes() == b"1");
        let told = |body: &Bytes| (StatusCode::MULTI_STATUS, body.clone());
        match request.method().as_str() {
            "PROPFIND" if members => told(&self.listing),
            "PROPFIND" => told(&self.itself),
            "REPORT" if body.contains("sync-collection") => match token(body) {
                None => told(&self.versions),
                Some(TOKEN) => told(&self.unchanged),
                Some(_) => (StatusCode::FORBIDDEN, "<error xmlns=\"DAV:\"><valid-sync-token/></error>".into()),
            },
            "REPORT" if body.contains("calendar-multiget") => (StatusCode::MULTI_STATUS, self.named(body)),
            "REPORT" if body.contains("calendar-query") => told(&self.whole),
            _ => (StatusCode::METHOD_NOT_ALLOWED, Bytes::new()),
        }
    }

    /// The members that a question names.
    fn named(&self, body: &str) -> Bytes {
        let gone = |path: &str| {
            format!("<response><href>{}</href><status>HTTP/1.1 404 Not Found</status></response>", escaped(path))
        };
        let paths = body.split("href>").skip(1).step_by(2).filter_map(|rest| rest.split("</").next());
        let rows: String = paths.map(|path| self.members.get(path).cloned().unwrap_or_else(|| gone(path))).collect();
        told(&rows)
    }
}

impl Site for Collection {
    fn handle(&self, _base: &str, request: Request<Bytes>) -> Reply {
        let began = Instant::now();
        let (status, body) = self.answer(&request);
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let kind = http::HeaderValue::from_static("application/xml; charset=utf-8");
        response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
        let asked = "PROPFIND  HTTP/1.1\r\n".len() + request.uri().path().len() + headers(request.headers());
        let answered = "HTTP/1.1 207 Multi-Status\r\n".len() + headers(response.headers());
        let mut tally = self.tally.lock().expect("no request panicked");
        tally.requests += 1;
        tally.bytes += asked + request.body().len() + answered + response.body().len();
        tally.busy += began.elapsed();
        Reply { response, delay: Duration::ZERO, deliver: Delivery::Answer }
    }
}

fn headers(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum()
}

/// The token of a question; `None`: all is asked for.
fn token(body: &str) -> Option<&str> {
    let (_, rest) = body.split_once("sync-token>")?;
    rest.split("</").next().filter(|token| !token.is_empty())
}

fn of_itself() -> String {
    let reports = ["sync-collection", "c:calendar-multiget", "c:calendar-query"]
        .map(|report| format!("<supported-report><report><{report}/></report></supported-report>"))
        .concat();
    row(
        PATH,
        &format!(
            "<resourcetype><collection/><c:calendar/></resourcetype><displayname>Work</displayname>\
             <current-user-principal><href>/user/</href></current-user-principal>\
             <c:calendar-home-set><href>/user/</href></c:calendar-home-set>\
             <supported-report-set>{reports}</supported-report-set>\
             <c:calendar-timezone-id>Europe/Berlin</c:calendar-timezone-id>"
        ),
    )
}

fn row(path: &str, props: &str) -> String {
    format!(
        "<response><href>{path}</href><propstat><prop>{props}</prop><status>HTTP/1.1 200 OK</status></propstat></response>"
    )
}

fn told(rows: &str) -> Bytes {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
         <multistatus xmlns=\"DAV:\" xmlns:c=\"urn:ietf:params:xml:ns:caldav\">{rows}</multistatus>"
    )
    .into()
}

/// A carriage return that is not written as a number would be read as a line feed.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#13;")
}
