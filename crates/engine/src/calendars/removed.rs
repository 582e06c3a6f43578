//! Records that people delete in the CRM, where their events are to go with them. Only a record of which the CRM itself says
//! that it was deleted counts; where many are, a person is asked first. Without the setting nothing is looked for here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use jiff::{SignedDuration, Timestamp};
use syncline_connect::{
    Error, ErrorKind, Retry,
    calendar::{EventWrite, WriteOutcome},
};
use syncline_core::{
    booking::facts::{Facts, Questions},
    calendar::{
        eligible::{Reason, Verdict},
        look::Decision,
        meeting::{Alone, CrmDelete, NotAlone, is_many, on_crm_delete},
        privacy::Privacy,
    },
    ids::{IntegrationId, RecordId, WorkspaceId},
    record::{Role, Slot, Std},
};
use syncline_store::{CrmState, JournalEntry, JournalKind, MeetingState, Result as StoreResult, StoredMeeting};

use super::{
    Asked, CONFIRMED_FOR, CalendarFlow, CalendarRound,
    back::{CHANGED_PAUSE, Next},
    later,
    mails::Tells,
    meant::{Meant, meant},
    see::Seeing,
};
use crate::{
    alerts,
    engine::{Called, Engine},
};

/// How often it is looked whether records of meetings to come are still there.
pub(super) const REMOVALS_EVERY: SignedDuration = SignedDuration::from_mins(15);

/// Meetings to come that are looked for: those that begin first.
const AHEAD_MAX: usize = 5_000;

/// Records that are asked for together.
const TRACES_AT_ONCE: usize = 500;

/// What the last look at an integration's records found.
#[derive(Default)]
struct Found {
    /// Records of which the CRM tells nothing, not even that they were deleted.
    nowhere: BTreeSet<RecordId>,
    /// Of how many deletions a person was asked.
    asked: usize,
}

/// What the last looks found, by integration.
#[derive(Default)]
pub(crate) struct Removals(Mutex<BTreeMap<(WorkspaceId, IntegrationId), Found>>);

impl Removals {
    fn with<T>(&self, flow: &CalendarFlow, act: impl FnOnce(&mut Found) -> T) -> T {
        let mut all = self.0.lock().expect("no code panics while it holds this lock");
        act(all.entry((flow.workspace.clone(), flow.id.clone())).or_default())
    }
}

impl Engine {
    /// Whether a meeting whose record is not found is left for the look at records, which knows whether it was deleted.
    pub(super) fn is_left_to_removals(
        &self,
        flow: &CalendarFlow,
        decision: &Decision,
        before: Option<&StoredMeeting>,
        now: Timestamp,
    ) -> bool {
        let Some(before) = before.filter(|before| before.state.verdict == Verdict::Log && is_asked_for(before)) else {
            return false;
        };
        let Some(link) = before.links.get(&Slot::Meeting) else { return false };
        flow.rules.follows_removals()
            && decision.verdict == Verdict::LeftOut(Reason::RemovedInCrm)
            && before.state.start.is_some_and(|start| start > now)
            && !self.removals.with(flow, |found| found.nowhere.contains(&link.id))
    }

