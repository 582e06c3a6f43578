//! One batch of claimed bookings, from looking to settling.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use futures::{StreamExt, stream::FuturesUnordered};
use jiff::Timestamp;
use syncline_connect::{Answered, Error, ErrorKind, GraphOutcome, Object, Records, Retry};
use syncline_core::{
    booking::{
        ask::{MAX_LOOKS, Recall, questions, recall},
        chain::View,
        diff::{Decision, decide},
        duplicates::use_match,
        facts::{Facts, Questions},
        mapped::{Outside, described_by},
        owner::candidates,
        project::{Context, Links, Note},
        settings::{BookingSettings, Duplicates},
    },
    ids::{ConnectionId, RecordId, SharedKey},
    mutant::{self, Mutant},
    record::{Field, Role, Slot, Value},
    step::SharedLink,
};
use syncline_store::{
    Claimed, JournalEntry, JournalKind, Outcome, PlanOutcome, Planned, Result as StoreResult, Settlement,
};

use crate::{
    describe::Objects,
    engine::Engine,
    journal, look,
    outcome::{Failed, after_failure, rest_until, waits_for_connection},
    push::crm,
    setup::ConnectionSetup,
    templates::Effective,
};

/// A booking in hand.
pub(crate) struct Job<'a> {
    claimed: &'a Claimed,
    view: View<'a>,
    settings: Arc<BookingSettings>,
    /// The templates that the settings come from, as people read it.
    templates: Option<String>,
    /// The shared records that the decision may rely on.
    shared: Vec<SharedKey>,
    /// The users that it may ask for, by address or id.
    users: Vec<String>,
    /// Whether the CRM lets a meeting be related to several people.
    relates_many: bool,
    /// What is known of the CRM's objects, as far as its mappings want it.
    objects: Objects,
    /// Whether something had to be looked up, and its share of the calls for that.
    asked: bool,
    pub(crate) looks: f64,
}

/// Claimed bookings, by what can be done for them.
pub(crate) struct Sorted<'a> {
    pub(crate) jobs: Vec<Job<'a>>,
    /// Those that carry no content yet.
    pub(crate) blank: Vec<&'a Claimed>,
    /// Those whose template cannot be used, and why.
    pub(crate) broken: Vec<(&'a Claimed, String)>,
}

impl<'a> Job<'a> {
    pub(crate) fn new(claimed: &'a Claimed, view: View<'a>, effective: Effective) -> Self {
        let Effective { settings, templates } = effective;
        let Recall { shared, users } = recall(&settings, &view);
        Self {
            claimed,
            view,
            settings,
            templates,
            shared,
            users,
            relates_many: false,
            objects: Objects::default(),
            asked: false,
            looks: 0.0,
        }
    }

    pub(crate) fn view(&self) -> &View<'a> {
        &self.view
    }

    fn has_company(&self) -> bool {
        !self.view.content.guests.is_empty() || !self.view.other_seats.is_empty()
    }

    /// The objects that its decision depends on.
    fn objects_wanted(&self) -> BTreeSet<Object> {
        let (roles, named) = described_by(&self.settings);
        let meeting = self.has_company().then_some(Role::Meeting);
        let roles = roles.into_iter().chain(meeting).map(Object::Of);
        roles.chain(named.into_iter().map(Object::Named)).collect()
    }

    /// Whether the answers to a look may raise questions of their own.
    fn needs_more_looks(&self) -> bool {
        self.claimed.unsettled.is_some() || self.claimed.links.values().any(|link| link.doubt)
    }
}

/// A booking whose plan is to be pushed.
struct Push<'a> {
    job: Job<'a>,
    decision: Decision,
}

/// Waves of one batch in which bookings that share a new person or account follow one another.
const MAX_WAVES: usize = 3;

/// What is known of a booking that fails.
struct Before {
    links: Links,
    /// Whether a plan from before, whose outcome nobody knows, is still to be looked at.
    unsettled: bool,
    /// Whether a record that a duplicate rule named has taken the place of the one that it stopped.
    stand_in: bool,
}

