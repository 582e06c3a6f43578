//! Mails to guests of events in calendars that tell nobody, and to organisers of a guest of ours who does not come: what a
//! write of ours means for each of them is written down in the commit by which the write is settled, and sent afterwards,
//! once. What was begun and never settled is told to a person and not sent again by itself.

use std::{collections::HashMap, sync::Mutex};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::json;
use syncline_connect::calendar::Message;
use syncline_core::{
    backoff,
    calendar::{
        event::Event,
        identity::MeetingKey,
        meeting::{Letter, Word, declined, letters, words},
    },
};
use syncline_store::{
    CalendarMail, CalendarRef, EventIn, GUEST_INVITED, GUEST_MOVED, GUEST_OFF, GuestLetter, Held, JournalEntry,
    JournalKind, MailState, NewMail, Result as StoreResult, SaveMeetings, StoredMeeting, guest_declined,
};

use super::{
    CalendarFlow, CalendarRound,
    back::Target,
    later,
    see::{Seeing, nothing},
};
use crate::{
    call::with_token,
    engine::{Called, Engine},
    mail::{Guest, Mail, Mailer, NotSent},
    push::Op,
    records::paid,
};

/// For how long it is known whether a calendar's server tells guests itself.
const TELLS_KEPT: SignedDuration = SignedDuration::from_hours(1);

/// Meetings of which guests are to be mailed that are looked at in one round.
const AT_ONCE: usize = 50;

/// Mails that are sent in one go.
const MAILS_AT_ONCE: usize = 20;

/// How long one mail may take; whoever carries it gives up sooner.
const MAIL_TAKES: SignedDuration = SignedDuration::from_secs(60);

/// For how long a mail is tried that nobody takes.
const MAIL_FOR: SignedDuration = SignedDuration::from_hours(72);

/// Which calendars tell guests themselves, and when that was asked.
#[derive(Default)]
pub(crate) struct Telling(Mutex<HashMap<CalendarRef, (bool, Timestamp)>>);

/// By whom guests hear of what is written to a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tells {
    Calendar,
    Mail,
    /// The calendar tells nobody, and no mail server is configured.
    Nobody,
}

/// Why nobody is told, and what to do.
pub(super) const NOBODY_TELLS: &str =
    "the calendar's server tells guests nothing and no mail server is configured: add [alerts.mail]";

impl Engine {
    /// By whom guests of a calendar's events, or their organiser, hear of what is written.
    pub(super) async fn tells(&self, flow: &CalendarFlow, target: &Target<'_>, calls: &mut u32) -> Called<Tells> {
        let (of, now) = (flow.reference(target.calendar), self.world.clock.now());
        let all = || self.calendar_tells.0.lock().expect("no code panics while it holds this lock");
        let known = all().get(&of).copied().filter(|(_, at)| now.duration_since(*at) < TELLS_KEPT);
        let tells = match known {
            Some((tells, _)) => tells,
            None => {
                let (setup, facet) = self.calendar_facet(flow, target.calendar)?;
                let id = self.calendar_id(&of, target.calendar, setup, facet, calls).await?;
                let writes = target.writes;
                let answer = with_token!(self, target.setup, Op::Calendar, |cx| writes.tells(cx, &id));
                let tells = paid(answer, calls)?;
                all().insert(of, (tells, now));
                tells
            }
        };
        Ok(match (tells, &self.setup.mailer) {
            (true, _) => Tells::Calendar,
            (false, Some(_)) => Tells::Mail,
            (false, None) => Tells::Nobody,
        })
    }

