//! When events are: local times without an offset, each in a zone that Windows or IANA names.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::{Value, json};

use super::answers::Refused;
use crate::recur::instant;

/// Windows' names of some zones, with the first place that the Unicode CLDR gives each ("windowsZones", release 48).
const WINDOWS: &[(&str, &str)] = &[
    ("AUS Eastern Standard Time", "Australia/Sydney"),
    ("Arabian Standard Time", "Asia/Dubai"),
    ("Central America Standard Time", "America/Guatemala"),
    ("Central Europe Standard Time", "Europe/Budapest"),
    ("Central European Standard Time", "Europe/Warsaw"),
    ("Central Standard Time", "America/Chicago"),
    ("China Standard Time", "Asia/Shanghai"),
    ("E. South America Standard Time", "America/Sao_Paulo"),
    ("Eastern Standard Time", "America/New_York"),
    ("FLE Standard Time", "Europe/Kyiv"),
    ("GMT Standard Time", "Europe/London"),
    ("GTB Standard Time", "Europe/Bucharest"),
    ("Greenwich Standard Time", "Atlantic/Reykjavik"),
    ("India Standard Time", "Asia/Kolkata"),
    ("Israel Standard Time", "Asia/Jerusalem"),
    ("Lord Howe Standard Time", "Australia/Lord_Howe"),
    ("Mountain Standard Time", "America/Denver"),
    ("New Zealand Standard Time", "Pacific/Auckland"),
    ("Nepal Standard Time", "Asia/Kathmandu"),
    ("Newfoundland Standard Time", "America/St_Johns"),
    ("Pacific Standard Time", "America/Los_Angeles"),
    ("Romance Standard Time", "Europe/Paris"),
    ("Singapore Standard Time", "Asia/Singapore"),
    ("South Africa Standard Time", "Africa/Johannesburg"),
    ("Tokyo Standard Time", "Asia/Tokyo"),
    ("Turkey Standard Time", "Europe/Istanbul"),
    ("US Mountain Standard Time", "America/Phoenix"),
    ("UTC", "UTC"),
    ("W. Europe Standard Time", "Europe/Berlin"),
];

/// The zone of a name of either kind.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    let iana = WINDOWS.iter().find(|(windows, _)| windows.eq_ignore_ascii_case(name)).map_or(name, |(_, iana)| iana);
    TimeZone::get(iana).ok()
}

/// A start or an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct When {
    pub(super) at: Timestamp,
    /// As the client named it.
    pub(super) zone: String,
}

impl When {
    pub(super) fn parse(name: &str, value: &Value) -> Result<Self, Refused> {
        let text = |member: &str| value.get(member).and_then(Value::as_str);
        let broken = || Refused::property(name);
        let zone_name = text("timeZone").unwrap_or("UTC");
        let known = zone(zone_name).ok_or_else(|| {
            Refused::new(400, "TimeZoneNotSupportedException", format!("The time zone {zone_name} is not supported."))
        })?;
        let local = text("dateTime").ok_or_else(broken)?;
        // What has an offset of its own is that instant.
        let at = match local.parse::<Timestamp>() {
            Ok(at) => at,
            Err(_) => instant(local.parse::<DateTime>().map_err(|_| broken())?, &known),
        };
        let at = Timestamp::from_second(at.as_second()).map_err(|_| broken())?;
        Ok(Self { at, zone: zone_name.to_owned() })
    }

    /// As it is told in this zone.
    pub(super) fn shown(&self, shown_in: &str) -> Value {
        let local = zone(shown_in).unwrap_or(TimeZone::UTC).to_datetime(self.at);
        json!({"dateTime": local.strftime("%Y-%m-%dT%H:%M:%S.0000000").to_string(), "timeZone": shown_in})
    }

    pub(super) fn tz(&self) -> TimeZone {
        zone(&self.zone).unwrap_or(TimeZone::UTC)
    }

    pub(super) fn local(&self) -> DateTime {
        self.tz().to_datetime(self.at)
    }

    pub(super) fn moved_to(&self, local: DateTime) -> Self {
        Self { at: instant(local, &self.tz()), zone: self.zone.clone() }
    }
}

/// `2026-05-04T09:24:01.1260000Z`
pub(super) fn stamp(at: Timestamp) -> String {
    format!("{at:.7}")
}

/// A bound of a view: an instant, in UTC where no offset is given.
pub(super) fn bound(name: &str, text: Option<&str>) -> Result<Timestamp, Refused> {
    let missing = || Refused::new(400, "ErrorInvalidParameter", format!("This request requires {name}."));
    let text = text.ok_or_else(missing)?;
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let local = text.parse::<DateTime>().map_err(|_| missing())?;
    Ok(instant(local, &TimeZone::UTC))
}
