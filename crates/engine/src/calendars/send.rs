//! Carrying decisions out: every plan is written down before its first byte leaves, sent with others in as few calls as the
//! CRM allows, and settled as soon as it is answered.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use syncline_connect::{Answered, Error, ErrorKind, GraphOutcome, Records, Retry};
use syncline_core::{
    calendar::{
        eligible::{Reason, Verdict},
        event::Shortened,
        look::Decision,
    },
    ids::RecordId,
    mutant::{self, Mutant},
    record::Slot,
    step::{Plan, Write},
};
use syncline_store::{
    DueSeries, JournalEntry, JournalKind, MeetingState, Result as StoreResult, SaveMeetings, StoredMeeting,
};

use super::{
    CalendarRound, later,
    removed::REMOVALS_EVERY,
    see::{Seeing, Seen, Series, nothing},
};
use crate::{engine::Engine, journal, outcome};

/// The pause before a meeting is decided anew with fresh facts, and how often in a row.
const REPLAN_PAUSE: SignedDuration = SignedDuration::from_millis(50);
const REPLANS_MAX: u32 = 5;

/// How often it is looked whether a guest of a meeting to come is in the CRM by now.
const CONTACT_PAUSE: SignedDuration = SignedDuration::from_hours(3);

/// The pause of a meeting whose connection rests.
const RESTING_PAUSE: SignedDuration = SignedDuration::from_mins(1);

/// A decision on its way.
struct Push {
    /// Of which series.
    series: usize,
    decision: Decision,
    plan: Plan,
}

/// What became of a push.
struct Settled {
    meeting: StoredMeeting,
    line: Option<JournalEntry>,
    again: Option<Timestamp>,
    failed: bool,
}

impl Engine {
    /// Keeps what was decided, and sends what is to be sent.
    pub(super) async fn carry_out(
        &self,
        seeing: &Seeing<'_>,
        all: Vec<Series>,
        seen: Vec<Seen>,
        round: &mut CalendarRound,
    ) -> StoreResult<()> {
        let now = self.world.clock.now();
        let mut save = nothing(seeing.flow, seeing.held, now);
        let mut looked: Vec<(DueSeries, Option<Timestamp>)> =
            // What goes well is no further try: a series is looked at again and again.
            all.iter().zip(&seen).map(|(series, seen)| (DueSeries { tries: 0, ..series.due.clone() }, seen.look_again)).collect();
        for (at, seen) in seen.iter().enumerate() {
            // Whoever is missing in the CRM may be added there before the meeting, which no calendar tells.
            let waits = |one: &Decision| {
                one.verdict == Verdict::LeftOut(Reason::NoContact) && one.start.is_some_and(|start| start > now)
            };
            if seen.decisions.iter().any(waits) {
                let again = later(now, CONTACT_PAUSE);
                looked[at].1 = Some(looked[at].1.map_or(again, |known| known.min(again)));
            }
        }
        let mut pushes: Vec<Push> = Vec::new();
        for (at, (series, seen)) in all.iter().zip(seen).enumerate() {
            let mut is_capped = series.kept.values().any(|kept| kept.state.shortened.contains(&Shortened::Series));
            for decision in seen.decisions {
                round.left_out += usize::from(decision.verdict != Verdict::Log);
                let before = series.kept.get(&decision.key.rid);
                if self.is_left_to_removals(seeing.flow, &decision, before, now) {
                    let again = later(now, REMOVALS_EVERY);
                    looked[at].1 = Some(looked[at].1.map_or(again, |known| known.min(again)));
                    continue;
                }
                save.journal.extend(shortened(&decision, before, now, &mut is_capped));
                if decision.is_idle() {
                    keep_idle(&decision, before, now, &mut save, round);
                    continue;
                }
                let plan = decision.decided.as_ref().map(|decided| decided.plan.clone()).unwrap_or_default();
                save.meetings.push(StoredMeeting {
                    key: decision.key.clone(),
                    state: waiting(&decision, before),
                    links: decision.before.clone(),
                    plan: Some(plan.clone()),
                });
                pushes.push(Push { series: at, decision, plan });
            }
        }
        let sends = |at: usize| pushes.iter().any(|push| push.series == at);
        let done = looked.iter().enumerate().filter(|(at, _)| !sends(*at)).map(|(_, looked)| looked.clone());
        save.looked = done.collect();
        let sent: Vec<usize> = (0..looked.len()).filter(|at| sends(*at)).collect();
        if !self.world.store.save_meetings(save).await? || pushes.is_empty() {
            return Ok(());
        }
        for chunk in chunks(seeing.crm, pushes) {
            if !self.send(seeing, &all, chunk, &mut looked, round).await? {
                return Ok(());
            }
        }
        let looked = sent.into_iter().map(|at| looked[at].clone()).collect();
        let save = SaveMeetings { looked, ..nothing(seeing.flow, seeing.held, self.world.clock.now()) };
        self.world.store.save_meetings(save).await.map(drop)
    }

