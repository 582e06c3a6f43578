//! What changed: a page of up to five kinds for one call. A row's `SystemModstamp` moves with every change of its own,
//! whoever makes it, also by deletion and merge; `queryAll` shows those. Time is Salesforce's: a round ends where the
//! clock of its first answer stood, and the next one begins before that by an overlap, because what a long transaction
//! commits bears the stamp of its beginning.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use syncline_connect::{
    Answered, Cx, Error, ErrorKind, Usage,
    mirror::{Ask, Changes, From},
};
use syncline_core::ids::RecordId;

use super::{
    configuration,
    cursor::Cursor,
    known, protocol,
    rows::Table,
    whole::{Step, Whole},
};
use crate::salesforce::{
    api,
    find::QUERIES_PER_CALL,
    query::{self, OVERLAP, Query, Which},
    settings::Org,
    soql::percent_encoded,
    wire::{QueryPage, SubRequest},
};

/// Rows of a page that is asked for again, because the answer to a larger one did not come: it may have been too large.
pub const ROWS_OF_SMALL_PAGE: usize = 200;

const OP: &str = "read changes";

/// How one kind is read on.
enum Way<'a> {
    Page(Look<'a>),
    Job(Table<'a>, Step),
}

/// Where one kind's reading by pages stands.
struct Look<'a> {
    table: Table<'a>,
    start: Start,
}

enum Start {
    Beginning,
    All { began: Timestamp, after: RecordId, read: Option<u64> },
    Since(Timestamp),
    Round { until: Timestamp, stamp: Timestamp, after: RecordId },
}

/// How much is read at once.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Rows of a page, at most.
    pub page: usize,
    /// Rows of a kind after which the rest of a whole reading comes by a job.
    pub job_from: u64,
}

/// The next page of each.
pub async fn changes(cx: &Cx<'_>, asks: &[Ask<'_>], pace: Pace) -> Result<Answered<Vec<Changes>>, Error> {
    let org = Org::read(cx.settings, OP)?;
    let (mut calls, mut usage) = (0, None);
    let (mut looks, mut jobs) = (Vec::new(), Vec::new());
    for (at, ask) in asks.iter().enumerate() {
        match way(&org, ask, pace)? {
            Way::Page(look) => looks.push((at, look)),
            Way::Job(table, step) => jobs.push((at, table, step)),
        }
    }
    let mut pages: BTreeMap<usize, Changes> = BTreeMap::new();
    for part in looks.chunks(QUERIES_PER_CALL) {
        let limit = part.iter().map(|(_, look)| look.table.rows_in_answer(part.len())).min().unwrap_or(pace.page);
        let limit = limit.max(ROWS_OF_SMALL_PAGE).min(pace.page);
        let read_pages = match read(cx, &org, part, limit, &mut calls, &mut usage).await {
            // A smaller page is another question, not the same again.
            Err(error) if error.kind == ErrorKind::Unavailable && limit > ROWS_OF_SMALL_PAGE => {
                read(cx, &org, part, ROWS_OF_SMALL_PAGE, &mut calls, &mut usage).await
            }
            read_pages => read_pages,
        };
        pages.extend(read_pages?);
    }
    // Behind the pages: a job that was opened is not to be forgotten because one of them did not come.
    for (at, table, step) in jobs {
        let mut whole = Whole { cx, org: &org, table: &table, calls: &mut calls, usage: &mut usage };
        pages.insert(at, whole.go_on(step).await?);
    }
    Ok(Answered { value: pages.into_values().collect(), calls, usage })
}

