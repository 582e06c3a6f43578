//! Rows of one kind of records, written in as few batches as hold them. Every row bears a trace id, by which its outcome is
//! found again: results come in any order, and only rows with trace ids are refused one by one.
//!
//! What stands in the rows is the business of those who send them: records in step, and bookings.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value as Json, json};
use syncline_connect::{Cx, Error, ErrorKind, Retry, Usage, mirror::RowOutcome};
use syncline_core::{
    ids::RecordId,
    record::{Field, Role},
};

use super::{
    api, classify,
    convert::{self, is_id},
    manifest::ROWS_PER_BATCH,
    wire::{Batch, Input, Refused},
};

pub const OP: &str = "write";

/// What a batch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    Update,
    /// Makes the record, or changes the one that bears the key.
    Upsert,
    /// Makes the record with its associations; one that bears the key is in the way.
    Create,
    Archive,
}

/// A row as it will be sent.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// By which the sender knows it.
    pub at: usize,
    pub verb: Verb,
    /// The id, or the key of what is made.
    pub identity: String,
    pub properties: Map<String, Json>,
    /// Of what is created: what it is associated with.
    pub associations: Vec<Json>,
}

/// The kind of records that is written.
pub struct Target<'a> {
    /// As the API names it.
    pub object: &'a str,
    /// The property that bears our key.
    pub key: &'a str,
    pub role: Role,
}

/// What became of the rows, by their sender's numbers.
pub struct Sent {
    pub outcomes: BTreeMap<usize, RowOutcome>,
    pub calls: u32,
    pub usage: Option<Usage>,
}

/// Sends the rows: one call where they are no more than a batch holds and of one sort. `Err` where the first call was not
/// sent or refused as a whole.
pub async fn send(cx: &Cx<'_>, target: &Target<'_>, rows: Vec<Drawn>) -> Result<Sent, Error> {
    let mut sent = Sent { outcomes: BTreeMap::new(), calls: 0, usage: None };
    let mut open = VecDeque::from(batches(rows));
    while let Some(batch) = open.pop_front() {
        let answer = api::batch_write(cx, target.object, batch.verb.path(), &batch.body(target.key)).await;
        sent.calls += 1;
        match answer {
            // Nothing was sent before: nothing of the whole was done.
            Err(error) if sent.calls == 1 => return Err(error),
            Err(error) => batch.all(&mut sent, &RowOutcome::Refused(error)),
            Ok(api::Written::Answer(answer)) => {
                sent.usage = answer.usage.or(sent.usage);
                sent.outcomes.extend(batch.outcomes(target, &answer.body));
            }
            Ok(api::Written::Unknown { reason }) => {
                batch.all(&mut sent, &unknown(format!("whether it was applied is unknown: {reason}")));
            }
            Ok(api::Written::Refused { error, .. }) if !is_about_rows(&error) => {
                if sent.calls == 1 {
                    return Err(error);
                }
                batch.all(&mut sent, &RowOutcome::Refused(error));
            }
            // One row made HubSpot refuse all of them: halves tell which.
            Ok(api::Written::Refused { .. }) if batch.rows.len() > 1 => {
                let (one, two) = batch.halves();
                open.push_front(two);
                open.push_front(one);
            }
            Ok(api::Written::Refused { refused, .. }) => {
                for row in &batch.rows {
                    sent.outcomes.insert(row.at, refused_row(target, row, &refused));
                }
            }
        }
    }
    Ok(sent)
}

/// Whether a refusal of a whole batch is about what stands in it.
fn is_about_rows(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Invalid | ErrorKind::Field | ErrorKind::KeyTaken | ErrorKind::Gone)
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
            Verb::Create => "create",
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
            id: (self.verb != Verb::Create).then(|| row.identity.clone()),
            id_property: id_property.clone(),
            object_write_trace_id: trace(row.at),
            properties: row.properties.clone(),
            associations: row.associations.clone(),
        });
        json!({ "inputs": inputs.collect::<Vec<_>>() })
    }

    fn halves(mut self) -> (Self, Self) {
        let rest = self.rows.split_off(self.rows.len() / 2);
        let verb = self.verb;
        (self, Self { verb, rows: rest })
    }

    fn all(&self, sent: &mut Sent, outcome: &RowOutcome) {
        sent.outcomes.extend(self.rows.iter().map(|row| (row.at, outcome.clone())));
    }

    /// What became of the rows, whose results come in any order.
    fn outcomes(&self, target: &Target<'_>, answer: &Batch) -> Vec<(usize, RowOutcome)> {
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
                (None, Verb::Upsert | Verb::Create) => {
                    result.properties.get(target.key).and_then(Option::as_deref) == Some(row.identity.as_str())
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
                told.entry(row.at).or_insert_with(|| refused_row(target, row, refused));
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

fn refused_row(target: &Target<'_>, row: &Drawn, refused: &Refused) -> RowOutcome {
    let mut error = classify::of_row(OP, refused, &[target.role]);
    let about_key = error.fields.iter().any(|field| *field == Field::Native(target.key.to_owned()));
    let makes = matches!(row.verb, Verb::Upsert | Verb::Create);
    if makes && (error.kind == ErrorKind::Gone || (error.kind == ErrorKind::Field && about_key)) {
        (error.kind, error.retry) = (ErrorKind::Configuration, Retry::Never);
        error.message = no_key(target.object, target.key);
    }
    RowOutcome::Refused(error)
}

/// What to do about a key property that is not there.
pub fn no_key(object: &str, key: &str) -> String {
    format!("{object} have no property `{key}` with unique values; create it as the set-up says")
}

pub fn unknown(message: impl Into<String>) -> RowOutcome {
    RowOutcome::Unknown(Error::new(ErrorKind::UnknownOutcome, Retry::Backoff, OP, message))
}

fn trace(at: usize) -> String {
    format!("row-{at}")
}
