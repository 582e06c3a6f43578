//! What guests are mailed where no calendar tells them, and organisers of a guest who does not come: who hears what of a write,
//! and in which words. Who carries the mail, and when, is not decided here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use jiff::{Zoned, tz::TimeZone};

use crate::{
    calendar::event::{Body, Content, Event, Moment, Party, Reply, Status},
    person::squeeze,
};

/// Characters of a meeting's subject in that of a mail.
const SUBJECT_MAX: usize = 120;

/// What a mail says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word {
    Invited,
    /// The meeting is at another time.
    Moved,
    /// It is off, or the guest is no longer invited.
    Off,
    /// A guest tells the organiser that he does not come.
    Declined,
}

/// One text for some guests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub word: Word,
    /// The meeting as the guests are to have it; of one who is no longer invited, or who answers, it names no others.
    pub event: Event,
    pub to: BTreeSet<String>,
}

impl Letter {
    /// In whose name it is written, and who gets the answers.
    pub fn sender(&self) -> Option<&Party> {
        let content = self.event.content()?;
        match self.word {
            Word::Declined => content.attendees.first().map(|one| &one.who),
            Word::Invited | Word::Moved | Word::Off => content.organizer.as_ref(),
        }
    }

    /// The same in the revisions in which its guests are to hear of it. Who was told before that it is off, so often, knows as
    /// many more of them than the calendar: programs take no older one for news.
    pub fn in_revisions(self, told_off: &BTreeMap<String, u32>) -> Vec<Letter> {
        let mut all: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
        for email in self.to {
            all.entry(told_off.get(&email).copied().unwrap_or_default()).or_default().insert(email);
        }
        let (word, event) = (self.word, self.event);
        let apart = |(more, to): (u32, BTreeSet<String>)| {
            let event = Event { sequence: event.sequence.saturating_add(more), ..event.clone() };
            Letter { word, event: if word == Word::Off { only(&event, &to) } else { event }, to }
        };
        all.into_iter().map(apart).collect()
    }

    /// The revision that it tells of: nobody is told twice of one.
    pub fn revision(&self) -> u32 {
        // Calling off counts as one more change (RFC 5546, 3.2.5).
        self.event.sequence + u32::from(self.word == Word::Off)
    }
}

/// What guests are to be told of a write: `before` as they know the event, `after` as the calendar has it now; nothing
/// where it is not there. Whom the calendar's owner told of an own change is not known here, so only the two ends of a
/// write of ours may be given. Texts and places are no reason for a mail.
pub fn letters(before: Option<&Event>, after: Option<&Event>) -> Vec<Letter> {
    let known = |event: &Event| matches!(event.body, Body::Open(_));
    if !before.is_none_or(known) || !after.is_none_or(known) {
        return Vec::new();
    }
    let after = after.filter(|event| event.status != Status::Cancelled);
    let (was, is) = (guests(before), guests(after));
    let mut out = Vec::new();
    if let Some(event) = after {
        let is_moved = before.is_some_and(|before| event.sequence > before.sequence);
        let (stay, come): (BTreeSet<String>, _) = is.iter().cloned().partition(|email| was.contains(email));
        out.push(Letter { word: Word::Invited, event: event.clone(), to: come });
        out.push(Letter { word: Word::Moved, event: event.clone(), to: if is_moved { stay } else { BTreeSet::new() } });
    }
    if let Some(before) = before {
        let go: BTreeSet<String> = was.difference(&is).cloned().collect();
        let sequence = after.map_or(before.sequence, |after| after.sequence.max(before.sequence));
        let event = only(&Event { sequence, ..before.clone() }, &go);
        out.push(Letter { word: Word::Off, event, to: go });
    }
    out.retain(|letter| !letter.to.is_empty());
    out
}

/// The event with these guests alone.
fn only(event: &Event, guests: &BTreeSet<String>) -> Event {
    let mut event = event.clone();
    if let Body::Open(content) = &mut event.body {
        content.attendees.retain(|one| guests.contains(&one.who.email));
    }
    event
}

