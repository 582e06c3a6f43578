//! Bulk API 2.0: jobs that write or read many records, brought on by the org's own clock.

mod csv;
mod ingest;
mod job;
mod queries;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use self::job::{Job, JobState, Work, delimiter};
use super::{Answer, Call, Content, Payload};
use crate::salesforce::{
    SalesforceOrg, State,
    error::{ApiError, Outcome},
    events::Author,
    id::Id,
};

pub use job::Jobs;

/// Largest upload ("Bulk API limits", read 2026-11-21: 150 MB encoded, 100 MB as it is sent).
const MAX_UPLOAD_BYTES: usize = 100_000_000;
/// The parts of a job's results, as their paths name them.
const RESULTS: [&str; 3] = ["successfulResults", "failedResults", "unprocessedrecords"];

fn wrong_state(job: &Job, wanted: &str) -> ApiError {
    let message = format!("job {} is {}: {wanted}", job.id.as_str(), job.state.name());
    ApiError::request("INVALIDJOBSTATE", message)
}

fn text<'m>(body: &'m Map<String, Value>, name: &str) -> Option<&'m str> {
    body.get(name).and_then(Value::as_str)
}

fn csv(text: String) -> Answer {
    Answer { status: 200, body: Content::Text("text/csv", text), headers: Vec::new() }
}

impl SalesforceOrg {
    /// Everything under `jobs`.
    pub(super) fn jobs(&self, state: &mut State, call: &mut Call<'_>, rest: &[&str]) -> Outcome<Answer> {
        let (kind, rest) = rest.split_first().ok_or_else(ApiError::not_found)?;
        let queries = match *kind {
            "ingest" => false,
            "query" => true,
            _ => return Err(ApiError::not_found()),
        };
        let method = call.method;
        match (rest, method) {
            ([], "POST") => self.open_job(state, call, queries),
            ([], "GET") => {
                let jobs = state.jobs.all().filter(|job| job.work.is_query() == queries);
                let records: Vec<Value> = jobs.map(|job| job.shown(false)).collect();
                Ok(Answer::ok(json!({"done": true, "nextRecordsUrl": null, "records": records})))
            }
            ([id], "GET") => find(state, id, queries).map(|job| Answer::ok(job.shown(true))),
            ([id], "PATCH") => self.turn_job(state, call, id, queries),
            ([id], "DELETE") => {
                let job = find(state, id, queries)?;
                if matches!(job.state, JobState::Open | JobState::InProgress) {
                    return Err(wrong_state(job, "it cannot be deleted"));
                }
                let id = job.id;
                state.jobs.remove(id);
                Ok(Answer::empty(204))
            }
            ([id, "batches"], "PUT") if !queries => upload(state, call, id),
            ([id, "results"], "GET") if queries => queries::results(find(state, id, true)?, call),
            ([id, part], "GET") if !queries => {
                let part = RESULTS.iter().position(|known| known == part).ok_or_else(ApiError::not_found)?;
                let job = find(state, id, false)?;
                if !job.state.ended() {
                    return Err(wrong_state(job, "it has no results yet"));
                }
                Ok(csv(job.results[part].clone()))
            }
            (_, method) => Err(ApiError::method_not_allowed(method, "GET,POST,PATCH,PUT,DELETE")),
        }
    }

