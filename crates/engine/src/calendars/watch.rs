//! Having changes told: a watch is asked for where a vendor has such, made to last longer before it ends, followed by another
//! where it cannot be, and ended where it is no longer wanted. What it tells only makes its calendar due; whatever is lost on
//! the way is found by the next look, which is never far.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Mutex,
};

use futures::{FutureExt, StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use syncline_connect::{
    ErrorKind, Hook, Secret, Watches,
    watch::{Mark, Notice, Says, Watch},
};
use syncline_core::ids::{ConnectionId, IntegrationId, WorkspaceId};
use syncline_store::{CalendarState, FlowStanding, HeardWatch, Held, Result as StoreResult, StoredWatch, WatchState};
use url::Url;

use super::{CalendarFlow, CalendarSetup, LEASE_CALLS, READ_AT_ONCE, later};
use crate::{
    call::with_token,
    engine::{Called, Engine},
    push::Op,
    setup::ConnectionSetup,
};

/// How often a calendar is asked whose vendor tells of changes: at least once an hour, whatever is told.
pub(super) const TOLD_EVERY: SignedDuration = SignedDuration::from_mins(50);

/// How long after a word the calendar is read: changes come in bursts, and a vendor's list may lag behind its word.
const READ_AFTER: SignedDuration = SignedDuration::from_secs(2);

/// Within this time of a word that was taken, further ones say nothing new: what they tell of is read after them. Shorter
/// than [`READ_AFTER`], so that nothing falls between.
const SAME_WORD: SignedDuration = SignedDuration::from_secs(1);

/// A watch is renewed when between this part of its life is left and twice as much: time enough to try often.
const RENEW_SHARE: i32 = 4;

/// Steps in which the moment between the two is drawn.
const RENEW_STEPS: u64 = 1_000;

/// When the last word of a watch was taken, by the watch's name.
pub(crate) type Words = Mutex<HashMap<String, Timestamp>>;

/// Of how many calendars of each integration changes are told, as last seen.
pub(crate) type Told = Mutex<BTreeMap<(WorkspaceId, IntegrationId), usize>>;

/// A calendar whose watch is seen to.
struct Tended<'a> {
    flow: &'a CalendarFlow,
    calendar: &'a CalendarSetup,
    setup: &'a ConnectionSetup,
    facet: &'static dyn Watches,
    held: Held,
}

impl Engine {
    /// Sees to it that the vendors of an integration's calendars tell of changes, where they can and are to; and that they
    /// tell no more where they are not.
    pub async fn watch_calendars(&self, flow: &CalendarFlow) -> StoreResult<()> {
        let store = &self.world.store;
        let state = store.flow_state(&flow.workspace, &flow.id).await?;
        let is_active = state.is_some_and(|state| state.standing == FlowStanding::Active);
        let mut watches = store.watches(&flow.workspace).await?;
        watches.retain(|watch| watch.of.integration == flow.id);
        let now = self.world.clock.now();
        self.count_told(flow, &watches, now);
        if watches.is_empty() && flow.calendars.iter().all(|calendar| calendar.hook.is_none()) {
            return Ok(());
        }
        let states: BTreeMap<String, CalendarState> =
            store.calendars(&flow.workspace, &flow.id).await?.into_iter().collect();
        let mut due = Vec::new();
        for calendar in &flow.calendars {
            let state = states.get(&calendar.name);
            // All that was there is read first: nobody need tell of it.
            let wanted = calendar.hook.as_ref().filter(|_| is_active && state.is_some_and(|state| state.settled));
            let watch = state.map(|state| state.watch.clone()).unwrap_or_default();
            let own = watches.iter().filter(|watch| watch.of.calendar == calendar.name);
            if is_due(&watch, own, wanted, now) {
                due.push((calendar, wanted, watch));
            }
        }
        if due.is_empty() {
            return Ok(());
        }
        let resting = self.resting_connections(flow).await?;
        due.retain(|(calendar, ..)| !resting.contains(&calendar.connection));
        // Boxed one by one, as where calendars are read.
        let tend = due.into_iter().map(|(calendar, wanted, watch)| self.tend(flow, calendar, wanted, watch).boxed());
        let tend: Vec<_> = tend.collect();
        let mut tended = stream::iter(tend).buffer_unordered(READ_AT_ONCE);
        while let Some(done) = tended.next().await {
            done?;
        }
        Ok(())
    }

