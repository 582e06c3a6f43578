//! Reading: one event, lists of them, the occurrences in a window.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{State, answers::Refused, api::Call, book::Mailbox, ids::Key, item::Item, when::bound};

const PAGE_DEFAULT: usize = 10;
const PAGE_MAX: usize = 1_000;
/// The longest window of a view ("List calendarView", read 2026-11: some 1,825 days).
const WINDOW_DAYS_MAX: i64 = 1_825;
/// What an expansion may name.
const EXTENDED: &str = "singleValueExtendedProperties";

/// A window of time that was asked for.
pub(super) fn window(call: &Call) -> Result<(Timestamp, Timestamp), Refused> {
    let from = bound("StartDateTime", call.param("startdatetime"))?;
    let to = bound("EndDateTime", call.param("enddatetime"))?;
    if to <= from {
        return Err(Refused::new(400, "ErrorInvalidParameter", "The end of the window is not after its start."));
    }
    if to.duration_since(from).as_hours() > 24 * WINDOW_DAYS_MAX {
        return Err(Refused::new(400, "ErrorCalendarViewRangeTooBig", "The window is too long."));
    }
    Ok((from, to))
}

impl State {
    /// An event as this call wants it told.
    pub(super) fn told(&self, call: &Call, key: Key) -> Result<Value, Refused> {
        let mailbox = self.mailbox(&call.act.user);
        let item = mailbox.find(key)?;
        Ok(told(call, mailbox, &item, key).into())
    }

    /// `events`: single events and series, never occurrences.
    pub(super) fn events(&self, call: &Call, calendar: u64) -> Result<Value, Refused> {
        let mailbox = self.mailbox(&call.act.user);
        let mut rows = Vec::new();
        for item in mailbox.items.values().filter(|item| item.calendar == calendar) {
            if matches(item, call.param("$filter"))? {
                rows.push((Key { number: item.number, day: None }, item.clone()));
            }
        }
        paged(call, mailbox, rows)
    }

    /// `calendarView`: what lies in a window, series as their occurrences.
    pub(super) fn calendar_view(&self, call: &Call, calendar: u64) -> Result<Value, Refused> {
        let (from, to) = window(call)?;
        let mailbox = self.mailbox(&call.act.user);
        let mut rows = Vec::new();
        for item in mailbox.items.values().filter(|item| item.calendar == calendar) {
            if item.is_series() {
                let parts = item.occurrences(from, to).into_iter();
                rows.extend(parts.map(|(day, one)| (Key { number: item.number, day: Some(day) }, one)));
            } else if item.touches(from, to) {
                rows.push((Key { number: item.number, day: None }, item.clone()));
            }
        }
        rows.sort_by_key(|(key, item)| (item.start.at, *key));
        paged(call, mailbox, rows)
    }

    /// `instances` of a series.
    pub(super) fn instances(&self, call: &Call, key: Key) -> Result<Value, Refused> {
        let (from, to) = window(call)?;
        let mailbox = self.mailbox(&call.act.user);
        let series = mailbox.find(key)?;
        if !series.is_series() {
            return Err(Refused::invalid("The event is not a series."));
        }
        let parts = series.occurrences(from, to).into_iter();
        let rows = parts.map(|(day, one)| (Key { number: key.number, day: Some(day) }, one)).collect();
        paged(call, mailbox, rows)
    }
}

/// An event with what was chosen of it and what is to come along.
pub(super) fn told(call: &Call, mailbox: &Mailbox, item: &Item, key: Key) -> Map<String, Value> {
    let manner = &call.manner;
    let mut out = item.shown(manner, key.day);
    if let Some(day) = key.day {
        let series = mailbox.items.get(&key.number);
        let changed = series.is_some_and(|series| series.exceptions.contains_key(&day));
        out.insert("type".into(), if changed { "exception" } else { "occurrence" }.into());
    }
    let chosen: Option<Vec<String>> =
        call.param("$select").map(|names| names.split(',').map(|name| name.trim().to_owned()).collect());
    if let Some(chosen) = &chosen {
        out.retain(|name, _| name == "@odata.etag" || name == "id" || chosen.contains(name));
        // Told only where it is asked for, and only of a series.
        if chosen.iter().any(|name| name == "cancelledOccurrences") && item.is_series() {
            let id = item.id(manner, None);
            let gone: Vec<String> = item.gone.iter().map(|day| format!("OID.{id}.{day}")).collect();
            out.insert("cancelledOccurrences".into(), gone.into());
        }
    }
    let expanded = call.param("$expand").unwrap_or_default();
    if expanded.contains("exceptionOccurrences") && item.is_series() {
        let parts = item.exceptions.iter().map(|(day, one)| {
            let mut part = one.shown(manner, Some(*day));
            part.insert("type".into(), "exception".into());
            Value::from(part)
        });
        out.insert("exceptionOccurrences".into(), parts.collect());
    }
    if expanded.contains(EXTENDED) {
        let wanted = quoted(expanded, "id eq '");
        let rows = item.fields.get(EXTENDED).and_then(Value::as_array).into_iter().flatten();
        let rows: Vec<Value> =
            rows.filter(|row| wanted.as_deref().is_none_or(|wanted| row["id"] == wanted)).cloned().collect();
        if !rows.is_empty() {
            out.insert(EXTENDED.into(), rows.into());
        }
    }
    out
}

