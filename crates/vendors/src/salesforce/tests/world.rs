//! A world of one vendor's answers: each call takes the next one, and what was sent can be looked at afterwards.

use std::{collections::VecDeque, sync::Mutex};

use bytes::Bytes;
use futures::FutureExt;
use jiff::Timestamp;
use serde_json::Value as Json;
use syncline_connect::{BoxFuture, Cx, Http, HttpError, Secret, Settings};
use url::Url;

/// What happens to a call.
pub enum Turn {
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8> },
    NotSent,
    Lost,
}

/// An answer with a JSON body.
pub fn json(status: u16, body: Json) -> Turn {
    Turn::Answer { status, headers: Vec::new(), body: body.to_string().into_bytes() }
}

/// An answer with any body.
pub fn raw(status: u16, body: impl Into<Vec<u8>>) -> Turn {
    Turn::Answer { status, headers: Vec::new(), body: body.into() }
}

/// What was sent.
pub struct Seen {
    pub line: String,
    pub headers: http::HeaderMap,
    pub body: String,
}

impl Seen {
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub struct World {
    turns: Mutex<VecDeque<Turn>>,
    seen: Mutex<Vec<Seen>>,
    pub base_url: Url,
    pub bearer: Secret,
    pub settings: Settings,
}

impl World {
    pub fn with(turns: impl IntoIterator<Item = Turn>) -> Self {
        Self {
            turns: Mutex::new(turns.into_iter().collect()),
            seen: Mutex::default(),
            base_url: Url::parse("https://acme.my.salesforce.com").unwrap(),
            bearer: Secret::new("the-token"),
            settings: Settings::new(),
        }
    }

    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn cx(&self) -> Cx<'_> {
        Cx {
            http: self,
            now: Timestamp::UNIX_EPOCH,
            base_url: &self.base_url,
            bearer: &self.bearer,
            settings: &self.settings,
        }
    }

    /// Everything that was sent, once every answer was taken.
    pub fn seen(self) -> Vec<Seen> {
        assert!(self.turns.into_inner().unwrap().is_empty(), "an answer was never asked for");
        self.seen.into_inner().unwrap()
    }
}

impl Http for World {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpError>> {
        let (parts, body) = request.into_parts();
        let host = parts.uri.host().unwrap().to_owned();
        self.seen.lock().unwrap().push(Seen {
            line: format!("{} {}", parts.method, parts.uri),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        });
        let turn = self.turns.lock().unwrap().pop_front().expect("a call more than the world has answers for");
        Box::pin(async move {
            match turn {
                Turn::NotSent => Err(HttpError::NotSent { host, reason: "refused".into() }),
                Turn::Lost => Err(HttpError::Unanswered { host, reason: "reset".into() }),
                Turn::Answer { status, headers, body } => {
                    let mut response = http::Response::builder().status(status);
                    for (name, value) in headers {
                        response = response.header(name, value);
                    }
                    Ok(response.body(Bytes::from(body)).unwrap())
                }
            }
        })
    }
}

/// Runs what never has to wait, because the world answers at once.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing here waits")
}

/// Percent-decodes a query's address.
pub fn soql_of(url: &str) -> String {
    let (_, query) = url.split_once('?').unwrap();
    url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "q").unwrap().1.into_owned()
}
