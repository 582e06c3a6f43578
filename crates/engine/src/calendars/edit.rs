//! Edits that people make in the CRM, brought to the organiser's event: fields, who is added and, where that is wanted, who is
//! taken off. Merged first, so that what the calendar said since stays.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use syncline_connect::{
    ErrorKind, Retry,
    calendar::{EventWrite, WriteOutcome},
};
use syncline_core::{
    booking::facts::{Facts, Questions},
    calendar::{
        event::{Content, Event},
        identity::Uid,
        meeting::{Alone, CrmSide, NotAlone, carried_back, edit_of, is_news},
        privacy::Privacy,
    },
    ids::RecordId,
    person::normal_email,
    record::{Field, Fields, Role, Slot, Std, Value},
};
use syncline_store::{JournalKind, MeetingState, Result as StoreResult, SaveMeetings, StoredMeeting};

use super::{
    CalendarRound,
    back::{CHANGED_PAUSE, Next, Target},
    mails::Tells,
    meant::meant,
    see::{Seeing, nothing},
};
use crate::engine::{Called, Engine};

/// An edit of an event that is to be written.
struct Edit<'a> {
    meeting: &'a StoredMeeting,
    /// The organiser's own copy.
    event: &'a Event,
    wanted: &'a Content,
    /// The fields among it.
    edits: Fields,
    target: &'a Target<'a>,
    about: &'a str,
}

impl Engine {
    /// Brings the event to what people edited in the CRM, and invites whom they added there.
    pub(super) async fn carry_back(
        &self,
        seeing: &Seeing<'_>,
        uid: &Uid,
        side: &CrmSide<'_>,
        round: &mut CalendarRound,
    ) -> StoreResult<Next> {
        let flow = seeing.flow;
        let (copies, meetings) = match self.world.store.series(&flow.workspace, &flow.id, uid).await {
            // Whoever looks at it says so.
            Err(syncline_store::Error::Corrupt(_)) => return Ok(Next::Done),
            read => read?,
        };
        let is_it = |meeting: &&StoredMeeting| {
            let link = meeting.links.get(&Slot::Meeting);
            meeting.state.privacy == Privacy::Synced && link.is_some_and(|link| link.id == side.record.id)
        };
        let Some(meeting) = meetings.iter().find(is_it) else { return Ok(Next::Done) };
        if meeting.plan.is_some() {
            // What the CRM has of it is known once what became of the plan is; where that waits for a person, nobody waits
            // for it here.
            let waits = meeting.state.problem.is_none();
            return Ok(if waits { Next::Later { pause: CHANGED_PAUSE, doubt: false } } else { Next::Done });
        }
        let all = meant(seeing, &copies, meeting);
        let Some(own) = all.iter().find(|own| own.organizes) else { return Ok(Next::Done) };
        let Some(target) = self.target(flow, own.calendar) else { return Ok(Next::Done) };
        let about = meeting.state.title.clone().unwrap_or_else(|| "A meeting".to_owned());
        let failed = |next| match next {
            // No event is made here.
            Next::Later { pause, .. } => Next::Later { pause, doubt: false },
            next => next,
        };
        if matches!(own.which, Alone::Of(_)) && !is_news(side, &meeting.links) {
            return Ok(Next::Done);
        }
        let found = self.event_meant(flow, &target, own.which, meeting.key.rid, &mut round.calls).await;
        let event = match found {
            Ok(Ok(event)) => event,
            Ok(Err(why)) => return self.not_taken_over(seeing, meeting, side, why, round).await,
            Err(error) => return self.write_failed(seeing, &side.record.id, &about, &error).await.map(failed),
        };
        let Some(content) = event.content() else { return Ok(Next::Done) };
        let uninvite = match self.taken_off(seeing, meeting, side, &mut round.calls).await {
            Ok(uninvite) => uninvite,
            Err(error) => return self.write_failed(seeing, &side.record.id, &about, &error).await.map(failed),
        };
        let home = seeing.home(&own.calendar.name);
        let normalise = |role: Role, field: &Field, value: Value| seeing.crm.normalise(role, field, value);
        let settings = &seeing.rules.meeting;
        let known = (&meeting.links, &meeting.state.carried);
        let wanted = carried_back(side, known, content, settings, &uninvite, &home, &normalise);
        let Some((wanted, edits)) = wanted else { return Ok(Next::Done) };
        if !self.has_time(seeing) {
            return Ok(Next::Later { pause: SignedDuration::ZERO, doubt: false });
        }
        let edit = Edit { meeting, event: &event, wanted: &wanted, edits, target: &target, about: &about };
        self.write_edit(seeing, &edit, side, round).await.map(failed)
    }

    /// Says why an edit does not reach an event, where it is a person's and that may be known.
    async fn not_taken_over(
        &self,
        seeing: &Seeing<'_>,
        meeting: &StoredMeeting,
        side: &CrmSide<'_>,
        why: NotAlone,
        round: &mut CalendarRound,
    ) -> StoreResult<Next> {
        let (Some(why), Some(edit)) = (why.sentence(), edit_of(side, &meeting.links)) else { return Ok(Next::Done) };
        let edit = Some(edit.as_str().to_owned());
        // It stands in the record for as long as nobody takes it back, and is told once.
        if meeting.state.refused == edit {
            return Ok(Next::Done);
        }
        round.events.left_out += 1;
        let about = meeting.state.title.as_deref().unwrap_or("A meeting");
        let text = format!("{about}: what was edited in the CRM does not reach its event. {why}");
        let state = MeetingState { refused: edit, ..meeting.state.clone() };
        let meetings = vec![StoredMeeting { state, ..meeting.clone() }];
        self.keep_back(seeing, (meetings, Vec::new()), JournalKind::Unchanged, text, &side.record.id).await
    }

