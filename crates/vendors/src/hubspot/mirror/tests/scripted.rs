//! What the imitation account never answers: answers that are short of something, as scripts.

use std::{collections::VecDeque, sync::Mutex};

use bytes::Bytes;
use futures::FutureExt;
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use syncline_connect::{
    BoxFuture, Cx, ErrorKind, Http, HttpError, Mirror, Retry, Secret, Settings,
    mirror::{Ask, From, RowOutcome, RowWrite, Written},
};
use url::Url;

use super::lab::{create, text, update};
use crate::hubspot::HubSpot;

/// Answers one after the other, and what was asked.
pub struct Script {
    answers: Mutex<VecDeque<(u16, String)>>,
    asked: Mutex<Vec<Json>>,
}

impl Script {
    pub fn of(answers: impl IntoIterator<Item = (u16, Json)>) -> Self {
        let answers = answers.into_iter().map(|(status, body)| (status, body.to_string())).collect();
        Self { answers: Mutex::new(answers), asked: Mutex::default() }
    }

    pub fn run<T>(&self, act: impl FnOnce(&Cx<'_>) -> T) -> T {
        let (base_url, bearer) = (Url::parse("https://api.hubapi.com").unwrap(), Secret::new("token"));
        let cx = Cx {
            http: self,
            now: Timestamp::UNIX_EPOCH,
            base_url: &base_url,
            bearer: &bearer,
            settings: &Settings::new(),
        };
        act(&cx)
    }

    pub fn write(&self, rows: &[RowWrite]) -> (Vec<RowOutcome>, u32) {
        let answered = self.run(|cx| HubSpot.write(cx, "contacts", rows).now_or_never().unwrap()).unwrap();
        match answered.value {
            Written::Rows(outcomes) => (outcomes, answered.calls),
            Written::Later { .. } => panic!("not at once"),
        }
    }
}

impl Http for Script {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpError>> {
        assert_eq!(request.headers()["authorization"], "Bearer token");
        self.asked.lock().unwrap().push(serde_json::from_slice(request.body()).unwrap_or(Json::Null));
        let (status, body) = self.answers.lock().unwrap().pop_front().expect("a call more than the script has answers");
        let response = http::Response::builder().status(status).body(Bytes::from(body)).unwrap();
        Box::pin(std::future::ready(Ok(response)))
    }
}

fn updates(count: usize) -> Vec<RowWrite> {
    (1..=count).map(|id| update(&id.to_string(), &[("lastname", text("x"))])).collect()
}

fn done(ids: &[&str]) -> Json {
    let results: Vec<Json> = ids.iter().map(|id| json!({"id": id, "properties": {}})).collect();
    json!({"status": "COMPLETE", "results": results})
}

#[test]
fn a_batch_that_is_refused_as_a_whole_is_halved_until_the_row_is_found() {
    let wrong = json!({"status": "error", "category": "VALIDATION_ERROR", "errors": [
        {"code": "INVALID_OPTION", "message": "no", "context": {"propertyName": ["lastname"]}},
    ]});
    let script = Script::of([
        (400, wrong.clone()),
        (200, done(&["2", "1"])),
        (400, wrong.clone()),
        (400, wrong),
        (200, done(&["4"])),
    ]);
    let (outcomes, calls) = script.write(&updates(4));
    assert_eq!(calls, 5);
    for (at, outcome) in outcomes.iter().enumerate() {
        match outcome {
            RowOutcome::Done { id } => assert_eq!(id.as_str(), (at + 1).to_string()),
            RowOutcome::Refused(error) => assert_eq!((at, error.kind), (2, ErrorKind::Invalid)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_rows_error_is_found_by_its_trace_whatever_that_is_called() {
    let answer = json!({"status": "COMPLETE", "results": [{"id": "1", "objectWriteTraceId": "row-0"}], "numErrors": 2, "errors": [
        {"status": "error", "category": "VALIDATION_ERROR", "context": {"someName": ["row-1"]}, "errors": [{"code": "INVALID_LONG"}]},
        {"status": "error", "category": "OBJECT_NOT_FOUND", "context": {"ids": ["3"]}},
    ]});
    let (outcomes, _) = Script::of([(207, answer)]).write(&updates(4));
    let kinds: Vec<Option<ErrorKind>> = outcomes
        .iter()
        .map(|outcome| match outcome {
            RowOutcome::Refused(error) | RowOutcome::Unknown(error) => Some(error.kind),
            _ => None,
        })
        .collect();
    let expected = [None, Some(ErrorKind::Invalid), Some(ErrorKind::Gone), Some(ErrorKind::UnknownOutcome)];
    assert_eq!(kinds, expected, "of the last row nothing is said");
}

#[test]
fn a_made_record_is_found_by_its_key_where_no_trace_comes_back() {
    let answer = json!({"status": "COMPLETE", "results": [
        {"id": "12", "properties": {"syncline_key": "sy_2"}, "new": true},
        {"id": "11", "properties": {"syncline_key": "sy_1"}, "new": true},
    ]});
    let script = Script::of([(201, answer)]);
    let rows = ["sy_1", "sy_2"].map(|key| create(key, &[("lastname", text("x"))]));
    let (outcomes, _) = script.write(&rows);
    assert_eq!(outcomes, ["11", "12"].map(|id| RowOutcome::Done { id: id.into() }));
    let asked = script.asked.into_inner().unwrap().remove(0);
    assert_eq!(
        asked["inputs"][0],
        json!({"id": "sy_1", "idProperty": "syncline_key", "objectWriteTraceId": "row-0",
               "properties": {"lastname": "x", "syncline_key": "sy_1"}})
    );
}

#[test]
fn pages_of_html_and_half_answers_are_understood() {
    let asks = [Ask { kind: "contacts", fields: &[], start: From::Beginning }];
    let cases = [
        (404, json!("<html>"), ErrorKind::Configuration, Retry::Never),
        (502, json!("<html>"), ErrorKind::Unavailable, Retry::Backoff),
        (200, json!("<html>"), ErrorKind::Protocol, Retry::Backoff),
        (200, json!({"results": [], "paging": {"next": {"after": "a b"}}}), ErrorKind::Protocol, Retry::Backoff),
    ];
    for (status, body, kind, retry) in cases {
        let script = Script::of([(status, body)]);
        let error = script.run(|cx| HubSpot.changes(cx, &asks).now_or_never().unwrap()).unwrap_err();
        assert_eq!((error.kind, error.retry), (kind, retry), "{status}");
    }
    let script = Script::of([(200, json!("cut"))]);
    assert!(matches!(script.write(&updates(1)).0[0], RowOutcome::Unknown(_)));
}
