//! What an integration would do, before it is activated: everything is read and judged as a round would, and nothing is
//! kept or written.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use syncline_connect::{
    Error,
    calendar::{Changes, From, Reading},
};
use syncline_core::{
    calendar::{
        eligible::{Reason, Since, Verdict},
        identity::{MeetingKey, Uid},
        look::{Look, Rules, look},
    },
    record::{Field, Role, Value},
};
use syncline_store::{CalendarState, StoredCopy, WatchState};

use super::{
    CalendarFlow, CalendarSetup, known_calendars,
    read::{ANEW_MAX, copy, forgets},
    see::seen_copies,
};
use crate::{
    call::with_token,
    engine::{Called, Engine},
    push::{Op, crm},
    records::paid,
    token::database,
};

/// Events of one calendar that a preview reads.
pub const PREVIEW_EVENTS_MAX: usize = 5_000;

/// Series and meetings that are judged together.
const JUDGE_BATCH: usize = 200;

/// What activating would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CalendarPreview {
    /// Upcoming meetings, by start.
    pub events: Vec<PreviewedEvent>,
    /// A calendar has more events than a preview reads.
    pub capped: bool,
}

/// One upcoming meeting.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PreviewedEvent {
    /// The calendars that it is in.
    pub calendars: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    pub verdict: Verdict,
    /// What would become of one like it that is made after the integration was activated.
    pub if_new: Verdict,
}

/// How many of a preview's events are logged and, of the others, how many for each reason, the commonest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PreviewTally<'p> {
    pub logged: usize,
    pub left_out: usize,
    pub reasons: Vec<(&'p Reason, usize)>,
}

impl<'p> PreviewTally<'p> {
    fn of(verdicts: impl Iterator<Item = &'p Verdict>) -> Self {
        let (mut logged, mut reasons) = (0, BTreeMap::<&Reason, usize>::new());
        for verdict in verdicts {
            match verdict {
                Verdict::Log => logged += 1,
                Verdict::LeftOut(reason) => *reasons.entry(reason).or_default() += 1,
            }
        }
        let mut reasons: Vec<(&Reason, usize)> = reasons.into_iter().collect();
        reasons.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(other.0)));
        Self { logged, left_out: reasons.iter().map(|(_, count)| count).sum(), reasons }
    }
}

impl CalendarPreview {
    /// What becomes of the events as they are.
    pub fn tally(&self) -> PreviewTally<'_> {
        PreviewTally::of(self.events.iter().map(|event| &event.verdict))
    }

    /// What would become of them if they were made from now on; nothing where that is the same.
    pub fn tally_if_new(&self) -> Option<PreviewTally<'_>> {
        let differs = self.events.iter().any(|event| event.if_new != event.verdict);
        differs.then(|| PreviewTally::of(self.events.iter().map(|event| &event.if_new)))
    }

    /// The events that are logged, or those that are not.
    pub fn events_that_are(&self, logged: bool) -> impl Iterator<Item = &PreviewedEvent> {
        self.events.iter().filter(move |event| (event.verdict == Verdict::Log) == logged)
    }
}

impl PreviewedEvent {
    /// Whether nothing may be shown of it but that it exists.
    pub fn is_private(&self) -> bool {
        self.verdict == Verdict::LeftOut(Reason::Private)
    }

    /// The subject, where it has one that may be shown.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref().filter(|_| !self.is_private())
    }

    /// The start, where it is known and may be shown.
    pub fn start(&self) -> Option<Timestamp> {
        self.start.filter(|_| !self.is_private())
    }
}

impl Engine {
    /// Reads all calendars and judges what is upcoming. Writes nothing, neither here nor elsewhere.
    ///
    /// # Errors
    /// A calendar or the CRM could not be asked; with its name.
    pub async fn calendars_preview(&self, flow: &CalendarFlow) -> Result<CalendarPreview, (String, Error)> {
        let mut copies: BTreeMap<Uid, Vec<StoredCopy>> = BTreeMap::new();
        let (mut states, mut capped) = (Vec::new(), false);
        for calendar in &flow.calendars {
            let read = self.read_for_preview(flow, calendar, &mut copies).await;
            let (zone, is_cut) = read.map_err(|error| (calendar.name.clone(), error))?;
            capped |= is_cut;
            states.push((calendar.name.clone(), state(zone)));
        }
        let known = known_calendars(flow, &states);
        let judged = self.judge_all(flow, &copies, &known).await;
        let mut events = judged.map_err(|error| (flow.crm.to_string(), error))?;
        events.sort_by(|one, other| (one.start, &one.title).cmp(&(other.start, &other.title)));
        Ok(CalendarPreview { events, capped })
    }

