//! The calm after the chaos: nothing goes wrong any more, an operator does his part, and everything must come to rest.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use syncline_core::Clock;
use syncline_engine::{
    Engine,
    calendars::{CalendarFlow, CalendarRoundEnd},
};
use syncline_store::{CalendarState, ConnectionStatus, MeetingFilter};

use super::{
    office::{EVERY, integration, workspace},
    plot::Trouble,
    wires::Wires,
};
use crate::{faults::Fault, sim::lock};

/// How often the operator looks.
const LOOK_EVERY: Duration = Duration::from_secs(240);
/// How long it may take until all is done: a vendor may ask for a pause of a day, and a clock that ran a day ahead has put
/// off everything by as much.
const BOUND: Duration = Duration::from_secs(30 * 3600);
/// How long mails are under way at most, with some time to spare.
const MAILS_AFTER: Duration = Duration::from_secs(120);
/// Within this time it is looked again at a meeting that is doubted to be off, with some time to spare.
const DOUBT_LOOKS: SignedDuration = SignedDuration::from_mins(62);
/// How far ahead clocks have run at most before the calm.
const AHEAD_CLOCK: SignedDuration = SignedDuration::from_hours(24);
/// How often a calendar is asked whose vendor tells of changes.
const TOLD_EVERY: SignedDuration = SignedDuration::from_mins(50);
/// Within this time the CRM is asked again, with some time to spare.
const ASKED_EVERY: SignedDuration = SignedDuration::from_mins(3);
/// How often the operator has tried again what was refused.
const RETRIES: u32 = 3;
/// Looks in a row at which nothing was written, after which it is quiet.
const STILL: u32 = 2;
/// How far ahead what is due is looked for, in hours, and how many at most.
const AHEAD_HOURS: i64 = 24 * 300;
const DUE_MAX: usize = 1_000;
/// How long it takes to see that it stays quiet.
const ONCE_MORE: SignedDuration = SignedDuration::from_mins(15);
/// Calls by which an idle round learns that nobody did anything in the CRM, at most.
const ASKS_MAX: u32 = 2;
/// Meetings that are looked at in the end, at most.
pub const MEETINGS_MAX: usize = 2_000;

/// The operator, with an engine of his own for what the command line would do.
pub struct Operator<'a> {
    pub wires: &'a Arc<Wires>,
    pub engine: &'a Arc<Engine>,
}