    /// Looks for records of meetings to come that somebody deleted, if it is time, and has their events go, too.
    pub(super) async fn follow_removals(
        &self,
        seeing: &Seeing<'_>,
        state: &mut CrmState,
        asked: Asked,
        round: &mut CalendarRound,
    ) -> StoreResult<Next> {
        let (flow, now) = (seeing.flow, self.world.clock.now());
        let is_confirmed = state.confirmed_at.is_some_and(|at| now.duration_since(at) <= CONFIRMED_FOR);
        let is_time = asked.now || is_confirmed || state.records_at.is_none_or(|at| later(at, REMOVALS_EVERY) <= now);
        if !flow.rules.follows_removals() || !is_time {
            return Ok(Next::Done);
        }
        let ahead = self.world.store.meetings_ahead(&flow.workspace, &flow.id, now, AHEAD_MAX).await?;
        let count = ahead.len();
        let deleted = match self.deleted(seeing, ahead, &mut round.calls).await {
            Ok(Some(deleted)) => deleted,
            Ok(None) => return Ok(Next::Later { pause: SignedDuration::ZERO, doubt: false }),
            Err(error) => {
                tracing::warn!(integration.id = %flow.id, error.kind = ?error.kind, "The CRM of {} did not tell what was deleted", flow.id);
                return Ok(Next::Later { pause: self.pause_after(&error, 0), doubt: false });
            }
        };
        if is_many(deleted.len(), count) && !is_confirmed {
            self.ask_about(seeing, deleted.len(), count).await?;
        } else {
            self.removals.with(flow, |found| found.asked = 0);
            for meeting in deleted {
                match self.follow_removal(seeing, &meeting, round).await? {
                    Next::Done => {}
                    next => return Ok(next),
                }
            }
        }
        if let Some(confirmed) = state.confirmed_at {
            self.world.store.end_crm_confirmation(&flow.workspace, &flow.id, confirmed).await?;
        }
        state.records_at = Some(now);
        Ok(Next::Done)
    }

    /// Those meetings of which the CRM says that their records were deleted. `None`: the lease does not cover asking.
    async fn deleted(
        &self,
        seeing: &Seeing<'_>,
        ahead: Vec<StoredMeeting>,
        calls: &mut u32,
    ) -> Called<Option<Vec<StoredMeeting>>> {
        let linked: Vec<(RecordId, StoredMeeting)> = ahead
            .into_iter()
            .filter(is_asked_for)
            .filter_map(|meeting| Some((meeting.links.get(&Slot::Meeting)?.id.clone(), meeting)))
            .collect();
        let mut facts = Facts::default();
        for some in linked.chunks(TRACES_AT_ONCE) {
            if !self.has_time(seeing) {
                return Ok(None);
            }
            let mut ask = Questions::default();
            ask.traces.insert(Role::Meeting, some.iter().map(|(record, _)| record.clone()).collect());
            self.ask_crm(seeing.setup, seeing.crm, &seeing.rules, ask, &[], &mut facts, calls).await?;
        }
        let trace = |record: &RecordId| facts.trace(record).flatten();
        let nowhere = linked.iter().filter(|(record, _)| trace(record).is_none());
        let nowhere = nowhere.map(|(record, _)| record.clone()).collect();
        self.removals.with(seeing.flow, |found| found.nowhere = nowhere);
        let is_deleted = |record: &RecordId| trace(record).is_some_and(|trace| trace.is(Std::Deleted));
        Ok(Some(linked.into_iter().filter(|(record, _)| is_deleted(record)).map(|(_, meeting)| meeting).collect()))
    }

    /// Asks a person, once for each number of deletions.
    async fn ask_about(&self, seeing: &Seeing<'_>, deleted: usize, known: usize) -> StoreResult<()> {
        let (flow, now) = (seeing.flow, self.world.clock.now());
        if self.removals.with(flow, |found| std::mem::replace(&mut found.asked, deleted)) == deleted {
            return Ok(());
        }
        let id = &flow.id;
        let text = format!(
            "{deleted} of {known} meetings to come were deleted in the CRM. No event is deleted until a person says that this \
             was meant: `syncline calendars run {id} --confirm-deletes`"
        );
        self.world.store.add_alert(&flow.workspace, alerts::deleted(id, &text, now)).await?;
        let line = JournalEntry { at: now, kind: JournalKind::Connection, text, details: serde_json::json!({}) };
        self.world.store.note_calendars(&flow.workspace, id, vec![line]).await
    }

