//! `updated` and `deleted`: ids of records changed or deleted within a span of time.

use serde_json::{Value, json};

use super::{Answer, Call};
use crate::salesforce::{
    SalesforceOrg, State,
    error::{ApiError, Outcome},
    time,
    world::Val,
};

const DAY: i64 = 24 * 60 * 60;
/// How far back one may ask ("Get Updated", "Get Deleted", read 2026-11-21).
const UPDATED_BACK: i64 = 30 * DAY;
const DELETED_BACK: i64 = 15 * DAY;
const MINUTE: i64 = 60;

impl SalesforceOrg {
    pub(super) fn updated(&self, state: &State, call: &Call<'_>, object: usize) -> Outcome<Answer> {
        let (from, until) = span(call, UPDATED_BACK)?;
        let mut ids = Vec::new();
        for (_, slot) in state.world.table(object).stamped(from, until) {
            if let Some(row) = state.world.row(object, slot).filter(|row| !row.deleted) {
                ids.push(row.id.as_str().to_owned());
            }
        }
        Ok(Answer::ok(json!({"ids": ids, "latestDateCovered": time::stamp(until)})))
    }

    pub(super) fn deleted(&self, state: &State, call: &Call<'_>, object: usize) -> Outcome<Answer> {
        let (from, until) = span(call, DELETED_BACK)?;
        let stamp = self.schema().def(object).system.stamp;
        let mut gone: Vec<Value> = Vec::new();
        for (_, slot) in state.world.table(object).stamped(from, until) {
            let Some(row) = state.world.row(object, slot).filter(|row| row.deleted) else { continue };
            if let Some(Val::Stamp(at)) = stamp.and_then(|no| row.stored(no)) {
                gone.push(json!({"id": row.id.as_str(), "deletedDate": time::stamp(*at)}));
            }
        }
        Ok(Answer::ok(json!({
            "deletedRecords": gone,
            "earliestDateAvailable": time::stamp(self.born.max(call.asker.now - DELETED_BACK)),
            "latestDateCovered": time::stamp(until),
        })))
    }
}

/// The minutes asked for; seconds are cut off, and the end cannot lie in the future.
fn span(call: &Call<'_>, back: i64) -> Outcome<(i64, i64)> {
    let read = |name: &str| -> Outcome<i64> {
        let text = call
            .param(name)
            .ok_or_else(|| ApiError::request("MISSING_ARGUMENT", format!("missing required parameter: {name}")))?;
        // A plus sign that nobody escaped arrives as a space.
        time::parse_stamp(&text.replacen(' ', "+", 1))
            .ok_or_else(|| ApiError::request("INVALID_REPLICATION_DATE", format!("invalid date: {text}")))
    };
    let (start, end) = (read("start")?, read("end")?);
    let floor = |at: i64| at.div_euclid(MINUTE) * MINUTE;
    if end - start <= MINUTE {
        let message = "endDate must be at least one minute greater than startDate";
        return Err(ApiError::request("INVALID_REPLICATION_DATE", message));
    }
    if start < call.asker.now - back {
        let message = format!("startDate cannot be more than {} days ago", back / DAY);
        return Err(ApiError::request("INVALID_REPLICATION_DATE", message));
    }
    Ok((floor(start), end.min(floor(call.asker.now) + MINUTE)))
}
