//! Ingest jobs: lines into records, one by one; what fails says why, in a line of its own.

use serde_json::{Map, Value};

use super::{
    Job, JobState, Work, csv,
    csv::{parse, write},
    text,
};
use crate::salesforce::{
    SalesforceOrg, State,
    error::{ApiError, Outcome},
    id::Id,
    rules::{self, Assign, Op, Writer},
    schema::ObjectDef,
};

/// What stands in a field that is to be cleared; an empty one is left alone.
const CLEARED: &str = "#N/A";
/// Most lines of one job that the sandbox works off; the real limit is the upload's size.
const MAX_LINES: usize = 1_000_000;

/// What a line is made into, told by its header.
enum Column {
    Id,
    Field(String),
    /// A relationship and the external id by which it names its record.
    Parent(String, String),
}

impl SalesforceOrg {
    pub(super) fn ingest_object(&self, body: &Map<String, Value>, work: &Work) -> Outcome<String> {
        let name = text(body, "object").unwrap_or_default();
        let schema = self.schema();
        let object = schema.find(name);
        let object = object.ok_or_else(|| ApiError::request("INVALIDENTITY", format!("unknown object: {name}")))?;
        if let Work::Upsert { key } = work {
            self.key_field(object, key).map_err(|_| {
                let message = format!("field {key} of {name} is not an external id");
                ApiError::request("INVALIDJOB", message)
            })?;
        }
        Ok(schema.def(object).name.clone())
    }

    pub(super) fn run_ingest(&self, state: &mut State, job: &mut Job, at: i64) {
        let mut lines = parse(&job.upload, job.delimiter);
        lines.truncate(MAX_LINES);
        let schema = self.schema();
        let Some(object) = schema.find(&job.object) else { return };
        let header = if lines.is_empty() { Vec::new() } else { lines.remove(0) };
        let columns = match columns(&header, schema.def(object)) {
            Ok(columns) => columns,
            Err(unknown) => {
                job.state = JobState::Failed;
                job.error = Some(format!("InvalidBatch : Field name not found : {unknown}"));
                job.results = none_processed(job);
                return;
            }
        };
        let assign = match job.assignment {
            Some(rule) => Assign::Rule { rule, otherwise: state.default_owner },
            None => Assign::Never,
        };
        let writer = Writer { assign, ..Writer::plain(job.user, at) };
        let mut results = headers(job, &header);
        for line in &lines {
            let outcome = self.run_line(state, job, object, &columns, line, writer);
            job.processed += 1;
            let (id, told, part) = match &outcome {
                Ok((id, created)) => (id.as_str(), created.to_string(), 0),
                Err(error) => {
                    job.failed += 1;
                    (given_id(&columns, line), told(error), 1)
                }
            };
            let fields = [id, &told].into_iter().chain(line.iter().map(String::as_str));
            write(&mut results[part], fields, job.delimiter, job.ending);
        }
        job.results = results;
        job.state = JobState::JobComplete;
        job.upload = String::new();
    }

    fn run_line(
        &self,
        state: &mut State,
        job: &Job,
        object: usize,
        columns: &[Column],
        line: &[String],
        writer: Writer,
    ) -> Outcome<(Id, bool)> {
        self.faults.row(&job.object)?;
        let body = record(columns, line);
        let place = |state: &State| -> Outcome<(Id, (usize, u32))> {
            let text = given_id(columns, line);
            let malformed = || ApiError::record("MALFORMED_ID", format!("malformed id {text}"), &["Id"]);
            let id = Id::parse(text).ok_or_else(malformed)?;
            let found = state.world.find(id).filter(|(found, _)| *found == object && !state.world.is_hidden(id));
            Ok((id, found.ok_or_else(ApiError::bad_reference)?))
        };
        match &job.work {
            Work::Insert => {
                rules::insert(&mut state.world, object, &body, None, writer, Op::Create).map(|id| (id, true))
            }
            Work::Update => {
                let (id, place) = place(state)?;
                rules::update(&mut state.world, place, &body, writer, Op::Update).map(|()| (id, false))
            }
            Work::Delete => {
                let (id, place) = place(state)?;
                rules::delete(&mut state.world, place, writer).map(|()| (id, false))
            }
            Work::Upsert { key } => {
                let no = self.key_field(object, key)?;
                let (mut body, id) = (body, given_id(columns, line));
                if key.eq_ignore_ascii_case("id") && !id.is_empty() {
                    body.insert("Id".into(), id.into());
                }
                self.upsert_row(state, object, no, body, writer)
            }
            Work::Query { .. } => Err(ApiError::not_found()),
        }
    }
}

fn columns(header: &[String], def: &ObjectDef) -> Result<Vec<Column>, String> {
    let column = |name: &String| {
        let name = name.trim();
        if name.eq_ignore_ascii_case("id") {
            return Ok(Column::Id);
        }
        if let Some((parent, key)) = name.split_once('.') {
            let known = def.relationship(parent).is_some();
            return known.then(|| Column::Parent(parent.into(), key.into())).ok_or_else(|| name.to_owned());
        }
        def.field_no(name).map(|_| Column::Field(name.into())).ok_or_else(|| name.to_owned())
    };
    header.iter().map(column).collect()
}

fn record(columns: &[Column], line: &[String]) -> Map<String, Value> {
    let mut out = Map::new();
    for (column, value) in columns.iter().zip(line).filter(|(_, value)| !value.is_empty()) {
        let value = if value == CLEARED { Value::Null } else { Value::from(value.as_str()) };
        match column {
            Column::Id => {}
            Column::Field(name) => {
                out.insert(name.clone(), value);
            }
            Column::Parent(parent, key) => {
                out.insert(parent.clone(), serde_json::json!({key: value}));
            }
        }
    }
    out
}

fn given_id<'l>(columns: &[Column], line: &'l [String]) -> &'l str {
    let place = columns.iter().position(|column| matches!(column, Column::Id));
    place.and_then(|place| line.get(place)).map(|id| id.trim()).unwrap_or_default()
}

/// `CODE:message:field, field --`
fn told(error: &ApiError) -> String {
    let fields = error.fields.as_deref().unwrap_or_default().join(", ");
    format!("{}:{}:{fields} --", error.code, error.message)
}

/// The three results with nothing but their headers.
fn headers(job: &Job, header: &[String]) -> [String; 3] {
    let names = header.join(&job.delimiter.to_string());
    let with = |second: &str| format!("\"sf__Id\"{0}\"{second}\"{0}{names}{1}", job.delimiter, job.ending);
    [with("sf__Created"), with("sf__Error"), format!("{names}{}", job.ending)]
}

/// The results of a job that was aborted, or that failed as a whole.
pub(super) fn none_processed(job: &Job) -> [String; 3] {
    let mut lines = csv::parse(&job.upload, job.delimiter);
    let header = if lines.is_empty() { Vec::new() } else { lines.remove(0) };
    let mut results = headers(job, &header);
    for line in &lines {
        write(&mut results[2], line.iter().map(String::as_str), job.delimiter, job.ending);
    }
    results
}