impl Engine {
    /// Sees a claimed batch through, connection by connection.
    pub(crate) async fn see_through(&self, claimed: Vec<Claimed>, lease_until: Timestamp) -> StoreResult<()> {
        let mut by_connection: BTreeMap<ConnectionId, (Option<&ConnectionSetup>, Vec<&Claimed>)> = BTreeMap::new();
        let mut homeless = Vec::new();
        for booking in &claimed {
            let integration = self.setup.integration(&booking.workspace, &booking.integration);
            let Some(integration) = integration else {
                homeless.push(booking);
                continue;
            };
            let setup = self.setup.connection(&booking.workspace, &integration.crm);
            by_connection.entry(integration.crm.clone()).or_insert((setup, Vec::new())).1.push(booking);
        }
        for booking in homeless {
            let error = Error::new(
                ErrorKind::Configuration,
                Retry::Never,
                "read settings",
                "the integration of this booking is no longer configured",
            );
            self.fail(&ConnectionId::new("-"), [(booking, None)], &error, &[]).await?;
        }
        for (connection, (setup, bookings)) in by_connection {
            match setup.map(|setup| (setup, crm(setup))) {
                Some((setup, Ok(crm))) => self.see_connection_through(setup, crm, bookings, lease_until).await?,
                Some((_, Err(error))) => {
                    self.fail(&connection, bookings.into_iter().map(|booking| (booking, None)), &error, &[]).await?
                }
                None => {
                    let error = Error::new(
                        ErrorKind::Configuration,
                        Retry::Never,
                        "read settings",
                        "the CRM connection of this booking is no longer configured",
                    );
                    self.fail(&connection, bookings.into_iter().map(|booking| (booking, None)), &error, &[]).await?;
                }
            }
        }
        Ok(())
    }

    async fn see_connection_through(
        &self,
        setup: &ConnectionSetup,
        crm: &dyn Records,
        bookings: Vec<&Claimed>,
        lease_until: Timestamp,
    ) -> StoreResult<()> {
        let now = self.world.clock.now();
        let mut facts = Facts::default();
        let Sorted { mut jobs, blank, broken } = self.jobs(&bookings);
        self.fail_broken(setup, broken).await?;
        self.settle_blank(setup, blank, now).await?;
        self.recall(setup, &jobs, &mut facts, now).await?;
        if let Err((failed, error)) = self.look_at(setup, crm, &mut jobs, &mut facts, now).await {
            // What could not be looked up is not absent: those who asked wait, the others go on.
            self.fail(&setup.id, failed.iter().map(|job| (job.claimed, Some(&job.view))), &error, &[]).await?;
        }
        for wave in 1.. {
            let (pushes, later) = self.decide_wave(setup, crm, jobs, &facts, now, wave);
            let (idle, pushes): (Vec<_>, Vec<_>) =
                pushes.into_iter().partition(|push| push.decision.plan.steps.is_empty());
            self.settle_idle(setup, idle, now).await?;
            let ready = self.write_down(setup, pushes, now).await?;
            facts.add_shared(self.push_all(setup, crm, ready, lease_until).await?);
            if later.is_empty() {
                return Ok(());
            }
            jobs = later;
        }
        Ok(())
    }

