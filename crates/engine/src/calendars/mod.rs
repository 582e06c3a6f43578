//! Calendars: each calendar of an integration is read by whoever holds its lease, and what is new in any of them is looked
//! at, decided and written by whoever holds the integration's.
//!
//! [`Engine::calendars_round`] is one round without timers; [`Engine::keep_calendars`] turns them. What is to be done about
//! a meeting is decided in `syncline_core::calendar`; here is only who asks, stores and sends.

mod acts;
mod back;
mod edit;
mod mails;
mod meant;
mod preview;
mod read;
mod removed;
mod see;
mod send;
mod setup;
mod sweep;
mod watch;

pub use self::{
    acts::{CalendarFlowState, CalendarRemark},
    preview::{CalendarPreview, PreviewTally, PreviewedEvent},
    setup::{CalendarFlow, CalendarSetup},
};
pub(crate) use self::{
    back::LookedAt,
    mails::Telling,
    read::Primaries,
    removed::Removals,
    watch::{Told, Words},
};

use std::{collections::BTreeMap, ops::AddAssign, sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use syncline_connect::{Error, ErrorKind, Retry};
use syncline_core::{calendar::look, calendar::zone, ids::ConnectionId};
use syncline_store::{CalendarState, ConnectionStatus, FlowStanding, FlowState, Result as StoreResult};
use tokio_util::sync::CancellationToken;

use crate::{
    engine::{Called, Engine},
    setup::ConnectionSetup,
};

/// How often it is seen whether vendors tell of calendars that are no longer set up.
const STRAYS_EVERY: Duration = Duration::from_mins(10);

/// How often to see whether it is time.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The shortest pause between two rounds of which the first found nothing to do.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// How long it counts that a person called whatever is missing deleted on purpose: what takes longer is asked about again.
const CONFIRMED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Calls that fit into one lease.
const LEASE_CALLS: i32 = 10;

/// Calendars of one integration that are read at a time.
const READ_AT_ONCE: usize = 8;

/// Series and meetings that are looked at together: their look-ups and writes share calls.
const SEE_BATCH: usize = 50;

/// Such batches in one round.
const ROUND_BATCHES_MAX: usize = 40;

/// What a round did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CalendarRound {
    /// Events that were read.
    pub read: usize,
    /// Meetings that were decided about.
    pub decided: usize,
    pub created: usize,
    pub updated: usize,
    pub deleted: usize,
    /// What became of events because of what people did in the CRM.
    pub events: EventCounts,
    /// Mails to guests that were sent.
    pub mails: usize,
    /// Meetings that are not in the CRM, each with its reason.
    pub left_out: usize,
    /// Meetings that the CRM refused.
    pub held: usize,
    /// Calls that vendors count.
    pub calls: u32,
    /// There is more to do at once.
    pub more: bool,
    /// Calendars that could not be read, by name, and why.
    pub failed: Vec<(String, Error)>,
    /// When there is next a calendar to read, of those for which it was not time.
    pub next_at: Option<Timestamp>,
}

/// What became of events of calendars because of what people did in the CRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventCounts {
    pub made: usize,
    pub changed: usize,
    /// Deleted or declined.
    pub removed: usize,
    /// Left as they are, each with its reason in the activity log.
    pub left_out: usize,
}

impl EventCounts {
    /// How many were written.
    pub fn written(&self) -> usize {
        self.made + self.changed + self.removed
    }
}

impl AddAssign for EventCounts {
    fn add_assign(&mut self, more: Self) {
        self.made += more.made;
        self.changed += more.changed;
        self.removed += more.removed;
        self.left_out += more.left_out;
    }
}

impl CalendarRound {
    /// Whether nothing was written or decided.
    pub fn idle(&self) -> bool {
        self.decided == 0 && self.created + self.updated + self.deleted + self.events.written() + self.mails == 0
    }
}

/// What a person asked of a round, and since when the integration is active.
#[derive(Debug, Clone, Copy)]
struct Asked {
    since: Option<Timestamp>,
    /// The CRM is asked for what people did there although it is not time.
    now: bool,
}

