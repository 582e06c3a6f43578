//! What `syncline calendars` prints: lines for people, and JSON for programs. Nothing is asked here.

use std::fmt::Write;

use jiff::Timestamp;
use serde_json::{Value, json};
use syncline_core::{
    calendar::{
        eligible::{Reason, Verdict},
        privacy::Privacy,
    },
    ids::IntegrationId,
};
use syncline_engine::calendars::{
    CalendarFlowState, CalendarPreview, CalendarRemark, CalendarRound, PreviewTally, PreviewedEvent,
};
use syncline_store::{CalendarState, FlowStanding, MeetingView};

use crate::plan::word;

/// Events that a preview shows of each sort.
const SAMPLES: usize = 5;

/// What the check found about one calendar, or about the CRM.
pub fn remark(remark: &CalendarRemark) -> String {
    let mark = if remark.good { "good  " } else { "wrong " };
    format!("{mark}{}: {}", remark.about, remark.text)
}

pub fn remark_json(remark: &CalendarRemark) -> String {
    json!({ "about": remark.about, "good": remark.good, "text": remark.text }).to_string()
}

/// Which upcoming events would be logged, and which not, and why.
pub fn preview(preview: &CalendarPreview) -> String {
    let mut text = String::new();
    counted(&mut text, "upcoming events would be logged", &preview.tally());
    samples(&mut text, "Would be logged:", preview.events_that_are(true), |_| String::new());
    samples(&mut text, "Would not:", preview.events_that_are(false), |event| format!(": {}", said(&event.verdict)));
    if let Some(tally) = preview.tally_if_new() {
        text.push('\n');
        counted(&mut text, "of them would be logged if they were made from now on", &tally);
    }
    if preview.capped {
        line(&mut text, "There are more than these; a preview reads no further.");
    }
    text
}

/// How many are logged, and how many are not for each reason.
fn counted(text: &mut String, what: &str, tally: &PreviewTally<'_>) {
    let end = if tally.left_out == 0 { "." } else { ":" };
    line(text, &format!("{} {what}, {} not{end}", tally.logged, tally.left_out));
    for (reason, count) in &tally.reasons {
        line(text, &format!("{count:>6}  {} {}", reason.sentence(), reason.next_step()));
    }
}

fn samples<'e>(
    text: &mut String,
    heading: &str,
    events: impl Iterator<Item = &'e PreviewedEvent>,
    more: impl Fn(&PreviewedEvent) -> String,
) {
    let mut events = events.peekable();
    if events.peek().is_none() {
        return;
    }
    line(text, heading);
    for event in events.by_ref().take(SAMPLES) {
        let title = titled(event.title(), event.is_private());
        line(text, &format!("  {}  {title} ({}){}", when(event.start()), event.calendars.join(", "), more(event)));
    }
    match events.count() {
        0 => {}
        rest => line(text, &format!("  … and {rest} more")),
    }
}

/// What rounds came to.
pub fn round(round: &CalendarRound) -> String {
    let mut text = String::new();
    line(
        &mut text,
        &format!(
            "Read {} events; decided about {}: made {}, changed {}, deleted {}, left out {}, held back {}; of events in calendars: made {}, changed {}, deleted or declined {}, left as they are {}; {} mails; {} calls.",
            round.read,
            round.decided,
            round.created,
            round.updated,
            round.deleted,
            round.left_out,
            round.held,
            round.events.made,
            round.events.changed,
            round.events.removed,
            round.events.left_out,
            round.mails,
            round.calls
        ),
    );
    for (calendar, error) in &round.failed {
        line(&mut text, &format!("{calendar} could not be read: {}", error.message));
    }
    text
}

pub fn round_json(round: &CalendarRound) -> String {
    let failed: Vec<Value> = round
        .failed
        .iter()
        .map(|(calendar, error)| json!({ "calendar": calendar, "problem": error.message }))
        .collect();
    json!({ "read": round.read, "decided": round.decided, "created": round.created,
        "updated": round.updated, "deleted": round.deleted, "left_out": round.left_out, "held": round.held,
        "events": round.events.written(), "events_made": round.events.made, "events_changed": round.events.changed,
        "events_removed": round.events.removed, "events_left_out": round.events.left_out, "mails": round.mails, "calls": round.calls, "more": round.more, "failed": failed })
    .to_string()
}