    async fn judge_all(
        &self,
        flow: &CalendarFlow,
        copies: &BTreeMap<Uid, Vec<StoredCopy>>,
        known: &[syncline_core::calendar::look::Calendar],
    ) -> Called<Vec<PreviewedEvent>> {
        let setup = self.connection_of(flow, &flow.crm)?;
        let crm = crm(setup)?;
        let (now, mut calls) = (self.world.clock.now(), 0);
        let as_is = self.crm_rules(flow, setup, crm, &mut calls).await?;
        let mut new = as_is.clone();
        new.policy.since = Since::Backfill(Timestamp::MIN);
        let normalise = |role: Role, field: &Field, value: Value| crm.normalise(role, field, value);
        let kept = BTreeMap::new();
        let mut events = Vec::new();
        let series: Vec<(&Uid, &Vec<StoredCopy>)> = copies.iter().collect();
        for batch in series.chunks(JUDGE_BATCH) {
            let seen: Vec<_> = batch.iter().map(|(_, copies)| seen_copies(copies, known)).collect();
            let looks = |rules: &Rules| {
                seen.iter().map(|copies| look(copies, known, &kept, rules, now)).collect::<Vec<Look<'_>>>()
            };
            let (mut looks_is, mut looks_new) = (looks(&as_is), looks(&new));
            for looks in [&mut looks_is, &mut looks_new] {
                self.tell_booked(flow, batch, looks).await.map_err(database)?;
            }
            let facts = self.learn_about(setup, crm, &new, &looks_new, &mut calls).await?;
            for (((uid, copies), is), new_look) in batch.iter().zip(&looks_is).zip(&looks_new) {
                let decide = |meeting: &syncline_core::calendar::look::Meeting<'_>, rules: &Rules| {
                    let key = MeetingKey { uid: (*uid).clone(), rid: meeting.rid };
                    meeting.decide(key, &flow.workspace, &facts, rules, &normalise)
                };
                for (meeting, if_new) in is.meetings.iter().zip(&new_look.meetings) {
                    let (decision, if_new) = (decide(meeting, &as_is), decide(if_new, &new));
                    if if_new.start.is_some_and(|start| start < now) {
                        continue;
                    }
                    let mut calendars: Vec<String> = copies.iter().map(|copy| copy.calendar.clone()).collect();
                    calendars.dedup();
                    events.push(PreviewedEvent {
                        calendars,
                        title: if_new.title,
                        start: if_new.start,
                        verdict: decision.verdict,
                        if_new: if_new.verdict,
                    });
                }
            }
        }
        Ok(events)
    }

    /// All that is in a calendar, up to a limit; its zone, and whether there is more.
    async fn read_for_preview(
        &self,
        flow: &CalendarFlow,
        calendar: &CalendarSetup,
        copies: &mut BTreeMap<Uid, Vec<StoredCopy>>,
    ) -> Called<(Option<String>, bool)> {
        let (setup, facet) = self.calendar_facet(flow, calendar)?;
        let (mut cursor, mut zone, mut count, mut calls) = (None::<String>, None, 0, 0);
        let mut anew = 0;
        let id = self.calendar_id(&flow.reference(calendar), calendar, setup, facet, &mut calls).await?;
        loop {
            let from = cursor.as_deref().map_or(From::Beginning, From::Cursor);
            let answer = with_token!(self, setup, Op::Calendar, |cx| facet.changes(cx, &id, from));
            let page = match paid(answer, &mut calls)? {
                Changes::Page(page) => page,
                // It begins anew; what came before is only read twice.
                Changes::Expired if anew < ANEW_MAX => {
                    cursor = None;
                    anew += 1;
                    continue;
                }
                Changes::Expired => return Err(forgets()),
            };
            count += page.events.len();
            zone = page.zone.or(zone);
            for event in page.events {
                let new = copy(calendar, event);
                let Some(uid) = new.event.uid.clone() else { continue };
                copies.entry(uid).or_default().push(StoredCopy {
                    calendar: calendar.name.clone(),
                    event: new.event,
                    baseline: true,
                    touched: false,
                    organizes: new.organizes,
                });
            }
            if page.reading != Reading::More {
                return Ok((zone, false));
            }
            if count >= PREVIEW_EVENTS_MAX {
                return Ok((zone, true));
            }
            cursor = Some(page.cursor);
        }
    }
}

fn state(zone: Option<String>) -> CalendarState {
    CalendarState {
        cursor: None,
        epoch: 1,
        settled: true,
        readings: 1,
        zone,
        connected_at: Timestamp::UNIX_EPOCH,
        next_at: Timestamp::UNIX_EPOCH,
        failures: 0,
        problem: None,
        whole_at: None,
        unswept: None,
        confirmed_at: None,
        wake_at: None,
        begun_at: None,
        watch: WatchState::default(),
        read_at: None,
    }
}
