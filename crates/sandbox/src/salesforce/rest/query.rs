//! `query` and `queryAll`: pages of at most 2,000 rows, continued by a locator.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use super::{Answer, Call};
use crate::salesforce::{
    SalesforceOrg, State,
    error::{ApiError, Outcome},
    id::Id,
    soql::{self, Found, Rows},
    world::Slot,
};

/// Rows on a page, and the fewest a client may ask for ("Query Options Header", read 2026-11-21).
const PAGE: usize = 2_000;
const MIN_PAGE: usize = 200;
/// Open queries that a user may have ("Query Locators", read 2026-11-21: ten per user, the oldest goes).
const MAX_CURSORS: usize = 10;

/// Queries that have further pages.
#[derive(Default)]
pub struct Cursors {
    open: VecDeque<Cursor>,
    opened: u64,
}

struct Cursor {
    name: String,
    user: Id,
    page: usize,
    rows: Rows,
    slots: Vec<Slot>,
}

/// How far a query sees.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    /// Into the recycle bin.
    pub deleted: bool,
    /// To the objects that only the Tooling API has.
    pub tooling: bool,
}

impl SalesforceOrg {
    pub(super) fn query(&self, state: &mut State, call: &Call<'_>, rest: &[&str], reach: Reach) -> Outcome<Answer> {
        match rest {
            [] => {}
            [locator] => return next_page(state, call, locator),
            _ => return Err(ApiError::not_found()),
        }
        let Some(text) = call.param("q") else {
            if call.param("explain").is_some() {
                return Err(ApiError::request("MALFORMED_QUERY", "query plans are not supported by this sandbox"));
            }
            return Err(ApiError::request("MALFORMED_QUERY", "unexpected token: '<EOF>'"));
        };
        let asker =
            soql::Asker { user: call.asker.user, now: call.asker.now, all_rows: reach.deleted, tooling: reach.tooling };
        match soql::query(&state.world, text, asker)? {
            Found::Count(count) => Ok(Answer::ok(json!({"totalSize": count, "done": true, "records": []}))),
            Found::Groups(groups) => {
                Ok(Answer::ok(json!({"totalSize": groups.len(), "done": true, "records": groups})))
            }
            Found::Rows(rows, slots) => {
                let page = call.headers.batch_size.unwrap_or(PAGE).clamp(MIN_PAGE, PAGE);
                if slots.len() <= page {
                    return Ok(Answer::ok(shown(state, call.version, &rows, &slots, 0, page, "")));
                }
                let name = state.cursors.open(call.asker.user, page, *rows, slots, &self.config.pod);
                turn(state, call.version, &name, 0)
            }
        }
    }
}

impl Cursors {
    fn open(&mut self, user: Id, page: usize, rows: Rows, slots: Vec<Slot>, pod: &str) -> String {
        self.opened += 1;
        // A locator looks like a record id of query locators (0r8), without checksum.
        let name = Id::new("0r8", pod, u32::try_from(self.opened % u64::from(u32::MAX)).unwrap_or(0));
        let name = name.as_str().to_owned();
        let mine = self.open.iter().filter(|cursor| cursor.user == user).count();
        if mine >= MAX_CURSORS
            && let Some(oldest) = self.open.iter().position(|cursor| cursor.user == user)
        {
            self.open.remove(oldest);
        }
        self.open.push_back(Cursor { name: name.clone(), user, page, rows, slots });
        name
    }
}

fn next_page(state: &State, call: &Call<'_>, locator: &str) -> Outcome<Answer> {
    let (name, from) = locator.rsplit_once('-').ok_or_else(bad_locator)?;
    let from: usize = from.parse().map_err(|_| bad_locator())?;
    let known = state.cursors.open.iter().any(|cursor| cursor.name == name && cursor.user == call.asker.user);
    if !known {
        return Err(bad_locator());
    }
    turn(state, call.version, name, from)
}

fn turn(state: &State, version: u32, name: &str, from: usize) -> Outcome<Answer> {
    let cursor = state.cursors.open.iter().find(|cursor| cursor.name == name).ok_or_else(bad_locator)?;
    if from >= cursor.slots.len() {
        return Err(bad_locator());
    }
    Ok(Answer::ok(shown(state, version, &cursor.rows, &cursor.slots, from, cursor.page, name)))
}

fn bad_locator() -> ApiError {
    ApiError::request("INVALID_QUERY_LOCATOR", "invalid query locator")
}

fn shown(state: &State, version: u32, rows: &Rows, slots: &[Slot], from: usize, page: usize, name: &str) -> Value {
    let until = (from + page).min(slots.len());
    let records: Vec<Value> = slots[from..until]
        .iter()
        .filter_map(|slot| {
            Some(rows.node.show(&state.world, rows.object, state.world.row(rows.object, *slot)?, version))
        })
        .collect();
    let mut out = Map::new();
    out.insert("totalSize".into(), slots.len().into());
    out.insert("done".into(), (until == slots.len()).into());
    if until < slots.len() {
        out.insert("nextRecordsUrl".into(), format!("/services/data/v{version}.0/query/{name}-{until}").into());
    }
    out.insert("records".into(), Value::Array(records));
    Value::Object(out)
}