    /// What guests are to be mailed of a write of ours, by what they knew and what is there now; and what people are told of
    /// that, as the end of a sentence.
    pub(super) async fn letters(
        &self,
        flow: &CalendarFlow,
        tells: Tells,
        target: &Target<'_>,
        key: &MeetingKey,
        ends: (Option<&Event>, Option<&Event>),
        home: &TimeZone,
    ) -> StoreResult<(Vec<NewMail>, String)> {
        let mails = match tells {
            Tells::Calendar => Vec::new(),
            Tells::Mail | Tells::Nobody => self.mails(flow, target, key, ends, home).await?,
        };
        let is_answer = mails.iter().any(|mail| mail.word == guest_declined(&target.calendar.name));
        Ok(match (tells, mails.len()) {
            (Tells::Mail, 1) if is_answer => (mails, "; a mail to its organiser is to be sent".to_owned()),
            (Tells::Nobody, 1) if is_answer => {
                (Vec::new(), format!("; its organiser does not hear of it, because {NOBODY_TELLS}"))
            }
            (_, 0) | (Tells::Calendar, _) => (Vec::new(), String::new()),
            (Tells::Mail, 1) => (mails, "; 1 mail to a guest is to be sent".to_owned()),
            (Tells::Mail, count) => (mails, format!("; {count} mails to guests are to be sent")),
            (Tells::Nobody, _) => (Vec::new(), format!("; no guest hears of it, because {NOBODY_TELLS}")),
        })
    }

    async fn mails(
        &self,
        flow: &CalendarFlow,
        target: &Target<'_>,
        key: &MeetingKey,
        (before, after): (Option<&Event>, Option<&Event>),
        home: &TimeZone,
    ) -> StoreResult<Vec<NewMail>> {
        let now = self.world.clock.now();
        let mut mails = Vec::new();
        let rep = target.calendar.owner.as_str();
        // On a guest's copy only the answer is written.
        let is_guest = |event: &Event| {
            let organizer = event.content().and_then(|content| content.organizer.as_ref());
            organizer.is_some_and(|organizer| organizer.email != rep)
        };
        let all: Vec<Letter> = match before.filter(|before| is_guest(before)) {
            Some(before) => declined(before, after, rep).into_iter().collect(),
            None => letters(before, after),
        };
        if all.is_empty() {
            return Ok(mails);
        }
        let told_off = self.world.store.guests_told_off(&flow.workspace, &flow.id, key).await?;
        for letter in all.into_iter().flat_map(|letter| letter.in_revisions(&told_off)) {
            let (word, message) = match letter.word {
                Word::Invited => (GUEST_INVITED.to_owned(), Message::Request),
                Word::Moved => (GUEST_MOVED.to_owned(), Message::Request),
                Word::Off => (GUEST_OFF.to_owned(), Message::Cancel),
                Word::Declined => (guest_declined(&target.calendar.name), Message::Reply { rep }),
            };
            let part = target.writes.invitation(message, std::slice::from_ref(&letter.event), now);
            let (Some(part), Some((subject, text))) = (part, words(&letter, home)) else { continue };
            let Some(content) = letter.event.content() else { continue };
            let Some(organizer) = letter.sender().cloned() else { continue };
            let until = content.end.instant(home);
            let said =
                GuestLetter { subject, text, organizer, content_type: part.content_type, body: part.body, until };
            mails.extend(letter.to.iter().map(|email| NewMail {
                key: key.clone(),
                word: word.clone(),
                revision: letter.revision(),
                email: email.clone(),
                letter: said.clone(),
            }));
        }
        Ok(mails)
    }

    /// Notes what guests know of an event before it is written, so that they hear of it whatever becomes of the write and of
    /// this process. The meeting as it is kept then; nothing where the lease is another's by now.
    pub(super) async fn about_to_tell(
        &self,
        seeing: &Seeing<'_>,
        meeting: &StoredMeeting,
        calendar: &str,
        event: &Event,
    ) -> StoreResult<Option<StoredMeeting>> {
        let mut meeting = meeting.clone();
        // What is known of an earlier write of which nobody was told yet is older, and so is what guests know.
        let untold = || Box::new(EventIn { calendar: calendar.to_owned(), event: event.clone() });
        meeting.state.untold.get_or_insert_with(untold);
        let meetings = vec![meeting.clone()];
        let save = SaveMeetings { meetings, ..nothing(seeing.flow, seeing.held, self.world.clock.now()) };
        Ok(self.world.store.save_meetings(save).await?.then_some(meeting))
    }