    /// Writes an edit to the event.
    async fn write_edit(
        &self,
        seeing: &Seeing<'_>,
        edit: &Edit<'_>,
        side: &CrmSide<'_>,
        round: &mut CalendarRound,
    ) -> StoreResult<Next> {
        let (flow, Edit { meeting, event, wanted, edits, target, about }) = (seeing.flow, edit);
        let (event, calendar) = (*event, &target.calendar.name);
        let record = &side.record.id;
        let tells = match self.tells(flow, target, &mut round.calls).await {
            Ok(tells) => tells,
            Err(error) => return self.write_failed(seeing, record, about, &error).await,
        };
        let untold = match tells {
            Tells::Mail => match self.about_to_tell(seeing, meeting, calendar, event).await? {
                Some(kept) => kept.state.untold,
                None => return Ok(Next::Lost),
            },
            Tells::Calendar | Tells::Nobody => None,
        };
        let write = EventWrite::Update { event, content: wanted, tell: true };
        match self.write_event(flow, target, &write, &mut round.calls).await {
            Ok(WriteOutcome::Written(now)) => {
                let home = seeing.home(calendar);
                let before = untold.as_deref().map_or(event, |untold| &untold.event);
                let ends = (Some(before), Some(&*now));
                let (mails, told) = self.letters(flow, tells, target, &meeting.key, ends, &home).await?;
                // Whom the CRM has seated already is not to be seated once more.
                let mut links = meeting.links.clone();
                links.extend(side.links(&meeting.links, &seeing.rules.policy));
                let mut state = MeetingState { untold: None, ..meeting.state.clone() };
                if let Some(made) = &mut state.made {
                    made.event = *now;
                }
                state.carried.extend(edits.clone());
                let were: BTreeSet<&str> = emails(event.content());
                let are: BTreeSet<&str> = emails(Some(wanted));
                state.invited.retain(|email| are.contains(email.as_str()));
                state.invited.extend(are.difference(&were).map(ToString::to_string));
                let meeting = StoredMeeting { links, state, ..(*meeting).clone() };
                let text = format!("{about}: calendar {calendar} takes over what was edited in the CRM{told}");
                round.events.changed += 1;
                self.calendar_soon(&flow.reference(target.calendar)).await?;
                self.keep_back(seeing, (vec![meeting], mails), JournalKind::Written, text, record).await
            }
            Ok(outcome) => {
                if outcome == WriteOutcome::Changed {
                    self.calendar_soon(&flow.reference(target.calendar)).await?;
                }
                if untold.is_some() && !self.not_written(seeing, meeting).await? {
                    return Ok(Next::Lost);
                }
                Ok(match outcome {
                    WriteOutcome::Changed => Next::Later { pause: CHANGED_PAUSE, doubt: false },
                    _ => Next::Done,
                })
            }
            Err(error) => {
                let is_known = untold.is_some() && error.kind != ErrorKind::UnknownOutcome;
                if is_known && !self.not_written(seeing, meeting).await? {
                    return Ok(Next::Lost);
                }
                round.events.left_out += usize::from(error.retry == Retry::Never);
                self.write_failed(seeing, record, about, &error).await
            }
        }
    }

    /// Keeps a meeting as it was before a write that surely was not done. `false` where the lease is another's by now.
    pub(super) async fn not_written(&self, seeing: &Seeing<'_>, meeting: &StoredMeeting) -> StoreResult<bool> {
        let meetings = vec![meeting.clone()];
        let save = SaveMeetings { meetings, ..nothing(seeing.flow, seeing.held, self.world.clock.now()) };
        self.world.store.save_meetings(save).await
    }

    /// Whom the CRM had invited and no longer has at the meeting, though it still knows them by that address.
    async fn taken_off(
        &self,
        seeing: &Seeing<'_>,
        meeting: &StoredMeeting,
        side: &CrmSide<'_>,
        calls: &mut u32,
    ) -> Called<BTreeSet<String>> {
        if !seeing.flow.rules.back.uninvite {
            return Ok(BTreeSet::new());
        }
        let missing = side.missing(&meeting.links, &meeting.state.invited);
        let (mut facts, mut ask) = (Facts::default(), Questions::default());
        for person in missing.keys() {
            if let Some((role @ (Role::Contact | Role::Lead), person)) = seeing.crm.identify(person.as_str()) {
                ask.ids.entry(role).or_default().insert(person);
            }
        }
        if !ask.is_empty() {
            self.ask_crm(seeing.setup, seeing.crm, &seeing.rules, ask, &[], &mut facts, calls).await?;
        }
        let is_there = |person: &RecordId, email: &String| {
            let known = facts.record(person).and_then(|known| known.text(Std::Email)).and_then(normal_email);
            known.as_ref() == Some(email)
        };
        Ok(missing.into_iter().filter(|(person, email)| is_there(person, email)).map(|(_, email)| email).collect())
    }
}

/// Who is invited, by address.
fn emails(content: Option<&Content>) -> BTreeSet<&str> {
    let all = content.map_or(&[][..], |content| &content.attendees);
    all.iter().map(|guest| guest.who.email.as_str()).collect()
}