    /// Has the event of one deleted record go: the organiser's for everybody, a guest's copy by declining.
    async fn follow_removal(
        &self,
        seeing: &Seeing<'_>,
        meeting: &StoredMeeting,
        round: &mut CalendarRound,
    ) -> StoreResult<Next> {
        let flow = seeing.flow;
        let Some(record) = meeting.links.get(&Slot::Meeting).map(|link| &link.id) else { return Ok(Next::Done) };
        let copies = match self.world.store.series(&flow.workspace, &flow.id, &meeting.key.uid).await {
            Ok((copies, _)) => copies,
            // Whoever looks at it says so; nothing is deleted of what nobody can read.
            Err(syncline_store::Error::Corrupt(_)) => return Ok(Next::Done),
            Err(error) => return Err(error),
        };
        let about = meeting.state.title.clone().unwrap_or_else(|| "A meeting".to_owned());
        let all = meant(seeing, &copies, meeting);
        let organizes = all.iter().any(|own| own.organizes);
        let deed = on_crm_delete(organizes, false, flow.rules.deletes);
        let mut said = Vec::new();
        for own in all.iter().filter(|own| own.organizes == organizes) {
            if let Alone::No(why) = own.which {
                round.events.left_out += usize::from(stays(why).is_some());
                said.extend(stays(why).map(str::to_owned));
                continue;
            }
            let removal = Removal { meeting, own, deed, about: &about, record };
            match self.remove(seeing, &removal, round).await? {
                Ok(Removed { text, letters, left_out }) => {
                    round.events.left_out += usize::from(left_out);
                    said.push(text);
                    // Before another calendar is written to: whatever becomes of that, this is told.
                    let calendar = &own.calendar.name;
                    if !letters.is_empty() && !self.keep_mails(seeing, meeting, calendar, letters).await? {
                        return Ok(Next::Lost);
                    }
                }
                Err(next) => return Ok(next),
            }
        }
        let verdict = Verdict::LeftOut(Reason::RemovedInCrm);
        let state = MeetingState {
            verdict,
            problem: None,
            untold: None,
            made: None,
            invited: BTreeSet::new(),
            ..meeting.state.clone()
        };
        let links = syncline_store::Links::new();
        let meeting = StoredMeeting { state, links, ..meeting.clone() };
        let said = if said.is_empty() { "its event is gone already".to_owned() } else { said.join("; ") };
        let text = format!("{about}: its record was deleted in the CRM; {said}");
        self.keep_back(seeing, (vec![meeting], Vec::new()), JournalKind::Written, text, record).await
    }

