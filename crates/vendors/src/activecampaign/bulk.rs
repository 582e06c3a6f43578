//! Writing many rows by bulk imports, which are worked on later, and asking what became of them.
//!
//! An import finds its contacts by address. So only new contacts go this way, and contacts that were just seen with the
//! address that they keep. What an import cannot do (empty a field, take a tag away, delete) is written row by row. An
//! import never subscribes somebody who unsubscribed.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use syncline_connect::{
    Answered, Cx, Error, ErrorKind, Retry,
    mirror::{Op, RowOutcome, RowWrite, Written},
};
use syncline_core::record::Field;

use super::{
    api::{Api, Bulk},
    convert::{Draft, EMAIL, Marks, marks},
    write::{known_email, not_tried},
};
use crate::spans::Spans;

/// Fewest and most rows of an import (API description, read 2026-11-21: at least 10 advised, at most 250).
pub const ROWS_MIN: usize = 10;
pub const ROWS_MAX: usize = 250;

/// When an import's end is asked for, and how soon after it the rows can be read.
const ASK_IN: Duration = Duration::from_secs(15);
const LOOK_IN: Duration = Duration::from_secs(5);

/// A row as an import takes it.
pub type Row = Json;

/// What is to be remembered until the imports have ended. Rows of no import were left for another write.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ticket {
    batches: Vec<Running>,
    /// Rows for which an import was refused.
    refused: Spans,
    /// Rows of an import that nobody answered.
    unsure: Spans,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Running {
    id: String,
    rows: Spans,
}

/// A row for an import, where an import can do what it wants.
pub fn row(op: &'static str, row: &RowWrite, draft: &Draft) -> Option<Row> {
    match &row.op {
        Op::Delete { .. } => None,
        Op::Create { .. } => {
            let marks = Marks {
                tags_added: draft.tags.clone().unwrap_or_default(),
                lists_joined: draft.lists.clone().filter(|_| !draft.opts_out).unwrap_or_default(),
                ..Marks::default()
            };
            Some(draft.bulk_row(draft.email.as_deref()?, &marks))
        }
        Op::Update { .. } => {
            let email = known_email(row).filter(|_| draft.email.is_none() && !draft.has_blanks())?;
            let marks = marks(op, draft, &row.seen.as_ref()?.fields)?.ok()?;
            marks.tags_dropped.is_empty().then(|| draft.bulk_row(email, &marks))
        }
    }
}

/// Begins imports of all rows.
pub async fn write(cx: &Cx<'_>, rows: Vec<Row>) -> Result<Answered<Written>, Error> {
    let mut api = Api::new(cx, "write");
    let mut ticket = Ticket::default();
    let mut halted = None;
    for (number, part) in rows.chunks(ROWS_MAX).enumerate() {
        let first = number * ROWS_MAX;
        let places: Vec<usize> = (first..first + part.len()).collect();
        if let Err(error) = begin(&mut api, &rows, places, &mut ticket).await {
            halted = Some(error);
            break;
        }
    }
    let nothing = ticket.batches.is_empty();
    match halted {
        Some(error) if nothing && ticket.unsure == Spans::default() && ticket.refused == Spans::default() => Err(error),
        _ if nothing => {
            let outcomes = outcomes(api.0.op, rows.len(), &ticket);
            Ok(Answered { value: Written::Rows(outcomes), calls: api.calls(), usage: None })
        }
        _ => Ok(Answered { value: later(&api, &ticket)?, calls: api.calls(), usage: None }),
    }
}

/// Begins one import. One bad row refuses all, so the others are sent once more without it.
async fn begin(api: &mut Api<'_>, rows: &[Row], mut places: Vec<usize>, ticket: &mut Ticket) -> Result<(), Error> {
    for _ in 0..2 {
        let part: Vec<Row> = places.iter().map(|place| rows[*place].clone()).collect();
        match api.bulk(&part).await {
            Ok(Bulk::Queued(id)) => {
                ticket.batches.push(Running { id, rows: Spans::of(places) });
                return Ok(());
            }
            Ok(Bulk::Bad(bad)) => {
                let (bad, good): (Vec<_>, Vec<_>) =
                    places.iter().enumerate().partition(|(number, _)| bad.contains(number));
                ticket.refused.extend(Spans::of(bad.into_iter().map(|(_, place)| *place)));
                places = good.into_iter().map(|(_, place)| *place).collect();
                if places.is_empty() {
                    return Ok(());
                }
            }
            Err(error) if error.kind == ErrorKind::UnknownOutcome => {
                ticket.unsure.extend(Spans::of(places));
                return Err(error);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn later(api: &Api<'_>, ticket: &Ticket) -> Result<Written, Error> {
    let ticket = serde_json::to_string(ticket)
        .map_err(|_| api.0.error(ErrorKind::Configuration, Retry::Never, "the ticket cannot be written down"))?;
    Ok(Written::Later { ticket, ask_in: ASK_IN })
}

/// Asks for the imports of a write.
pub async fn collect(cx: &Cx<'_>, ticket: &str, rows: &[RowWrite]) -> Result<Answered<Written>, Error> {
    let mut api = Api::new(cx, "collect");
    let ticket: Ticket = serde_json::from_str(ticket).map_err(|_| {
        api.0.error(ErrorKind::Configuration, Retry::Never, "the stored ticket is not one of ActiveCampaign's")
    })?;
    let mut told = outcomes(api.0.op, rows.len(), &ticket);
    for batch in &ticket.batches {
        let answer = api.batch(&batch.id).await?;
        let failed: BTreeMap<String, ()> = match &answer {
            Some(answer) if answer.status.0 == "completed" => {
                answer.failure.iter().map(|email| (email.0.trim().to_lowercase(), ())).collect()
            }
            Some(_) => {
                return Ok(Answered { value: later(&api, &ticket)?, calls: api.calls(), usage: None });
            }
            None => BTreeMap::new(),
        };
        for place in batch.rows.places(rows.len()) {
            told[place] = match (&answer, email_of(&rows[place])) {
                (None, _) => RowOutcome::Unknown(unknown(api.0.op)),
                (Some(_), Some(email)) if failed.contains_key(&email.to_lowercase()) => {
                    RowOutcome::Refused(refused(api.0.op))
                }
                _ => RowOutcome::Taken { look_in: LOOK_IN },
            };
        }
    }
    Ok(Answered { value: Written::Rows(told), calls: api.calls(), usage: None })
}

/// What is known of the rows whatever the imports say.
fn outcomes(op: &'static str, rows: usize, ticket: &Ticket) -> Vec<RowOutcome> {
    let mut told = vec![RowOutcome::Refused(not_tried(op)); rows];
    for place in ticket.refused.places(rows) {
        told[place] = RowOutcome::Refused(refused(op));
    }
    for place in ticket.unsure.places(rows) {
        told[place] = RowOutcome::Unknown(unknown(op));
    }
    told
}

/// The address by which an import knew the row.
fn email_of(row: &RowWrite) -> Option<&str> {
    let own = row.fields.iter().find(|(name, _)| name == EMAIL).and_then(|(_, value)| value.as_text());
    own.or_else(|| known_email(row))
}

fn refused(op: &'static str) -> Error {
    let mut error = Error::new(
        ErrorKind::Invalid,
        Retry::Never,
        op,
        "an import refused the row, most likely for its e-mail address",
    );
    error.fields = vec![Field::Native(EMAIL.to_owned())];
    error
}

fn unknown(op: &'static str) -> Error {
    Error::new(ErrorKind::UnknownOutcome, Retry::Backoff, op, "it is not told what became of the import")
}
