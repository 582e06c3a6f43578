//! Reading all of a large kind: after so many rows by pages of a query, the rest comes by one job of Bulk API 2.0, whose
//! results are some ten times as large as such a page. Where the org has no jobs for us, pages go on.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json};
use syncline_connect::{
    Cx, Error, ErrorKind, Usage,
    mirror::{Changes, Seen},
};
use syncline_core::ids::RecordId;

use super::{csv, cursor::Cursor, protocol, rows::Table};
use crate::salesforce::{
    api::jobs,
    id,
    query::{Query, Which},
    settings::Org,
};

/// Rows of a kind that pages read before a job is the cheaper way for the rest: it costs some four calls, as many as
/// four pages, and takes its time.
pub const JOB_FROM: u64 = 20_000;

/// How long a job is left alone: at first, and then again and again.
const FIRST_ASK: Duration = Duration::from_secs(10);
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// How long a job may take since the reading began. While it is waited for, changes of its kind are not read.
const JOB_PATIENCE: SignedDuration = SignedDuration::from_mins(30);

/// By how much a part of the results is smaller that is asked for again.
const SMALLER: usize = 10;

const OP: &str = "read changes";

/// Columns of our own that hold a yes or no; of the others the description tells.
const FLAGS: [&str; 2] = ["IsDeleted", "IsConverted"];

/// A reading that goes by a job.
pub struct Step {
    /// When the whole reading began.
    pub began: Timestamp,
    /// The job shows what lies behind this one.
    pub after: RecordId,
    /// The job, and where its results go on; nothing where it is to be made.
    pub opened: Option<(String, Option<String>)>,
}

/// Reads one kind by a job.
pub struct Whole<'a> {
    pub cx: &'a Cx<'a>,
    pub org: &'a Org,
    pub table: &'a Table<'a>,
    pub calls: &'a mut u32,
    pub usage: &'a mut Option<Usage>,
}

impl Whole<'_> {
    pub async fn go_on(&mut self, step: Step) -> Result<Changes, Error> {
        match &step.opened {
            None => self.open(&step).await,
            Some((job, None)) => match self.look(&step, job).await? {
                Some(wait) => Ok(wait),
                None => self.take(&step, job, None).await,
            },
            Some((job, Some(locator))) => self.take(&step, job, Some(locator)).await,
        }
    }

    /// Has a job made of the rest.
    async fn open(&mut self, step: &Step) -> Result<Changes, Error> {
        let which = Which::Rest { after: step.after.clone() };
        let (object, columns) = (&self.table.object, &self.table.columns[..]);
        let query = Query { object, columns, which, all: &[], limit: None };
        let opened = jobs::open_query(self.cx, self.org, &query.to_string()).await;
        match self.count(opened) {
            Ok(job) => {
                let id = id::canonical(&job.id).ok_or_else(|| protocol(OP, "a job has no sound id"))?;
                Ok(later(&step.at(id.as_str(), None), FIRST_ASK))
            }
            // No jobs for us, or none of this query: what is wrong with it, a page says as well.
            Err(error) if is_about_the_job(error.kind) => Ok(step.by_pages()),
            Err(error) => Err(error),
        }
    }

    /// How the job stands: nothing where it is done.
    async fn look(&mut self, step: &Step, job: &str) -> Result<Option<Changes>, Error> {
        let state = jobs::query_state(self.cx, self.org, job).await;
        match self.count(state)?.as_ref().map(|job| job.state.as_str()) {
            Some("JobComplete") => Ok(None),
            // The org has it no longer, or has given it up.
            None | Some("Failed" | "Aborted") => Ok(Some(step.by_pages())),
            Some(_) if self.cx.now.duration_since(step.began) > JOB_PATIENCE => {
                let aborted = jobs::abort_query(self.cx, self.org, job).await;
                // One that goes on all the same does no harm.
                drop(self.count(aborted));
                Ok(Some(step.by_pages()))
            }
            Some(_) => Ok(Some(later(&step.at(job, None), ASK_AGAIN))),
        }
    }

    /// A part of the results.
    async fn take(&mut self, step: &Step, job: &str, at: Option<&str>) -> Result<Changes, Error> {
        let rows_max = self.table.lines_in_answer();
        let results = jobs::query_results(self.cx, self.org, job, rows_max, at).await;
        let results = match self.count(results) {
            // It may have been too large. A smaller part is another question, not the same again.
            Err(error) if error.kind == ErrorKind::Unavailable => {
                let results = jobs::query_results(self.cx, self.org, job, (rows_max / SMALLER).max(1), at).await;
                self.count(results)?
            }
            results => results?,
        };
        let Some(results) = results else { return Ok(step.by_pages()) };
        let rows = self.rows(&results.csv)?;
        if results.rows.is_some_and(|told| told != rows.len()) {
            return Err(protocol(OP, "a job's results are cut"));
        }
        let (cursor, more) = match results.next {
            None => (Cursor::Since(step.began), false),
            Some(next) if Some(next.as_str()) == at => {
                return Err(protocol(OP, "a part of a job's results names itself as the next one"));
            }
            next => (step.at(job, next), true),
        };
        Ok(Changes { rows, cursor: cursor.to_string(), more, ask_in: Duration::ZERO })
    }

    fn rows(&self, text: &str) -> Result<Vec<Seen>, Error> {
        let mut lines = csv::parse(text).into_iter();
        let header = lines.next().unwrap_or_default();
        let seen = |line: Vec<String>| {
            if line.len() != header.len() {
                return Err(protocol(OP, "a line of a job's results has not as many cells as its header"));
            }
            self.table.seen(OP, self.org, &row(&header, line))
        };
        lines.map(seen).collect()
    }

    fn count<T>(&mut self, answer: Result<(T, Option<Usage>), Error>) -> Result<T, Error> {
        *self.calls += 1;
        let (answer, used) = answer?;
        *self.usage = used.or(*self.usage);
        Ok(answer)
    }
}

/// A line as a query would show it, save that every value is text.
fn row(header: &[String], line: Vec<String>) -> Map<String, Json> {
    let mut row = Map::new();
    for (name, cell) in header.iter().zip(line) {
        let value = match cell {
            cell if cell.is_empty() => Json::Null,
            cell if FLAGS.contains(&name.as_str()) => Json::Bool(cell == "true"),
            cell => Json::String(cell),
        };
        let mut here = &mut row;
        let mut way = name.split('.').peekable();
        while let Some(name) = way.next() {
            if way.peek().is_none() {
                here.insert(name.to_owned(), value);
                break;
            }
            let parent = here.entry(name).or_insert_with(|| Json::Object(Map::new()));
            match parent {
                Json::Object(parent) => here = parent,
                _ => break,
            }
        }
    }
    row
}

/// Whether a page may be answered where a job was not.
fn is_about_the_job(kind: ErrorKind) -> bool {
    use ErrorKind::{Configuration, Field, Forbidden, Gone, Invalid};
    matches!(kind, Configuration | Field | Forbidden | Gone | Invalid)
}

fn later(cursor: &Cursor, ask_in: Duration) -> Changes {
    Changes { rows: Vec::new(), cursor: cursor.to_string(), more: true, ask_in }
}

impl Step {
    fn at(&self, job: &str, locator: Option<String>) -> Cursor {
        Cursor::Job { began: self.began, after: self.after.clone(), id: job.to_owned(), locator }
    }

    /// Goes on without a job.
    fn by_pages(&self) -> Changes {
        later(&Cursor::All { began: self.began, after: self.after.clone(), read: None }, Duration::ZERO)
    }
}
