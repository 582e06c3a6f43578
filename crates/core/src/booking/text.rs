//! The words that we write into records: subject, description, notes; in the admin's language.

use std::borrow::Cow;

use jiff::{Timestamp, tz::TimeZone};

use super::{
    attendees::named,
    chain::{Move, Standing, View},
    message::{Attendee, Booking},
    settings::Language,
};
use crate::person::{split_name, squeeze};

/// The fixed words of one language.
struct Words {
    when: &'static str,
    at_host: &'static str,
    place: &'static str,
    with: &'static str,
    guests: &'static str,
    notes: &'static str,
    answers: &'static str,
    moved: &'static str,
    by: &'static str,
    reason: &'static str,
    change: &'static str,
    call_off: &'static str,
    cancelled: &'static str,
    rejected: &'static str,
    asked_to_move: &'static str,
    no_show: &'static str,
    case: &'static str,
    opportunity: &'static str,
}

const ENGLISH: Words = Words {
    when: "When",
    at_host: "host's time",
    place: "Where",
    with: "With",
    guests: "Guests",
    notes: "Notes",
    answers: "Answers",
    moved: "Rescheduled",
    by: "by",
    reason: "reason",
    change: "Reschedule",
    call_off: "Cancel",
    cancelled: "Cancelled",
    rejected: "Declined",
    asked_to_move: "Asked to pick another time",
    no_show: "Did not come",
    case: "Case",
    opportunity: "Opportunity",
};

const GERMAN: Words = Words {
    when: "Wann",
    at_host: "Zeit des Gastgebers",
    place: "Wo",
    with: "Mit",
    guests: "Gäste",
    notes: "Notizen",
    answers: "Antworten",
    moved: "Verschoben",
    by: "durch",
    reason: "Grund",
    change: "Verschieben",
    call_off: "Stornieren",
    cancelled: "Storniert",
    rejected: "Abgelehnt",
    asked_to_move: "Um einen anderen Termin gebeten",
    no_show: "Nicht erschienen",
    case: "Case",
    opportunity: "Opportunity",
};

const FRENCH: Words = Words {
    when: "Quand",
    at_host: "heure de l’hôte",
    place: "Où",
    with: "Avec",
    guests: "Invités",
    notes: "Notes",
    answers: "Réponses",
    moved: "Reporté",
    by: "par",
    reason: "motif",
    change: "Reporter",
    call_off: "Annuler",
    cancelled: "Annulé",
    rejected: "Refusé",
    asked_to_move: "Prié de choisir une autre date",
    no_show: "Absent",
    case: "Requête",
    opportunity: "Opportunité",
};

fn words(language: Language) -> &'static Words {
    match language {
        Language::English => &ENGLISH,
        Language::German => &GERMAN,
        Language::French => &FRENCH,
    }
}

/// What a person is called, as far as the source tells.
pub fn display_name(attendee: &Attendee) -> String {
    let (first, last) = split_name(
        attendee.first_name.as_deref(),
        attendee.last_name.as_deref(),
        attendee.full_name.as_deref(),
        &attendee.email,
    );
    match first {
        Some(first) => format!("{first} {last}"),
        None => last,
    }
}

/// The meeting's subject without any prefix.
pub fn title(booking: &Booking) -> String {
    let title = squeeze(&booking.title);
    let (kind, name) = (squeeze(&booking.meeting_type_name), display_name(&booking.invitee));
    match (title.is_empty(), kind.is_empty()) {
        (false, _) => title,
        (true, false) => format!("{kind}: {name}"),
        (true, true) => name,
    }
}

/// The subject with the prefix in front exactly once, or without it, whatever it had before.
pub fn with_prefix(subject: &str, prefix: &str, wanted: bool) -> String {
    let mut bare = subject;
    if !prefix.trim().is_empty() {
        while let Some(rest) = bare.strip_prefix(prefix).or_else(|| bare.strip_prefix(prefix.trim())) {
            bare = rest.trim_start();
        }
    }
    if wanted { format!("{prefix}{}", bare.trim_start()) } else { bare.to_owned() }
}

