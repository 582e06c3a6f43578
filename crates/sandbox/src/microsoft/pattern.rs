//! How a series repeats: Graph's pattern and range, read into a rule and told again with everything filled in.

use jiff::{
    civil::{Date, DateTime, Weekday},
    tz::TimeZone,
};
use serde_json::{Value, json};

use super::answers::Refused;
use crate::recur::{End, Frequency, Rule};

/// Occurrences of a numbered series (assumed).
const NUMBER_MAX: u64 = 999;
const DAYS: [(&str, Weekday); 7] = [
    ("sunday", Weekday::Sunday),
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
];
const PLACES: [(&str, i32); 5] = [("first", 1), ("second", 2), ("third", 3), ("fourth", 4), ("last", -1)];

fn broken(what: &str) -> Refused {
    Refused::new(400, "ErrorRecurrenceInvalid", format!("The recurrence has an invalid {what}."))
}

fn weekday(text: &str) -> Option<Weekday> {
    DAYS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, day)| *day)
}

/// The rule that a recurrence means.
pub(super) fn rule(recurrence: &Value) -> Result<Rule, Refused> {
    let (pattern, range) = (&recurrence["pattern"], &recurrence["range"]);
    let number = |name: &str| pattern[name].as_i64().filter(|number| *number != 0);
    let small = |name: &str| number(name).map(|number| i8::try_from(number).map_err(|_| broken(name))).transpose();
    let days: Option<Vec<Weekday>> =
        pattern["daysOfWeek"].as_array().into_iter().flatten().map(|day| weekday(day.as_str()?)).collect();
    let days = days.ok_or_else(|| broken("daysOfWeek"))?;
    let kind = pattern["type"].as_str().unwrap_or_default();
    let frequency = match kind {
        "daily" => Frequency::Daily,
        "weekly" => Frequency::Weekly,
        "absoluteMonthly" | "relativeMonthly" => Frequency::Monthly,
        "absoluteYearly" | "relativeYearly" => Frequency::Yearly,
        _ => return Err(broken("type")),
    };
    let interval = u32::try_from(number("interval").unwrap_or(1)).map_err(|_| broken("interval"))?;
    let mut rule = Rule { interval, end: end(range)?, ..Rule::every(frequency) };
    // A week begins on Sunday unless it is said otherwise.
    rule.week_start = pattern["firstDayOfWeek"]
        .as_str()
        .map_or(Some(Weekday::Sunday), weekday)
        .ok_or_else(|| broken("firstDayOfWeek"))?;
    if kind.ends_with("Yearly") {
        rule.months = vec![small("month")?.ok_or_else(|| broken("month"))?];
    }
    if kind.starts_with("absolute") {
        rule.month_days =
            vec![small("dayOfMonth")?.filter(|day| (1..=31).contains(day)).ok_or_else(|| broken("dayOfMonth"))?];
    } else if kind != "daily" {
        if days.is_empty() {
            return Err(broken("daysOfWeek"));
        }
        rule.days = days.into_iter().map(|day| (0, day)).collect();
    }
    if kind.starts_with("relative") {
        let index = pattern["index"].as_str().unwrap_or("first");
        // Of several days the first that fits is meant.
        rule.positions = vec![
            PLACES.iter().find(|(name, _)| *name == index).map(|(_, place)| *place).ok_or_else(|| broken("index"))?,
        ];
    }
    Ok(rule)
}

fn end(range: &Value) -> Result<End, Refused> {
    match range["type"].as_str() {
        Some("noEnd") | None => Ok(End::Never),
        Some("numbered") => {
            let number = range["numberOfOccurrences"].as_u64().filter(|number| (1..=NUMBER_MAX).contains(number));
            Ok(End::Count(u32::try_from(number.ok_or_else(|| broken("numberOfOccurrences"))?).unwrap_or(u32::MAX)))
        }
        Some("endDate") => {
            let day: Option<Date> = range["endDate"].as_str().and_then(|day| day.parse().ok());
            Ok(End::Local(day.ok_or_else(|| broken("endDate"))?.at(23, 59, 59, 0)))
        }
        Some(_) => Err(broken("range")),
    }
}