    /// Sends one call's plans and settles them. `false` where the lease is another's by now.
    async fn send(
        &self,
        seeing: &Seeing<'_>,
        all: &[Series],
        chunk: Vec<Push>,
        looked: &mut [(DueSeries, Option<Timestamp>)],
        round: &mut CalendarRound,
    ) -> StoreResult<bool> {
        let plans: Vec<&Plan> = chunk.iter().map(|push| &push.plan).collect();
        let answer = self.write(seeing.setup, &plans, seeing.until).await;
        let now = self.world.clock.now();
        let outcomes = match answer {
            Ok(Answered { value, calls, .. }) => {
                round.calls = round.calls.saturating_add(calls);
                value
            }
            Err(error) => chunk.iter().map(|_| GraphOutcome::Refused(error.clone())).collect(),
        };
        let mut save = nothing(seeing.flow, seeing.held, now);
        for (push, outcome) in chunk.into_iter().zip(outcomes) {
            let (due, again) = &mut looked[push.series];
            let before = all[push.series].kept.get(&push.decision.key.rid);
            round.decided += 1;
            let tries = all[push.series].due.tries;
            let settled = self.settled(&push, before, outcome, tries, now, round);
            if settled.failed {
                due.tries = tries.saturating_add(1);
            }
            *again = [*again, settled.again].into_iter().flatten().min();
            save.meetings.push(settled.meeting);
            save.journal.extend(settled.line);
        }
        self.world.store.save_meetings(save).await
    }

    fn settled(
        &self,
        push: &Push,
        before: Option<&StoredMeeting>,
        outcome: GraphOutcome,
        tries: u32,
        now: Timestamp,
        round: &mut CalendarRound,
    ) -> Settled {
        let decision = &push.decision;
        let (error, plan) = match outcome {
            GraphOutcome::Done(ids) => return done(push, before, &ids, now, round),
            GraphOutcome::Unknown(_) if mutant::on(Mutant::UnknownIsDone) => {
                return done(push, before, &[], now, round);
            }
            GraphOutcome::Refused(error) => (error, None),
            GraphOutcome::Unknown(error) => (error, Some(push.plan.clone())),
        };
        // Whoever is deleted takes the own places at meetings along. Such a place is forgotten, and made anew where somebody is to
        // have it; there are only so many, and each is forgotten once.
        let is_gone = |slot: Slot| error.kind == ErrorKind::Gone && error.slot == Some(slot);
        let is_place = |slot: Slot| matches!(slot, Slot::Attendee(_));
        let mut links = decision.before.clone();
        links.retain(|slot, _| !(is_place(*slot) && is_gone(*slot)));
        let forgets = links.len() < decision.before.len();
        let mut state = waiting(decision, before);
        // A call that was given up may still arrive.
        state.rest_until = plan.is_some().then(|| later(now, self.options.call));
        let is_over = tries >= self.options.max_attempts;
        let pause = match error.retry {
            _ if outcome::waits_for_connection(&error) => Some(RESTING_PAUSE),
            Retry::Replan => Some(REPLAN_PAUSE).filter(|_| forgets || tries < REPLANS_MAX),
            Retry::Never => None,
            Retry::After(_) | Retry::Backoff | Retry::Reauthorise => {
                Some(self.pause_after(&error, tries)).filter(|_| !is_over)
            }
        };
        let about = about(decision);
        let (line, again) = match pause {
            Some(pause) => {
                let at = later(now, pause).max(state.rest_until.unwrap_or(now));
                let text = format!("{about}: {error}; next try at {at:.0}");
                metrics::counter!("syncline_meetings_total", "outcome" => "retried").increment(1);
                let told = !outcome::waits_for_connection(&error);
                (told.then(|| journal::failed(now, JournalKind::Retried, &error, text)), Some(at))
            }
            None => {
                let problem = format!("{error}; {}", fix(&error));
                let text = format!("{about}: {problem}");
                state.problem = Some(problem);
                round.held += 1;
                metrics::counter!("syncline_meetings_total", "outcome" => "held").increment(1);
                (Some(journal::failed(now, JournalKind::Parked, &error, text)), None)
            }
        };
        let meeting = StoredMeeting { key: decision.key.clone(), state, links, plan };
        Settled { meeting, line, again, failed: !forgets }
    }
}