    /// Looks up what the jobs need to know. If that fails, the jobs that asked are taken out.
    pub(crate) async fn look_at<'a>(
        &self,
        setup: &ConnectionSetup,
        crm: &dyn Records,
        jobs: &mut Vec<Job<'a>>,
        facts: &mut Facts,
        now: Timestamp,
    ) -> Result<(), (Vec<Job<'a>>, Error)> {
        let described = self.describe_for(setup, crm, jobs, now).await;
        let looked = self.look(setup, crm, jobs, facts, now).await;
        match (described, looked) {
            (Ok(()), looked) => looked,
            (Err(described), Ok(())) => Err(described),
            (Err((mut failed, error)), Err((others, _))) => {
                failed.extend(others);
                Err((failed, error))
            }
        }
    }

    /// Learns what the CRM's objects are like, as far as a job's decision depends on it.
    async fn describe_for<'a>(
        &self,
        setup: &ConnectionSetup,
        crm: &dyn Records,
        jobs: &mut Vec<Job<'a>>,
        now: Timestamp,
    ) -> Result<(), (Vec<Job<'a>>, Error)> {
        let meeting = Object::Of(Role::Meeting);
        let wants = |job: &Job<'_>| !job.objects_wanted().is_empty();
        let wanted: BTreeSet<Object> = jobs.iter().flat_map(Job::objects_wanted).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        match self.described(setup, crm, &wanted, now).await {
            Ok((described, calls)) => {
                let askers = jobs.iter().filter(|job| wants(job)).count();
                let relates_many =
                    described.get(&meeting).and_then(Option::as_ref).is_some_and(|meeting| meeting.relates_many);
                for job in jobs.iter_mut().filter(|job| wants(job)) {
                    job.relates_many = relates_many && job.has_company();
                    job.objects = Objects(described.clone());
                    job.looks += share(calls, askers);
                }
                Ok(())
            }
            Err(error) => {
                let (failed, rest) = std::mem::take(jobs).into_iter().partition(wants);
                *jobs = rest;
                Err((failed, error))
            }
        }
    }

    /// One set of queries answers all; only where that raises further questions another follows.
    async fn look<'a>(
        &self,
        setup: &ConnectionSetup,
        crm: &dyn Records,
        jobs: &mut Vec<Job<'a>>,
        facts: &mut Facts,
        now: Timestamp,
    ) -> Result<(), (Vec<Job<'a>>, Error)> {
        let identify = |text: &str| crm.identify(text);
        let normalise = |role: Role, field: &Field, value: Value| crm.normalise(role, field, value);
        let mut asked = Questions::default();
        for _ in 0..MAX_LOOKS {
            let mut ask = Questions::default();
            let mut askers = Vec::new();
            // Only answers about records in doubt, or about a plan whose outcome is unknown, raise questions of their own.
            let first = asked.is_empty();
            for (at, job) in jobs.iter_mut().enumerate().filter(|(_, job)| first || job.needs_more_looks()) {
                let cx = context(setup, job, facts, now, &identify);
                let questions = questions(&cx, &job.view, job.claimed.unsettled.as_ref(), &normalise).without(&asked);
                if !questions.is_empty() {
                    job.asked = true;
                    askers.push(at);
                    ask.extend(questions);
                }
            }
            if askers.is_empty() {
                return Ok(());
            }
            let settings: Vec<&BookingSettings> = jobs.iter().map(|job| &*job.settings).collect();
            // What one booking had described is true for all of the connection.
            let mut objects = Objects::default();
            for job in jobs.iter() {
                objects.0.extend(job.objects.0.iter().map(|(object, described)| (object.clone(), described.clone())));
            }
            let finds = look::finds(&ask, &settings, &objects);
            match self.find(setup, &finds).await {
                Ok(answer) => {
                    for at in &askers {
                        jobs[*at].looks += share(answer.calls, askers.len());
                    }
                    look::learn(&ask, &finds, answer.value, facts);
                    for user in &ask.users {
                        let id = facts.user(user).flatten().cloned();
                        self.directory.learn(&setup.workspace, &setup.id, user, id, now);
                    }
                }
                Err(_) if mutant::on(Mutant::FailedLookIsAbsence) => look::learn(&ask, &finds, Vec::new(), facts),
                Err(error) => {
                    let (failed, rest) = std::mem::take(jobs).into_iter().partition(|job| job.asked);
                    *jobs = rest;
                    return Err((failed, error));
                }
            }
            asked.extend(ask);
        }
        Ok(())
    }

    /// Decides as many jobs as can go at once. Of several that would make the same person or account, the first goes
    /// and the others wait for the next wave, which knows the record. After the last wave the database sees to it.
    fn decide_wave<'a>(
        &self,
        setup: &ConnectionSetup,
        crm: &dyn Records,
        jobs: Vec<Job<'a>>,
        facts: &Facts,
        now: Timestamp,
        wave: usize,
    ) -> (Vec<Push<'a>>, Vec<Job<'a>>) {
        let identify = |text: &str| crm.identify(text);
        let normalise = |role: Role, field: &Field, value: Value| crm.normalise(role, field, value);
        let mut taken: HashSet<SharedKey> = HashSet::new();
        let (mut pushes, mut later) = (Vec::with_capacity(jobs.len()), Vec::new());
        for job in jobs {
            let cx = context(setup, &job, facts, now, &identify);
            let mut decision = decide(&cx, &job.view, job.claimed.unsettled.as_ref(), &normalise);
            if let Some(templates) = job.templates.as_ref().filter(|_| !decision.plan.steps.is_empty()) {
                decision.notes.push(Note { code: "template", text: format!("written by {templates}") });
            }
            if wave < MAX_WAVES && decision.creates.iter().any(|key| taken.contains(key)) {
                later.push(job);
            } else {
                taken.extend(decision.creates.iter().cloned());
                pushes.push(Push { job, decision });
            }
        }
        (pushes, later)
    }

    /// The bookings as they are to be worked on.
    pub(crate) fn jobs<'a>(&'a self, bookings: &[&'a Claimed]) -> Sorted<'a> {
        let mut sorted = Sorted { jobs: Vec::with_capacity(bookings.len()), blank: Vec::new(), broken: Vec::new() };
        for &claimed in bookings {
            let integration = self.setup.integration(&claimed.workspace, &claimed.integration);
            let (Some(view), Some(integration)) = (claimed.state.view(), integration) else {
                sorted.blank.push(claimed);
                continue;
            };
            match self.effective(integration, &view) {
                Ok(effective) => sorted.jobs.push(Job::new(claimed, view, effective)),
                Err(why) => sorted.broken.push((claimed, why)),
            }
        }
        sorted
    }

    /// Lays bookings aside whose template cannot be used.
    async fn fail_broken(&self, setup: &ConnectionSetup, broken: Vec<(&Claimed, String)>) -> StoreResult<()> {
        for (claimed, why) in broken {
            let text = format!("the template that is in force for this meeting type cannot be used: {why}");
            let error = Error::new(ErrorKind::Configuration, Retry::Never, "read settings", text);
            self.fail(&setup.id, [(claimed, None)], &error, &[]).await?;
        }
        Ok(())
    }

    /// What we know without asking the CRM: links of other bookings, hosts.
    pub(crate) async fn recall(
        &self,
        setup: &ConnectionSetup,
        jobs: &[Job<'_>],
        facts: &mut Facts,
        now: Timestamp,
    ) -> StoreResult<()> {
        let mut keys: Vec<SharedKey> = jobs.iter().flat_map(|job| job.shared.iter().cloned()).collect();
        keys.sort();
        keys.dedup();
        if !keys.is_empty() {
            facts.add_shared(self.world.store.shared_links(&setup.workspace, &setup.id, &keys).await?);
        }
        for key in jobs.iter().flat_map(|job| &job.users) {
            if let Some(user) = self.directory.get(&setup.workspace, &setup.id, key, now) {
                facts.add_user(key, user);
            }
        }
        Ok(())
    }

    /// Bookings whose messages carry no content yet: kept, with nothing to write.
    async fn settle_blank(&self, setup: &ConnectionSetup, blank: Vec<&Claimed>, now: Timestamp) -> StoreResult<()> {
        let settlements = blank.into_iter().map(|claimed| {
            let outcome = Outcome::Done { links: claimed.links.clone(), look_again: None };
            let entry = JournalEntry {
                at: now,
                kind: JournalKind::Unchanged,
                text: "the message speaks of a booking that is still to come; it is kept until then".to_owned(),
                details: serde_json::Value::Null,
            };
            settlement(&setup.id, claimed, outcome, vec![entry])
        });
        self.settle(settlements.collect()).await
    }

    async fn settle_idle(&self, setup: &ConnectionSetup, idle: Vec<Push<'_>>, now: Timestamp) -> StoreResult<()> {
        let settlements = idle.into_iter().map(|push| {
            let links = push.decision.links(&[]);
            let outcome = Outcome::Done { links, look_again: push.decision.look_again };
            let entry = journal::unchanged(now, &push.decision, push.job.looks);
            let mut settlement = settlement(&setup.id, push.job.claimed, outcome, vec![entry]);
            settlement.shared = push.decision.shared(&[]);
            settlement.summary = Some(journal::summary(&push.job.view));
            settlement
        });
        self.settle(settlements.collect()).await
    }

    /// Writes every plan down before its first byte leaves; keeps those that may be sent.
    async fn write_down<'a>(
        &self,
        setup: &ConnectionSetup,
        pushes: Vec<Push<'a>>,
        now: Timestamp,
    ) -> StoreResult<Vec<Push<'a>>> {
        if pushes.is_empty() {
            return Ok(pushes);
        }
        let planned = pushes
            .iter()
            .map(|push| Planned {
                workspace: setup.workspace.clone(),
                connection: setup.id.clone(),
                chain: push.job.claimed.chain.clone(),
                fence: push.job.claimed.fence,
                plan: push.decision.plan.clone(),
                creates: push.decision.creates.clone(),
                adopted: push.decision.adopted.clone(),
            })
            .collect();
        if mutant::on(Mutant::PlanUnwritten) {
            return Ok(pushes);
        }
        let outcomes = self.world.store.plan(planned, now).await?;
        Ok(pushes
            .into_iter()
            .zip(outcomes)
            .filter(|(_, outcome)| *outcome == PlanOutcome::Ready)
            .map(|(push, _)| push)
            .collect())
    }

    /// Pushes in as few calls as the vendor allows, several in flight; each call is settled as soon as it is answered.
    /// Returns what other bookings may rely on from now on.
    async fn push_all(
        &self,
        setup: &ConnectionSetup,
        crm: &dyn Records,
        pushes: Vec<Push<'_>>,
        lease_until: Timestamp,
    ) -> StoreResult<Vec<SharedLink>> {
        let mut calls: FuturesUnordered<_> =
            chunks(crm, pushes).into_iter().map(|chunk| self.push_chunk(setup, chunk, lease_until)).collect();
        let mut shared = Vec::new();
        while let Some(done) = calls.next().await {
            shared.extend(done?);
        }
        Ok(shared)
    }

    async fn push_chunk(
        &self,
        setup: &ConnectionSetup,
        chunk: Vec<Push<'_>>,
        lease_until: Timestamp,
    ) -> StoreResult<Vec<SharedLink>> {
        let plans: Vec<_> = chunk.iter().map(|push| &push.decision.plan).collect();
        let answer = self.write(setup, &plans, lease_until).await;
        let now = self.world.clock.now();
        let mut settlements = Vec::with_capacity(chunk.len());
        match answer {
            Ok(Answered { value, calls, .. }) => {
                let writes = share(calls, chunk.len());
                for (push, outcome) in chunk.iter().zip(value) {
                    settlements.push(match outcome {
                        GraphOutcome::Done(ids) => self.done(setup, push, &ids, writes, now),
                        GraphOutcome::Unknown(_) if mutant::on(Mutant::UnknownIsDone) => {
                            self.done(setup, push, &[], writes, now)
                        }
                        GraphOutcome::Refused(error) | GraphOutcome::Unknown(error) => {
                            self.refused_push(setup, push, &error, now)
                        }
                    });
                }
            }
            Err(error) => settlements.extend(chunk.iter().map(|push| self.refused_push(setup, push, &error, now))),
        }
        let shared = settlements.iter().flat_map(|settlement| settlement.shared.iter().cloned()).collect();
        self.settle(settlements).await?;
        Ok(shared)
    }

    fn done(
        &self,
        setup: &ConnectionSetup,
        push: &Push<'_>,
        ids: &[(Slot, RecordId)],
        writes: f64,
        now: Timestamp,
    ) -> Settlement {
        let links = push.decision.links(ids);
        let entry = journal::written(now, &push.decision, ids, &links, push.job.looks + writes);
        let waited = now.duration_since(push.job.claimed.waiting_since);
        metrics::histogram!("syncline_booking_seconds").record(waited.as_secs_f64().max(0.0));
        metrics::counter!("syncline_bookings_written_total").increment(1);
        let outcome = Outcome::Done { links, look_again: push.decision.look_again };
        let mut settlement = settlement(&setup.id, push.job.claimed, outcome, vec![entry]);
        settlement.shared = push.decision.shared(ids);
        settlement.summary = Some(journal::summary(&push.job.view));
        settlement
    }

    /// Settles bookings that failed before anything was sent.
    async fn fail<'a>(
        &self,
        connection: &ConnectionId,
        failed: impl IntoIterator<Item = (&'a Claimed, Option<&'a View<'a>>)>,
        error: &Error,
        relied_on: &[SharedKey],
    ) -> StoreResult<()> {
        let now = self.world.clock.now();
        let settlements = failed
            .into_iter()
            .map(|(claimed, view)| {
                self.refused(
                    connection,
                    claimed,
                    Before { links: claimed.links.clone(), unsettled: claimed.unsettled.is_some(), stand_in: false },
                    view,
                    error,
                    relied_on,
                    now,
                )
            })
            .collect();
        self.settle(settlements).await
    }

    /// A push that failed leaves what a former plan turned out to have done, and the people that it relied on; or the
    /// record that a duplicate rule names, in the place of the one that it stopped.
    fn refused_push(&self, setup: &ConnectionSetup, push: &Push<'_>, error: &Error, now: Timestamp) -> Settlement {
        let decision = &push.decision;
        let links = decision.relied_on(decision.adopted.as_ref().unwrap_or(&push.job.claimed.links));
        let stand_in = (error.kind == ErrorKind::DuplicateRule && push.job.settings.duplicates == Duplicates::UseMatch)
            .then(|| use_match(&links, &decision.plan, error.slot?, &error.matches))
            .flatten();
        let before = Before { stand_in: stand_in.is_some(), links: stand_in.unwrap_or(links), unsettled: false };
        self.refused(&setup.id, push.job.claimed, before, Some(&push.job.view), error, &push.job.shared, now)
    }

    #[expect(clippy::too_many_arguments, reason = "a failure is told with all that it concerns")]
    fn refused(
        &self,
        connection: &ConnectionId,
        claimed: &Claimed,
        before: Before,
        view: Option<&View<'_>>,
        error: &Error,
        relied_on: &[SharedKey],
        now: Timestamp,
    ) -> Settlement {
        if error.kind == ErrorKind::Owner
            && let Some(view) = view
        {
            self.pass_over_owner(connection, claimed, view, now);
        }
        if error.kind == ErrorKind::Field {
            self.descriptions.forget(&claimed.workspace, connection);
        }
        let failed = Failed {
            error,
            links: &before.links,
            unsettled: before.unsettled,
            stand_in: before.stand_in,
            attempts: claimed.attempts,
            max_attempts: self.options.max_attempts,
            now,
            random: self.random(),
            late: self.options.call,
            relied_on,
        };
        let (outcome, forget) = after_failure(&failed);
        let entry = match &outcome {
            Outcome::Parked { reason, fix, .. } => {
                metrics::counter!("syncline_bookings_parked_total").increment(1);
                Some(journal::failed(now, JournalKind::Parked, error, format!("{reason}; {fix}")))
            }
            Outcome::Retry { .. } if before.stand_in => {
                metrics::counter!("syncline_bookings_retried_total").increment(1);
                let text = format!("{error}; the record that the rule names is used");
                Some(journal::failed(now, JournalKind::Retried, error, text))
            }
            Outcome::Retry { at, .. } if !waits_for_connection(error) => {
                metrics::counter!("syncline_bookings_retried_total").increment(1);
                Some(journal::failed(now, JournalKind::Retried, error, format!("{error}; next try at {at:.0}")))
            }
            Outcome::Retry { .. } | Outcome::Done { .. } => None,
        };
        let mut settlement = settlement(connection, claimed, outcome, entry.into_iter().collect());
        settlement.rest_until = rest_until(&failed);
        settlement.forget = forget;
        settlement.summary = view.map(journal::summary);
        settlement
    }

    /// The CRM refused the owner: whoever came first of those believed to be active is not.
    fn pass_over_owner(&self, connection: &ConnectionId, claimed: &Claimed, view: &View<'_>, now: Timestamp) {
        let Some(integration) = self.setup.integration(&claimed.workspace, &claimed.integration) else { return };
        let Ok(Effective { settings, .. }) = self.effective(integration, view) else { return };
        let believed =
            |user: &String| self.directory.get(&claimed.workspace, connection, user, now).is_none_or(|id| id.is_some());
        if let Some(user) = candidates(&settings, view).into_iter().find(believed) {
            self.directory.learn(&claimed.workspace, connection, &user, None, now);
        }
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> StoreResult<()> {
        if settlements.is_empty() {
            return Ok(());
        }
        let kept = self.world.store.settle(settlements, self.world.clock.now()).await?;
        let lost = kept.iter().filter(|kept| !**kept).count();
        if lost > 0 {
            tracing::warn!(lost, "Another worker took {lost} bookings over; what this one knew of them was dropped");
        }
        // A booking that waited for a person or account of these may be due now.
        self.wake();
        Ok(())
    }
}

