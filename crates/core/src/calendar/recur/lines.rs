//! The lines of a recurrence, read: rules, added and excepted dates, in whatever of the permitted forms they are.

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp, civil::DateTime, tz::TimeZone};

use super::{
    Fault,
    rule::{Rule, day, local_time},
};
use crate::calendar::{event::Moment, identity::Rid};

/// Most lines of a recurrence. A series of many years with a line for each excepted week stays below.
pub const LINES_MAX: usize = 1_000;

/// Longest line of a recurrence, in bytes: room for as many dates as [`LINES_MAX`] lines would give.
pub const LINE_BYTES_MAX: usize = 32_000;

/// Most rules of one series. One is what the standard asks for; a few more are met with.
pub const RULES_MAX: usize = 8;

/// Most dates of one series, added and excepted: one a day for more than twenty years.
pub const DATES_MAX: usize = 10_000;

/// What the lines of a recurrence say.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Recurrence {
    pub rules: Vec<Rule>,
    pub excepted_rules: Vec<Rule>,
    pub added: Vec<Added>,
    pub excepted: Vec<Moment>,
}

/// An occurrence beside the rules, which may last longer or shorter than the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    pub start: Moment,
    pub lasts: Option<SignedDuration>,
}

impl Recurrence {
    /// Reads the lines. What is neither a rule nor dates is passed over.
    ///
    /// # Errors
    /// A rule, date or zone that we do not understand: whoever left it out would show meetings that are not.
    pub fn read(lines: &[String]) -> Result<Self, Fault> {
        if lines.len() > LINES_MAX || lines.iter().any(|line| line.len() > LINE_BYTES_MAX) {
            return Err(Fault::TooLong);
        }
        let mut all = Recurrence::default();
        for line in lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()) {
            let (head, value) = split(line).ok_or_else(|| Fault::rule(line))?;
            let mut parts = head.split(';');
            let name = parts.next().unwrap_or_default().trim().to_ascii_uppercase();
            let zone =
                parts.find_map(|part| part.split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case("TZID")));
            let zone = zone.map(|(_, zone)| zone.trim_matches('"'));
            match name.as_str() {
                "RRULE" => all.rules.push(Rule::read(value)?),
                "EXRULE" => all.excepted_rules.push(Rule::read(value)?),
                "RDATE" => {
                    for text in texts(value) {
                        all.added.push(added(text, zone)?);
                    }
                }
                "EXDATE" => {
                    for text in texts(value) {
                        all.excepted.push(added(text, zone)?.start);
                    }
                }
                _ => {}
            }
            let (rules, dates) = (all.rules.len() + all.excepted_rules.len(), all.added.len() + all.excepted.len());
            if rules > RULES_MAX || dates > DATES_MAX {
                return Err(Fault::TooLong);
            }
        }
        Ok(all)
    }

    /// The recurrence in one form: whatever means the same has the same text. Dates without a zone are read in that of
    /// the series.
    pub fn canonical(&self, zone: &TimeZone) -> Vec<String> {
        let mut lines: Vec<String> = self.rules.iter().map(|rule| format!("RRULE:{rule}")).collect();
        lines.extend(self.excepted_rules.iter().map(|rule| format!("EXRULE:{rule}")));
        lines.extend(self.excepted.iter().map(|at| format!("EXDATE:{}", Rid::of(at, zone))));
        lines.extend(self.added.iter().map(|added| match added.lasts {
            Some(lasts) => format!("RDATE:{}/{}", Rid::of(&added.start, zone), lasts.as_secs()),
            None => format!("RDATE:{}", Rid::of(&added.start, zone)),
        }));
        lines.sort();
        lines.dedup();
        lines
    }
}

fn texts(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|text| !text.is_empty())
}

/// A line's name with parameters, and its value. A zone's name may be quoted and then contain a colon.
fn split(line: &str) -> Option<(&str, &str)> {
    let mut is_quoted = false;
    let at = line.char_indices().find_map(|(at, char)| {
        is_quoted ^= char == '"';
        (char == ':' && !is_quoted).then_some(at)
    })?;
    Some((&line[..at], &line[at + 1..]))
}

fn added(text: &str, zone: Option<&str>) -> Result<Added, Fault> {
    let fault = || Fault::date(text);
    let Some((start, end)) = text.split_once('/') else {
        return Ok(Added { start: moment(text, zone)?, lasts: None });
    };
    let start = moment(start, zone)?;
    let lasts = if end.starts_with(['P', 'p', '+']) {
        let span: Span = end.trim_start_matches('+').parse().map_err(|_| fault())?;
        span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| fault())?
    } else {
        let end = moment(end, zone)?;
        end.instant(&TimeZone::UTC).duration_since(start.instant(&TimeZone::UTC))
    };
    Ok(Added { start, lasts: Some(lasts.max(SignedDuration::ZERO)) })
}

fn moment(text: &str, zone: Option<&str>) -> Result<Moment, Fault> {
    let text = text.trim();
    if let Some(utc) = text.strip_suffix(['Z', 'z']) {
        return local_time(utc).and_then(utc_instant).map(Moment::utc).ok_or_else(|| Fault::date(text));
    }
    if let Some(day) = day(text) {
        return Ok(Moment::Day(day));
    }
    let local = local_time(text).ok_or_else(|| Fault::date(text))?;
    match zone {
        Some(zone) => Ok(Moment::local(local, zone)?),
        None => Ok(Moment::Floating(local)),
    }
}

/// The instant of a time of day in UTC.
pub(super) fn utc_instant(local: DateTime) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(local).ok()
}