    /// Takes what the vendor of a connection told of its watches: whether any of it is genuine. What is not changes nothing.
    pub async fn watch_told(
        &self,
        workspace: &WorkspaceId,
        connection: &ConnectionId,
        notices: &[Notice],
    ) -> StoreResult<bool> {
        let names: BTreeSet<&str> = notices.iter().map(|notice| notice.watch.as_str()).collect();
        if names.is_empty() {
            return Ok(false);
        }
        let names = names.into_iter().map(str::to_owned).collect();
        let known = self.world.store.watches_called(workspace, connection, names).await?;
        let (now, mut genuine, mut heard) = (self.world.clock.now(), false, Vec::new());
        for watch in known {
            let secret = Mark(watch.secret);
            let says = notices.iter().filter(|notice| notice.watch == watch.watch);
            let says: Vec<Says> =
                says.filter(|notice| secret.is_of(notice.secret.expose())).map(|notice| notice.says).collect();
            genuine |= !says.is_empty();
            let is_more_than_a_word = says.iter().any(|says| *says != Says::Changed);
            if !says.is_empty() && (is_more_than_a_word || self.is_new_word(&watch.name, now)) {
                heard.push(HeardWatch {
                    changed: says.contains(&Says::Changed),
                    renew: says.contains(&Says::Renew),
                    ended: says.contains(&Says::Ended),
                    name: watch.name,
                    of: watch.of,
                });
            }
        }
        if !heard.is_empty() {
            let flows: BTreeSet<_> = heard.iter().map(|heard| heard.of.integration.clone()).collect();
            self.world.store.hear_watches(workspace, heard, now, later(now, READ_AFTER)).await?;
            flows.iter().for_each(|flow| self.wakes.named(workspace, flow).notify_one());
        }
        Ok(genuine)
    }

    /// Whether this is the first word of a watch for a while, which it then was.
    fn is_new_word(&self, watch: &str, now: Timestamp) -> bool {
        let mut words = self.calendar_words.lock().expect("no code panics while it holds this lock");
        words.retain(|_, last| now.duration_since(*last).abs() < SAME_WORD);
        if words.contains_key(watch) {
            return false;
        }
        words.insert(watch.to_owned(), now);
        true
    }

    /// Believes the watches of an account no longer that has to be connected again: they may have ended with its approval.
    pub(crate) async fn doubt_watches(&self, setup: &ConnectionSetup) -> StoreResult<()> {
        let mut watches = self.world.store.watches(&setup.workspace).await?;
        watches.retain(|watch| watch.connection == setup.id && watch.works);
        if watches.is_empty() {
            return Ok(());
        }
        self.world.store.doubt_watches(&setup.workspace, watches, self.world.clock.now()).await
    }

    /// Ends what was asked for calendars that are no longer set up. Where that fails it ends by itself.
    pub(super) async fn end_strays(&self) -> StoreResult<()> {
        let workspaces: BTreeSet<&WorkspaceId> = self.setup.connections.iter().map(|setup| &setup.workspace).collect();
        for workspace in workspaces {
            let watches = self.world.store.watches(workspace).await?;
            if watches.is_empty() {
                continue;
            }
            let flows = self.calendar_flows(workspace).await?;
            for watch in watches {
                let known = flows.iter().find(|flow| flow.id == watch.of.integration);
                if known.is_some_and(|flow| flow.calendars.iter().any(|calendar| calendar.name == watch.of.calendar)) {
                    continue;
                }
                if let Some(setup) = self.setup.connection(workspace, &watch.connection)
                    && let Some(facet) = setup.connector.watches()
                    && let Err(error) = self.end_watch(setup, facet, &watch).await
                {
                    tracing::debug!(connection.id = %setup.id, %error, "A watch could not be ended");
                }
                self.world.store.drop_watch(workspace, &watch.name).await?;
            }
        }
        Ok(())
    }

