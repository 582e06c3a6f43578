//! Records by id, by e-mail address, by our key: up to five queries in a call.

use std::collections::{BTreeSet, VecDeque};

use syncline_connect::{
    Answered, Cx, Error, Usage,
    mirror::{Lookup, Seen},
};
use syncline_core::ids::RecordId;

use super::{configuration, known, protocol, rows::Table};
use crate::salesforce::{
    api,
    find::{PAGES_MAX, QUERIES_PER_CALL, VALUE_CHARS_PER_QUERY, VALUES_PER_QUERY, is_next_page},
    id,
    query::{Query, ROWS_PER_PAGE, Which},
    settings::Org,
    soql::{ApiName, Literal, percent_encoded},
    wire::SubRequest,
};

/// Ids that one call fetches, at up to 35 fields a row; with more fields it takes a second call.
pub const READS_AT_ONCE: usize = 5_000;

/// Fewest ids in one query, however many fields are wanted.
const IDS_PER_QUERY_MIN: usize = 200;

/// Records by id, those in the recycle bin with what became of them.
pub async fn fetch(cx: &Cx<'_>, kind: &str, ids: &[RecordId], fields: &[String]) -> Result<Answered<Vec<Seen>>, Error> {
    const OP: &str = "fetch";
    let org = Org::read(cx.settings, OP)?;
    let table = Table::new(OP, &org, known(OP, kind)?, fields)?;
    // What cannot be an id of the kind, no record has.
    let sound: BTreeSet<RecordId> = ids.iter().filter_map(|id| id::of(table.kind.role, id.as_str())).collect();
    let sound: Vec<Literal> = sound.into_iter().map(|id| Literal::Text(id.as_str().to_owned())).collect();
    let size = table.rows_in_answer(QUERIES_PER_CALL).clamp(IDS_PER_QUERY_MIN, ROWS_PER_PAGE);
    let queries = sound.chunks(size).map(|ids| Which::In(ApiName::fixed("Id"), ids.to_vec()));
    answer(cx, OP, &org, &table, "queryAll", queries).await
}

/// Live records that bear one of these addresses or keys.
pub async fn find(cx: &Cx<'_>, kind: &str, key: Lookup<'_>, fields: &[String]) -> Result<Answered<Vec<Seen>>, Error> {
    const OP: &str = "find";
    let org = Org::read(cx.settings, OP)?;
    let table = Table::new(OP, &org, known(OP, kind)?, fields)?;
    let (field, values): (ApiName, Vec<&str>) = match key {
        Lookup::Email(emails) => {
            let field = table.kind.email.ok_or_else(|| {
                configuration(OP, format!("records of the kind `{kind}` cannot be looked up by an e-mail address"))
            })?;
            (ApiName::fixed(field), emails.iter().map(String::as_str).collect())
        }
        Lookup::Key(keys) => (org.key_field.clone(), keys.iter().map(|key| key.as_str()).collect()),
    };
    // A blank would be taken for "has none".
    let values: BTreeSet<&str> = values.into_iter().map(str::trim).filter(|value| !value.is_empty()).collect();
    let queries = chunks(values).into_iter().map(|values| Which::In(field.clone(), values));
    answer(cx, OP, &org, &table, "query", queries).await
}

/// As many values to a query as its length allows.
fn chunks(values: BTreeSet<&str>) -> Vec<Vec<Literal>> {
    let mut chunks: Vec<Vec<Literal>> = Vec::new();
    let mut chars = 0;
    for value in values {
        let length = value.chars().count();
        let full = |chunk: &Vec<Literal>| chunk.len() >= VALUES_PER_QUERY || chars + length > VALUE_CHARS_PER_QUERY;
        if chunks.last().is_none_or(full) {
            chunks.push(Vec::new());
            chars = 0;
        }
        chars += length;
        chunks.last_mut().expect("one was just put there").push(Literal::Text(value.to_owned()));
    }
    chunks
}

/// One query, or the rest of one.
struct Open {
    url: String,
    pages: usize,
}

async fn answer(
    cx: &Cx<'_>,
    op: &'static str,
    org: &Org,
    table: &Table<'_>,
    resource: &str,
    queries: impl Iterator<Item = Which>,
) -> Result<Answered<Vec<Seen>>, Error> {
    let url = |which| {
        let query = Query { object: &table.object, columns: &table.columns, which, all: &[], limit: None };
        format!("{}/{resource}?q={}", org.root(), percent_encoded(&query.to_string()))
    };
    let mut open: VecDeque<Open> = queries.map(|which| Open { url: url(which), pages: 0 }).collect();
    let (mut value, mut calls, mut usage) = (Vec::new(), 0, None::<Usage>);
    while !open.is_empty() {
        let round: Vec<Open> = open.drain(..open.len().min(QUERIES_PER_CALL)).collect();
        let requests = round.iter().enumerate().map(|(at, query)| SubRequest {
            method: "GET",
            url: query.url.clone(),
            reference_id: format!("q{at}"),
            http_headers: None,
            body: None,
        });
        let dated = api::composite_dated(cx, org, op, requests.collect()).await?;
        calls += 1;
        usage = dated.usage.or(usage);
        for (at, query) in round.into_iter().enumerate() {
            let page = table.page(op, org, &dated.answer.composite_response, &format!("q{at}"))?;
            for row in &page.records {
                value.push(table.seen(op, org, row)?);
            }
            if !page.done {
                let next = page.next_records_url.filter(|url| is_next_page(org, url) && query.pages < PAGES_MAX);
                let url = next.ok_or_else(|| protocol(op, "a query's answer does not say where it goes on"))?;
                open.push_back(Open { url, pages: query.pages + 1 });
            }
        }
    }
    Ok(Answered { value, calls, usage })
}