    /// Keeps what guests or an organiser are to be mailed of a write that is done. `false` where the lease is another's by now.
    pub(super) async fn keep_mails(
        &self,
        seeing: &Seeing<'_>,
        meeting: &StoredMeeting,
        calendar: &str,
        mails: Vec<NewMail>,
    ) -> StoreResult<bool> {
        let mut meeting = meeting.clone();
        meeting.state.untold.take_if(|untold| untold.calendar == calendar);
        let meetings = vec![meeting];
        let save = SaveMeetings { meetings, mails, ..nothing(seeing.flow, seeing.held, self.world.clock.now()) };
        self.world.store.save_meetings(save).await
    }

    /// Finds out what became of writes whose end nobody saw, and writes down what guests are to be mailed of them.
    pub(super) async fn settle_untold(&self, seeing: &Seeing<'_>, round: &mut CalendarRound) -> StoreResult<()> {
        let flow = seeing.flow;
        for meeting in self.world.store.untold_meetings(&flow.workspace, &flow.id, AT_ONCE).await? {
            let Some(untold) = meeting.state.untold.clone() else { continue };
            let named = flow.calendars.iter().find(|calendar| calendar.name == untold.calendar);
            let mut mails = Vec::new();
            // Of a calendar that was taken out of the integration nothing can be known any more.
            if let Some(target) = named.and_then(|calendar| self.target(flow, calendar)) {
                let now = match self.event_now(flow, &target, &untold.event, &mut round.calls).await {
                    Ok(now) => now,
                    Err(error) => {
                        tracing::warn!(integration.id = %flow.id, error.kind = ?error.kind,
                            "What became of a write to calendar {} is not known yet", untold.calendar);
                        continue;
                    }
                };
                let home = seeing.home(&untold.calendar);
                let ends = (Some(&untold.event), now.as_ref());
                mails = self.mails(flow, &target, &meeting.key, ends, &home).await?;
            }
            let mut meeting = meeting;
            meeting.state.untold = None;
            let save =
                SaveMeetings { meetings: vec![meeting], mails, ..nothing(flow, seeing.held, self.world.clock.now()) };
            if !self.world.store.save_meetings(save).await? {
                break;
            }
        }
        Ok(())
    }

    /// An event as its calendar has it now; nothing where it is not there.
    async fn event_now(
        &self,
        flow: &CalendarFlow,
        target: &Target<'_>,
        event: &Event,
        calls: &mut u32,
    ) -> Called<Option<Event>> {
        let (setup, facet) = self.calendar_facet(flow, target.calendar)?;
        let id = self.calendar_id(&flow.reference(target.calendar), target.calendar, setup, facet, calls).await?;
        let ids = [event.id.clone()];
        let answer = with_token!(self, setup, Op::Calendar, |cx| facet.fetch(cx, &id, &ids));
        let found = paid(answer, calls)?.pop().flatten();
        match &event.series {
            // An occurrence that does not differ from its series takes place as well.
            Some(series) if found.is_none() => self.occurrence(flow, target, series, event.rid, calls).await,
            _ => Ok(found),
        }
    }

    /// Sends what is to be sent, under a lease of its own: a mail server may take its time.
    pub(super) async fn send_mails(&self, flow: &CalendarFlow, round: &mut CalendarRound) -> StoreResult<()> {
        let Some(mailer) = &self.setup.mailer else { return Ok(()) };
        let due = async || {
            let now = self.world.clock.now();
            self.world.store.calendar_mails(&flow.workspace, &flow.id, now, MAILS_AT_ONCE).await
        };
        if due().await?.is_empty() {
            return Ok(());
        }
        let lease = MAIL_TAKES.saturating_mul(i32::try_from(MAILS_AT_ONCE + 1).unwrap_or(i32::MAX));
        let Some(held) = self.hold(&flow.workspace, format!("calendar-mails:{}", flow.id), lease).await? else {
            return Ok(());
        };
        // Somebody may have sent them between the look and the lease.
        let all = due().await?;
        let is_full = all.len() >= MAILS_AT_ONCE;
        let goes_on = self.send_each(flow, mailer.as_ref(), &held, all, round).await;
        self.let_go(&flow.workspace, &held).await;
        round.more |= goes_on? && is_full;
        Ok(())
    }