/// A meeting about which nothing is to be sent; told where what became of it is another than before.
fn keep_idle(
    decision: &Decision,
    before: Option<&StoredMeeting>,
    now: Timestamp,
    save: &mut SaveMeetings,
    round: &mut CalendarRound,
) {
    let (key, state) = (decision.key.clone(), state(decision, before));
    let meeting = StoredMeeting { key, state, links: decision.links(&[]), plan: None };
    if before == Some(&meeting) {
        return;
    }
    round.decided += 1;
    let is_news = before.is_none_or(|before| before.state.verdict != decision.verdict);
    if let Verdict::LeftOut(reason) = &decision.verdict
        && is_news
        // What was there before is told once, by their number, and not one by one.
        && *reason != Reason::BeforeConnection
    {
        metrics::counter!("syncline_meetings_total", "outcome" => "left_out").increment(1);
        save.journal.push(JournalEntry {
            at: now,
            kind: JournalKind::Unchanged,
            text: format!("{}: not in the CRM. {}", about(decision), reason.sentence()),
            details: json!({ "meeting": decision.key.to_string(), "reason": reason.code(), "next_step": reason.next_step() }),
        });
    }
    if decision.is_doubted && before.is_none_or(|before| before.state.doubt.is_none()) {
        let text = format!(
            "{}: a guest's calendar says that it was called off; the organiser's is asked first",
            about(decision)
        );
        let details = json!({ "meeting": decision.key.to_string() });
        save.journal.push(JournalEntry { at: now, kind: JournalKind::Unchanged, text, details });
    }
    save.meetings.push(meeting);
}

/// A meeting whose plan was carried out.
fn done(
    push: &Push,
    before: Option<&StoredMeeting>,
    ids: &[(Slot, RecordId)],
    now: Timestamp,
    round: &mut CalendarRound,
) -> Settled {
    let decision = &push.decision;
    let links = decision.links(ids);
    let of_meeting = push.plan.steps.iter().find(|step| step.slot == Slot::Meeting).map(|step| &step.write);
    let (count, word) = match of_meeting {
        Some(Write::Upsert { .. }) => (&mut round.created, "created"),
        Some(Write::Delete { .. }) => (&mut round.deleted, "deleted"),
        Some(Write::Patch { .. }) | None => (&mut round.updated, "updated"),
    };
    *count += 1;
    metrics::counter!("syncline_meetings_total", "outcome" => word).increment(1);
    let (text, records) = journal::steps(&push.plan, ids, &links);
    let kept: Vec<String> =
        decision.decided.iter().flat_map(|decided| &decided.kept).map(ToString::to_string).collect();
    let line = JournalEntry {
        at: now,
        kind: JournalKind::Written,
        text: format!("{}: {text}", about(decision)),
        details: json!({ "meeting": decision.key.to_string(), "records": records, "kept": kept }),
    };
    // Where the one that stood for its series went, the next does from now on.
    let again = (decision.first && links.is_empty()).then_some(now);
    let meeting = StoredMeeting { key: decision.key.clone(), state: state(decision, before), links, plan: None };
    Settled { meeting, line: Some(line), again, failed: false }
}

