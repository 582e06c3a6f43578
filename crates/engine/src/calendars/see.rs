//! Looking at what is due: copies and what is kept of them, the CRM's facts, and the decision. Sending is elsewhere
//! ([`super::send`]).

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::json;
use syncline_connect::{Error, Object, Records, Retry};
use syncline_core::{
    booking::{
        facts::{Facts, Questions},
        settings::BookingSettings,
    },
    calendar::{
        identity::{MeetingKey, Rid, Uid},
        look::{self, Decision, Kept, LOOKS_MAX, Look, Rules, SeenCopy, look},
    },
    ids::{RecordId, SharedKey},
    record::{Field, Role, Std, Value},
};
use syncline_store::{
    CalendarState, DueSeries, Held, JournalEntry, JournalKind, Result as StoreResult, SaveMeetings, StoredCopy,
    StoredMeeting,
};

use super::{Asked, CalendarFlow, CalendarRound, ROUND_BATCHES_MAX, SEE_BATCH, known_calendars, later};
use crate::{
    describe::Objects,
    engine::{Called, Engine},
    job::has,
    look::{finds, learn},
    push::crm,
    setup::ConnectionSetup,
    token::database,
};

/// How long what cannot be read rests before it is tried again.
const UNREADABLE_PAUSE: SignedDuration = SignedDuration::from_hours(24);

/// What is said of it.
const UNREADABLE_TEXT: &str = "What is stored of a meeting cannot be read; it is left as it is, and looked at again every day. \
    Start the version of Syncline again that wrote it, or restore the database from a backup";

/// A series or single meeting in hand.
pub(super) struct Series {
    pub due: DueSeries,
    copies: Vec<StoredCopy>,
    pub kept: BTreeMap<Rid, StoredMeeting>,
}

/// What became of it: meetings to be kept as they are, and those that are to be sent first.
#[derive(Default)]
pub(super) struct Seen {
    pub decisions: Vec<Decision>,
    pub look_again: Option<Timestamp>,
}

/// All that a turn of an integration needs.
pub(super) struct Seeing<'a> {
    pub flow: &'a CalendarFlow,
    pub setup: &'a ConnectionSetup,
    pub crm: &'static dyn Records,
    pub held: &'a Held,
    pub until: Timestamp,
    pub rules: Rules,
    states: Vec<(String, CalendarState)>,
    calendars: Vec<look::Calendar>,
}

impl Seeing<'_> {
    /// The zone in which a calendar means times without one.
    pub fn home(&self, calendar: &str) -> TimeZone {
        self.calendars.iter().find(|known| known.name == calendar).map_or(TimeZone::UTC, |known| known.home.clone())
    }
}

impl Engine {
    /// Sees everything through that is due, batch by batch, for as long as the lease covers it.
    pub(super) async fn see_due(
        &self,
        flow: &CalendarFlow,
        held: &Held,
        until: Timestamp,
        asked: Asked,
        round: &mut CalendarRound,
    ) -> StoreResult<()> {
        let (store, workspace) = (&self.world.store, &flow.workspace);
        let mut seeing = None;
        if flow.rules.back.asks() || flow.rules.follows_removals() {
            let now = self.world.clock.now();
            let state = store.begin_crm(workspace, &flow.id, asked.begins(now)).await?;
            if asked.now || state.creating || state.next_at <= now || self.hurries(flow, now).await? {
                match self.seeing(flow, held, until, round).await? {
                    // Whatever is due finds out by itself.
                    Err(_) if !state.creating => {}
                    Err(_) => return Ok(()),
                    Ok(found) => {
                        if !self.look_back(&found, state, asked, round).await? {
                            return Ok(());
                        }
                        seeing = Some(found);
                    }
                }
            }
        }
        for _ in 0..ROUND_BATCHES_MAX {
            let now = self.world.clock.now();
            let due = store.due_series(workspace, &flow.id, now, SEE_BATCH).await?;
            if due.is_empty() {
                return Ok(());
            }
            if until.duration_since(now) < self.options.call.saturating_mul(4) {
                break;
            }
            if seeing.is_none() {
                match self.seeing(flow, held, until, round).await? {
                    Ok(found) => seeing = Some(found),
                    Err(error) => return self.look_in_vain(flow, held, due, &error).await,
                }
            }
            let Some(seeing) = &mut seeing else { break };
            // Known before the copies are, so that no copy is older than the reading that counts.
            seeing.states = store.calendars(workspace, &flow.id).await?;
            seeing.calendars = known_calendars(flow, &seeing.states);
            self.see(seeing, due, round).await?;
        }
        round.more = true;
        Ok(())
    }