impl Operator<'_> {
    fn flow(&self) -> &CalendarFlow {
        &self.engine.setup().calendars[0]
    }

    /// Waits until everything is done; says how long it took, and whether it came to rest.
    pub async fn settle(&self) -> (Duration, bool) {
        let sim = &self.wires.sim;
        let (calm_at, began) = (sim.clock.now(), sim.clock.elapsed());
        let until = began + BOUND;
        let (mut retries, mut still, mut before) = (0, 0, None);
        if self.wires.plot.told {
            // A calendar that is read before the last mails are in it may not be asked again for an hour.
            tokio::time::sleep(MAILS_AFTER).await;
        }
        self.wires.ask_again();
        while sim.clock.elapsed() < until {
            tokio::time::sleep(LOOK_EVERY).await;
            self.reconnect().await;
            let written = self.written();
            let is_still = before.replace(written) == Some(written) && self.is_quiet(calm_at).await;
            still = if is_still { still + 1 } else { 0 };
            if still < STILL {
                continue;
            }
            if retries == RETRIES || !self.retry().await {
                return (sim.clock.elapsed().saturating_sub(began), true);
            }
            retries += 1;
        }
        let states = sim.store.calendars(&workspace(), &integration()).await;
        let due = sim.store.due_series(&workspace(), &integration(), sim.clock.now(), DUE_MAX).await;
        sim.violation("J1", format!("not at rest after {BOUND:?}: {states:?}; due {due:?}"));
        (until.saturating_sub(began), false)
    }

    /// How often anything was written, in the CRM or in a calendar.
    fn written(&self) -> u64 {
        let office = &self.wires.office;
        let events = office.google.effects_since(0).len() + office.microsoft.effects_since(0).len();
        lock(&self.wires.ledger).writes + events as u64
    }

    /// In the calm that began then: nothing is due or under way, and every calendar was read without trouble since.
    async fn is_quiet(&self, began: Timestamp) -> bool {
        let (sim, flow) = (&self.wires.sim, self.flow());
        let store = &sim.store;
        let now = sim.clock.now();
        let states = store.calendars(&flow.workspace, &flow.id).await.unwrap_or_default();
        // Whoever read it last has put the next reading off by the usual time, and not by a pause.
        let usual = if self.wires.plot.told { EVERY.max(TOLD_EVERY) } else { EVERY };
        let soon = now + usual + SignedDuration::from_mins(1);
        // A watch that lives for minutes is begun anew at almost every round, and its calendar is due with each.
        let is_due_often = self.wires.plot.channels_live.is_some();
        let is_read = |state: &CalendarState| {
            let rests = (is_due_often || state.next_at >= now) && state.next_at < soon;
            state.settled && state.problem.is_none() && rests
        };
        if !self.wires.all_asked()
            || states.len() != flow.calendars.len()
            || !states.iter().all(|(_, state)| is_read(state))
        {
            return false;
        }
        if !store.due_series(&flow.workspace, &flow.id, now, 1).await.unwrap_or_default().is_empty() {
            return false;
        }
        if self.wires.plot.has(Trouble::Log) {
            // What people did in the CRM is asked for before it is quiet.
            let from = lock(&self.wires.ledger).active_at.unwrap_or(now);
            let asked = store.begin_crm(&flow.workspace, &flow.id, from).await;
            if !asked.is_ok_and(|asked| !asked.creating && asked.next_at < now + ASKED_EVERY) {
                return false;
            }
        }
        // Whom a guest's calendar says to be off waits for readings of the organiser's, which are rare where changes are told.
        let jumped = self.wires.plot.faults.has(Fault::K1);
        let by_wrong_clocks = began + if jumped { AHEAD_CLOCK } else { SignedDuration::ZERO };
        let soon = now.max(by_wrong_clocks) + DOUBT_LOOKS;
        for due in store.due_series(&flow.workspace, &flow.id, soon, DUE_MAX).await.unwrap_or_default() {
            let (_, meetings) = store.series(&flow.workspace, &flow.id, &due.uid).await.unwrap_or_default();
            if meetings.iter().any(|one| one.state.doubt.is_some()) {
                return false;
            }
        }
        let later = now + SignedDuration::from_hours(AHEAD_HOURS);
        let coming = store.due_series(&flow.workspace, &flow.id, later, DUE_MAX).await.unwrap_or_default();
        for due in coming {
            let (_, meetings) = store.series(&flow.workspace, &flow.id, &due.uid).await.unwrap_or_default();
            // A clock that ran a day ahead may have put off the first look at it.
            if due.tries > 0
                || meetings.is_empty()
                || meetings.iter().any(|one| one.plan.is_some() && one.state.problem.is_none())
            {
                return false;
            }
        }
        true
    }

    /// He connects again what was lost.
    async fn reconnect(&self) {
        let sim = &self.wires.sim;
        for row in sim.store.connections(&workspace()).await.unwrap_or_default() {
            if row.status != ConnectionStatus::NeedsReconnect {
                continue;
            }
            sim.note(|| format!("the operator connects {} again", row.connection));
            if let Some(tokens) = self.wires.office.tokens(row.connection.as_str()) {
                drop(sim.store.store_tokens(&row.workspace, &row.connection, &tokens, None).await);
            }
            drop(sim.store.set_status(&row.workspace, &row.connection, ConnectionStatus::Connected, None).await);
            drop(sim.store.resume(&row.workspace, &row.connection).await);
        }
    }

    /// He has everything tried again that was refused; whether there was anything.
    async fn retry(&self) -> bool {
        let sim = &self.wires.sim;
        let flow = self.flow();
        let held = sim.store.meetings(&flow.workspace, &flow.id, MeetingFilter::Held, 0, MEETINGS_MAX).await;
        for one in held.unwrap_or_default() {
            sim.note(|| format!("held: {one:?}"));
            if one.state.problem.as_ref().is_none_or(String::is_empty) {
                sim.violation("J4", format!("{} is held without a reason", one.key));
            }
        }
        self.engine.retry_meetings(flow).await.unwrap_or(0) > 0
    }

    /// Two rounds more when nobody else does any: the second asks every calendar once, and nothing is written.
    pub async fn once_more(&self) {
        let sim = &self.wires.sim;
        // What time alone makes due is no fault of an idle round.
        let soon = sim.clock.now() + ONCE_MORE;
        let coming = sim.store.due_series(&workspace(), &integration(), soon, 1).await.unwrap_or_default();
        if !coming.is_empty() {
            return;
        }
        let before = self.written();
        let mut calls = Vec::new();
        for _ in 0..2 {
            tokio::time::sleep(EVERY.unsigned_abs() + LOOK_EVERY).await;
            let end = self.engine.calendars_round(self.flow(), false).await;
            sim.note(|| format!("operator {end:?}"));
            match end {
                Ok(CalendarRoundEnd::Done(round)) => calls.push(round),
                end => sim.violation("J3", format!("a round when all is quiet ends with {end:?}")),
            }
        }
        let after = self.written();
        if after != before {
            sim.violation("J3", format!("writes although everything was done: {} times", after - before));
        }
        // A calendar that is read as a whole once more takes as many calls as it has pages.
        let is_whole = self.wires.plot.sweep_every < SignedDuration::from_hours(2);
        // The CRM is asked for what people did there, every two minutes.
        let asks = if self.wires.plot.has(Trouble::Log) { ASKS_MAX } else { 0 };
        let linked = u32::try_from(self.wires.plot.linked.len()).unwrap_or(0);
        // While a vendor tells, its calendar is not asked. When it is time, it may be the first time for this engine, which then
        // asks which calendar that is.
        let (least, most) = if self.wires.plot.told { (0, 2 * linked) } else { (linked, linked) };
        if let Some(last) = calls.last().filter(|_| !is_whole)
            && (!(least..=most + asks).contains(&last.calls) || last.decided > 0)
        {
            sim.violation("J3", format!("an idle round of {linked} calendars: {last:?}"));
        }
    }

    /// The copies and states that the product keeps, as texts, to be searched for what it must not keep.
    pub async fn kept(&self) -> Vec<String> {
        let flow = self.flow();
        let store = &self.wires.sim.store;
        let all = store.meetings(&flow.workspace, &flow.id, MeetingFilter::All, 0, MEETINGS_MAX).await;
        let mut texts: Vec<String> = all.unwrap_or_default().iter().map(|one| format!("{one:?}")).collect();
        let uids: Vec<_> = lock(&self.wires.ledger).meetings.iter().map(|one| one.uid.clone()).collect();
        for uid in uids {
            let (copies, meetings) = store.series(&flow.workspace, &flow.id, &uid).await.unwrap_or_default();
            texts.push(format!("{copies:?} {meetings:?}"));
        }
        texts
    }
}