pub(crate) fn context<'a>(
    setup: &'a ConnectionSetup,
    job: &'a Job<'_>,
    facts: &'a Facts,
    now: Timestamp,
    identify: &'a dyn Fn(&str) -> Option<(Role, RecordId)>,
) -> Context<'a> {
    Context {
        workspace: &setup.workspace,
        connection: &setup.id,
        chain: &job.claimed.chain,
        settings: &job.settings,
        links: &job.claimed.links,
        facts,
        now,
        relates_many: job.relates_many,
        outside: Outside {
            objects: &job.objects,
            source: job.claimed.source.as_str(),
            raw: &|booking| serde_json::to_string(booking).ok(),
        },
        identify,
    }
}

fn settlement(
    connection: &ConnectionId,
    claimed: &Claimed,
    outcome: Outcome,
    journal: Vec<JournalEntry>,
) -> Settlement {
    Settlement {
        workspace: claimed.workspace.clone(),
        connection: connection.clone(),
        chain: claimed.chain.clone(),
        fence: claimed.fence,
        revision: claimed.revision,
        outcome,
        rest_until: None,
        shared: Vec::new(),
        forget: Vec::new(),
        journal,
        summary: None,
    }
}

/// Each booking's share of the calls that several made together.
#[expect(clippy::cast_precision_loss, reason = "a batch has far fewer bookings than a double has digits")]
fn share(calls: u32, bookings: usize) -> f64 {
    f64::from(calls) / bookings.max(1) as f64
}

/// Cuts a batch into calls as the vendor allows.
fn chunks<'a>(crm: &dyn Records, mut pushes: Vec<Push<'a>>) -> Vec<Vec<Push<'a>>> {
    let mut chunks = Vec::new();
    while !pushes.is_empty() {
        let plans: Vec<_> = pushes.iter().map(|push| &push.decision.plan).collect();
        let fits = crm.fits(&plans).clamp(1, pushes.len());
        let rest = pushes.split_off(fits);
        chunks.push(std::mem::replace(&mut pushes, rest));
    }
    chunks
}