fn way<'a>(org: &Org, ask: &Ask<'a>, pace: Pace) -> Result<Way<'a>, Error> {
    let table = Table::new(OP, org, known(OP, ask.kind)?, ask.fields)?;
    let start = match ask.start {
        From::Beginning => Start::Beginning,
        From::Since(since) => Start::Since(since),
        From::Cursor(text) => {
            let cursor = Cursor::parse(text);
            match cursor.ok_or_else(|| configuration(OP, "the stored cursor is not one of Salesforce's"))? {
                Cursor::Job { began, after, id, locator } => {
                    return Ok(Way::Job(table, Step { began, after, opened: Some((id, locator)) }));
                }
                Cursor::All { began, after, read: Some(read) } if read >= pace.job_from => {
                    return Ok(Way::Job(table, Step { began, after, opened: None }));
                }
                Cursor::All { began, after, read } => Start::All { began, after, read },
                Cursor::Round { until, stamp, after } => Start::Round { until, stamp, after },
                Cursor::Since(since) => Start::Since(since),
            }
        }
    };
    Ok(Way::Page(Look { table, start }))
}

/// One call: a page of each of at most five looks, with the looks' places.
async fn read(
    cx: &Cx<'_>,
    org: &Org,
    looks: &[(usize, Look<'_>)],
    limit: usize,
    calls: &mut u32,
    usage: &mut Option<Usage>,
) -> Result<Vec<(usize, Changes)>, Error> {
    let requests = looks.iter().map(|(at, look)| SubRequest {
        method: "GET",
        url: format!("{}/queryAll?q={}", org.root(), percent_encoded(&look.query(limit).to_string())),
        reference_id: reference(*at),
        http_headers: None,
        body: None,
    });
    *calls += 1;
    let dated = api::composite_dated(cx, org, OP, requests.collect()).await?;
    *usage = dated.usage.or(*usage);
    let now = dated.at.ok_or_else(|| protocol(OP, "the answer does not say when it was given"))?;
    let page = |(at, look): &(usize, Look<'_>)| {
        let page = look.table.page(OP, org, &dated.answer.composite_response, &reference(*at))?;
        Ok((*at, look.turn(org, &page, limit, now)?))
    };
    looks.iter().map(page).collect()
}

impl Look<'_> {
    fn query(&self, limit: usize) -> Query<'_> {
        let which = match &self.start {
            Start::Beginning => Which::All { after: None },
            Start::All { after, .. } => Which::All { after: Some(after.clone()) },
            Start::Since(since) => Which::Since(since.checked_sub(OVERLAP).unwrap_or(Timestamp::MIN)),
            Start::Round { until, stamp, after } => {
                Which::Behind { stamp: *stamp, after: after.clone(), until: Some(*until) }
            }
        };
        Query { object: &self.table.object, columns: &self.table.columns, which, all: &[], limit: Some(limit) }
    }

    /// A page, and where the next one begins.
    fn turn(&self, org: &Org, page: &QueryPage, limit: usize, now: Timestamp) -> Result<Changes, Error> {
        let rows = page.records.iter().map(|row| self.table.seen(OP, org, row)).collect::<Result<Vec<_>, Error>>()?;
        // Rows with much text come fewer to a page than were asked for.
        let more = !page.done || rows.len() >= limit;
        let last = match (more, page.records.last()) {
            (false, _) => None,
            (true, Some(row)) => Some((
                query::reference(row, "Id").ok_or_else(|| protocol(OP, "a row has no sound id"))?,
                query::stamp(row).ok_or_else(|| protocol(OP, "a row does not say when it changed"))?,
            )),
            (true, None) => return Err(protocol(OP, "a query's page is empty and not the last")),
        };
        // A round ends where the clock stood when it began.
        let (began, read) = match &self.start {
            Start::All { began, read, .. } => (*began, *read),
            Start::Round { until, .. } => (*until, None),
            Start::Beginning => (now, Some(0)),
            Start::Since(_) => (now, None),
        };
        let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let cursor = match (last, &self.start) {
            (None, _) => Cursor::Since(began),
            (Some((after, _)), Start::Beginning | Start::All { .. }) => {
                Cursor::All { began, after, read: read.map(|read| read.saturating_add(count)) }
            }
            (Some((after, stamp)), Start::Since(_) | Start::Round { .. }) => {
                Cursor::Round { until: began, stamp, after }
            }
        };
        Ok(Changes { rows, cursor: cursor.to_string(), more, ask_in: Duration::ZERO })
    }
}

fn reference(at: usize) -> String {
    format!("q{at}")
}