impl Asked {
    /// From when what people do in the CRM counts: since it was activated, however late the first round comes.
    fn begins(&self, now: Timestamp) -> Timestamp {
        self.since.map_or(now, |since| since.min(now))
    }
}

/// How a round ended.
#[derive(Debug, Clone, PartialEq)]
pub enum CalendarRoundEnd {
    Done(CalendarRound),
    /// It is a draft, paused, or stopped.
    NotActive(FlowStanding),
    /// Another process has the integration.
    Held,
    /// The CRM's connection rests: its share of the day's calls is used up, or a person has to connect it again.
    Resting {
        connection: ConnectionId,
    },
}

impl Engine {
    /// One round of an integration: every calendar for which it is time is read, and what is new is decided and written.
    ///
    /// With `confirm_deletes`, by which a person says that whatever is missing was deleted on purpose, every calendar is
    /// read as a whole first. The word is kept until it is carried out, whoever does so.
    pub async fn calendars_round(&self, flow: &CalendarFlow, confirm_deletes: bool) -> StoreResult<CalendarRoundEnd> {
        self.round_of_calendars(flow, confirm_deletes, false).await
    }

    /// A round; with `now` the CRM is asked for what people did there although it is not time.
    async fn round_of_calendars(
        &self,
        flow: &CalendarFlow,
        confirm_deletes: bool,
        now: bool,
    ) -> StoreResult<CalendarRoundEnd> {
        let since = match self.world.store.flow_state(&flow.workspace, &flow.id).await? {
            Some(FlowState { standing: FlowStanding::Active, since, .. }) => since,
            Some(state) => return Ok(CalendarRoundEnd::NotActive(state.standing)),
            None => return Ok(CalendarRoundEnd::NotActive(FlowStanding::Draft)),
        };
        let asked = Asked { since, now };
        if confirm_deletes {
            // It holds whoever reads them, also where somebody does so just now.
            let now = self.world.clock.now();
            if flow.rules.follows_removals() {
                self.world.store.confirm_crm(&flow.workspace, &flow.id, asked.begins(now), now).await?;
            }
            for calendar in &flow.calendars {
                self.world.store.confirm_calendar(&flow.reference(calendar), now).await?;
            }
        }
        let resting = self.resting_connections(flow).await?;
        if resting.contains(&flow.crm) {
            return Ok(CalendarRoundEnd::Resting { connection: flow.crm.clone() });
        }
        let mut round = CalendarRound::default();
        let (started, known) = (self.world.clock.now(), self.world.store.calendars(&flow.workspace, &flow.id).await?);
        let rests: BTreeMap<&str, Timestamp> = known
            .iter()
            .map(|(name, state)| (name.as_str(), state.next_at))
            .filter(|(_, next_at)| *next_at > started)
            .collect();
        round.next_at = rests.values().min().copied();
        // Boxed one by one: a closure over borrowed calendars would keep the whole round from moving between threads.
        let mut reads = Vec::new();
        let due = flow.calendars.iter().filter(|calendar| !rests.contains_key(calendar.name.as_str()));
        for calendar in due.filter(|calendar| !resting.contains(&calendar.connection)) {
            let read = async move { (calendar, self.read_calendar(flow, calendar).await) };
            reads.push(read.boxed());
        }
        let mut reads = stream::iter(reads).buffer_unordered(READ_AT_ONCE);
        while let Some((calendar, read)) = reads.next().await {
            let read = read?;
            round.read += read.events;
            round.calls = round.calls.saturating_add(read.calls);
            round.more |= read.more;
            round.failed.extend(read.error.map(|error| (calendar.name.clone(), error)));
        }
        drop(reads);
        let lease = self.options.call.saturating_mul(LEASE_CALLS);
        let until = later(self.world.clock.now(), lease);
        let Some(held) = self.hold(&flow.workspace, format!("calendars:{}", flow.id), lease).await? else {
            return Ok(CalendarRoundEnd::Held);
        };
        let seen = self.see_due(flow, &held, until, asked, &mut round).await;
        self.let_go(&flow.workspace, &held).await;
        seen?;
        self.send_mails(flow, &mut round).await?;
        metrics::counter!("syncline_calendar_rounds_total").increment(1);
        Ok(CalendarRoundEnd::Done(round))
    }