    async fn tend(
        &self,
        flow: &CalendarFlow,
        calendar: &CalendarSetup,
        wanted: Option<&Url>,
        before: WatchState,
    ) -> StoreResult<()> {
        let Some(setup) = self.setup.connection(&flow.workspace, &calendar.connection) else { return Ok(()) };
        let Some(facet) = setup.connector.watches() else { return Ok(()) };
        let lease = self.options.call.saturating_mul(LEASE_CALLS);
        let name = format!("watch:{}:{}", flow.id, calendar.name);
        let Some(held) = self.hold(&flow.workspace, name, lease).await? else { return Ok(()) };
        let tended = Tended { flow, calendar, setup, facet, held };
        let done = self.tend_while_held(&tended, wanted).await;
        self.let_go(&flow.workspace, &tended.held).await;
        let of = flow.reference(calendar);
        let text = match done? {
            Ok(()) if wanted.is_none() => {
                self.world.store.watch_next(&of, None, None).await?;
                None
            }
            Ok(()) => before.problem.map(|_| format!("Changes of calendar {} are told again", calendar.name)),
            Err(error) => {
                self.count_watch(setup, "failed");
                let next = later(self.world.clock.now(), self.pause_after(&error, before.failures));
                self.world.store.watch_next(&of, Some(next), Some(error.message.clone())).await?;
                // The same trouble is told once.
                let is_new = before.problem.as_ref() != Some(&error.message);
                is_new.then(|| {
                    let text = &error.message;
                    format!("Changes of calendar {} are not told, so it is only asked for them: {text}", calendar.name)
                })
            }
        };
        match text {
            Some(text) => self.tell_of_calendar(flow, calendar, text).await,
            None => Ok(()),
        }
    }

    async fn tend_while_held(&self, tended: &Tended<'_>, wanted: Option<&Url>) -> StoreResult<Called<()>> {
        let of = tended.flow.reference(tended.calendar);
        let now = self.world.clock.now();
        let mut watches = self.world.store.watches(&of.workspace).await?;
        watches.retain(|watch| watch.of == of);
        watches.sort_by_key(|watch| watch.until);
        let current = watches.iter().rposition(|watch| is_good(watch, wanted, now)).map(|at| watches.remove(at));
        let kept = match (wanted, &current) {
            (Some(url), Some(watch)) => match self.renew_watch(tended, watch).await? {
                Ok(true) => Ok(true),
                Ok(false) => self.begin_watch(tended, url).await?.map(|()| false),
                Err(error) => Err(error),
            },
            (Some(url), None) => self.begin_watch(tended, url).await?.map(|()| false),
            (None, _) => Ok(false),
        };
        let is_kept = match kept {
            Ok(is_kept) => is_kept,
            Err(error) => return Ok(Err(error)),
        };
        let over = watches.into_iter().chain(current.filter(|_| !is_kept));
        for watch in over {
            if let Err(error) = self.end_watch(tended.setup, tended.facet, &watch).await
                && watch.until.is_some_and(|until| until > now)
            {
                return Ok(Err(error));
            }
            self.world.store.drop_watch(&of.workspace, &watch.name).await?;
        }
        Ok(Ok(()))
    }