/// How an integration stands.
pub fn status(name: &IntegrationId, state: &CalendarFlowState) -> String {
    let mut text = String::new();
    line(&mut text, &format!("{name} is {}", standing_of(state)));
    if let Some(reason) = state.state.as_ref().and_then(|state| state.reason.as_ref()) {
        line(&mut text, &format!("  {reason}"));
    }
    let counts: Vec<String> = state.verdicts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    let counts = if counts.is_empty() { "no event is known yet".to_owned() } else { counts.join(", ") };
    line(&mut text, &format!("  {counts}"));
    if state.held > 0 {
        line(&mut text, &format!("  {} held back; `syncline calendars events {name} --held` says why", state.held));
    }
    if let Some(at) = state.next_at {
        line(&mut text, &format!("  next look at {at:.0}"));
    }
    for (calendar, one) in &state.calendars {
        line(&mut text, &format!("  {calendar}: {}", reading(one.as_ref(), state.told_until.get(calendar))));
    }
    text
}

fn reading(state: Option<&CalendarState>, told_until: Option<&Timestamp>) -> String {
    let Some(state) = state else { return "not read yet".to_owned() };
    let told = match (told_until, &state.watch.problem) {
        (Some(until), _) => format!(", tells of changes until {until:.0}"),
        (None, Some(problem)) => format!(", does not tell of changes: {problem}"),
        (None, None) => String::new(),
    };
    let read = if state.settled { "is read" } else { "is being read for the first time" };
    let last = state.read_at.map(|at| format!(", last look at {at:.0}")).unwrap_or_default();
    let problem = state.problem.as_ref().map(|problem| format!("; cannot be read: {problem}")).unwrap_or_default();
    format!("{read}, connected at {:.0}{last}, next look at {:.0}{told}{problem}", state.connected_at, state.next_at)
}

pub fn status_json(name: &IntegrationId, state: &CalendarFlowState) -> String {
    let calendars: Vec<Value> = state
        .calendars
        .iter()
        .map(|(calendar, one)| match one {
            None => json!({ "calendar": calendar, "connected_at": null }),
            Some(one) => json!({ "calendar": calendar, "connected_at": one.connected_at, "whole": one.settled,
                "read_at": one.read_at, "next_at": one.next_at, "failures": one.failures, "problem": one.problem,
                "told_until": state.told_until.get(calendar), "watch_problem": one.watch.problem }),
        })
        .collect();
    let standing = state.state.as_ref().map_or(FlowStanding::Draft, |state| state.standing);
    json!({ "name": name, "standing": standing,
        "reason": state.state.as_ref().and_then(|state| state.reason.clone()),
        "events": state.verdicts, "held": state.held, "next_at": state.next_at, "calendars": calendars })
    .to_string()
}

fn standing_of(state: &CalendarFlowState) -> &'static str {
    word(state.state.as_ref().map_or(FlowStanding::Draft, |state| state.standing))
}

/// When, what, and whether it is logged or why not.
pub fn event(view: &MeetingView) -> String {
    let state = &view.state;
    let mut text = String::new();
    line(&mut text, &format!("{}  {}", when(view.start()), titled(view.title(), view.is_private())));
    if let Some(problem) = &state.problem {
        line(&mut text, &format!("    held back: {problem}"));
        return text;
    }
    let with = if view.people().is_empty() { String::new() } else { format!(", with {}", view.people().join(", ")) };
    line(&mut text, &format!("    {}{with}", said(&state.verdict)));
    if let Verdict::LeftOut(reason) = &state.verdict {
        line(&mut text, &format!("    {}", reason.next_step()));
    } else if state.privacy == Privacy::Frozen {
        line(&mut text, "    It is private by now, and nothing more is written.");
    }
    for what in view.shortened() {
        line(&mut text, &format!("    {}", what.sentence()));
    }
    text
}

pub fn event_json(view: &MeetingView) -> String {
    let reason = view.reason();
    json!({ "id": view.id, "uid": view.key.uid.as_str(), "occurrence": view.key.rid.to_string(),
        "title": view.title(), "start": view.start(), "logged": reason.is_none(), "private": view.is_private(),
        "record": view.record, "people": view.people(), "problem": view.state.problem, "reason": reason.map(Reason::code),
        "sentence": reason.map(Reason::sentence), "next_step": reason.map(Reason::next_step),
        "shortened": view.shortened().map(|what| what.sentence()).collect::<Vec<_>>() })
    .to_string()
}

/// The verdict in words.
fn said(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Log => "logged".to_owned(),
        Verdict::LeftOut(reason) => reason.sentence(),
    }
}

fn titled(title: Option<&str>, is_private: bool) -> &str {
    match title {
        _ if is_private => "(private)",
        Some(title) => title,
        None => "(no title)",
    }
}

fn when(start: Option<Timestamp>) -> String {
    // As wide as a time, so that what follows stands in one column.
    start.map_or_else(|| format!("{:<20}", "at an unknown time"), |at| format!("{at:.0}"))
}

fn line(text: &mut String, words: &str) {
    writeln!(text, "{words}").expect("a string takes all");
}