/// A record that the meeting cannot be linked to and that its description therefore names.
pub struct Related<'a> {
    pub case: Option<&'a str>,
    pub opportunity: Option<&'a str>,
}

/// Everything about the meeting that a reader of the CRM wants to see, computed from the state alone.
pub fn description(view: &View<'_>, language: Language, related: &Related<'_>) -> String {
    let words = words(language);
    let booking = view.content;
    let mut lines: Vec<String> = Vec::new();
    let mut line = |label: &str, text: &str| {
        let text = text.trim();
        if !text.is_empty() {
            lines.push(format!("{label}: {text}"));
        }
    };
    line(words.when, &when(booking, words));
    line(words.place, booking.location.as_deref().unwrap_or_default());
    line(words.with, &contact_line(&booking.invitee));
    let guests: Vec<String> = named(view).map(contact_line).collect();
    line(words.guests, &guests.join(", "));
    line(words.notes, booking.notes.as_deref().unwrap_or_default());
    if !booking.answers.is_empty() {
        lines.push(format!("{}:", words.answers));
        lines.extend(
            booking.answers.iter().map(|answer| format!("- {}: {}", squeeze(&answer.label), answer.value.trim())),
        );
    }
    let mut line = |label: &str, text: &str| lines.push(format!("{label}: {}", text.trim()));
    for change in &view.moves {
        line(words.moved, &moved(change, booking, words));
    }
    standing_line(&view.standing, words, &mut line);
    if !view.no_shows.is_empty() {
        line(words.no_show, &view.no_shows.iter().copied().collect::<Vec<_>>().join(", "));
    }
    if let Some(case) = related.case {
        line(words.case, case);
    }
    if let Some(opportunity) = related.opportunity {
        line(words.opportunity, opportunity);
    }
    if let Some(url) = &booking.reschedule_url {
        line(words.change, url);
    }
    if let Some(url) = &booking.cancel_url {
        line(words.call_off, url);
    }
    newlines(&lines.join("\n")).trim().to_owned()
}

fn standing_line(standing: &Standing, words: &Words, line: &mut impl FnMut(&str, &str)) {
    match standing {
        Standing::Cancelled { reason, by } => line(words.cancelled, &why(reason, by, words)),
        Standing::Rejected { reason } => line(words.rejected, &why(reason, &None, words)),
        Standing::RescheduleRequested { reason, by } => line(words.asked_to_move, &why(reason, by, words)),
        Standing::ReschedulePending { .. } => line(words.asked_to_move, ""),
        Standing::Active | Standing::Unconfirmed | Standing::FormOnly => {}
    }
}

/// Who and why, on one line, however many the reason was typed on.
fn why(reason: &Option<String>, by: &Option<String>, words: &Words) -> String {
    let said = |text: &Option<String>| text.as_deref().map(squeeze).filter(|text| !text.is_empty());
    let mut parts = Vec::new();
    if let Some(by) = said(by) {
        parts.push(format!("{} {by}", words.by));
    }
    if let Some(reason) = said(reason) {
        parts.push(format!("{}: {reason}", words.reason));
    }
    parts.join(", ")
}

fn contact_line(attendee: &Attendee) -> String {
    let name = display_name(attendee);
    let mut text = format!("{name} <{}>", squeeze(&attendee.email));
    if let Some(phone) = attendee.phone.as_deref().map(str::trim).filter(|phone| !phone.is_empty()) {
        text.push_str(", ");
        text.push_str(phone);
    }
    text
}

