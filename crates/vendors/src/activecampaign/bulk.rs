//! Writing many rows by bulk imports, which are worked on later, and asking what became of them.
//!
//! An import finds its contacts by address. So only new contacts go this way, and contacts that were just seen with the
//! address that they keep. What an import cannot do (empty a field, take a tag away, delete) is written row by row. An
//! import never subscribes somebody who unsubscribed.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use syncline_connect::{
    Answered, Cx, Error, ErrorKind, Retry,
    mirror::{Op, RowOutcome, RowWrite, Written},
};
use syncline_core::{ids::RecordId, record::Field};

use super::{
    accounts::OF_OTHERS,
    api::{Api, Beside, Bulk, PAGE, Which},
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
            let fits = draft.email.is_none() && !draft.has_blanks() && !draft.ties_only();
            let email = known_email(row).filter(|_| fits)?;
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
    let mut ended = Ended::default();
    for running in &ticket.batches {
        match api.batch(&running.id).await? {
            Some(batch) if batch.status.0 == "completed" => {
                ended.written.extend(batch.success.into_iter().map(|id| id.0));
                ended.failed.extend(batch.failure.iter().map(|email| email.0.trim().to_lowercase()));
                ended.places.extend(running.rows.places(rows.len()));
            }
            Some(_) => return Ok(Answered { value: later(&api, &ticket)?, calls: api.calls(), usage: None }),
            None => {
                for place in running.rows.places(rows.len()) {
                    told[place] = RowOutcome::Unknown(unknown(api.0.op));
                }
            }
        }
    }
    ended.tell(&mut api, rows, &mut told).await?;
    Ok(Answered { value: Written::Rows(told), calls: api.calls(), usage: None })
}

/// What imports said at their end.
#[derive(Default)]
struct Ended {
    places: Vec<usize>,
    written: BTreeSet<String>,
    failed: BTreeSet<String>,
}

impl Ended {
    /// An import tells of contacts by number, and of failures by address. New contacts are looked at to know whose is
    /// which.
    async fn tell(self, api: &mut Api<'_>, rows: &[RowWrite], told: &mut [RowOutcome]) -> Result<(), Error> {
        let known: BTreeSet<&str> = self.places.iter().filter_map(|place| id_of(&rows[*place])).collect();
        let new: Vec<&str> = self.written.iter().map(String::as_str).filter(|id| !known.contains(id)).collect();
        let any_new = self.places.iter().any(|place| matches!(rows[*place].op, Op::Create { .. }));
        let mut made: BTreeMap<String, String> = BTreeMap::new();
        for some in new.chunks(PAGE).filter(|_| any_new) {
            let (page, _) = api.contacts(Which::Ids(some), Beside::default()).await?;
            made.extend(page.contacts.into_iter().map(|contact| (contact.email.0.to_lowercase(), contact.id.0)));
        }
        for place in self.places {
            let row = &rows[place];
            let email = email_of(row).map(str::to_lowercase).unwrap_or_default();
            let id = match id_of(row) {
                Some(id) => Some(id).filter(|id| self.written.contains(*id)),
                None => made.get(&email).map(String::as_str),
            };
            told[place] = match id {
                // Whom it belongs to is told by another write, once it is seen to be there.
                Some(_) if row.fields.iter().any(|(name, _)| name == OF_OTHERS) => {
                    RowOutcome::Taken { look_in: LOOK_IN }
                }
                Some(id) => RowOutcome::Done { id: RecordId::new(id) },
                None if self.failed.contains(&email) => RowOutcome::Refused(refused(api.0.op)),
                None => RowOutcome::Taken { look_in: LOOK_IN },
            };
        }
        Ok(())
    }
}

/// The contact that a row changes; nothing where it makes one.
fn id_of(row: &RowWrite) -> Option<&str> {
    match &row.op {
        Op::Update { id } | Op::Delete { id } => Some(id.as_str()),
        Op::Create { .. } => None,
    }
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