/// A page by its place among the rows.
fn paged(call: &Call, mailbox: &Mailbox, rows: Vec<(Key, Item)>) -> Result<Value, Refused> {
    let number = |name: &str| {
        call.param(name)
            .map(|text| text.parse::<usize>().map_err(|_| Refused::invalid(format!("Invalid {name}."))))
            .transpose()
    };
    let size = number("$top")?.or(call.manner.page).unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let skipped = number("$skip")?.unwrap_or(0);
    let shown: Vec<Value> =
        rows.iter().skip(skipped).take(size).map(|(key, item)| told(call, mailbox, item, *key).into()).collect();
    let mut out = json!({"@odata.context": call.context("events"), "value": shown});
    if rows.len() > skipped + size {
        let mut query: Vec<(&str, String)> = call
            .query
            .iter()
            .filter(|(name, _)| name != "$skip")
            .map(|(name, value)| (name.as_str(), value.clone()))
            .collect();
        query.push(("$skip", (skipped + size).to_string()));
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        out["@odata.nextLink"] = format!("{}{}?{query}", call.base, call.path).into();
    }
    Ok(out)
}

/// What stands in quotation marks after these words; a doubled mark is one.
fn quoted(text: &str, after: &str) -> Option<String> {
    let rest = &text[text.find(after)? + after.len()..];
    let mut out = String::new();
    let mut letters = rest.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '\'' {
            out.push(letter);
        } else if letters.peek() == Some(&'\'') {
            letters.next();
            out.push('\'');
        } else {
            return Some(out);
        }
    }
    None
}

/// The filters that are understood: a property of one's own, the names of a meeting, and bounds of start and end.
fn matches(item: &Item, filter: Option<&str>) -> Result<bool, Refused> {
    let Some(filter) = filter else { return Ok(true) };
    let unknown =
        || Refused::new(400, "ErrorInvalidUrlQueryFilter", "The query filter contains one or more invalid nodes.");
    if filter.starts_with(EXTENDED) {
        let id = quoted(filter, "ep/id eq '").ok_or_else(unknown)?;
        let value = quoted(filter, "ep/value eq '").ok_or_else(unknown)?;
        let rows = item.fields.get(EXTENDED).and_then(Value::as_array).into_iter().flatten();
        // Names are told apart by case, values are not.
        let fits = |row: &Value| {
            row["id"] == id && row["value"].as_str().is_some_and(|known| known.eq_ignore_ascii_case(&value))
        };
        return Ok(rows.into_iter().any(fits));
    }
    for part in filter.split(" and ") {
        let (name, test) = part.trim().split_once(' ').ok_or_else(unknown)?;
        let (word, _) = test.split_once(' ').ok_or_else(unknown)?;
        let value = quoted(test, "'").ok_or_else(unknown)?;
        let good = match (name, word) {
            ("iCalUId", "eq") => item.ical_uid(None) == value,
            ("uid", "eq") => item.uid == value,
            ("subject", "eq") => item.text("subject") == value,
            ("start/dateTime" | "end/dateTime", _) => {
                let at = bound(name, Some(&value))?;
                let own = if name.starts_with("start") { item.start.at } else { item.end.at };
                match word {
                    "ge" => own >= at,
                    "gt" => own > at,
                    "le" => own <= at,
                    "lt" => own < at,
                    "eq" => own == at,
                    _ => return Err(unknown()),
                }
            }
            _ => return Err(unknown()),
        };
        if !good {
            return Ok(false);
        }
    }
    Ok(true)
}
