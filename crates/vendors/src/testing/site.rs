//! A sandbox at which tests poll: requests are function calls, time is moved by hand.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use syncline_connect::{
    BoxFuture, Cx, Http, HttpError, Page, Poll, RawRequest, Secret, Settings, Start,
    http::{Incoming, Outgoing, Part},
};
use syncline_core::{
    Clock,
    booking::{
        chain::ChainState,
        message::{Booking, BookingMessage},
    },
};
use syncline_sandbox::{
    Delivery, Site, Webhook,
    talk::{self, Say},
};
use url::Url;

/// The time, moved by hand.
pub struct Hands(Mutex<Timestamp>);

impl Hands {
    pub fn at(time: &str) -> Arc<Self> {
        Arc::new(Self(Mutex::new(time.parse().expect("a time"))))
    }

    pub fn pass(&self, seconds: i64) {
        *self.0.lock().expect("a test panicked") += SignedDuration::from_secs(seconds);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("a test panicked")
    }
}

/// Carries requests to a sandbox.
pub struct Calls<S>(pub Arc<S>);

impl<S: Site> Http for Calls<S> {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpError>> {
        carried(&*self.0, request)
    }

    fn open(&self, request: http::Request<Outgoing>) -> BoxFuture<'_, Result<http::Response<Incoming>, HttpError>> {
        let (head, mut said) = request.into_parts();
        assert!(self.0.talks(&head), "nobody talks at {}", head.uri);
        let (ours, theirs) = talk::ends();
        tokio::spawn(Arc::clone(&self.0).talk(head, ours));
        let say = theirs.say;
        tokio::spawn(async move {
            while let Some(bytes) = said.next().await {
                if say.send(bytes).await.is_err() {
                    return;
                }
            }
        });
        let parts = stream::unfold(theirs.said, |mut said| async move {
            let part = match said.recv().await? {
                Say::Bytes(bytes) => Part::Bytes(bytes),
                Say::Trailers(trailers) => Part::Trailers(trailers),
            };
            Some((Ok(part), said))
        });
        let mut response = http::Response::new(Box::pin(parts) as Incoming);
        let kind = http::HeaderValue::from_static("application/grpc");
        response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
        Box::pin(std::future::ready(Ok(response)))
    }
}

fn carried(
    site: &impl Site,
    request: http::Request<Bytes>,
) -> BoxFuture<'static, Result<http::Response<Bytes>, HttpError>> {
    let reply = site.handle("http://sandbox", request);
    let answer = match reply.deliver {
        Delivery::Answer => Ok(reply.response),
        Delivery::Truncate | Delivery::DropConnection => {
            Err(HttpError::Unanswered { host: "sandbox".to_owned(), reason: "the connection broke".to_owned() })
        }
    };
    Box::pin(std::future::ready(answer))
}

/// Somebody on the way answers every write with a page of their own, as a success; what is read arrives.
pub struct Portal<S>(pub Arc<S>);

impl<S: Site> Http for Portal<S> {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpError>> {
        if request.method() == http::Method::GET {
            return carried(&*self.0, request);
        }
        let page = Bytes::from_static(b"<!doctype html><title>Welcome</title><p>Please sign in.</p>");
        let answer = http::Response::builder().header("content-type", "text/html").body(page);
        Box::pin(std::future::ready(Ok(answer.expect("a page"))))
    }
}

/// What a connector sees while a test asks.
pub struct Asker {
    pub http: Box<dyn Http>,
    pub hands: Arc<Hands>,
    pub base_url: Url,
    pub bearer: Secret,
    pub settings: Settings,
}

impl Asker {
    pub fn cx(&self) -> Cx<'_> {
        Cx {
            http: &*self.http,
            now: self.hands.now(),
            base_url: &self.base_url,
            bearer: &self.bearer,
            settings: &self.settings,
        }
    }

    /// One page.
    pub fn page(&self, poll: &dyn Poll, start: Start<'_>) -> Result<(Page, u32), syncline_connect::Error> {
        let cx = self.cx();
        let answered = poll.poll(&cx, start).now_or_never().expect("a sandbox answers at once")?;
        assert!(answered.calls <= poll.calls_per_page(), "{} calls for one page", answered.calls);
        Ok((answered.value, answered.calls))
    }

    /// Polls until there is no more, waiting as the vendor wants between pages; the rows' messages, and the cursor.
    pub fn poll(&self, poll: &dyn Poll, cursor: &mut Option<String>, since: Timestamp) -> Vec<BookingMessage> {
        let mut messages = Vec::new();
        for _ in 0..200 {
            let start = cursor.as_deref().map_or(Start::Since(since), Start::Cursor);
            let (page, calls) = self.page(poll, start).expect("the sandbox answers");
            for row in page.rows {
                messages.extend(row.content.expect("the row can be read"));
            }
            *cursor = Some(page.cursor);
            if !page.more {
                return messages;
            }
            self.hands.pass(i64::from(calls * 60 / poll.calls_per_minute()) + 1);
        }
        panic!("the poll does not end");
    }
}

/// A sandbox's webhook as it would arrive.
pub fn raw(webhook: &Webhook) -> RawRequest {
    let mut headers = http::HeaderMap::new();
    for (name, value) in &webhook.headers {
        headers.insert(*name, value.parse().expect("a header"));
    }
    RawRequest { headers, body: Bytes::copy_from_slice(&webhook.body) }
}

/// The chains that messages come to, each folded for itself, by the smallest booking of each.
pub fn chains(messages: &[BookingMessage]) -> Vec<(String, ChainState)> {
    let mut groups: Vec<(std::collections::BTreeSet<String>, Vec<&BookingMessage>)> = Vec::new();
    for message in messages {
        let mut ties: std::collections::BTreeSet<String> =
            message.ties().into_iter().map(|key| key.as_str().to_owned()).collect();
        let mut all = vec![message];
        let (tied, rest): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(keys, _)| !keys.is_disjoint(&ties));
        for (keys, messages) in tied {
            ties.extend(keys);
            all.extend(messages);
        }
        groups = rest;
        groups.push((ties, all));
    }
    let mut chains: Vec<(String, ChainState)> = groups
        .into_iter()
        .map(|(keys, messages)| (keys.into_iter().next().unwrap_or_default(), super::fold(messages)))
        .collect();
    chains.sort_by(|one, other| one.0.cmp(&other.0));
    chains
}

/// All that anybody sees of a chain. How a message told of a move is not part of it: only the moves themselves are.
pub fn shown(state: &ChainState) -> String {
    let Some(view) = state.view() else { return String::new() };
    let content =
        Booking { previous_start: None, reschedule_reason: None, rescheduled_by: None, ..view.content.clone() };
    let (ever, who) = ((view.ever_booked, view.ever_requested), (&view.other_seats, &view.no_shows));
    format!("{:?} {ever:?} {:?} {who:?} {content:?}", view.standing, view.moves)
}
