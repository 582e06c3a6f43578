//! What carries the tests' calls: it looks at whatever leaves, and may change what comes back.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use serde_json::Value;
use syncline_connect::{BoxFuture, Http, HttpError};
use syncline_sandbox::MicrosoftTenant;

use crate::testing::site::Calls;

/// Far more often than any call here is waited for.
const POLLS_MAX: usize = 10_000;

/// Requests of one batch that the service takes, restated from its documents.
const BATCH_MAX: usize = 20;

/// Changes an answer, by the path that was asked.
pub type Alter = Box<dyn Fn(&str, &mut (u16, Value)) + Send + Sync>;

/// Every request is looked at. No answer comes before it was waited for, so that calls that are made together are seen.
pub struct Watched {
    site: Arc<MicrosoftTenant>,
    alter: Option<Alter>,
    may_write: bool,
    under_way: AtomicBool,
}

impl Watched {
    pub fn new(site: Arc<MicrosoftTenant>) -> Self {
        Self { site, alter: None, may_write: false, under_way: AtomicBool::new(false) }
    }

    pub fn writing(site: Arc<MicrosoftTenant>) -> Self {
        Self { may_write: true, ..Self::new(site) }
    }

    pub fn altered(site: Arc<MicrosoftTenant>, alter: Alter) -> Self {
        Self { alter: Some(alter), ..Self::writing(site) }
    }
}

impl Http for Watched {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        look_at(&request, self.may_write);
        let path = request.uri().path().to_owned();
        Box::pin(async move {
            // The service works on four calls of a mailbox at a time, and of one batch on as many as that.
            assert!(!self.under_way.swap(true, Ordering::Relaxed), "two calls at a time");
            pause().await;
            let answer = Calls(self.site.clone()).send(request).await;
            self.under_way.store(false, Ordering::Relaxed);
            answer.map(|answer| self.altered_answer(&path, answer))
        })
    }
}

impl Watched {
    fn altered_answer(&self, path: &str, answer: Response<Bytes>) -> Response<Bytes> {
        let Some(alter) = &self.alter else { return answer };
        let (mut parts, body) = answer.into_parts();
        let mut told = (parts.status.as_u16(), serde_json::from_slice(&body).unwrap_or_default());
        alter(path, &mut told);
        parts.status = told.0.try_into().expect("a status");
        let body = if told.1.is_null() { Bytes::new() } else { told.1.to_string().into() };
        Response::from_parts(parts, body)
    }
}

/// What is to be so of every request but those for tokens, and of every request within a batch.
fn look_at(request: &Request<Bytes>, may_write: bool) {
    if request.uri().path().ends_with("/token") {
        return;
    }
    check_wishes(request.headers());
    assert!(request.headers()["authorization"].is_sensitive());
    if request.uri().path() != "/v1.0/$batch" {
        let subscribes = request.uri().path().starts_with("/v1.0/subscriptions");
        assert!(may_write || subscribes || request.method() == "GET", "{}", request.method());
        return;
    }
    let batch: Value = serde_json::from_slice(request.body()).expect("JSON");
    let parts = batch["requests"].as_array().expect("requests");
    assert!((1..=BATCH_MAX).contains(&parts.len()));
    for part in parts {
        assert_eq!(part["method"], "GET");
        let prefer = part["headers"]["Prefer"].as_str().expect("wishes").parse().expect("a header");
        check_wishes(&HeaderMap::from_iter([(http::HeaderName::from_static("prefer"), prefer)]));
    }
}

fn check_wishes(headers: &HeaderMap) {
    let wishes = headers["prefer"].to_str().expect("words");
    for wish in ["IdType=\"ImmutableId\"", "outlook.timezone=\"UTC\""] {
        assert!(wishes.contains(wish), "{wish} in {wishes}");
    }
}

async fn pause() {
    let mut paused = false;
    poll_fn(|_| if std::mem::replace(&mut paused, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// Runs to the end; nobody here waits for anybody but us.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..POLLS_MAX {
        if let Poll::Ready(done) = future.as_mut().poll(&mut cx) {
            return done;
        }
    }
    panic!("it never ends");
}