/// What an organiser is to be told of a write to a guest's copy: that the guest does not come, who had not said so before.
pub fn declined(before: &Event, after: Option<&Event>, rep: &str) -> Option<Letter> {
    let after = after.filter(|event| event.status != Status::Cancelled)?;
    let has = |event: &Event| {
        let all = event.content().map_or(&[][..], |content| &content.attendees);
        all.iter().find(|one| one.who.email == rep && one.reply == Reply::Declined).cloned()
    };
    let content = after.content()?;
    let organizer = content.organizer.as_ref().filter(|organizer| organizer.email != rep)?;
    let own = has(after).filter(|_| before.content().is_some() && has(before).is_none())?;
    let to = BTreeSet::from([organizer.email.clone()]);
    let body = Body::Open(Box::new(Content { attendees: vec![own], ..content.clone() }));
    Some(Letter { word: Word::Declined, event: Event { body, ..after.clone() }, to })
}

/// Everybody who is invited by somebody else.
fn guests(event: Option<&Event>) -> BTreeSet<String> {
    let Some((content, organizer)) = event.and_then(Event::content).and_then(|it| Some((it, it.organizer.as_ref()?)))
    else {
        return BTreeSet::new();
    };
    let others = content.attendees.iter().filter(|one| one.who.email != organizer.email);
    others.map(|one| one.who.email.clone()).collect()
}

/// The subject of a letter and its text for people. `home`: the zone of what has none.
pub fn words(letter: &Letter, home: &TimeZone) -> Option<(String, String)> {
    let content = letter.event.content()?;
    let sender = letter.sender()?;
    let title = Some(squeeze(&content.summary)).filter(|title| !title.is_empty()).unwrap_or_else(|| "Meeting".into());
    let who = sender.name.as_ref().unwrap_or(&sender.email);
    let (head, first) = match letter.word {
        Word::Invited => ("Invitation", format!("{who} invites you to “{title}”.")),
        Word::Moved => ("Changed", format!("“{title}” takes place at another time.")),
        Word::Off => ("Cancelled", format!("“{title}” is off, or takes place without you.")),
        Word::Declined => ("Declined", format!("{who} does not come to “{title}”.")),
    };
    let mut text = format!("{first}\n\nWhen: {}\n", when(content, home));
    let place = squeeze(&content.location);
    if !place.is_empty() {
        let _ = writeln!(text, "Where: {place}");
    }
    let description = content.description.trim();
    if !description.is_empty() && matches!(letter.word, Word::Invited | Word::Moved) {
        let _ = write!(text, "\n{description}\n");
    }
    Some((format!("{head}: {}", shortened(&title)), text))
}

/// When it takes place, by the clock that the organiser means.
fn when(content: &Content, home: &TimeZone) -> String {
    if let (Moment::Day(first), Moment::Day(end)) = (&content.start, &content.end) {
        let last = end.yesterday().unwrap_or(*end).max(*first);
        let day = |day: &jiff::civil::Date| day.strftime("%A, %-d %B %Y").to_string();
        return if last == *first { day(first) } else { format!("{} to {}", day(first), day(&last)) };
    }
    let zone = content.start.zone(home).unwrap_or(TimeZone::UTC);
    let at = |moment: &Moment| moment.instant(home).to_zoned(zone.clone());
    let (start, end) = (at(&content.start), at(&content.end));
    let told = |at: &Zoned, form: &str| at.strftime(form).to_string();
    let form = if end.date() == start.date() { "%H:%M" } else { "%A, %-d %B %Y, %H:%M" };
    let name = zone.iana_name().unwrap_or("UTC");
    format!("{} to {} ({name})", told(&start, "%A, %-d %B %Y, %H:%M"), told(&end, form))
}

fn shortened(title: &str) -> String {
    match title.char_indices().nth(SUBJECT_MAX) {
        Some((end, _)) => format!("{}…", &title[..end]),
        None => title.to_owned(),
    }
}