    /// Sends one after the other. `false` where nothing more can be sent now.
    async fn send_each(
        &self,
        flow: &CalendarFlow,
        mailer: &dyn Mailer,
        held: &Held,
        all: Vec<CalendarMail>,
        round: &mut CalendarRound,
    ) -> StoreResult<bool> {
        let (store, workspace) = (&self.world.store, &flow.workspace);
        for mail in all {
            let now = self.world.clock.now();
            let sent = if mail.begun {
                Err(NotSent::Unknown("the process that sent it did not live to hear the answer".to_owned()))
            } else if mail.letter.until <= now {
                Err(NotSent::Refused("the meeting was over before a mail server took it".to_owned()))
            } else if store.begin_mail(workspace, held, now, mail.id).await? {
                mailer.send(&written(flow, &mail)).await
            } else {
                return Ok(false);
            };
            let is_down = matches!(sent, Err(NotSent::Later(_)));
            let (state, line) = self.settled_mail(&mail, sent);
            let outcome = match state {
                MailState::Sent => "sent",
                MailState::Later { .. } => "retried",
                MailState::Refused { .. } => "refused",
                MailState::Unknown { .. } => "unknown",
            };
            metrics::counter!("syncline_calendar_mails_total", "outcome" => outcome).increment(1);
            round.mails += usize::from(state == MailState::Sent);
            let now = self.world.clock.now();
            if !store.settle_mail(workspace, &flow.id, held, now, mail.id, state, line).await? || is_down {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn settled_mail(&self, mail: &CalendarMail, sent: Result<(), NotSent>) -> (MailState, Option<JournalEntry>) {
        let now = self.world.clock.now();
        let tries = mail.tries.saturating_add(1);
        let error = match sent {
            Ok(()) => return (MailState::Sent, None),
            Err(error) => error,
        };
        let problem = error.to_string();
        let what = &mail.letter.subject;
        let (state, text) = match error {
            NotSent::Later(_) if now.duration_since(mail.at) < MAIL_FOR => {
                let at = later(now, backoff::next_delay(tries, self.random()));
                let text = format!("A mail about a meeting waits ({what}): {problem}");
                (MailState::Later { at, problem }, Some(text).filter(|_| tries == 1))
            }
            NotSent::Later(_) | NotSent::Refused(_) => {
                let text = format!("A mail about a meeting was not sent ({what}): {problem}; {AGAIN}");
                (MailState::Refused { problem }, Some(text))
            }
            NotSent::Unknown(_) => {
                let text = format!(
                    "A mail about a meeting may not have arrived ({what}): {problem}. It is not sent again by itself, so that \
                     nobody gets it twice; {AGAIN}"
                );
                (MailState::Unknown { problem }, Some(text))
            }
        };
        let line = text.map(|text| JournalEntry {
            at: now,
            kind: if matches!(state, MailState::Later { .. }) { JournalKind::Retried } else { JournalKind::Parked },
            text,
            details: json!({ "meeting": mail.key.to_string(), "guest": mail.email }),
        });
        (state, line)
    }
}

/// What a person can do about a mail.
const AGAIN: &str = "tell whom it was for yourself, or have it sent again with `syncline calendars retry`";

/// The mail as it is carried.
fn written(flow: &CalendarFlow, mail: &CalendarMail) -> Mail {
    let GuestLetter { subject, text, organizer, content_type, body, .. } = mail.letter.clone();
    let calendar = syncline_connect::calendar::Invitation { content_type, body };
    let guest = Guest { email: mail.email.clone(), organizer, calendar };
    Mail { id: format!("calendar.{}.{}.{}", mail.id, flow.id, flow.workspace), subject, text, guest: Some(guest) }
}
