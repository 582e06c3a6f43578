//! Writing many rows by jobs of Bulk API 2.0: what is asked for is uploaded as CSV, done by Salesforce in its own time,
//! and asked for later. A job costs some six calls, however many rows it has.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::Value as Json;
use syncline_connect::{
    Answered, Cx, Error, ErrorKind, Retry, Usage,
    mirror::{RowOutcome, RowWrite, Written},
};
use syncline_core::record::Value;

use super::{
    configuration, csv, known,
    refusal::{Drawn, OP, draw, errors_of_job, unknown},
};
use crate::salesforce::{
    api::jobs::{self, Operation, Part},
    id,
    settings::Org,
    wire::Job,
};

/// Rows from which a job is the cheaper way, as Salesforce recommends.
/// <https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/asynch_api_intro.htm>, read 2026-11.
pub const ROWS_MIN: usize = 2_000;

/// Rows of one write: ten of the batches into which a job is cut, so that others of the org get their turn.
pub const ROWS_MAX: usize = 100_000;

/// Bytes of one job's upload. A job may have 100 million, but its results repeat every row, and an answer of more than
/// ten million bytes is not read.
const JOB_BYTES: usize = 7_000_000;

/// What stands in a cell that is to be emptied; an empty one is left as it is.
const EMPTIED: &str = "#N/A";

/// How many rows a second are hoped for, when the job is first asked for; and the least and most patience.
const ROWS_PER_SECOND: usize = 200;
const PATIENCE_MIN: usize = 5;
const PATIENCE_MAX: usize = 300;

/// How long a job that is not done is left alone.
const ASK_AGAIN: Duration = Duration::from_secs(30);

const COLLECT: &str = "collect";

/// Whether every value can stand in a cell: the word for "empty" cannot.
pub fn can_carry(rows: &[RowWrite]) -> bool {
    !rows.iter().flat_map(|row| &row.fields).any(|(_, value)| *value == Value::Text(EMPTIED.to_owned()))
}

/// Hands the rows over: a job for each sort of write, more where they are large.
pub async fn write(cx: &Cx<'_>, kind: &str, rows: &[RowWrite]) -> Result<Answered<Written>, Error> {
    let org = Org::read(cx.settings, OP)?;
    let kind = known(OP, kind)?;
    let drawn: Vec<Result<Drawn, Error>> = rows.iter().enumerate().map(|(at, row)| draw(&org, kind, at, row)).collect();
    let uploads = uploads(&org, drawn.iter().filter_map(|row| row.as_ref().ok()).collect());
    if uploads.is_empty() {
        let refused = drawn.into_iter().map(|row| match row {
            Err(error) => RowOutcome::Refused(error),
            Ok(_) => unknown("the row was not handed over"),
        });
        return Ok(Answered { value: Written::Rows(refused.collect()), calls: 0, usage: None });
    }
    let mut desk = Desk { cx, org: &org, calls: 0, usage: None };
    let mut opened = Vec::with_capacity(uploads.len());
    for upload in uploads {
        if let Err(error) = desk.hand_over(kind.name, upload, &mut opened).await {
            // Nothing was begun. A job that stays open all the same does nothing, and ends after a week.
            for job in &opened {
                let _ = desk.turn(&job.id, "Aborted").await;
            }
            return Err(error);
        }
    }
    for job in &opened {
        // A job whose beginning got lost is begun when it is asked for.
        let _ = desk.turn(&job.id, "UploadComplete").await;
    }
    let patience = (rows.len() / ROWS_PER_SECOND).clamp(PATIENCE_MIN, PATIENCE_MAX);
    let ask_in = Duration::from_secs(u64::try_from(patience).unwrap_or(u64::MAX));
    let ticket = opened.iter().map(Handed::to_text).collect::<Vec<_>>().join(" ");
    Ok(Answered { value: Written::Later { ticket, ask_in }, calls: desk.calls, usage: desk.usage })
}

