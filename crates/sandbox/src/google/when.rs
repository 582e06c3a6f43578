//! When events are: days, or instants with the zone in which they were meant.

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use serde_json::{Map, Value, json};

use super::answers::{Refused, text};
use crate::recur::instant;

/// A start or an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum When {
    Day(Date),
    At { at: Timestamp, zone: String },
}

/// The zone of that name; names were checked when they came in.
pub(super) fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// A time as it is written in bodies, to the millisecond.
pub(super) fn stamp(at: Timestamp) -> String {
    format!("{at:.3}")
}

impl When {
    /// Reads `start`, `end` or `originalStartTime`. A time without a zone is in the calendar's.
    pub(super) fn parse(name: &str, value: &Value, calendar_zone: &str) -> Result<Self, Refused> {
        let broken = || Refused::invalid(format!("Invalid {name} time."));
        let body: &Map<String, Value> = value.as_object().ok_or_else(broken)?;
        let (day, moment) = (text(body, "date")?, text(body, "dateTime")?);
        let zone_name = text(body, "timeZone")?;
        let known = TimeZone::get(zone_name.unwrap_or(calendar_zone))
            .map_err(|_| Refused::invalid(format!("Invalid time zone definition for {name} time.")))?;
        match (day, moment) {
            (Some(day), None) => Ok(Self::Day(day.parse().map_err(|_| broken())?)),
            (None, Some(moment)) => {
                let at = match moment.parse::<Timestamp>() {
                    Ok(at) => at,
                    Err(_) if zone_name.is_some() => instant(moment.parse::<DateTime>().map_err(|_| broken())?, &known),
                    Err(_) => return Err(broken()),
                };
                // Events are kept to the second.
                let at = Timestamp::from_second(at.as_second()).map_err(|_| broken())?;
                Ok(Self::At { at, zone: zone_name.unwrap_or(calendar_zone).to_owned() })
            }
            _ => Err(broken()),
        }
    }

    /// As it is shown in this zone.
    pub(super) fn shown(&self, shown_in: &TimeZone) -> Value {
        match self {
            Self::Day(day) => json!({"date": day.to_string()}),
            Self::At { at, zone } => json!({"dateTime": in_zone(*at, shown_in), "timeZone": zone}),
        }
    }

    pub(super) fn is_day(&self) -> bool {
        matches!(self, Self::Day(_))
    }

    /// The instant; a day begins in the calendar's zone.
    pub(super) fn at(&self, calendar_zone: &TimeZone) -> Timestamp {
        match self {
            Self::Day(day) => instant(day.at(0, 0, 0, 0), calendar_zone),
            Self::At { at, .. } => *at,
        }
    }

    /// The local time in the zone in which it was meant.
    pub(super) fn local(&self) -> DateTime {
        match self {
            Self::Day(day) => day.at(0, 0, 0, 0),
            Self::At { at, zone: name } => zone(name).to_datetime(*at),
        }
    }

    pub(super) fn zone_of(&self) -> TimeZone {
        match self {
            Self::Day(_) => TimeZone::UTC,
            Self::At { zone: name, .. } => zone(name),
        }
    }

    /// The same kind of time, at another local time.
    pub(super) fn moved_to(&self, local: DateTime) -> Self {
        match self {
            Self::Day(_) => Self::Day(local.date()),
            Self::At { zone: name, .. } => Self::At { at: instant(local, &zone(name)), zone: name.clone() },
        }
    }

    /// The end of something that begins here and lasts as long as from `start` to `end`.
    pub(super) fn ended_like(&self, start: &Self, end: &Self) -> Self {
        match (self, start, end) {
            (Self::Day(day), Self::Day(start), Self::Day(end)) => {
                let days = start.until(*end).map_or(1, |span| span.get_days());
                Self::Day(day.checked_add(days.days()).unwrap_or(*day))
            }
            (Self::At { at, .. }, Self::At { at: start, .. }, Self::At { at: end, zone }) => {
                Self::At { at: at.checked_add(end.duration_since(*start)).unwrap_or(*at), zone: zone.clone() }
            }
            _ => self.clone(),
        }
    }

    /// What an occurrence's id ends in.
    pub(super) fn suffix(&self) -> String {
        match self {
            Self::Day(day) => day.strftime("%Y%m%d").to_string(),
            Self::At { at, .. } => at.strftime("%Y%m%dT%H%M%SZ").to_string(),
        }
    }
}

/// `2026-03-15T07:00:00-03:00`, or with `Z` where the zone is level with UTC.
fn in_zone(at: Timestamp, shown_in: &TimeZone) -> String {
    let zoned = at.to_zoned(shown_in.clone());
    if zoned.offset().is_zero() {
        return zoned.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    }
    zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}
