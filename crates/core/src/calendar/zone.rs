//! Which time zone a name means: names of the tz database, those of Windows, those with the prefix of a program, fixed
//! offsets. What is not known is an error with its reason, never a guess: a wrong zone puts a meeting at a wrong hour.

use jiff::tz::{Offset, TimeZone};

mod windows;

/// How much of an unknown name is kept to be shown.
const SHOWN_CHARS_MAX: usize = 64;

/// The most parts of a name of the tz database, as in `America/Argentina/Buenos_Aires`.
const PARTS_MAX: usize = 3;

/// The farthest from UTC that a fixed offset may lie, in hours: no zone ever was farther.
const OFFSET_HOURS_MAX: i8 = 16;

/// A name that means no zone we know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("no time zone is known as `{0}`")]
pub struct UnknownZone(pub String);

impl UnknownZone {
    fn new(name: &str) -> Self {
        Self(crate::person::squeeze(name).chars().take(SHOWN_CHARS_MAX).collect())
    }
}

/// The zone of this name.
///
/// # Errors
/// The name is blank, means nothing we know, or only says that the sender made the zone up.
pub fn zone(name: &str) -> Result<TimeZone, UnknownZone> {
    canonical(name).map(|(zone, _)| zone)
}

/// The zone of this name, and the name under which it is kept: this function reads that as the same zone.
///
/// # Errors
/// As [`zone`].
pub fn canonical(name: &str) -> Result<(TimeZone, String), UnknownZone> {
    let plain = name.trim().trim_matches('"').trim();
    if plain.is_empty() || plain.len() > SHOWN_CHARS_MAX * 4 {
        return Err(UnknownZone::new(name));
    }
    let found = known(plain).or_else(|| known(by_table(plain)?)).or_else(|| after_prefix(plain));
    if let Some(zone) = found {
        let kept = zone.iana_name().unwrap_or("UTC").to_owned();
        return Ok((zone, kept));
    }
    let offset = fixed(plain).ok_or_else(|| UnknownZone::new(name))?;
    Ok(if offset == Offset::UTC {
        (TimeZone::UTC, "UTC".to_owned())
    } else {
        (TimeZone::fixed(offset), format!("UTC{offset}"))
    })
}

/// What Windows calls a zone of the tz database; `None` where it has no name for it, or has it under another one's.
pub fn windows(name: &str) -> Option<&'static str> {
    windows::WINDOWS.iter().find(|(_, zone, _)| *zone == name).map(|(windows, _, _)| *windows)
}

/// A name of the tz database, in any case.
fn known(name: &str) -> Option<TimeZone> {
    // The database's own word for "no zone" is none, and the zone of this machine is nobody's.
    let is_zone = !name.eq_ignore_ascii_case("Etc/Unknown") && !name.eq_ignore_ascii_case("localtime");
    TimeZone::get(name).ok().filter(|zone| is_zone && zone.iana_name().is_some())
}

/// A name of Windows, or what Windows shows for it: `(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna`.
fn by_table(name: &str) -> Option<&'static str> {
    let is = |known: &str| known.eq_ignore_ascii_case(name);
    let named = windows::WINDOWS.iter().find(|(known, _, _)| is(known)).map(|(_, zone, _)| *zone);
    let legacy = || windows::LEGACY.iter().find(|(known, _)| is(known)).map(|(_, zone)| *zone);
    let shown = || {
        let places = name.strip_prefix('(')?.split_once(')')?.1.trim();
        let of_places = |row: &&(&str, &str, &str)| row.2.eq_ignore_ascii_case(places);
        // Two zones are shown by the same word only where the offset tells them apart; then neither is taken.
        let mut rows = windows::WINDOWS.iter().filter(of_places);
        rows.next().filter(|_| rows.next().is_none()).map(|(_, zone, _)| *zone)
    };
    named.or_else(legacy).or_else(shown)
}

/// A name behind that of the program which wrote it: `/mozilla.org/20050126_1/Europe/Berlin`, `tzone://Microsoft/Utc`.
fn after_prefix(name: &str) -> Option<TimeZone> {
    let parts: Vec<&str> = name.split('/').collect();
    if parts.len() < 2 {
        return None;
    }
    let is_prefixed = name.starts_with('/') || name.contains("://");
    (1..=PARTS_MAX.min(parts.len() - 1)).rev().find_map(|count| {
        let tail = parts[parts.len() - count..].join("/");
        // A single word behind a slash is only believed where a program's prefix stands before it.
        let is_told = count > 1 || is_prefixed;
        known(&tail).filter(|_| is_told)
    })
}

/// A fixed offset: `UTC`, `GMT+1`, `UTC+05:30`, `-0800`.
fn fixed(name: &str) -> Option<Offset> {
    let upper = name.to_ascii_uppercase();
    let rest = upper.strip_prefix("UTC").or_else(|| upper.strip_prefix("GMT")).unwrap_or(&upper).trim();
    if rest.is_empty() || rest == "Z" {
        return Some(Offset::UTC);
    }
    let (sign, digits) = match rest.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) => (hours, minutes.strip_suffix(":00").unwrap_or(minutes)),
        None if digits.len() <= 2 => (digits, "0"),
        None => digits.split_at_checked(digits.len() - 2)?,
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (hours, minutes) = Some((hours, minutes)).filter(|(h, m)| is_number(h) && is_number(m))?;
    let (hours, minutes): (i8, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    if hours > OFFSET_HOURS_MAX || minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * (i32::from(hours) * 3_600 + minutes * 60)).ok()
}