/// What became of the rows, once all jobs have ended.
pub async fn collect(cx: &Cx<'_>, kind: &str, ticket: &str, rows: &[RowWrite]) -> Result<Answered<Written>, Error> {
    let org = Org::read(cx.settings, COLLECT)?;
    let kind = known(COLLECT, kind)?;
    let handed: Option<Vec<Handed>> = ticket.split(' ').map(Handed::parse).collect();
    let handed = handed.ok_or_else(|| configuration(COLLECT, "the stored ticket is not one of Salesforce's"))?;
    let mut desk = Desk { cx, org: &org, calls: 0, usage: None };
    let mut ended = Vec::with_capacity(handed.len());
    for job in &handed {
        match desk.look(&job.id).await? {
            Stands::Ended(state) => ended.push(Some(state)),
            Stands::Lost => ended.push(None),
            Stands::Working => {
                let value = Written::Later { ticket: ticket.to_owned(), ask_in: ASK_AGAIN };
                return Ok(Answered { value, calls: desk.calls, usage: desk.usage });
            }
        }
    }
    let mut ledger = Ledger::new(&org, rows.iter().enumerate().map(|(at, row)| draw(&org, kind, at, row)).collect());
    // Of the rows of a job that the org has no longer nobody knows what became.
    for (job, state) in handed.iter().zip(&ended).filter_map(|(job, state)| Some((job, state.as_ref()?))) {
        for part in parts(job, state) {
            let text = desk.results(&job.id, part).await?;
            ledger.enter(job.operation, part, &text, state);
        }
    }
    Ok(Answered { value: Written::Rows(ledger.close()), calls: desk.calls, usage: desk.usage })
}

/// A job that was handed its rows.
#[derive(Debug, PartialEq, Eq)]
struct Handed {
    operation: Operation,
    id: String,
    rows: u64,
}

impl Handed {
    fn to_text(&self) -> String {
        format!("{}:{}:{}", self.operation.as_str(), self.id, self.rows)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let name = parts.next()?;
        let operation = [Operation::Update, Operation::Upsert, Operation::Delete];
        let operation = operation.into_iter().find(|operation| operation.as_str() == name)?;
        let id = id::canonical(parts.next()?)?.as_str().to_owned();
        let rows = parts.next()?.parse().ok()?;
        parts.next().is_none().then_some(Self { operation, id, rows })
    }
}

/// The results that are worth a call.
fn parts(job: &Handed, state: &Job) -> Vec<Part> {
    let (processed, failed) = (state.number_records_processed, state.number_records_failed);
    let told = state.state == "JobComplete";
    let wanted = [
        (Part::Successful, !told || processed > failed),
        (Part::Failed, !told || failed > 0),
        (Part::Unprocessed, !told || processed < job.rows),
    ];
    wanted.into_iter().filter(|(_, wanted)| *wanted).map(|(part, _)| part).collect()
}

/// One job's rows as they are uploaded.
struct Upload {
    operation: Operation,
    csv: String,
    rows: u64,
}

/// The rows as uploads: one sort of write each, rows that hang on the same record side by side.
fn uploads(org: &Org, mut rows: Vec<&Drawn>) -> Vec<Upload> {
    rows.sort_by(|one, two| (one.operation, one.parent(), one.at).cmp(&(two.operation, two.parent(), two.at)));
    let mut uploads: Vec<Upload> = Vec::new();
    for rows in rows.chunk_by(|one, two| one.operation == two.operation) {
        let operation = rows[0].operation;
        let columns: BTreeSet<&str> = rows.iter().flat_map(|row| row.body().keys()).map(String::as_str).collect();
        let mut header = String::new();
        csv::push_line(&mut header, std::iter::once(identity_column(org, operation)).chain(columns.iter().copied()));
        let mut open = Upload { operation, csv: header.clone(), rows: 0 };
        for row in rows {
            let cells = columns.iter().map(|name| row.body().get(*name).map(cell).unwrap_or_default());
            let cells: Vec<String> = std::iter::once(row.identity.clone()).chain(cells).collect();
            csv::push_line(&mut open.csv, cells.iter().map(String::as_str));
            open.rows += 1;
            if open.csv.len() >= JOB_BYTES {
                uploads.push(std::mem::replace(&mut open, Upload { operation, csv: header.clone(), rows: 0 }));
            }
        }
        if open.rows > 0 {
            uploads.push(open);
        }
    }
    uploads
}

fn identity_column(org: &Org, operation: Operation) -> &str {
    if operation == Operation::Upsert { org.key_field.as_str() } else { "Id" }
}