    /// Asks for a watch. It is written down first: some vendors tell before they answer. Where nobody knows whether there is
    /// one now it stays so, and is dropped when another follows; what it tells then is nobody's.
    async fn begin_watch(&self, tended: &Tended<'_>, url: &Url) -> StoreResult<Called<()>> {
        let Tended { flow, calendar, setup, facet, held } = tended;
        let of = flow.reference(calendar);
        let calendars = match self.calendar_facet(flow, calendar) {
            Ok((_, calendars)) => calendars,
            Err(error) => return Ok(Err(error)),
        };
        let id = match self.calendar_id(&of, calendar, setup, calendars, &mut 0).await {
            Ok(id) => id,
            Err(error) => return Ok(Err(error)),
        };
        let (name, secret) = (self.random_text(), format!("{}{}", self.random_text(), self.random_text()));
        let mut watch = StoredWatch {
            name: name.clone(),
            of,
            connection: setup.id.clone(),
            watch: name.clone(),
            resource: None,
            secret: Mark::of(&secret).0,
            address: Mark::of(url.as_str()).0,
            until: None,
            works: false,
            heard_at: None,
        };
        if !self.world.store.begin_watch(watch.clone(), held, self.world.clock.now()).await? {
            return Ok(Ok(()));
        }
        let hook = Hook { url: url.clone(), secret: Secret::new(secret) };
        let begun = match with_token!(self, *setup, Op::Calendar, |cx| facet.begin(cx, &id, &name, &hook)) {
            Ok(begun) => begun.value,
            Err(error) => {
                if error.kind != ErrorKind::UnknownOutcome {
                    self.world.store.drop_watch(&watch.of.workspace, &name).await?;
                }
                return Ok(Err(error));
            }
        };
        self.count_watch(setup, "begun");
        watch = StoredWatch {
            watch: begun.id,
            resource: begun.resource,
            until: Some(begun.until),
            works: facet.tries_first(),
            ..watch
        };
        if !self.keep_watch(&watch).await? {
            // Somebody else took over meanwhile.
            return self.end_watch(setup, *facet, &watch).await.map_or_else(|error| Ok(Err(error)), |()| Ok(Ok(())));
        }
        Ok(Ok(()))
    }

    /// Whether it lasts longer now; else only another one can follow.
    async fn renew_watch(&self, tended: &Tended<'_>, watch: &StoredWatch) -> StoreResult<Called<bool>> {
        let Tended { setup, facet, .. } = tended;
        let asked = vendors_word(watch);
        let until = match with_token!(self, *setup, Op::Calendar, |cx| facet.renew(cx, &asked)) {
            Ok(answered) => answered.value,
            Err(error) => return Ok(Err(error)),
        };
        let Some(until) = until else { return Ok(Ok(false)) };
        self.count_watch(setup, "renewed");
        self.keep_watch(&StoredWatch { until: Some(until), ..watch.clone() }).await.map(Ok)
    }

    /// Keeps a watch with when it is renewed, and has its calendar read once.
    async fn keep_watch(&self, watch: &StoredWatch) -> StoreResult<bool> {
        let now = self.world.clock.now();
        let next = renew_at(now, watch.until.unwrap_or(now), self.random());
        self.world.store.keep_watch(watch.clone(), next, now).await
    }

    async fn end_watch(&self, setup: &ConnectionSetup, facet: &'static dyn Watches, watch: &StoredWatch) -> Called<()> {
        // Of what was never answered only our own name is known, by which nothing can be ended.
        if watch.until.is_none() {
            return Ok(());
        }
        let asked = vendors_word(watch);
        with_token!(self, setup, Op::Calendar, |cx| facet.end(cx, &asked))?;
        self.count_watch(setup, "ended");
        Ok(())
    }

    /// Of how many calendars changes are told, over all integrations of this process.
    fn count_told(&self, flow: &CalendarFlow, watches: &[StoredWatch], now: Timestamp) {
        let mut told = self.calendars_told.lock().expect("no code panics while it holds this lock");
        told.insert((flow.workspace.clone(), flow.id.clone()), told_until(flow, watches, now).len());
        let all = u32::try_from(told.values().sum::<usize>()).unwrap_or(u32::MAX);
        metrics::gauge!("syncline_calendars_told").set(f64::from(all));
    }

