//! How a series repeats: Graph's pattern and range, and a rule of iCalendar. Pure.
//! <https://learn.microsoft.com/en-us/graph/api/resources/patternedrecurrence>, read 2026-11.

use std::collections::BTreeMap;

use jiff::{
    civil::{Date, DateTime, Weekday},
    tz::TimeZone,
};
use serde_json::{Map, Value, json};
use syncline_core::calendar::{
    event::{Content, Moment, Unreadable},
    recur::{Fault, Frequency, Recurrence as Lines, Rule, Until, Window, expand},
    zone,
};

use super::wire::{Pattern, Range, Recurrence};

/// Days of the week and how a rule writes them.
const DAYS: [(&str, &str); 7] = [
    ("monday", "MO"),
    ("tuesday", "TU"),
    ("wednesday", "WE"),
    ("thursday", "TH"),
    ("friday", "FR"),
    ("saturday", "SA"),
    ("sunday", "SU"),
];

/// Which of the days that fit is meant.
const PLACES: [(&str, &str); 5] = [("first", "1"), ("second", "2"), ("third", "3"), ("fourth", "4"), ("last", "-1")];

/// The last day that every month has.
const DAY_ALWAYS: i64 = 28;
const DAY_LAST: i64 = 31;

/// The recurrence as a line. `zone` is that of the series, of which `is_day` says whether it is of whole days.
pub fn line(recurrence: &Recurrence, zone: &TimeZone, is_day: bool) -> Result<String, Unreadable> {
    let pattern = recurrence.pattern.as_ref().ok_or_else(|| fault("pattern"))?;
    let range = recurrence.range.as_ref().ok_or_else(|| fault("range"))?;
    let kind = pattern.kind.as_deref().unwrap_or_default();
    let parts = match kind {
        "daily" => vec!["FREQ=DAILY".to_owned()],
        "weekly" => vec!["FREQ=WEEKLY".to_owned(), by_day(pattern)?, week_start(pattern)?],
        "absoluteMonthly" => vec!["FREQ=MONTHLY".to_owned(), by_month_day(pattern)?],
        "relativeMonthly" => vec!["FREQ=MONTHLY".to_owned(), by_day(pattern)?, by_place(pattern)?],
        "absoluteYearly" => vec!["FREQ=YEARLY".to_owned(), by_month(pattern)?, by_month_day(pattern)?],
        "relativeYearly" => {
            vec!["FREQ=YEARLY".to_owned(), by_month(pattern)?, by_day(pattern)?, by_place(pattern)?]
        }
        other => return Err(fault(other)),
    };
    let interval = pattern.interval.unwrap_or(1);
    if interval < 1 {
        return Err(fault("interval"));
    }
    let mut line = format!("RRULE:{}", parts.join(";"));
    if interval > 1 {
        line.push_str(&format!(";INTERVAL={interval}"));
    }
    line.push_str(&end(range, zone, is_day)?);
    Ok(line)
}

/// The last day of the range counts, by the clock of the series.
fn end(range: &Range, zone: &TimeZone, is_day: bool) -> Result<String, Unreadable> {
    match range.kind.as_deref() {
        Some("noEnd") => Ok(String::new()),
        Some("numbered") => {
            let count = range.number_of_occurrences.filter(|count| *count > 0);
            Ok(format!(";COUNT={}", count.ok_or_else(|| fault("numberOfOccurrences"))?))
        }
        Some("endDate") => {
            let day: Option<Date> = range.end_date.as_deref().and_then(|day| day.parse().ok());
            let day = day.ok_or_else(|| fault("endDate"))?;
            if is_day {
                return Ok(format!(";UNTIL={}", day.strftime("%Y%m%d")));
            }
            let last = Moment::Floating(day.at(23, 59, 59, 0)).instant(zone);
            Ok(format!(";UNTIL={}", last.strftime("%Y%m%dT%H%M%SZ")))
        }
        _ => Err(fault("range")),
    }
}

fn by_day(pattern: &Pattern) -> Result<String, Unreadable> {
    let names = pattern.days_of_week.as_deref().unwrap_or_default();
    let days: Vec<&str> = names.iter().map(|name| weekday(name)).collect::<Result<_, _>>()?;
    if days.is_empty() {
        return Err(fault("daysOfWeek"));
    }
    Ok(format!("BYDAY={}", days.join(",")))
}

/// A week begins on Sunday unless it is said otherwise.
fn week_start(pattern: &Pattern) -> Result<String, Unreadable> {
    Ok(format!("WKST={}", weekday(pattern.first_day_of_week.as_deref().unwrap_or("sunday"))?))
}

fn weekday(name: &str) -> Result<&'static str, Unreadable> {
    let day = DAYS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    day.map(|(_, day)| *day).ok_or_else(|| fault(name))
}

fn by_month(pattern: &Pattern) -> Result<String, Unreadable> {
    let month = pattern.month.filter(|month| (1..=12).contains(month));
    Ok(format!("BYMONTH={}", month.ok_or_else(|| fault("month"))?))
}

