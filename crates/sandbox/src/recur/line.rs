//! Lines of iCalendar that say how an event repeats: `RRULE`, `RDATE`, `EXDATE`.

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time, Weekday},
    tz::TimeZone,
};

use super::{End, Frequency, Rule, instant};

/// What a line names one occurrence by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Day(Date),
    Instant(Timestamp),
}

/// All lines of one event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Lines {
    rules: Vec<Rule>,
    added: Vec<Moment>,
    left_out: Vec<Moment>,
}

impl Lines {
    /// Reads the lines; times without a zone of their own are in `zone`. An error says which line cannot be read.
    pub(crate) fn parse<'a>(lines: impl Iterator<Item = &'a str>, zone: &TimeZone) -> Result<Self, String> {
        let mut out = Self::default();
        for line in lines {
            let broken = || format!("cannot read {line}");
            let (head, value) = line.split_once(':').ok_or_else(broken)?;
            let mut parts = head.split(';');
            let name = parts.next().unwrap_or_default().to_ascii_uppercase();
            let own = parts.find_map(|part| part.strip_prefix("TZID="));
            let zone = match own {
                Some(name) => &TimeZone::get(name).map_err(|_| broken())?,
                None => zone,
            };
            let moments =
                || value.split(',').map(|text| moment(text, zone).ok_or_else(broken)).collect::<Result<Vec<_>, _>>();
            match name.as_str() {
                "RRULE" => out.rules.push(rule(value).ok_or_else(broken)?),
                "RDATE" => out.added.extend(moments()?),
                "EXDATE" => out.left_out.extend(moments()?),
                _ => return Err(broken()),
            }
        }
        Ok(out)
    }

    /// The first rule.
    pub(crate) fn rule(&self) -> Option<&Rule> {
        self.rules.first()
    }

    /// The local starts up to `until`, in order and without those that are left out.
    pub(crate) fn starts(&self, first: DateTime, zone: &TimeZone, until: Timestamp) -> Vec<DateTime> {
        let mut starts: Vec<DateTime> = self.rules.iter().flat_map(|rule| rule.starts(first, zone, until)).collect();
        if self.rules.is_empty() {
            starts.push(first);
        }
        starts.extend(self.added.iter().map(|moment| match moment {
            Moment::Day(day) => day.to_datetime(first.time()),
            Moment::Instant(at) => zone.to_datetime(*at),
        }));
        starts.retain(|start| {
            !self.left_out.iter().any(|moment| match moment {
                Moment::Day(day) => start.date() == *day,
                Moment::Instant(at) => instant(*start, zone) == *at,
            })
        });
        starts.retain(|start| instant(*start, zone) <= until);
        starts.sort_unstable();
        starts.dedup();
        starts
    }
}

/// `20260312`, `20260312T170000` or `20260312T170000Z`.
fn moment(text: &str, zone: &TimeZone) -> Option<Moment> {
    Some(match civil(text)? {
        Civil::Day(day) => Moment::Day(day),
        Civil::Local(local) => Moment::Instant(instant(local, zone)),
        Civil::Utc(at) => Moment::Instant(at),
    })
}

enum Civil {
    Day(Date),
    Local(DateTime),
    Utc(Timestamp),
}

fn civil(text: &str) -> Option<Civil> {
    let text = text.trim();
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i16>().ok();
    let small = |range| i8::try_from(number(range)?).ok();
    let day = Date::new(number(0..4)?, small(4..6)?, small(6..8)?).ok()?;
    if text.len() == 8 {
        return Some(Civil::Day(day));
    }
    let local = day.to_datetime(Time::new(small(9..11)?, small(11..13)?, small(13..15)?, 0).ok()?);
    match text.get(15..)? {
        "" => Some(Civil::Local(local)),
        "Z" => Some(Civil::Utc(instant(local, &TimeZone::UTC))),
        _ => None,
    }
}

