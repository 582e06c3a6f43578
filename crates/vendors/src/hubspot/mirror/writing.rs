//! Writing up to a hundred rows with one call. Every row bears a trace id, by which its outcome is found again: results
//! come in any order, and only rows with trace ids are refused one by one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value as Json, json};
use syncline_connect::{
    Answered, Cx, Error, ErrorKind, Retry,
    mirror::{KindSpec, Op, RowOutcome, RowWrite, Written},
};
use syncline_core::{ids::RecordId, record::Field};

use super::{configuration, known, reading::no_key};
use crate::hubspot::{
    api, classify,
    convert::{self, is_id},
    manifest::ROWS_PER_BATCH,
    settings::{is_name, key_property},
    wire::{Batch, Input, Refused},
};

const OP: &str = "write";

/// What a batch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verb {
    Update,
    Upsert,
    Archive,
}

/// A row as it will be sent.
#[derive(Debug, Clone)]
struct Drawn {
    at: usize,
    verb: Verb,
    /// The id, or the key of what is made.
    identity: String,
    properties: Map<String, Json>,
}

/// Writes the rows: one call where they are no more than a batch holds and of one sort.
pub async fn write(cx: &Cx<'_>, kind: &str, rows: &[RowWrite]) -> Result<Answered<Written>, Error> {
    let kind = known(OP, kind)?;
    let key = key_property(cx.settings, OP)?;
    let mut outcomes: Vec<Option<RowOutcome>> = vec![None; rows.len()];
    let mut drawn = Vec::with_capacity(rows.len());
    for (at, row) in rows.iter().enumerate() {
        match draw(&key, at, row) {
            Ok(row) => drawn.push(row),
            Err(error) => outcomes[at] = Some(RowOutcome::Refused(error)),
        }
    }
    let mut open = VecDeque::from(batches(drawn));
    let (mut calls, mut usage) = (0, None);
    while let Some(batch) = open.pop_front() {
        let answer = api::batch_write(cx, kind.name, batch.verb.path(), &batch.body(&key)).await;
        calls += 1;
        match answer {
            // Nothing was sent before: nothing of the whole was done.
            Err(error) if calls == 1 => return Err(error),
            Err(error) => batch.all(&mut outcomes, &RowOutcome::Refused(error)),
            Ok(api::Written::Answer(answer)) => {
                usage = answer.usage.or(usage);
                for (at, outcome) in batch.outcomes(kind, &key, &answer.body) {
                    outcomes[at] = Some(outcome);
                }
            }
            Ok(api::Written::Unknown { reason }) => {
                batch.all(&mut outcomes, &unknown(format!("whether it was applied is unknown: {reason}")));
            }
            Ok(api::Written::Refused { error, .. }) if !is_about_rows(&error) => {
                if calls == 1 {
                    return Err(error);
                }
                batch.all(&mut outcomes, &RowOutcome::Refused(error));
            }
            // One row made HubSpot refuse all of them: halves tell which.
            Ok(api::Written::Refused { .. }) if batch.rows.len() > 1 => {
                let (one, two) = batch.halves();
                open.push_front(two);
                open.push_front(one);
            }
            Ok(api::Written::Refused { refused, .. }) => {
                for row in &batch.rows {
                    outcomes[row.at] = Some(refused_row(kind, &key, row, &refused));
                }
            }
        }
    }
    let rows = outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| unknown("the answer lacks the row")));
    Ok(Answered { value: Written::Rows(rows.collect()), calls, usage })
}

/// Whether a refusal of a whole batch is about what stands in it.
fn is_about_rows(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Invalid | ErrorKind::Field | ErrorKind::KeyTaken | ErrorKind::Gone)
}

fn draw(key: &str, at: usize, row: &RowWrite) -> Result<Drawn, Error> {
    let known = |id: &RecordId| match is_id(id.as_str()) {
        true => Ok(id.as_str().to_owned()),
        false => Err(configuration(OP, "the id to write to is not the id of a record")),
    };
    let (verb, identity) = match &row.op {
        Op::Create { key } => (Verb::Upsert, key.as_str().to_owned()),
        Op::Update { id } => (Verb::Update, known(id)?),
        Op::Delete { id } => (Verb::Archive, known(id)?),
    };
    let mut properties = Map::new();
    for (name, value) in &row.fields {
        let wrong = |why: &str| {
            let mut error = configuration(OP, format!("the property {name} {why}"));
            error.fields = vec![Field::Native(name.clone())];
            error
        };
        if !is_name(name) {
            return Err(wrong("has a name that no property has"));
        }
        if name != key {
            properties.insert(name.clone(), convert::to_text(value).map_err(wrong)?.into());
        }
    }
    // What is made bears the key; that it is looked up by it alone would not say so for sure.
    if verb == Verb::Upsert {
        properties.insert(key.to_owned(), identity.as_str().into());
    }
    Ok(Drawn { at, verb, identity, properties })
}

/// One call's rows.
#[derive(Debug)]
struct Rows {
    verb: Verb,
    rows: Vec<Drawn>,
}

impl Verb {
    fn path(self) -> &'static str {
        match self {
            Verb::Update => "update",
            Verb::Upsert => "upsert",
            Verb::Archive => "archive",
        }
    }
}

