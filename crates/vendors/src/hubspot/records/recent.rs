//! Which meetings changed of late: a search in the order of change, for a call a page. Pages are not counted on from a
//! place in the result but from the time of the last row, so that no search comes near the row behind which there is
//! nothing to be had. What is archived a search leaves out.

use jiff::Timestamp;
use syncline_connect::{Answered, Cx, Error, ErrorKind, Recent, Retry, Usage, records::untold};
use syncline_core::{ids::RecordId, record::Role};

use super::{fields, id};
use crate::hubspot::{
    api,
    convert::{self, is_id},
    manifest::watermark,
    span::{self, Span},
};

const OP: &str = "recent";

/// Pages of meetings that changed in the same millisecond: more than any import makes.
const TIED_PAGES_MAX: usize = 50;

/// Meetings with the time of their last change.
type Rows = Vec<(RecordId, Timestamp)>;

/// Searches on their way, and what they cost so far.
struct Reading<'a> {
    cx: &'a Cx<'a>,
    object: &'static str,
    limit: usize,
    calls: u32,
    usage: Option<Usage>,
}

/// What changed from a moment on, of at most so many rows. Where one moment fills the page, all of that moment comes
/// and the page behind it, so that whoever asks again from the last row's time gets on.
pub async fn recent(cx: &Cx<'_>, role: Role, since: Timestamp, limit: usize) -> Result<Answered<Recent>, Error> {
    let spec = fields::spec(role).filter(|_| role == Role::Meeting).ok_or_else(|| untold(role))?;
    let mut reading = Reading { cx, object: spec.object, limit, calls: 0, usage: None };
    let (mut rows, mut more) = reading.page(Span::Since(since)).await?;
    let mut changed = Rows::new();
    if let (true, Some((_, first)), Some((_, last))) = (more, rows.first(), rows.last())
        && first == last
    {
        let at = *last;
        changed = reading.moment(at).await?;
        (rows, more) = reading.page(Span::Since(span::behind(at))).await?;
    }
    changed.append(&mut rows);
    Ok(Answered { value: Recent { changed, more }, calls: reading.calls, usage: reading.usage })
}

impl Reading<'_> {
    /// All that changed at one moment.
    async fn moment(&mut self, at: Timestamp) -> Result<Rows, Error> {
        let mut rows = Rows::new();
        for _ in 0..TIED_PAGES_MAX {
            let after = rows.last().and_then(|(id, _)| id::number(id)).unwrap_or(span::FIRST).to_owned();
            let (mut page, more) = self.page(Span::At(at, &after)).await?;
            rows.append(&mut page);
            if !more {
                return Ok(rows);
            }
        }
        Err(protocol("more meetings changed at one moment than are ever followed"))
    }

    /// One page, and whether there is more.
    async fn page(&mut self, span: Span<'_>) -> Result<(Rows, bool), Error> {
        let body = span.search(self.object, &[watermark(self.object)], self.limit);
        self.calls += 1;
        let answer = api::search(self.cx, OP, self.object, &body).await?;
        self.usage = answer.usage.or(self.usage);
        let mut rows = Rows::with_capacity(answer.body.results.len());
        for row in &answer.body.results {
            let number = Some(&row.id).filter(|id| is_id(id)).ok_or_else(|| protocol("a row has no sound id"))?;
            let stamp = convert::stamp(self.object, row);
            let stamp = stamp.ok_or_else(|| protocol("a row does not say when it changed"))?;
            if rows.last().is_some_and(|(_, before)| *before > stamp) {
                return Err(protocol("the rows are not in the order of change"));
            }
            rows.push((id::of(self.object, number), stamp));
        }
        let more = rows.len() >= self.limit || answer.body.paging.is_some_and(|paging| paging.next.is_some());
        if more && rows.is_empty() {
            return Err(protocol("a search's page is empty and not the last"));
        }
        Ok((rows, more))
    }
}

fn protocol(what: &str) -> Error {
    Error::new(ErrorKind::Protocol, Retry::Backoff, OP, what)
}