/// How a meeting stands once what was decided is done. What the way from the CRM to the calendar keeps of it stays, as long
/// as its texts may be known.
fn state(decision: &Decision, before: Option<&StoredMeeting>) -> MeetingState {
    let may_keep = decision.privacy.may_keep_text();
    let before = before.filter(|_| may_keep).map(|before| before.state.clone());
    let decided = decision.decided.as_ref().filter(|_| may_keep);
    let (invited, refused, untold, carried) =
        before.map(|before| (before.invited, before.refused, before.untold, before.carried)).unwrap_or_default();
    MeetingState {
        verdict: decision.verdict.clone(),
        privacy: decision.privacy,
        title: decision.title.clone(),
        start: decision.start,
        first: decision.first,
        shortened: decision.shortened.clone(),
        problem: None,
        rest_until: None,
        invited,
        refused,
        carried: decided.map_or(carried, |decided| decided.carried.clone()),
        untold,
        made: None,
        doubt: decision.doubt.clone(),
    }
}

/// How it stands as long as nobody knows that it is done: as before, so that it is decided again.
fn waiting(decision: &Decision, before: Option<&StoredMeeting>) -> MeetingState {
    let carried = before.map(|before| before.state.carried.clone()).unwrap_or_default();
    MeetingState { privacy: decision.privacy_before, carried, ..state(decision, before) }
}

/// What people are told of a meeting of which something is too long, once; of its series once for all that are logged of it.
fn shortened(
    decision: &Decision,
    before: Option<&StoredMeeting>,
    now: Timestamp,
    is_capped: &mut bool,
) -> Option<JournalEntry> {
    let mut is_known = |what: Shortened| match what {
        Shortened::Series => std::mem::replace(is_capped, true),
        what => before.is_some_and(|before| before.state.shortened.contains(&what)),
    };
    if decision.verdict != Verdict::Log {
        return None;
    }
    let news: Vec<&str> =
        decision.shortened.iter().filter(|what| !is_known(**what)).map(|what| what.sentence()).collect();
    (!news.is_empty()).then(|| JournalEntry {
        at: now,
        kind: JournalKind::Unchanged,
        text: format!("{}: {}", about(decision), news.join("; ")),
        details: json!({ "meeting": decision.key.to_string() }),
    })
}

/// The meeting in a few words.
fn about(decision: &Decision) -> String {
    let title = decision.title.as_deref().unwrap_or("A meeting");
    match decision.start {
        Some(start) => format!("{title} on {}", start.strftime("%Y-%m-%d %H:%M UTC")),
        None => title.to_owned(),
    }
}

/// What a person can do.
fn fix(error: &Error) -> String {
    let fix = outcome::fix(error);
    let fix = fix.strip_suffix(", then replay the booking").unwrap_or(fix);
    format!("{fix}, then have it tried again with `syncline calendars retry`")
}

/// Cuts what is to be sent into calls as the vendor allows.
fn chunks(crm: &dyn Records, mut pushes: Vec<Push>) -> Vec<Vec<Push>> {
    let mut chunks = Vec::new();
    while !pushes.is_empty() {
        let plans: Vec<&Plan> = pushes.iter().map(|push| &push.plan).collect();
        let fits = crm.fits(&plans).clamp(1, pushes.len());
        let rest = pushes.split_off(fits);
        chunks.push(std::mem::replace(&mut pushes, rest));
    }
    chunks
}
