//! What changed: a page of up to five kinds for one call. A row's `SystemModstamp` moves with every change of its own,
//! whoever makes it, also by deletion and merge; `queryAll` shows those. Time is Salesforce's: a round ends where the
//! clock of its first answer stood, and the next one begins before that by an overlap, because what a long transaction
//! commits bears the stamp of its beginning.

use jiff::Timestamp;
use syncline_connect::{
    Answered, Cx, Error, ErrorKind, Usage,
    mirror::{Ask, Changes, From},
};

use super::{configuration, cursor::Cursor, known, protocol, rows::Table};
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

/// Where one kind's reading stands.
struct Look<'a> {
    table: Table<'a>,
    start: Start,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Start {
    Beginning,
    At(Cursor),
}

/// The next page of each, of at most so many rows.
pub async fn changes(cx: &Cx<'_>, asks: &[Ask<'_>], page: usize) -> Result<Answered<Vec<Changes>>, Error> {
    let org = Org::read(cx.settings, OP)?;
    let looks = asks.iter().map(|ask| look(&org, ask)).collect::<Result<Vec<Look<'_>>, Error>>()?;
    let mut out = Answered { value: Vec::with_capacity(looks.len()), calls: 0, usage: None };
    for part in looks.chunks(QUERIES_PER_CALL) {
        let limit = part.iter().map(|look| look.table.rows_in_answer(part.len())).min().unwrap_or(page);
        let limit = limit.max(ROWS_OF_SMALL_PAGE).min(page);
        let pages = match read(cx, &org, part, limit, &mut out.calls, &mut out.usage).await {
            // A smaller page is another question, not the same again.
            Err(error) if error.kind == ErrorKind::Unavailable && limit > ROWS_OF_SMALL_PAGE => {
                read(cx, &org, part, ROWS_OF_SMALL_PAGE, &mut out.calls, &mut out.usage).await
            }
            pages => pages,
        };
        out.value.extend(pages?);
    }
    Ok(out)
}

fn look<'a>(org: &Org, ask: &Ask<'a>) -> Result<Look<'a>, Error> {
    let table = Table::new(OP, org, known(OP, ask.kind)?, ask.fields)?;
    let start = match ask.start {
        From::Beginning => Start::Beginning,
        From::Since(since) => Start::At(Cursor::Since(since)),
        From::Cursor(text) => {
            let cursor = Cursor::parse(text);
            Start::At(cursor.ok_or_else(|| configuration(OP, "the stored cursor is not one of Salesforce's"))?)
        }
    };
    Ok(Look { table, start })
}

/// One call: a page of each of at most five looks.
async fn read(
    cx: &Cx<'_>,
    org: &Org,
    looks: &[Look<'_>],
    limit: usize,
    calls: &mut u32,
    usage: &mut Option<Usage>,
) -> Result<Vec<Changes>, Error> {
    let requests = looks.iter().enumerate().map(|(at, look)| SubRequest {
        method: "GET",
        url: format!("{}/queryAll?q={}", org.root(), percent_encoded(&look.query(limit).to_string())),
        reference_id: reference(at),
        http_headers: None,
        body: None,
    });
    *calls += 1;
    let dated = api::composite_dated(cx, org, OP, requests.collect()).await?;
    *usage = dated.usage.or(*usage);
    let now = dated.at.ok_or_else(|| protocol(OP, "the answer does not say when it was given"))?;
    let page = |(at, look): (usize, &Look<'_>)| {
        let page = look.table.page(OP, org, &dated.answer.composite_response, &reference(at))?;
        look.turn(org, &page, limit, now)
    };
    looks.iter().enumerate().map(page).collect()
}

impl Look<'_> {
    fn query(&self, limit: usize) -> Query<'_> {
        let which = match &self.start {
            Start::Beginning => Which::All { after: None },
            Start::At(Cursor::All { after, .. }) => Which::All { after: Some(after.clone()) },
            Start::At(Cursor::Since(since)) => Which::Since(since.checked_sub(OVERLAP).unwrap_or(Timestamp::MIN)),
            Start::At(Cursor::Round { until, stamp, after }) => {
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
        let began = match &self.start {
            Start::At(Cursor::All { began, .. }) => *began,
            Start::At(Cursor::Round { until, .. }) => *until,
            Start::Beginning | Start::At(Cursor::Since(_)) => now,
        };
        let cursor = match (last, &self.start) {
            (None, _) => Cursor::Since(began),
            (Some((after, _)), Start::Beginning | Start::At(Cursor::All { .. })) => Cursor::All { began, after },
            (Some((after, stamp)), Start::At(_)) => Cursor::Round { until: began, stamp, after },
        };
        Ok(Changes { rows, cursor: cursor.to_string(), more })
    }
}

fn reference(at: usize) -> String {
    format!("q{at}")
}