    /// Whether the CRM is to be asked before anything else because calendars show something new: it may be the event that
    /// another Syncline made for a record of this CRM.
    async fn hurries(&self, flow: &CalendarFlow, now: Timestamp) -> StoreResult<bool> {
        if !flow.rules.back.invite || !self.looked_at.may_hurry(flow, now) {
            return Ok(false);
        }
        Ok(!self.world.store.due_series(&flow.workspace, &flow.id, now, 1).await?.is_empty())
    }

    /// The CRM and what it can hold. The inner error: it could not be asked.
    async fn seeing<'a>(
        &'a self,
        flow: &'a CalendarFlow,
        held: &'a Held,
        until: Timestamp,
        round: &mut CalendarRound,
    ) -> StoreResult<Called<Seeing<'a>>> {
        let states = self.world.store.calendars(&flow.workspace, &flow.id).await?;
        let known = async {
            let setup = self.connection_of(flow, &flow.crm)?;
            let crm = crm(setup)?;
            Ok::<_, Error>((setup, crm, self.crm_rules(flow, setup, crm, &mut round.calls).await?))
        };
        Ok(known.await.map(|(setup, crm, rules)| Seeing {
            flow,
            setup,
            crm,
            held,
            until,
            rules,
            calendars: known_calendars(flow, &states),
            states,
        }))
    }

    /// The rules, with what this CRM can hold.
    pub(super) async fn crm_rules(
        &self,
        flow: &CalendarFlow,
        setup: &ConnectionSetup,
        crm: &dyn Records,
        calls: &mut u32,
    ) -> Called<Rules> {
        let meeting = Object::Of(Role::Meeting);
        let wanted = [meeting.clone()].into();
        let (described, cost) = self.described(setup, crm, &wanted, self.world.clock.now()).await?;
        *calls = calls.saturating_add(cost);
        let relates_many = described.get(&meeting).and_then(Option::as_ref).is_some_and(|meeting| meeting.relates_many);
        let mut rules = Rules {
            relates_many,
            seats_everybody: crm.seats_everybody(),
            keeps_replies: has(setup, Role::Attendee, Std::Response),
            ..flow.rules.clone()
        };
        // A field by which the CRM itself tells how a meeting stands needs nobody to name it.
        if let (None, Some(own)) = (&rules.meeting.status, crm.standing()) {
            let words = [own.field, own.booked, own.cancelled].map(str::to_owned);
            rules.meeting.status = Some(words.into());
        }
        // Whoever has a calendar here is nobody's guest.
        rules.policy.users.extend(flow.calendars.iter().map(|calendar| calendar.owner.clone()));
        Ok(rules)
    }

    async fn see(&self, seeing: &Seeing<'_>, due: Vec<DueSeries>, round: &mut CalendarRound) -> StoreResult<()> {
        let flow = seeing.flow;
        let now = self.world.clock.now();
        let (mut all, mut resting, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
        for due in due {
            let (copies, meetings) = match self.world.store.series(&flow.workspace, &flow.id, &due.uid).await {
                Err(syncline_store::Error::Corrupt(_)) => {
                    unreadable.push(due);
                    continue;
                }
                read => read?,
            };
            let rest = meetings.iter().filter_map(|meeting| meeting.state.rest_until).filter(|rest| *rest > now).max();
            match rest {
                // What was sent last may still arrive.
                Some(rest) => resting.push((due, Some(rest))),
                None => {
                    let kept = meetings.into_iter().map(|meeting| (meeting.key.rid, meeting)).collect();
                    all.push(Series { due, copies, kept });
                }
            }
        }
        if !unreadable.is_empty() {
            self.set_aside(seeing, unreadable, now).await?;
        }
        if !resting.is_empty() {
            let save = SaveMeetings { looked: resting, ..nothing(flow, seeing.held, now) };
            self.world.store.save_meetings(save).await?;
        }
        match self.decide_all(seeing, &all, now, &mut round.calls).await {
            Ok(seen) => {
                self.ask_organizers(seeing, &seen).await?;
                self.carry_out(seeing, all, seen, round).await
            }
            Err(error) => {
                let due = all.into_iter().map(|series| series.due).collect();
                self.look_in_vain(flow, seeing.held, due, &error).await
            }
        }
    }

    /// Looks at all, asks the CRM once for all of them, and decides.
    async fn decide_all(
        &self,
        seeing: &Seeing<'_>,
        all: &[Series],
        now: Timestamp,
        calls: &mut u32,
    ) -> Called<Vec<Seen>> {
        let kept: Vec<BTreeMap<Rid, Kept>> = all.iter().map(kept).collect();
        let copies: Vec<Vec<SeenCopy<'_>>> =
            all.iter().map(|series| seen_copies(&series.copies, &seeing.calendars)).collect();
        let mut looks: Vec<Look<'_>> = copies
            .iter()
            .zip(&kept)
            .map(|(copies, kept)| look(copies, &seeing.calendars, kept, &seeing.rules, now))
            .collect();
        let named: Vec<_> = all.iter().map(|series| (&series.due.uid, &series.copies)).collect();
        self.tell_booked(seeing.flow, &named, &mut looks).await.map_err(database)?;
        let facts = self.learn_about(seeing.setup, seeing.crm, &seeing.rules, &looks, calls).await?;
        let normalise = |role: Role, field: &Field, value: Value| seeing.crm.normalise(role, field, value);
        let decide = |(series, look): (&Series, Look<'_>)| {
            let key = |rid| MeetingKey { uid: series.due.uid.clone(), rid };
            let decide = |meeting: &look::Meeting<'_>| {
                meeting.decide(key(meeting.rid), &seeing.flow.workspace, &facts, &seeing.rules, &normalise)
            };
            Seen { decisions: look.meetings.iter().map(decide).collect(), look_again: look.look_again }
        };
        Ok(all.iter().zip(looks).map(decide).collect())
    }

    /// Has the calendars read at once that are to say whether a meeting was called off. One that cannot be read keeps its pause.
    async fn ask_organizers(&self, seeing: &Seeing<'_>, seen: &[Seen]) -> StoreResult<()> {
        let doubted = seen.iter().flat_map(|seen| &seen.decisions).filter(|decision| decision.is_doubted);
        let names: BTreeSet<&String> =
            doubted.filter_map(|decision| decision.doubt.as_ref()).flat_map(|doubt| doubt.readings.keys()).collect();
        let fails = |name: &String| seeing.states.iter().any(|(known, state)| known == name && state.failures > 0);
        for calendar in seeing.flow.calendars.iter().filter(|one| names.contains(&one.name) && !fails(&one.name)) {
            self.calendar_soon(&seeing.flow.reference(calendar)).await?;
        }
        Ok(())
    }

    /// Says of each which record a booking has of it.
    pub(super) async fn tell_booked(
        &self,
        flow: &CalendarFlow,
        named: &[(&Uid, &Vec<StoredCopy>)],
        looks: &mut [Look<'_>],
    ) -> StoreResult<()> {
        let keys_of = |(uid, copies): &(&Uid, &Vec<StoredCopy>)| -> Vec<SharedKey> {
            let told = copies.iter().flat_map(|copy| uid.told_as(&copy.event));
            told.chain([uid.shared()]).collect::<BTreeSet<_>>().into_iter().collect()
        };
        let keys: Vec<Vec<SharedKey>> = named.iter().map(keys_of).collect();
        let links = self.world.store.shared_links(&flow.workspace, &flow.crm, &keys.concat()).await?;
        let records: BTreeMap<SharedKey, RecordId> = links.into_iter().map(|link| (link.key, link.id)).collect();
        for (look, keys) in looks.iter_mut().zip(&keys) {
            if let Some(record) = keys.iter().find_map(|key| records.get(key)) {
                look.is_booked(record);
            }
        }
        Ok(())
    }

    /// What the CRM knows of everybody and everything that the meetings ask for.
    pub(super) async fn learn_about(
        &self,
        setup: &ConnectionSetup,
        crm: &dyn Records,
        rules: &Rules,
        looks: &[Look<'_>],
        calls: &mut u32,
    ) -> Called<Facts> {
        let mut facts = Facts::default();
        let mut asked = Questions::default();
        for _ in 0..LOOKS_MAX {
            let mut ask = Questions::default();
            for meeting in looks.iter().flat_map(|look| &look.meetings) {
                ask.extend(meeting.questions(&facts));
            }
            let ask = ask.without(&asked);
            if ask.is_empty() {
                break;
            }
            self.ask_crm(setup, crm, rules, ask.clone(), &[], &mut facts, calls).await?;
            asked.extend(ask);
        }
        Ok(facts)
    }

    /// Asks the CRM, and takes the answers into the facts. `more`: further fields of meetings.
    #[expect(clippy::too_many_arguments, reason = "one look: whom, what, and where the answers go")]
    pub(super) async fn ask_crm(
        &self,
        setup: &ConnectionSetup,
        crm: &dyn Records,
        rules: &Rules,
        mut ask: Questions,
        more: &[Field],
        facts: &mut Facts,
        calls: &mut u32,
    ) -> Called<()> {
        let now = self.world.clock.now();
        // Who of our own people is who rarely changes.
        ask.users.retain(|user| match self.directory.get(&setup.workspace, &setup.id, user, now) {
            Some(known) => {
                facts.add_user(user, known);
                false
            }
            None => true,
        });
        if ask.is_empty() {
            return Ok(());
        }
        let status = rules.meeting.status.as_ref().map(|(field, ..)| field.clone());
        let settings = BookingSettings { status_field: status, ..BookingSettings::default() };
        let mut finds = finds(&ask, &[&settings], &Objects::default());
        for find in &mut finds {
            let role = find.role;
            if role == Role::Meeting {
                find.fields.extend(more.iter().cloned());
            }
            find.fields.retain(|field| match field {
                Field::Std(Std::Key) | Field::Native(_) => true,
                Field::Std(std) => has(setup, role, *std),
            });
        }
        let answer = self.find(setup, &finds).await?;
        *calls = calls.saturating_add(answer.calls);
        learn(&ask, &finds, answer.value, facts, &|text| crm.identify(text));
        for user in &ask.users {
            let id = facts.user(user).flatten().cloned();
            self.directory.learn(&setup.workspace, &setup.id, user, id, now);
        }
        Ok(())
    }

    /// What is stored of meetings cannot be read, after a damage or because a later version wrote it: they wait for whoever
    /// mends that, and hold up no others.
    async fn set_aside(&self, seeing: &Seeing<'_>, due: Vec<DueSeries>, now: Timestamp) -> StoreResult<()> {
        let flow = seeing.flow;
        let line = |due: &DueSeries| JournalEntry {
            at: now,
            kind: JournalKind::Parked,
            text: UNREADABLE_TEXT.to_owned(),
            details: json!({ "uid": due.uid.as_str() }),
        };
        let journal = due.iter().filter(|due| due.tries == 0).map(line).collect();
        let again = |due: DueSeries| {
            (DueSeries { tries: due.tries.saturating_add(1), ..due }, Some(later(now, UNREADABLE_PAUSE)))
        };
        let looked = due.into_iter().map(again).collect();
        self.world
            .store
            .save_meetings(SaveMeetings { looked, journal, ..nothing(flow, seeing.held, now) })
            .await
            .map(drop)
    }

    /// The CRM could not be asked: nothing is known, and everything waits.
    async fn look_in_vain(
        &self,
        flow: &CalendarFlow,
        held: &Held,
        due: Vec<DueSeries>,
        error: &Error,
    ) -> StoreResult<()> {
        let now = self.world.clock.now();
        tracing::warn!(integration.id = %flow.id, error.kind = ?error.kind, "The CRM of {} could not be asked", flow.id);
        let again = |due: DueSeries| {
            let pause = self.pause_after(error, due.tries);
            (DueSeries { tries: due.tries.saturating_add(1), ..due }, Some(later(now, pause)))
        };
        let first = due.iter().all(|due| due.tries == 0);
        let line = JournalEntry {
            at: now,
            kind: JournalKind::Retried,
            text: format!("The CRM could not be asked about {} meetings, which wait: {error}", due.len()),
            details: json!({ "error": error.message, "op": error.op }),
        };
        let save = SaveMeetings {
            looked: due.into_iter().map(again).collect(),
            journal: Some(line).filter(|_| first || error.retry == Retry::Never).into_iter().collect(),
            ..nothing(flow, held, now)
        };
        self.world.store.save_meetings(save).await.map(drop)
    }
}

/// A decision that says nothing yet.
pub(super) fn nothing(flow: &CalendarFlow, held: &Held, now: Timestamp) -> SaveMeetings {
    SaveMeetings {
        workspace: flow.workspace.clone(),
        integration: flow.id.clone(),
        held: held.clone(),
        now,
        meetings: Vec::new(),
        looked: Vec::new(),
        mails: Vec::new(),
        journal: Vec::new(),
    }
}

fn kept(series: &Series) -> BTreeMap<Rid, Kept> {
    let kept = |meeting: &StoredMeeting| Kept {
        verdict: meeting.state.verdict.clone(),
        privacy: meeting.state.privacy,
        title: meeting.state.title.clone(),
        start: meeting.state.start,
        first: meeting.state.first,
        links: meeting.links.clone(),
        carried: meeting.state.carried.clone(),
        plan: meeting.plan.clone(),
        doubt: meeting.state.doubt.clone(),
    };
    series.kept.iter().map(|(rid, meeting)| (*rid, kept(meeting))).collect()
}

/// The copies with the calendars that they are in. What belongs to a calendar that was taken out of the integration says
/// nothing any more.
pub(super) fn seen_copies<'a>(copies: &'a [StoredCopy], calendars: &'a [look::Calendar]) -> Vec<SeenCopy<'a>> {
    let seen = |copy: &'a StoredCopy| {
        let calendar = calendars.iter().find(|calendar| calendar.name == copy.calendar)?;
        let StoredCopy { event, baseline, touched, organizes, .. } = copy;
        Some(SeenCopy { calendar, event, baseline: *baseline, touched: *touched, organizes: *organizes })
    };
    copies.iter().filter_map(seen).collect()
}
