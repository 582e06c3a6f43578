//! Searching: filters, one order, pages of at most 200, and never past the 10,000th row.

use serde_json::{Map, Value, json};

use super::super::{
    State,
    error::Failure,
    schema::{ObjectType, TypeNo},
    world::{Record, Slot},
};
use super::{
    Ask, Done, Outcome,
    filter::{Filters, Subject},
    id_of,
    shape::{self, Wanted},
};

/// Rows of a page, unless asked otherwise and at the most ("Search the CRM", read 2026-11).
const LIMIT_DEFAULT: usize = 10;
const LIMIT_MAX: usize = 200;
/// Rows of a search that can be reached at all.
const REACH: usize = 10_000;

pub(super) fn answer(state: &State, ask: &Ask<'_>, object: TypeNo) -> Outcome {
    let body = ask.body()?;
    let kind = &state.world.schema.types[object];
    let table = &state.world.tables[object];
    let filters = Filters::read(kind, body)?;
    let (limit, start) = page(body)?;
    let order = order(kind, body)?;
    let words = body.get("query").and_then(Value::as_str).map(str::to_lowercase).filter(|query| !query.is_empty());
    let fits = |row: &&Record| filters.accept(row) && words.as_ref().is_none_or(|words| mentions(kind, row, words));
    let mut found: Vec<(Slot, &Record)> = match filters.candidates(kind, table) {
        Some(slots) => {
            slots.into_iter().filter_map(|slot| Some((slot, table.seen(slot)?))).filter(|(_, row)| fits(row)).collect()
        }
        None => {
            table.rows().filter_map(|(slot, _)| Some((slot, table.seen(slot)?))).filter(|(_, row)| fits(row)).collect()
        }
    };
    if let Some((subject, down)) = order {
        let mut keyed: Vec<_> = found.into_iter().map(|(slot, row)| (subject.of(row), slot, row)).collect();
        // Records without the value come last; equal ones stay in the order of their ids.
        keyed.sort_by(|one, two| {
            let by_key = match (&one.0, &two.0) {
                (Some(one), Some(two)) if down => two.order(one),
                (Some(one), Some(two)) => one.order(two),
                (one, two) => one.is_none().cmp(&two.is_none()),
            };
            by_key.then(one.1.cmp(&two.1))
        });
        found = keyed.into_iter().map(|(_, slot, row)| (slot, row)).collect();
    }
    let total = found.len();
    let names = body.get("properties").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let wanted = Wanted::new(kind, names, []);
    let rows: Vec<Value> = found
        .iter()
        .skip(start)
        .take(limit)
        .map(|(_, row)| shape::read(&state.world, ask.config, object, row, &wanted).into())
        .collect();
    let next = start + rows.len();
    let mut body = json!({"total": total, "results": rows});
    if next < total {
        body["paging"] = json!({"next": {"after": next.to_string()}});
    }
    Ok(Done::Json(200, body))
}

fn page(body: &Map<String, Value>) -> Result<(usize, usize), Failure> {
    let number = |name: &str, default: usize| match body.get(name).and_then(id_of).filter(|text| !text.is_empty()) {
        None => Ok(default),
        Some(text) => text.parse::<usize>().map_err(|_| Failure::invalid(format!("{name} is not a number"))),
    };
    let (limit, start) = (number("limit", LIMIT_DEFAULT)?, number("after", 0)?);
    if limit > LIMIT_MAX {
        return Err(Failure::invalid(format!("limit must be at most {LIMIT_MAX}")));
    }
    if start + limit > REACH {
        return Err(Failure::invalid(format!("A search reaches {REACH} rows; after and limit go beyond them")));
    }
    Ok((limit, start))
}

/// The one order: a property and `DESCENDING`, or the property with a minus in front.
fn order(kind: &ObjectType, body: &Map<String, Value>) -> Result<Option<(Subject, bool)>, Failure> {
    let Some(sort) = body.get("sorts").and_then(Value::as_array).and_then(|sorts| sorts.first()) else {
        return Ok(None);
    };
    let (name, down) = match sort {
        Value::String(text) => (text.trim_start_matches('-'), text.starts_with('-')),
        sort => (sort["propertyName"].as_str().unwrap_or_default(), sort["direction"] == "DESCENDING"),
    };
    let subject =
        Subject::new(kind, name).ok_or_else(|| Failure::invalid(format!("Property \"{name}\" does not exist")))?;
    Ok(Some((subject, down)))
}

/// Whether all words stand somewhere in what is shown of the record by default.
fn mentions(kind: &ObjectType, row: &Record, words: &str) -> bool {
    let phone = kind.find("phone");
    let texts: Vec<String> =
        kind.shown.iter().chain(&phone).filter_map(|prop| row.get(*prop)).map(str::to_lowercase).collect();
    words.split_whitespace().all(|word| texts.iter().any(|text| text.contains(word)))
}