/// The time as the invitee reads it and, where it differs, as the host does.
fn when(booking: &Booking, words: &Words) -> String {
    let Some(start) = booking.start else { return String::new() };
    let guest_zone = zone(booking.invitee.time_zone.as_deref());
    let host_zone = booking.hosts.first().map(|host| zone(host.time_zone.as_deref()));
    let mut text = span(start, booking.end, &guest_zone);
    if let Some(host_zone) = host_zone.filter(|host| *host != guest_zone) {
        text.push_str(&format!(" ({}: {})", words.at_host, span(start, booking.end, &host_zone)));
    }
    text
}

fn moved(change: &Move, booking: &Booking, words: &Words) -> String {
    let zone = zone(booking.invitee.time_zone.as_deref());
    let why = why(&change.reason, &change.by, words);
    let separator = if why.is_empty() { "" } else { ", " };
    format!("{} → {}{separator}{why}", moment(change.from, &zone), moment(change.to, &zone))
}

fn span(start: Timestamp, end: Option<Timestamp>, zone: &TimeZone) -> String {
    let first = start.to_zoned(zone.clone());
    let name = zone.iana_name().unwrap_or("UTC");
    match end.map(|end| end.to_zoned(zone.clone())) {
        Some(last) if last.date() == first.date() => {
            format!("{}–{} {name}", first.strftime("%Y-%m-%d %H:%M"), last.strftime("%H:%M"))
        }
        Some(last) => format!("{} – {} {name}", first.strftime("%Y-%m-%d %H:%M"), last.strftime("%Y-%m-%d %H:%M")),
        None => moment(start, zone),
    }
}

fn moment(at: Timestamp, zone: &TimeZone) -> String {
    format!("{} {}", at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M"), zone.iana_name().unwrap_or("UTC"))
}

/// The zone of this IANA name; UTC where the name is absent or unknown.
pub fn zone(name: Option<&str>) -> TimeZone {
    name.and_then(|name| TimeZone::get(name.trim()).ok()).unwrap_or(TimeZone::UTC)
}

/// The text with every line ended by a line feed alone, however a CRM or a person ended it.
pub fn newlines(text: &str) -> Cow<'_, str> {
    if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")) } else { Cow::Borrowed(text) }
}

/// Puts `ours` where our last text stood in `current`, and leaves what people wrote around it. Doing it again changes
/// nothing.
pub fn splice(current: &str, last: &str, ours: &str) -> String {
    let (current, last, ours) = (newlines(current), newlines(last), newlines(ours));
    let (last, ours) = (last.trim(), ours.trim());
    if current.trim().is_empty() {
        return ours.to_owned();
    }
    // Text of ours that our last one merely contained, or that only now contains it, must not be taken for the other.
    let last_at = block(&current, last);
    let is_part_of_last = last_at.is_some() && block(last, ours).is_some();
    if !is_part_of_last && block(&current, ours).is_some() {
        return current.into_owned();
    }
    if let Some((from, to)) = last_at.or_else(|| frame(&current, last)) {
        return format!("{}{ours}{}", &current[..from], &current[to..]);
    }
    if ours.is_empty() { current.into_owned() } else { format!("{ours}\n\n{}", current.trim()) }
}

/// Where whole lines of `text` are these.
fn block(text: &str, lines: &str) -> Option<(usize, usize)> {
    if lines.is_empty() {
        return None;
    }
    // Line by line: looking for the text anywhere would pass over a place that overlaps one which is no whole line.
    let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
    let mut found = starts.filter(|from| text[*from..].starts_with(lines)).map(|from| (from, from + lines.len()));
    found.find(|(_, to)| *to == text.len() || text[*to..].starts_with('\n'))
}

/// Somebody wrote inside our text: it gives way between its first and its last line, as far as those still stand.
fn frame(text: &str, lines: &str) -> Option<(usize, usize)> {
    let (first, last) = lines.split_once('\n').and_then(|(first, rest)| Some((first, rest.rsplit('\n').next()?)))?;
    let (from, after_first) = block(text, first)?;
    let (_, to) = block(&text[after_first..], last)?;
    Some((from, after_first + to))
}