/// In a month that has no such day its last one is meant, where a rule of iCalendar would leave the month out: the last
/// of those of the wanted days that there are.
/// <https://learn.microsoft.com/en-us/exchange/client-developer/web-service-reference/absolutemonthlyrecurrence>, read 2026-11.
fn by_month_day(pattern: &Pattern) -> Result<String, Unreadable> {
    let day = pattern.day_of_month.filter(|day| (1..=DAY_LAST).contains(day)).ok_or_else(|| fault("dayOfMonth"))?;
    Ok(match day {
        ..=DAY_ALWAYS => format!("BYMONTHDAY={day}"),
        DAY_LAST => "BYMONTHDAY=-1".to_owned(),
        _ => {
            let days: Vec<String> = (DAY_ALWAYS..=day).map(|day| day.to_string()).collect();
            format!("BYMONTHDAY={};BYSETPOS=-1", days.join(","))
        }
    })
}

/// Of several days the first, second … that fits is meant.
fn by_place(pattern: &Pattern) -> Result<String, Unreadable> {
    let index = pattern.index.as_deref().unwrap_or("first");
    let place = PLACES.iter().find(|(known, _)| known.eq_ignore_ascii_case(index));
    place.map(|(_, place)| format!("BYSETPOS={place}")).ok_or_else(|| fault(index))
}

/// The recurrence of a series in Graph's words; `None` where it has none for it. What is found is read back, and believed
/// only where it means the same occurrences: days that a month lacks, exceptions, and a start that is none of the rule's are
/// taken otherwise there.
pub fn said(content: &Content) -> Option<Value> {
    let lines = Lines::read(&content.recurrence).ok()?;
    let [rule] = lines.rules.as_slice() else { return None };
    let (zone, first) = match &content.start {
        Moment::At { at, zone } => {
            let zone = zone::zone(zone).ok()?;
            let first = zone.to_datetime(*at);
            (zone, first)
        }
        Moment::Day(day) => (TimeZone::UTC, day.at(0, 0, 0, 0)),
        Moment::Floating(_) => return None,
    };
    let said = json!({"pattern": days_of(rule, first.date())?, "range": range(rule, &zone, first)?});
    let back = serde_json::from_value(said.clone()).ok()?;
    let line = line(&back, &zone, content.start.is_day()).ok()?;
    let meant = |lines: Vec<String>| {
        let content = Content { recurrence: lines, ..content.clone() };
        expand(&content, &BTreeMap::new(), Window::ALL, &TimeZone::UTC).ok()
    };
    let wanted = meant(content.recurrence.clone())?;
    (!wanted.out_of_step && meant(vec![line])? == wanted).then_some(said)
}

/// The pattern that a rule may mean, for a series that begins on this day.
fn days_of(rule: &Rule, first: Date) -> Option<Map<String, Value>> {
    let name = |day: Weekday| DAYS[usize::from(day.to_monday_zero_offset().unsigned_abs())].0;
    let mut pattern = Map::new();
    let mut say = |name: &str, value: Value| drop(pattern.insert(name.to_owned(), value));
    say("interval", rule.interval.into());
    let is_yearly = rule.frequency == Frequency::Yearly;
    let days: Vec<&str> = rule.days.iter().map(|day| name(day.weekday())).collect();
    match rule.frequency {
        Frequency::Daily => say("type", "daily".into()),
        Frequency::Weekly => {
            say("type", "weekly".into());
            say("daysOfWeek", if days.is_empty() { json!([name(first.weekday())]) } else { json!(days) });
            say("firstDayOfWeek", name(rule.week_start).into());
        }
        Frequency::Monthly | Frequency::Yearly if days.is_empty() => {
            say("type", if is_yearly { "absoluteYearly" } else { "absoluteMonthly" }.into());
            // A rule that names the last of several days means that day or, in a month without it, the last.
            let last = rule.month_days.last().map_or(i64::from(first.day()), |day| i64::from(*day));
            say("dayOfMonth", if last == -1 { DAY_LAST } else { last }.into());
        }
        Frequency::Monthly | Frequency::Yearly => {
            say("type", if is_yearly { "relativeYearly" } else { "relativeMonthly" }.into());
            say("daysOfWeek", json!(days));
            let place = rule.positions.first().copied().unwrap_or(rule.days[0].nth).to_string();
            say("index", PLACES.iter().find(|(_, known)| *known == place)?.0.into());
        }
        Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => return None,
    }
    if is_yearly {
        say("month", rule.months.first().map_or(i64::from(first.month()), |month| i64::from(*month)).into());
    }
    Some(pattern)
}

/// From when on and until when a rule runs.
fn range(rule: &Rule, zone: &TimeZone, first: DateTime) -> Option<Value> {
    let mut range = json!({"type": "noEnd", "startDate": first.date().to_string()});
    if let Some(count) = rule.count {
        range["type"] = "numbered".into();
        range["numberOfOccurrences"] = count.into();
    }
    if let Some(until) = rule.until {
        let last = match until {
            Until::Day(day) => day.at(23, 59, 59, 0),
            Until::Local(at) => at,
            Until::Utc(at) => zone.to_datetime(TimeZone::UTC.to_timestamp(at).ok()?),
        };
        // An end before that day's occurrence is one on the day before.
        let day = if last.time() < first.time() { last.date().yesterday().ok()? } else { last.date() };
        range["type"] = "endDate".into();
        range["endDate"] = day.to_string().into();
    }
    Some(range)
}

/// How much of what could not be read is shown.
const SHOWN_CHARS_MAX: usize = 64;

fn fault(part: &str) -> Unreadable {
    Unreadable::Rule(Fault::Rule(part.chars().take(SHOWN_CHARS_MAX).collect()))
}
