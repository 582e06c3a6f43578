//! What changed: a search for each kind, by the property that moves with every change. Pages are not counted on from a
//! place in the result, which moves while records change, but from the last change seen; so no search comes near the ten
//! thousand rows that one can reach. A first load and a sweep list instead: a search knows of a write only after a
//! while, and what a sweep misses counts as gone.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;
use syncline_connect::{
    Answered, Cx, Error, Usage,
    mirror::{Ask, Changes, From, KindSpec},
};

use super::{
    configuration,
    cursor::{Cursor, after},
    known, protocol,
};
use crate::hubspot::{
    api,
    convert::{self, is_id},
    settings::key_property,
    span::{self, OVERLAP, Span},
    wire::{Page, Row},
};

/// Rows of a page of a list.
/// <https://developers.hubspot.com/docs/api-reference/search/guide>, read 2026-11.
const ROWS_PER_LIST: usize = 100;

const OP: &str = "read changes";

/// Where one kind's reading stands.
struct Look<'a> {
    kind: &'static KindSpec,
    key: &'a str,
    fields: &'a [String],
    start: Start,
}

enum Start {
    Beginning,
    At(Cursor),
}

/// The next page of each, of at most so many rows, for a call each.
pub async fn changes(cx: &Cx<'_>, asks: &[Ask<'_>], page: usize) -> Result<Answered<Vec<Changes>>, Error> {
    let key = key_property(cx.settings, OP)?;
    let looks = asks.iter().map(|ask| look(&key, ask)).collect::<Result<Vec<Look<'_>>, Error>>()?;
    let mut out = Answered { value: Vec::with_capacity(looks.len()), calls: 0, usage: None::<Usage> };
    for look in &looks {
        let answer = match &look.start {
            Start::Beginning | Start::At(Cursor::All { .. }) => {
                api::list(cx, OP, look.kind.name, &look.list(page.min(ROWS_PER_LIST))).await
            }
            Start::At(_) => api::search(cx, OP, look.kind.name, &look.search(page)).await,
        };
        out.calls += 1;
        let answer = answer?;
        out.usage = answer.usage.or(out.usage);
        out.value.push(look.turn(&answer.body, page, answer.at.unwrap_or(cx.now))?);
    }
    Ok(out)
}

fn look<'a>(key: &'a str, ask: &Ask<'a>) -> Result<Look<'a>, Error> {
    let start = match ask.start {
        From::Beginning => Start::Beginning,
        From::Since(since) => Start::At(Cursor::Since(since)),
        From::Cursor(text) => {
            let cursor = Cursor::parse(text);
            Start::At(cursor.ok_or_else(|| configuration(OP, "the stored cursor is not one of HubSpot's"))?)
        }
    };
    Ok(Look { kind: known(OP, ask.kind)?, key, fields: ask.fields, start })
}

impl Look<'_> {
    fn properties(&self) -> Vec<&str> {
        convert::properties(self.kind.name, self.key, self.fields)
    }

    fn list(&self, limit: usize) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("limit", &limit.to_string());
        query.append_pair("properties", &self.properties().join(","));
        if let Start::At(Cursor::All { after, .. }) = &self.start {
            query.append_pair("after", after);
        }
        query.finish()
    }

    fn search(&self, limit: usize) -> Json {
        let span = match &self.start {
            Start::At(Cursor::Round { until, from }) => Span::Between(*from, *until),
            Start::At(Cursor::Tie { at, after, .. }) => Span::At(*at, after),
            Start::At(Cursor::Since(from)) => Span::Since(before(*from, OVERLAP)),
            Start::Beginning | Start::At(Cursor::All { .. }) => Span::Since(Timestamp::UNIX_EPOCH),
        };
        span.search(self.kind.name, &self.properties(), limit)
    }

    /// A page, and where the next one begins.
    fn turn(&self, page: &Page, limit: usize, now: Timestamp) -> Result<Changes, Error> {
        let tell = |row: &Row| convert::tells(self.kind.name, self.key, self.fields, row);
        let rows = page.results.iter().flat_map(tell).collect();
        let (cursor, more) = match &self.start {
            Start::Beginning => listed(page, now)?,
            Start::At(Cursor::All { began, .. }) => listed(page, *began)?,
            Start::At(Cursor::Since(_)) => self.searched(page, limit, now)?,
            Start::At(Cursor::Round { until, .. }) => self.searched(page, limit, *until)?,
            Start::At(Cursor::Tie { until, at, .. }) => tied(page, limit, *until, *at)?,
        };
        Ok(Changes { rows, cursor: cursor.to_string(), more, ask_in: Duration::ZERO })
    }

    /// After a page in the order of change. Of the last moment on it there may be more than it showed.
    fn searched(&self, page: &Page, limit: usize, until: Timestamp) -> Result<(Cursor, bool), Error> {
        if page.results.len() < limit {
            return Ok((Cursor::Since(until), false));
        }
        let at = |row: Option<&Row>| {
            let stamp = row.and_then(|row| convert::stamp(self.kind.name, row));
            stamp.ok_or_else(|| protocol(OP, "a row does not say when it changed"))
        };
        let (first, last) = (at(page.results.first())?, at(page.results.last())?);
        if last > until {
            return Ok((Cursor::Since(until), false));
        }
        let cursor = match first == last {
            true => Cursor::Tie { until, at: last, after: span::FIRST.to_owned() },
            false => Cursor::Round { until, from: last },
        };
        Ok((cursor, true))
    }
}

/// After a page of a list, which began at that moment.
fn listed(page: &Page, began: Timestamp) -> Result<(Cursor, bool), Error> {
    match page.paging.as_ref().and_then(|paging| paging.next.as_ref()) {
        None => Ok((Cursor::Since(began), false)),
        Some(next) => {
            let after = after(&next.after).ok_or_else(|| protocol(OP, "a list does not say where it goes on"))?;
            Ok((Cursor::All { began, after }, true))
        }
    }
}

/// After a page of records that changed at the same moment.
fn tied(page: &Page, limit: usize, until: Timestamp, at: Timestamp) -> Result<(Cursor, bool), Error> {
    if page.results.len() < limit {
        let from = span::behind(at);
        return Ok(if from > until { (Cursor::Since(until), false) } else { (Cursor::Round { until, from }, true) });
    }
    let last = page.results.last().map(|row| row.id.clone()).filter(|id| is_id(id));
    let after = last.ok_or_else(|| protocol(OP, "a row has no sound id"))?;
    Ok((Cursor::Tie { until, at, after }, true))
}

fn before(time: Timestamp, span: SignedDuration) -> Timestamp {
    time.checked_sub(span).unwrap_or(Timestamp::MIN)
}