/// The recurrence that says what a rule says, if one can.
pub(super) fn told(rule: &Rule, first: DateTime, zone: &TimeZone) -> Option<Value> {
    let name = |day: Weekday| DAYS.iter().find(|(_, known)| *known == day).map(|(name, _)| *name);
    let days: Vec<&str> = rule.days.iter().filter_map(|(_, day)| name(*day)).collect();
    let own = [name(first.date().weekday())?];
    let mut pattern = json!({"interval": rule.interval, "firstDayOfWeek": name(rule.week_start)?});
    if rule.months.len() > 1 || rule.month_days.len() > 1 || rule.positions.len() > 1 {
        return None;
    }
    let monthly = matches!(rule.frequency, Frequency::Monthly | Frequency::Yearly);
    let kind = match rule.frequency {
        Frequency::Daily if days.is_empty() => "daily",
        Frequency::Daily | Frequency::Weekly => "weekly",
        Frequency::Monthly if days.is_empty() => "absoluteMonthly",
        Frequency::Monthly => "relativeMonthly",
        Frequency::Yearly if days.is_empty() => "absoluteYearly",
        Frequency::Yearly => "relativeYearly",
    };
    pattern["type"] = kind.into();
    if kind == "weekly" {
        pattern["daysOfWeek"] = if days.is_empty() { json!(own) } else { json!(days) };
    }
    if monthly && days.is_empty() {
        let day = rule.month_days.first().copied().unwrap_or(first.date().day());
        pattern["dayOfMonth"] = Some(day).filter(|day| *day > 0)?.into();
    } else if monthly {
        let within: Vec<i32> = rule.days.iter().map(|(which, _)| i32::from(*which)).collect();
        let place = match (within.as_slice(), rule.positions.as_slice()) {
            ([which], []) => *which,
            (all, [which]) if all.iter().all(|one| *one == 0) => *which,
            _ => return None,
        };
        pattern["daysOfWeek"] = json!(days);
        pattern["index"] = PLACES.iter().find(|(_, known)| *known == place)?.0.into();
    }
    if rule.frequency == Frequency::Yearly {
        pattern["month"] = rule.months.first().copied().unwrap_or(first.date().month()).into();
    }
    let mut range = json!({"type": "noEnd", "startDate": first.date().to_string()});
    let until = match rule.end {
        End::Never => None,
        End::Count(count) => {
            range["type"] = "numbered".into();
            range["numberOfOccurrences"] = count.into();
            None
        }
        End::Moment(at) => Some(zone.to_datetime(at).date()),
        End::Local(local) => Some(local.date()),
    };
    if let Some(until) = until {
        range["type"] = "endDate".into();
        range["endDate"] = until.to_string().into();
    }
    Some(json!({"pattern": pattern, "range": range}))
}

/// The recurrence with all its members, whatever was left out.
pub(super) fn filled(recurrence: &Value, first: Date, zone: &str) -> Value {
    let (pattern, range) = (&recurrence["pattern"], &recurrence["range"]);
    let or = |value: &Value, otherwise: Value| if value.is_null() { otherwise } else { value.clone() };
    json!({
        "pattern": {
            "type": pattern["type"], "interval": or(&pattern["interval"], json!(1)), "month": or(&pattern["month"], json!(0)),
            "dayOfMonth": or(&pattern["dayOfMonth"], json!(0)), "daysOfWeek": or(&pattern["daysOfWeek"], json!([])),
            "firstDayOfWeek": or(&pattern["firstDayOfWeek"], json!("sunday")), "index": or(&pattern["index"], json!("first")),
        },
        "range": {
            "type": or(&range["type"], json!("noEnd")), "startDate": or(&range["startDate"], json!(first.to_string())),
            "endDate": or(&range["endDate"], json!("0001-01-01")),
            "recurrenceTimeZone": or(&range["recurrenceTimeZone"], json!(zone)),
            "numberOfOccurrences": or(&range["numberOfOccurrences"], json!(0)),
        },
    })
}
