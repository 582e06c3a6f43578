//! A bulk job: what was asked, how far it has come, and what came of it. No HTTP and no records here.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::salesforce::{id::Id, time};

/// Key prefix of jobs.
const PREFIX: &str = "750";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    Open,
    UploadComplete,
    InProgress,
    JobComplete,
    Failed,
    Aborted,
}

impl JobState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::UploadComplete => "UploadComplete",
            Self::InProgress => "InProgress",
            Self::JobComplete => "JobComplete",
            Self::Failed => "Failed",
            Self::Aborted => "Aborted",
        }
    }

    /// Whether nothing more becomes of it.
    pub fn ended(self) -> bool {
        matches!(self, Self::JobComplete | Self::Failed | Self::Aborted)
    }
}

/// What is to be done.
#[derive(Debug)]
pub enum Work {
    Insert,
    Update,
    Upsert { key: String },
    Delete,
    Query { soql: String, deleted: bool },
}

impl Work {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Upsert { .. } => "upsert",
            Self::Delete => "delete",
            Self::Query { deleted: false, .. } => "query",
            Self::Query { deleted: true, .. } => "queryAll",
        }
    }

    pub fn is_query(&self) -> bool {
        matches!(self, Self::Query { .. })
    }
}

#[derive(Debug)]
pub struct Job {
    pub id: Id,
    pub work: Work,
    pub object: String,
    pub state: JobState,
    pub user: Id,
    pub version: u32,
    pub created: i64,
    pub changed: i64,
    /// When the work is done, once it was begun.
    pub due: i64,
    pub delimiter: char,
    pub ending: &'static str,
    /// `assignmentRuleId`
    pub assignment: Option<Id>,
    pub upload: String,
    pub processed: usize,
    pub failed: usize,
    pub error: Option<String>,
    /// Lines of `successfulResults`, `failedResults` and `unprocessedrecords`, headers included.
    pub results: [String; 3],
    /// A query's columns and rows.
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Job {
    /// The job as clients see it.
    pub fn shown(&self, whole: bool) -> Value {
        let mut out = Map::new();
        let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
        put("id", self.id.as_str().into());
        put("operation", self.work.name().into());
        put("object", self.object.as_str().into());
        put("createdById", self.user.as_str().into());
        put("createdDate", time::stamp(self.created).into());
        put("systemModstamp", time::stamp(self.changed).into());
        put("state", self.state.name().into());
        if let Work::Upsert { key } = &self.work {
            put("externalIdFieldName", key.as_str().into());
        }
        if let Some(rule) = self.assignment {
            put("assignmentRuleId", rule.as_str().into());
        }
        put("concurrencyMode", "Parallel".into());
        put("contentType", "CSV".into());
        put("apiVersion", json!(f64::from(self.version)));
        put("lineEnding", if self.ending == "\n" { "LF" } else { "CRLF" }.into());
        put("columnDelimiter", delimiter_name(self.delimiter).into());
        if !self.work.is_query() && self.state == JobState::Open {
            let path = format!("services/data/v{}.0/jobs/ingest/{}/batches", self.version, self.id.as_str());
            put("contentUrl", path.into());
        }
        if let Some(error) = &self.error {
            put("errorMessage", error.as_str().into());
        }
        if whole {
            let kind = if self.work.is_query() { "V2Query" } else { "V2Ingest" };
            put("jobType", kind.into());
            put("numberRecordsProcessed", self.processed.into());
            if !self.work.is_query() {
                put("numberRecordsFailed", self.failed.into());
            }
            put("retries", 0.into());
            let spent = if self.state.ended() { (self.changed - self.created) * 1_000 } else { 0 };
            put("totalProcessingTime", spent.into());
            put("apiActiveProcessingTime", spent.into());
            put("apexProcessingTime", 0.into());
        }
        Value::Object(out)
    }
}

const DELIMITERS: [(&str, char); 6] =
    [("BACKQUOTE", '`'), ("CARET", '^'), ("COMMA", ','), ("PIPE", '|'), ("SEMICOLON", ';'), ("TAB", '\t')];

pub fn delimiter(name: &str) -> Option<char> {
    DELIMITERS.iter().find(|(known, _)| *known == name).map(|(_, delimiter)| *delimiter)
}

fn delimiter_name(delimiter: char) -> &'static str {
    DELIMITERS.iter().find(|(_, known)| *known == delimiter).map_or("COMMA", |(name, _)| name)
}

/// All jobs of an org, by id; ids rise with time.
#[derive(Debug, Default)]
pub struct Jobs {
    by_id: BTreeMap<Id, Job>,
    made: u32,
    /// Jobs that time brings on.
    waiting: usize,
}

impl Jobs {
    pub fn next_id(&mut self, pod: &str) -> Id {
        self.made += 1;
        Id::new(PREFIX, pod, self.made)
    }

    pub fn add(&mut self, job: Job) {
        self.waiting += usize::from(job.state == JobState::UploadComplete);
        self.by_id.insert(job.id, job);
    }

    pub fn get(&self, id: Id) -> Option<&Job> {
        self.by_id.get(&id)
    }

    pub fn get_mut(&mut self, id: Id) -> Option<&mut Job> {
        self.by_id.get_mut(&id)
    }

    pub fn remove(&mut self, id: Id) -> Option<Job> {
        self.by_id.remove(&id)
    }

    pub fn all(&self) -> impl Iterator<Item = &Job> {
        self.by_id.values()
    }

    /// One more waits for its time.
    pub fn begun(&mut self) {
        self.waiting += 1;
    }

    /// Takes out the next job that is due, and marks those in progress that are not.
    pub fn due(&mut self, now: i64) -> Option<Job> {
        if self.waiting == 0 {
            return None;
        }
        let mut waiting = 0;
        let mut next: Option<(i64, Id)> = None;
        for job in self.by_id.values_mut().filter(|job| job.due > 0 && !job.state.ended()) {
            waiting += 1;
            if job.due <= now {
                next = Some(next.map_or((job.due, job.id), |best| best.min((job.due, job.id))));
            } else if now > job.changed {
                job.state = JobState::InProgress;
            }
        }
        self.waiting = waiting;
        next.and_then(|(_, id)| self.by_id.remove(&id))
    }
}
