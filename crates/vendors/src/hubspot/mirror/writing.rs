//! Writing up to a hundred rows with one call: what is to be written becomes rows of a batch. What they are associated with
//! follows with a call for each kind.

use serde_json::Map;
use syncline_connect::{
    Answered, Cx, Error,
    mirror::{Op, RowOutcome, RowWrite, Written},
};
use syncline_core::{ids::RecordId, record::Field};

use super::{configuration, known, ties};
use crate::hubspot::{
    batch::{self, Drawn, OP, Target, Verb},
    convert::{self, is_id},
    roles::ASSOCIATION,
    settings::{is_name, key_property},
};

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
    // Whose associations alone have changed needs no row of its own.
    let (only_ties, drawn): (Vec<Drawn>, Vec<Drawn>) = drawn
        .into_iter()
        .partition(|row| row.verb == Verb::Update && row.properties.is_empty() && ties::has(&rows[row.at]));
    for row in only_ties {
        outcomes[row.at] = Some(RowOutcome::Done { id: RecordId::new(row.identity) });
    }
    let sent = batch::send(cx, &Target { object: kind.name, key: &key, role: kind.role }, drawn).await?;
    for (at, outcome) in sent.outcomes {
        outcomes[at] = Some(outcome);
    }
    let mut outcomes: Vec<RowOutcome> = outcomes
        .into_iter()
        .map(|outcome| outcome.unwrap_or_else(|| batch::unknown("the answer lacks the row")))
        .collect();
    let tied = ties::write(cx, kind.name, rows, &mut outcomes, sent.calls == 0).await?;
    let (calls, usage) = (sent.calls + tied.calls, tied.usage.or(sent.usage));
    Ok(Answered { value: Written::Rows(outcomes), calls, usage })
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
    for (name, value) in row.fields.iter().filter(|(name, _)| !name.starts_with(ASSOCIATION)) {
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
    Ok(Drawn { at, verb, identity, properties, associations: Vec::new() })
}