    /// Writes to one copy. The inner error: how it goes on where that is not done.
    async fn remove(
        &self,
        seeing: &Seeing<'_>,
        removal: &Removal<'_>,
        round: &mut CalendarRound,
    ) -> StoreResult<Result<Removed, Next>> {
        let (flow, Removal { meeting, own, deed, about, record }) = (seeing.flow, removal);
        let name = &own.calendar.name;
        let said = |text: String, left_out| Ok(Ok(Removed { text, letters: Vec::new(), left_out }));
        let Some(target) = self.target(flow, own.calendar) else {
            return said(format!("its event stays in calendar {name}, which cannot be written to"), true);
        };
        if !self.has_time(seeing) {
            return Ok(Err(Next::Later { pause: SignedDuration::ZERO, doubt: false }));
        }
        if *deed == CrmDelete::Nothing {
            return said("its event stays".to_owned(), true);
        }
        let event = match self.event_meant(flow, &target, own.which, meeting.key.rid, &mut round.calls).await {
            Ok(Ok(event)) => event,
            Ok(Err(why)) => {
                let text =
                    stays(why).map_or_else(|| format!("its event in calendar {name} is gone already"), str::to_owned);
                return said(text, stays(why).is_some());
            }
            Err(error) => return self.not_removed(seeing, removal, &error).await,
        };
        let (id, etag) = (&event.id, event.etag.as_ref());
        let (write, done) = match deed {
            CrmDelete::Nothing => return said("its event stays".to_owned(), true),
            CrmDelete::DeleteForAll { tell } => (EventWrite::Delete { id, etag, tell: *tell }, "deleted"),
            CrmDelete::Decline => {
                (EventWrite::Decline { id, etag, rep: &target.calendar.owner, tell: true }, "declined")
            }
        };
        let tells = match deed {
            CrmDelete::DeleteForAll { tell: true } | CrmDelete::Decline => {
                match self.tells(flow, &target, &mut round.calls).await {
                    Ok(tells) => tells,
                    Err(error) => return Ok(Err(self.write_failed(seeing, record, about, &error).await?)),
                }
            }
            _ => Tells::Calendar,
        };
        let was_untold = meeting.state.untold.as_deref().filter(|untold| untold.calendar == *name);
        if tells == Tells::Mail && self.about_to_tell(seeing, meeting, name, &event).await?.is_none() {
            return Ok(Err(Next::Lost));
        }
        let answer = self.write_event(flow, &target, &write, &mut round.calls).await;
        let is_done = matches!(answer, Ok(WriteOutcome::Deleted | WriteOutcome::Written(_)));
        let is_known = !answer.as_ref().is_err_and(|error| error.kind == ErrorKind::UnknownOutcome);
        if tells == Tells::Mail && is_known && !is_done && !self.not_written(seeing, meeting).await? {
            return Ok(Err(Next::Lost));
        }
        match answer {
            Ok(done_with @ (WriteOutcome::Deleted | WriteOutcome::Written(_))) => {
                let before = was_untold.map_or(&event, |untold| &untold.event);
                let after = match &done_with {
                    WriteOutcome::Written(now) => Some(&**now),
                    _ => None,
                };
                let (ends, home) = ((Some(before), after), seeing.home(name));
                let letters = self.letters(flow, tells, &target, &meeting.key, ends, &home).await?;
                round.events.removed += 1;
                self.calendar_soon(&flow.reference(target.calendar)).await?;
                Ok(Ok(Removed {
                    text: format!("its event in calendar {name} is {done}{}", letters.1),
                    letters: letters.0,
                    left_out: false,
                }))
            }
            Ok(WriteOutcome::Gone) => said(format!("its event in calendar {name} is gone already"), false),
            Ok(WriteOutcome::NotOrganizer) => said(format!("calendar {name} does not let its event be {done}"), true),
            Ok(WriteOutcome::Changed) => {
                self.calendar_soon(&flow.reference(target.calendar)).await?;
                Ok(Err(Next::Later { pause: CHANGED_PAUSE, doubt: false }))
            }
            Err(error) => self.not_removed(seeing, removal, &error).await,
        }
    }

    /// What cannot be done stays undone, and what may be done later is tried again.
    async fn not_removed(
        &self,
        seeing: &Seeing<'_>,
        removal: &Removal<'_>,
        error: &Error,
    ) -> StoreResult<Result<Removed, Next>> {
        if error.retry == Retry::Never && error.kind != ErrorKind::Revoked {
            let text = format!("its event stays in calendar {}: {error}", removal.own.calendar.name);
            return Ok(Ok(Removed { text, letters: Vec::new(), left_out: true }));
        }
        Ok(Err(match self.write_failed(seeing, removal.record, removal.about, error).await? {
            Next::Later { pause, .. } => Next::Later { pause, doubt: false },
            next => next,
        }))
    }
}

/// Whether it may be looked for what became of a meeting's record: nothing is on its way to it, and it may be known.
fn is_asked_for(meeting: &StoredMeeting) -> bool {
    meeting.state.privacy == Privacy::Synced && meeting.plan.is_none()
}

/// A copy of which the event is to go.
struct Removal<'a> {
    meeting: &'a StoredMeeting,
    own: &'a Meant<'a>,
    deed: CrmDelete,
    about: &'a str,
    record: &'a RecordId,
}

/// What is said of it, and mailed.
struct Removed {
    text: String,
    letters: Vec<syncline_store::NewMail>,
    /// It was not done.
    left_out: bool,
}

/// What is said where no event goes. `None`: there is none.
fn stays(why: NotAlone) -> Option<&'static str> {
    match why {
        NotAlone::Gone | NotAlone::Unknown => None,
        NotAlone::Whole => Some("it stood for a whole series, which stays"),
        NotAlone::Together => Some("its event was changed together with all that follow it in its series, and stays"),
    }
}