/// Rows of one sort together. A batch that names a record twice is refused as a whole.
fn batches(mut rows: Vec<Drawn>) -> Vec<Rows> {
    rows.sort_by_key(|row| (row.verb, row.at));
    let mut batches: Vec<Rows> = Vec::new();
    let mut named: BTreeSet<String> = BTreeSet::new();
    for row in rows {
        let identity = row.identity.to_lowercase();
        match batches.last_mut() {
            Some(open) if open.verb == row.verb && open.rows.len() < ROWS_PER_BATCH && !named.contains(&identity) => {
                open.rows.push(row);
            }
            _ => {
                named.clear();
                batches.push(Rows { verb: row.verb, rows: vec![row] });
            }
        }
        named.insert(identity);
    }
    batches
}

impl Rows {
    fn body(&self, key: &str) -> Json {
        if self.verb == Verb::Archive {
            let inputs: Vec<Json> = self.rows.iter().map(|row| json!({ "id": row.identity })).collect();
            return json!({ "inputs": inputs });
        }
        let id_property = (self.verb == Verb::Upsert).then(|| key.to_owned());
        let inputs = self.rows.iter().map(|row| Input {
            id: row.identity.clone(),
            id_property: id_property.clone(),
            object_write_trace_id: trace(row.at),
            properties: row.properties.clone(),
        });
        json!({ "inputs": inputs.collect::<Vec<_>>() })
    }

    fn halves(mut self) -> (Self, Self) {
        let rest = self.rows.split_off(self.rows.len() / 2);
        let verb = self.verb;
        (self, Self { verb, rows: rest })
    }

    fn all(&self, outcomes: &mut [Option<RowOutcome>], outcome: &RowOutcome) {
        for row in &self.rows {
            outcomes[row.at] = Some(outcome.clone());
        }
    }

    /// What became of the rows, whose results come in any order.
    fn outcomes(&self, kind: &KindSpec, key: &str, answer: &Batch) -> Vec<(usize, RowOutcome)> {
        if self.verb == Verb::Archive {
            // It says nothing of single rows: who was there is archived, who was not is no matter.
            let done = |row: &Drawn| (row.at, RowOutcome::Done { id: RecordId::new(row.identity.clone()) });
            let not = |row: &Drawn| (row.at, unknown("the batch did not come to its end"));
            let ended = answer.status == "COMPLETE";
            return self.rows.iter().map(|row| if ended { done(row) } else { not(row) }).collect();
        }
        let mut told: BTreeMap<usize, RowOutcome> = BTreeMap::new();
        for result in &answer.results {
            let named = |row: &&Drawn| match (&result.object_write_trace_id, self.verb) {
                (Some(told), _) => *told == trace(row.at),
                (None, Verb::Upsert) => {
                    result.properties.get(key).and_then(Option::as_deref) == Some(row.identity.as_str())
                }
                (None, _) => result.id == row.identity,
            };
            // Who was merged meanwhile is written to as the record that he is in now.
            let merged = |row: &&Drawn| convert::merged(result).iter().any(|id| id.as_str() == row.identity);
            let row = self.rows.iter().find(named).or_else(|| self.rows.iter().find(merged));
            if let Some(row) = row.filter(|_| is_id(&result.id)) {
                told.insert(row.at, RowOutcome::Done { id: RecordId::new(result.id.clone()) });
            }
        }
        for refused in &answer.errors {
            for row in self.rows.iter().filter(|row| names(refused, row)) {
                told.entry(row.at).or_insert_with(|| refused_row(kind, key, row, refused));
            }
        }
        let outcome = |row: &Drawn| {
            let outcome = told.remove(&row.at);
            (row.at, outcome.unwrap_or_else(|| unknown("the answer does not say what became of the row")))
        };
        self.rows.iter().map(outcome).collect()
    }
}

/// Whether an error is about this row: by its trace id, or by its id; under which name they stand is not documented.
fn names(refused: &Refused, row: &Drawn) -> bool {
    let trace = trace(row.at);
    let is = |text: &str| text == trace || text == row.identity;
    let within = |value: &Json| match value {
        Json::String(text) => is(text),
        Json::Array(texts) => texts.iter().filter_map(Json::as_str).any(is),
        _ => false,
    };
    refused.id.as_ref().is_some_and(within) || refused.context.values().any(within)
}

fn refused_row(kind: &KindSpec, key: &str, row: &Drawn, refused: &Refused) -> RowOutcome {
    let mut error = classify::of_row(OP, refused, &[kind.role]);
    let about_key = error.fields.iter().any(|field| *field == Field::Native(key.to_owned()));
    if row.verb == Verb::Upsert && (error.kind == ErrorKind::Gone || (error.kind == ErrorKind::Field && about_key)) {
        (error.kind, error.retry) = (ErrorKind::Configuration, Retry::Never);
        error.message = no_key(kind.name, key);
    }
    RowOutcome::Refused(error)
}

fn unknown(message: impl Into<String>) -> RowOutcome {
    RowOutcome::Unknown(Error::new(ErrorKind::UnknownOutcome, Retry::Backoff, OP, message))
}

fn trace(at: usize) -> String {
    format!("row-{at}")
}
