//! `composite/batch`: requests that know nothing of each other; each counts as a call of its own.

use serde_json::{Value, json};

use super::{Answer, Call, Headers, Payload, params, segments};
use crate::salesforce::{
    SalesforceOrg, State,
    error::{ApiError, Outcome},
};

/// Sub-requests in a batch ("Batch", read 2026-11-21).
const MAX_BATCH: usize = 25;

impl SalesforceOrg {
    pub(super) fn batch(&self, state: &mut State, call: &mut Call<'_>) -> Outcome<Answer> {
        let mut body = call.object()?;
        let halt = body.get("haltOnError").and_then(Value::as_bool).unwrap_or(false);
        let Some(Value::Array(requests)) = body.get_mut("batchRequests").map(Value::take) else {
            return Err(ApiError::request("INVALID_ARGUMENT", "The 'batchRequests' parameter is required"));
        };
        if requests.len() > MAX_BATCH {
            let message = format!("Batch size exceeds the limit of {MAX_BATCH}");
            return Err(ApiError::request("LIMIT_EXCEEDED", message));
        }
        state.subrequests += requests.len();
        let (mut results, mut failed) = (Vec::with_capacity(requests.len()), false);
        for mut request in requests {
            if failed && halt {
                let error = json!([{"errorCode": "BATCH_PROCESSING_HALTED",
                    "message": "Batch processing halted per request"}]);
                results.push(json!({"statusCode": 412, "result": error}));
                continue;
            }
            state.usage.count(call.asker.now);
            let answer = self.batch_one(state, call, &mut request);
            failed |= answer.status >= 400;
            let status = answer.status;
            results.push(json!({"statusCode": status, "result": answer.into_value()}));
        }
        Ok(Answer::ok(json!({"hasErrors": failed, "results": results})))
    }

    fn batch_one(&self, state: &mut State, call: &Call<'_>, request: &mut Value) -> Answer {
        let method = request["method"].as_str().unwrap_or("GET").to_ascii_uppercase();
        let url = request["url"].as_str().unwrap_or_default().to_owned();
        let trimmed = url.trim_start_matches('/').trim_start_matches("services/data/");
        let full = format!("/services/data/{trimmed}");
        let Some((version, path, query)) = self.split_url(&full) else {
            return Answer::error(&ApiError::not_found());
        };
        let body = match request.get_mut("richInput").map(Value::take) {
            None | Some(Value::Null) => Payload::None,
            Some(body) => Payload::Json(body),
        };
        let headers = Headers {
            auto_assign: call.headers.auto_assign.clone(),
            duplicates: call.headers.duplicates,
            ..Headers::default()
        };
        let path = segments(path);
        if path.first().is_some_and(|first| first == "composite") && path.get(1).is_some_and(|second| second == "batch")
        {
            return Answer::error(&ApiError::request("INVALID_ARGUMENT", "a batch cannot hold a batch"));
        }
        let mut sub = Call { method: &method, version, path, params: params(query), headers, body, asker: call.asker };
        self.rest(state, &mut sub)
    }
}