    /// Connections of the integration that must not be called now.
    async fn resting_connections(&self, flow: &CalendarFlow) -> StoreResult<Vec<ConnectionId>> {
        let now = self.world.clock.now();
        let rows = self.world.store.connections(&flow.workspace).await?;
        let rests = |row: &syncline_store::ConnectionRow| {
            row.status == ConnectionStatus::NeedsReconnect || row.paused_until.is_some_and(|until| now < until)
        };
        Ok(rows.into_iter().filter(rests).map(|row| row.connection).collect())
    }

    /// Keeps all integrations of calendars in step until `stop`, each at its own pace.
    pub async fn keep_calendars(self: &Arc<Self>, stop: CancellationToken) {
        let seeing_to_strays = async {
            loop {
                if let Err(error) = self.end_strays().await {
                    tracing::warn!(%error, "The database did not answer; what calendars no longer set up tell is not ended");
                }
                tokio::select! {
                    biased;
                    () = tokio::time::sleep(STRAYS_EVERY) => {}
                    () = stop.cancelled() => return,
                }
            }
        };
        tokio::join!(seeing_to_strays, self.keep_all::<CalendarFlow>(stop.clone()));
    }

    pub(crate) async fn keep_calendar_flow(&self, flow: &CalendarFlow, stop: CancellationToken) {
        let wake = self.wakes.of(flow);
        while !stop.is_cancelled() {
            let mut pause = LOOK_EVERY;
            let more = match self.calendars_round(flow, false).await {
                Ok(CalendarRoundEnd::Done(round)) => {
                    for (calendar, error) in &round.failed {
                        tracing::warn!(integration.id = %flow.id, error.kind = ?error.kind,
                            "Calendar {calendar} of {} could not be read", flow.id);
                    }
                    if let Some(next_at) = round.next_at {
                        let wait = Duration::try_from(next_at.duration_since(self.world.clock.now()));
                        pause = pause.min(wait.unwrap_or(Duration::ZERO).max(PAUSE_MIN));
                    }
                    round.more
                }
                Ok(_) => false,
                Err(error) => {
                    tracing::warn!(%error, "The database did not answer; trying again");
                    false
                }
            };
            if let Err(error) = self.watch_calendars(flow).await {
                tracing::warn!(%error, "The database did not answer; trying again");
            }
            let pause = if more { Duration::ZERO } else { pause };
            tokio::select! {
                biased;
                () = tokio::time::sleep(pause) => {}
                () = wake.notified() => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// The connection of a calendar, or of the CRM.
    fn connection_of(&self, flow: &CalendarFlow, connection: &ConnectionId) -> Called<&ConnectionSetup> {
        self.setup.connection(&flow.workspace, connection).ok_or_else(|| {
            let text = format!("there is no connection {connection}");
            Error::new(ErrorKind::Configuration, Retry::Never, "read", text)
        })
    }
}

/// The calendars as decisions know them, with the zones that their last pages told.
fn known_calendars(flow: &CalendarFlow, states: &[(String, CalendarState)]) -> Vec<look::Calendar> {
    let known = |(linked, calendar): (u32, &CalendarSetup)| {
        let state = states.iter().find(|(known, _)| *known == calendar.name).map(|(_, state)| state);
        let zone = state.and_then(|state| zone::zone(state.zone.as_deref()?).ok());
        look::Calendar {
            name: calendar.name.clone(),
            linked,
            owner: calendar.owner.clone(),
            home: zone.unwrap_or(jiff::tz::TimeZone::UTC),
            blocked: calendar.blocked.clone(),
            readings: state.map_or(0, |state| state.readings),
        }
    };
    (0..).zip(&flow.calendars).map(known).collect()
}

/// A time from now.
fn later(now: Timestamp, pause: SignedDuration) -> Timestamp {
    now.saturating_add(pause).unwrap_or(Timestamp::MAX)
}