    fn open_job(&self, state: &mut State, call: &mut Call<'_>, queries: bool) -> Outcome<Answer> {
        let body = call.object()?;
        let wrong = |message: String| ApiError::request("INVALIDJOB", message);
        let work = match (text(&body, "operation").unwrap_or_default(), queries) {
            ("insert", false) => Work::Insert,
            ("update", false) => Work::Update,
            ("delete", false) => Work::Delete,
            ("upsert", false) => {
                let key = text(&body, "externalIdFieldName")
                    .ok_or_else(|| wrong("externalIdFieldName is required".into()))?;
                Work::Upsert { key: key.to_owned() }
            }
            (name @ ("query" | "queryAll"), true) => {
                let soql = text(&body, "query").ok_or_else(|| wrong("query is required".into()))?.to_owned();
                Work::Query { soql, deleted: name == "queryAll" }
            }
            (other, _) => return Err(wrong(format!("unsupported operation: {other}"))),
        };
        if text(&body, "contentType").is_some_and(|kind| kind != "CSV") {
            return Err(wrong("contentType must be CSV".into()));
        }
        let named = text(&body, "columnDelimiter").unwrap_or("COMMA");
        let delimiter = delimiter(named).ok_or_else(|| wrong(format!("unknown columnDelimiter: {named}")))?;
        let object = match &work {
            Work::Query { soql, deleted } => self.bulk_object(state, call, soql, *deleted)?,
            work => self.ingest_object(&body, work)?,
        };
        let now = call.asker.now;
        let begun = work.is_query();
        let job = Job {
            id: state.jobs.next_id(&self.config.pod),
            work,
            object,
            state: if begun { JobState::UploadComplete } else { JobState::Open },
            user: call.asker.user,
            version: call.version,
            created: now,
            changed: now,
            due: if begun { now + self.config.bulk_job_seconds } else { 0 },
            delimiter,
            ending: if text(&body, "lineEnding") == Some("CRLF") { "\r\n" } else { "\n" },
            assignment: text(&body, "assignmentRuleId").and_then(Id::parse),
            upload: String::new(),
            processed: 0,
            failed: 0,
            error: None,
            results: Default::default(),
            columns: Vec::new(),
            rows: Vec::new(),
        };
        let shown = job.shown(false);
        state.jobs.add(job);
        Ok(Answer::ok(shown))
    }

    /// `UploadComplete` or `Aborted`.
    fn turn_job(&self, state: &mut State, call: &mut Call<'_>, id: &str, queries: bool) -> Outcome<Answer> {
        let body = call.object()?;
        let now = call.asker.now;
        let id = find(state, id, queries)?.id;
        let job = state.jobs.get_mut(id).ok_or_else(ApiError::not_found)?;
        let mut begun = false;
        match text(&body, "state") {
            Some("UploadComplete") if job.state == JobState::Open && !job.upload.is_empty() => {
                (job.state, job.due) = (JobState::UploadComplete, now + self.config.bulk_job_seconds);
                begun = true;
            }
            Some("UploadComplete") => return Err(wrong_state(job, "its upload cannot be completed")),
            Some("Aborted") if !job.state.ended() => {
                job.state = JobState::Aborted;
                job.results = ingest::none_processed(job);
            }
            Some("Aborted") => return Err(wrong_state(job, "it cannot be aborted")),
            other => {
                let message = format!("unsupported state: {}", other.unwrap_or_default());
                return Err(ApiError::request("INVALIDJOBSTATE", message));
            }
        }
        job.changed = now;
        let shown = job.shown(false);
        if begun {
            state.jobs.begun();
        }
        Ok(Answer::ok(shown))
    }

    /// Does the work of all jobs that are due, each at its own time.
    pub(in crate::salesforce) fn settle_jobs(&self, state: &mut State, now: i64) {
        while let Some(mut job) = state.jobs.due(now) {
            let at = job.due;
            state.world.enter(state.requests, at);
            state.world.author(|| Author {
                user: job.user.as_str().to_owned(),
                origin: format!("com/salesforce/api/bulk/{}.0", job.version),
            });
            if job.work.is_query() {
                self.run_query(state, &mut job, at);
            } else {
                self.run_ingest(state, &mut job, at);
            }
            state.world.commit();
            job.changed = at;
            state.jobs.add(job);
        }
    }
}

fn find<'s>(state: &'s State, id: &str, queries: bool) -> Outcome<&'s Job> {
    let job = Id::parse(id).and_then(|id| state.jobs.get(id));
    job.filter(|job| job.work.is_query() == queries).ok_or_else(ApiError::not_found)
}

fn upload(state: &mut State, call: &mut Call<'_>, id: &str) -> Outcome<Answer> {
    let id = find(state, id, false)?.id;
    let job = state.jobs.get_mut(id).ok_or_else(ApiError::not_found)?;
    if job.state != JobState::Open || !job.upload.is_empty() {
        return Err(wrong_state(job, "it takes one upload while it is open"));
    }
    let Payload::Text(bytes) = std::mem::replace(&mut call.body, Payload::None) else {
        return Err(ApiError::request("UNSUPPORTED_MEDIA_TYPE", "the content type of an upload is text/csv"));
    };
    if bytes.len() > MAX_UPLOAD_BYTES {
        return Err(ApiError::request("INVALIDJOB", "the upload is too large").with_status(413));
    }
    job.upload = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Answer::empty(201))
}