    fn count_watch(&self, setup: &ConnectionSetup, outcome: &'static str) {
        let vendor = setup.connector.manifest().vendor;
        metrics::counter!("syncline_calendar_watches_total", "vendor" => vendor, "outcome" => outcome).increment(1);
    }

    /// 128 random bits as text.
    fn random_text(&self) -> String {
        format!("{:016x}{:016x}", self.random(), self.random())
    }
}

/// Until when changes of an integration's calendars are told by what is known to reach us, by the calendars' names.
pub(super) fn told_until(flow: &CalendarFlow, watches: &[StoredWatch], now: Timestamp) -> BTreeMap<String, Timestamp> {
    let works = |watch: &&StoredWatch| watch.works && watch.of.integration == flow.id;
    let told = watches.iter().filter(works).filter_map(|watch| Some((watch.of.calendar.clone(), watch.until?)));
    let mut all = BTreeMap::new();
    for (calendar, until) in told.filter(|(_, until)| *until > now) {
        let last = all.entry(calendar).or_insert(until);
        *last = until.max(*last);
    }
    all
}

/// Whether a watch is as it should be until it ends.
fn is_good(watch: &StoredWatch, wanted: Option<&Url>, now: Timestamp) -> bool {
    wanted.is_some_and(|url| watch.address == Mark::of(url.as_str()).0) && watch.until.is_some_and(|until| until > now)
}

/// Whether something is to be done about a calendar's watch. What failed is tried again in its own time.
fn is_due<'w>(
    state: &WatchState,
    own: impl Iterator<Item = &'w StoredWatch>,
    wanted: Option<&Url>,
    now: Timestamp,
) -> bool {
    let own: Vec<&StoredWatch> = own.collect();
    let is_as_wanted =
        own.len() == usize::from(wanted.is_some()) && own.iter().all(|watch| is_good(watch, wanted, now));
    let is_time = state.next_at.is_none_or(|at| at <= now);
    if is_as_wanted { wanted.is_some() && is_time } else { state.failures == 0 || is_time }
}

/// A watch as its vendor knows it.
fn vendors_word(watch: &StoredWatch) -> Watch {
    let until = watch.until.unwrap_or(Timestamp::MIN);
    Watch { id: watch.watch.clone(), resource: watch.resource.clone(), until }
}

/// When a watch that ends then is renewed: not all at the same time.
fn renew_at(now: Timestamp, until: Timestamp, chance: u64) -> Timestamp {
    let share = until.duration_since(now).max(SignedDuration::ZERO) / RENEW_SHARE;
    let more = i32::try_from(chance % RENEW_STEPS).unwrap_or_default();
    let spread = share / i32::try_from(RENEW_STEPS).unwrap_or(i32::MAX) * more;
    until.saturating_sub(share + spread).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::{RENEW_SHARE, renew_at};
    use jiff::{SignedDuration, Timestamp};

    /// proves: C10: always before it ends, with time left to try again, and not at once.
    #[test]
    fn a_watch_is_renewed_between_half_and_three_quarters_of_its_life() {
        let now: Timestamp = "2026-05-04T09:00:00Z".parse().expect("a time");
        let mut seen = std::collections::BTreeSet::new();
        for minutes in [45, 4_230, 10_080] {
            let life = SignedDuration::from_mins(minutes);
            for chance in (0..100_000).step_by(77) {
                let left = (now + life).duration_since(renew_at(now, now + life, chance));
                assert!(left >= life / RENEW_SHARE && left <= life / RENEW_SHARE * 2, "{minutes} {chance}");
                seen.insert(left);
            }
        }
        assert!(seen.len() > 1_000);
        assert_eq!(renew_at(now, now - SignedDuration::from_mins(1), 3), now - SignedDuration::from_mins(1));
    }
}