fn cell(json: &Json) -> String {
    match json {
        Json::Null => EMPTIED.to_owned(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// How a job stands.
enum Stands {
    Working,
    Ended(Job),
    Lost,
}

/// Calls, counted.
struct Desk<'a> {
    cx: &'a Cx<'a>,
    org: &'a Org,
    calls: u32,
    usage: Option<Usage>,
}

impl Desk<'_> {
    fn count<T>(&mut self, answer: Result<(T, Option<Usage>), Error>) -> Result<T, Error> {
        self.calls += 1;
        let (answer, used) = answer?;
        self.usage = used.or(self.usage);
        Ok(answer)
    }

    async fn hand_over(&mut self, object: &str, upload: Upload, opened: &mut Vec<Handed>) -> Result<(), Error> {
        let job = jobs::open(self.cx, self.org, object, upload.operation).await;
        let job = self.count(job)?;
        let id = id::canonical(&job.id).ok_or_else(|| super::protocol(OP, "a job has no sound id"))?;
        opened.push(Handed { operation: upload.operation, id: id.as_str().to_owned(), rows: upload.rows });
        let uploaded = jobs::upload(self.cx, self.org, id.as_str(), upload.csv).await;
        self.count(uploaded.map(|used| ((), used)))
    }

    async fn turn(&mut self, id: &str, state: &str) -> Result<Job, Error> {
        let turned = jobs::turn(self.cx, self.org, id, state).await;
        self.count(turned)
    }

    async fn look(&mut self, id: &str) -> Result<Stands, Error> {
        let state = jobs::state(self.cx, self.org, id).await;
        let Some(job) = self.count(state)? else { return Ok(Stands::Lost) };
        match job.state.as_str() {
            "JobComplete" | "Failed" | "Aborted" => Ok(Stands::Ended(job)),
            "Open" => self.turn(id, "UploadComplete").await.map(|_| Stands::Working),
            _ => Ok(Stands::Working),
        }
    }

    async fn results(&mut self, id: &str, part: Part) -> Result<String, Error> {
        let results = jobs::results(self.cx, self.org, id, part).await;
        self.count(results)
    }
}

/// Which row is which, and what became of it.
struct Ledger<'a> {
    org: &'a Org,
    rows: Vec<Result<Drawn, Error>>,
    places: BTreeMap<(Operation, String), Vec<usize>>,
    outcomes: Vec<Option<RowOutcome>>,
}

impl<'a> Ledger<'a> {
    fn new(org: &'a Org, rows: Vec<Result<Drawn, Error>>) -> Self {
        let mut places: BTreeMap<(Operation, String), Vec<usize>> = BTreeMap::new();
        for row in rows.iter().flatten() {
            places.entry((row.operation, row.identity.clone())).or_default().push(row.at);
        }
        let outcomes = vec![None; rows.len()];
        Self { org, rows, places, outcomes }
    }

    /// Takes over a part of a job's results; a line that is none of ours is left out.
    fn enter(&mut self, operation: Operation, part: Part, text: &str, job: &Job) {
        let mut lines = csv::parse(text).into_iter();
        let header = lines.next().unwrap_or_default();
        let column = |name: &str| header.iter().position(|column| column.eq_ignore_ascii_case(name));
        let identity = column(identity_column(self.org, operation));
        let (made, error) = (column("sf__Id"), column("sf__Error"));
        for line in lines {
            let at = |column: Option<usize>| column.and_then(|at| line.get(at)).map(String::as_str);
            let Some(named) = at(identity).filter(|named| !named.is_empty()) else { continue };
            let named = match operation {
                Operation::Upsert => named.to_owned(),
                Operation::Update | Operation::Delete => match id::canonical(named) {
                    Some(id) => id.as_str().to_owned(),
                    None => continue,
                },
            };
            for place in self.places.get(&(operation, named)).into_iter().flatten() {
                let Some(Ok(row)) = self.rows.get(*place) else { continue };
                self.outcomes[*place] = Some(match part {
                    Part::Successful => row.done(at(made)),
                    Part::Failed => row.refused(self.org, errors_of_job(at(error).unwrap_or_default())),
                    Part::Unprocessed => RowOutcome::Refused(not_tried(row, job)),
                });
            }
        }
    }

    fn close(self) -> Vec<RowOutcome> {
        let outcome = |(row, outcome): (Result<Drawn, Error>, Option<RowOutcome>)| match (row, outcome) {
            (Err(error), _) => RowOutcome::Refused(error),
            (Ok(_), Some(outcome)) => outcome,
            (Ok(_), None) => unknown("the job's results lack the row"),
        };
        self.rows.into_iter().zip(self.outcomes).map(outcome).collect()
    }
}

/// The job ended before this row's turn came. Where it says that a column is unknown, that is the field's error.
fn not_tried(row: &Drawn, job: &Job) -> Error {
    let says = job.error_message.as_deref().unwrap_or_default();
    let named = |name: &&String| says.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == *name);
    if says.contains("Field name not found") {
        let mut error = Error::new(ErrorKind::Field, Retry::Never, OP, "a field is not there or cannot be written");
        error.fields = row.body().keys().filter(named).cloned().map(syncline_core::record::Field::Native).collect();
        return error;
    }
    Error::new(ErrorKind::Unavailable, Retry::Backoff, OP, "the job ended before the row was tried")
}
