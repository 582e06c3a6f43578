//! Which meetings changed of late: a query in the order of change, for a call a page. What is deleted or archived a plain
//! query leaves out.

use jiff::Timestamp;
use syncline_connect::{Answered, Cx, Error, ErrorKind, Recent, Retry, records::untold};
use syncline_core::record::Role;

use super::{
    api, convert,
    find::{PAGES_MAX, own},
    query::{self, Query, Which},
    settings::Org,
    soql::{ApiName, Path, percent_encoded},
    wire::SubRequest,
};

const OP: &str = "recent";

const REFERENCE: &str = "q0";

/// What changed from a moment on, of at most so many rows. Where one moment fills the page, the pages behind it come
/// along, so that whoever asks again from the last row's time gets on.
pub async fn recent(cx: &Cx<'_>, role: Role, since: Timestamp, limit: usize) -> Result<Answered<Recent>, Error> {
    if role != Role::Meeting {
        return Err(untold(role));
    }
    let org = Org::read(cx.settings, OP)?;
    let mut out = Answered { value: Recent::default(), calls: 0, usage: None };
    let mut which = Which::Since(milliseconds(since));
    for _ in 0..PAGES_MAX {
        out.value.more = page(cx, &org, role, which, limit, &mut out).await?;
        let changed = &out.value.changed;
        match (changed.first(), changed.last()) {
            (Some((_, first)), Some((after, stamp))) if out.value.more && first == stamp => {
                which = Which::Behind { stamp: *stamp, after: after.clone(), until: None };
            }
            _ => return Ok(out),
        }
    }
    Err(protocol("more meetings changed at one moment than are ever followed"))
}

/// One page, put behind those before it; whether there is more.
async fn page(
    cx: &Cx<'_>,
    org: &Org,
    role: Role,
    which: Which,
    limit: usize,
    out: &mut Answered<Recent>,
) -> Result<bool, Error> {
    let object = ApiName::fixed(convert::spec(role).object);
    let columns = ["Id", "SystemModstamp"].map(|name| Path::from(ApiName::fixed(name)));
    let query = Query { object: &object, columns: &columns, which, all: &own(role), limit: Some(limit) };
    let request = SubRequest {
        method: "GET",
        url: format!("{}/query?q={}", org.root(), percent_encoded(&query.to_string())),
        reference_id: REFERENCE.to_owned(),
        http_headers: None,
        body: None,
    };
    out.calls += 1;
    let dated = api::composite_dated(cx, org, OP, vec![request]).await?;
    out.usage = dated.usage.or(out.usage);
    let page = query::page_of(OP, &dated.answer.composite_response, REFERENCE).map_err(|none| none.error)?;
    if page.done && page.total_size != page.records.len() {
        return Err(protocol("a query's answer lacks rows"));
    }
    for row in &page.records {
        let id = query::reference(row, "Id").ok_or_else(|| protocol("a row has no sound id"))?;
        let stamp = query::stamp(row).ok_or_else(|| protocol("a row does not say when it changed"))?;
        if out.value.changed.last().is_some_and(|(_, before)| *before > stamp) {
            return Err(protocol("the rows are not in the order of change"));
        }
        out.value.changed.push((id, stamp));
    }
    // A query may answer fewer rows than were asked for, and say that there are more.
    let more = !page.done || page.records.len() >= limit;
    if more && page.records.is_empty() {
        return Err(protocol("a query's page is empty and not the last"));
    }
    Ok(more)
}

/// As fine as a query takes it.
fn milliseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

fn protocol(what: &str) -> Error {
    Error::new(ErrorKind::Protocol, Retry::Backoff, OP, what)
}