impl Rule {
    /// The rule as a line.
    pub(crate) fn line(&self) -> String {
        let frequency = match self.frequency {
            Frequency::Daily => "DAILY",
            Frequency::Weekly => "WEEKLY",
            Frequency::Monthly => "MONTHLY",
            Frequency::Yearly => "YEARLY",
        };
        let mut parts = vec![format!("FREQ={frequency}")];
        if self.interval != 1 {
            parts.push(format!("INTERVAL={}", self.interval));
        }
        match self.end {
            End::Never => {}
            End::Count(count) => parts.push(format!("COUNT={count}")),
            End::Moment(at) => parts.push(format!("UNTIL={}", at.strftime("%Y%m%dT%H%M%SZ"))),
            End::Local(local) => parts.push(format!("UNTIL={}", local.strftime("%Y%m%dT%H%M%S"))),
        }
        let days = self.days.iter().map(|(which, day)| match which {
            0 => WEEKDAYS[day.to_monday_zero_offset() as usize].to_owned(),
            which => format!("{which}{}", WEEKDAYS[day.to_monday_zero_offset() as usize]),
        });
        let all = [
            ("BYDAY", days.collect::<Vec<_>>()),
            ("BYMONTHDAY", self.month_days.iter().map(ToString::to_string).collect()),
            ("BYMONTH", self.months.iter().map(ToString::to_string).collect()),
            ("BYSETPOS", self.positions.iter().map(ToString::to_string).collect()),
        ];
        parts.extend(
            all.iter().filter(|(_, all)| !all.is_empty()).map(|(name, all)| format!("{name}={}", all.join(","))),
        );
        if self.week_start != Weekday::Monday {
            parts.push(format!("WKST={}", WEEKDAYS[self.week_start.to_monday_zero_offset() as usize]));
        }
        format!("RRULE:{}", parts.join(";"))
    }
}

/// From Monday on.
const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

fn rule(value: &str) -> Option<Rule> {
    let mut out = Rule::every(Frequency::Daily);
    let mut frequency = None;
    for part in value.split(';').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=')?;
        match name.to_ascii_uppercase().as_str() {
            "FREQ" => {
                frequency = Some(match value {
                    "DAILY" => Frequency::Daily,
                    "WEEKLY" => Frequency::Weekly,
                    "MONTHLY" => Frequency::Monthly,
                    "YEARLY" => Frequency::Yearly,
                    _ => return None,
                });
            }
            "INTERVAL" => out.interval = value.parse().ok().filter(|interval| *interval > 0)?,
            "COUNT" => out.end = End::Count(value.parse().ok().filter(|count| *count > 0)?),
            "UNTIL" => {
                out.end = match civil(value)? {
                    Civil::Day(day) => End::Local(day.at(23, 59, 59, 0)),
                    Civil::Local(local) => End::Local(local),
                    Civil::Utc(at) => End::Moment(at),
                };
            }
            "BYDAY" => out.days = value.split(',').map(which_day).collect::<Option<_>>()?,
            "BYMONTHDAY" => out.month_days = numbers(value)?,
            "BYMONTH" => out.months = numbers(value)?,
            "BYSETPOS" => out.positions = numbers(value)?,
            "WKST" => out.week_start = weekday(value)?,
            _ => return None,
        }
    }
    out.frequency = frequency?;
    Some(out)
}

fn numbers<T: std::str::FromStr>(value: &str) -> Option<Vec<T>> {
    value.split(',').map(|number| number.parse().ok()).collect()
}

/// `MO`, `2TU`, `-1FR`.
fn which_day(text: &str) -> Option<(i8, Weekday)> {
    let (which, day) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let which = if which.is_empty() { 0 } else { which.parse().ok()? };
    Some((which, weekday(day)?))
}

fn weekday(text: &str) -> Option<Weekday> {
    let offset = WEEKDAYS.iter().position(|known| *known == text)?;
    Weekday::from_monday_zero_offset(i8::try_from(offset).ok()?).ok()
}
