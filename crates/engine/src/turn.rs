//! One batch of claimed bookings, from deciding to settling. What they need to know is gathered elsewhere
//! ([`crate::job`]), and what a refusal means is told in [`refused`].

mod refused;

use std::collections::{BTreeMap, HashSet};

use futures::{StreamExt, stream::FuturesUnordered};
use jiff::Timestamp;
use syncline_connect::{Answered, Error, ErrorKind, GraphOutcome, Records, Retry};
use syncline_core::{
    booking::{
        chain::View,
        diff::{Decision, decide},
        facts::Facts,
        project::Note,
    },
    calendar::identity::Uid,
    ids::{ConnectionId, RecordId, SharedKey},
    mutant::{self, Mutant},
    record::{Field, Role, Slot, Value},
    step::SharedLink,
};
use syncline_store::{
    Claimed, JournalEntry, JournalKind, Outcome, PlanOutcome, Planned, Result as StoreResult, Settlement,
};

use crate::{
    engine::Engine,
    job::{InVain, Job, Sorted, context, share},
    journal,
    push::crm,
    setup::ConnectionSetup,
};

use self::refused::Before;

/// A booking whose plan is to be pushed.
struct Push<'a> {
    job: Job<'a>,
    decision: Decision,
}

/// Waves of one batch in which bookings that share a new person or account follow one another.
const MAX_WAVES: usize = 3;

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
        let mut untold = !homeless.is_empty();
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
            self.wake_others(&mut untold);
            untold = true;
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
        // With several workspaces, this worker goes on to the next one before it comes back to this.
        let workspaces = self.setup.integrations.windows(2);
        self.wake_others(&mut workspaces.into_iter().any(|pair| pair[0].workspace != pair[1].workspace));
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
        let mut untold = !broken.is_empty() || !blank.is_empty();
        self.fail_broken(setup, broken).await?;
        self.settle_blank(setup, blank, now).await?;
        self.recall(setup, &mut jobs, &mut facts, now).await?;
        self.wake_others(&mut untold);
        for InVain { jobs, error } in self.look_at(setup, crm, &mut jobs, &mut facts, now).await {
            untold = true;
            self.fail(&setup.id, jobs.iter().map(|job| (job.claimed, Some(&job.view))), &error, &[]).await?;
        }
        for wave in 1.. {
            let (pushes, later) = self.decide_wave(setup, crm, jobs, &facts, now, wave);
            let (idle, pushes): (Vec<_>, Vec<_>) =
                pushes.into_iter().partition(|push| push.decision.plan.steps.is_empty());
            untold |= !idle.is_empty();
            self.settle_idle(setup, idle, now).await?;
            let ready = self.write_down(setup, pushes, now).await?;
            if !ready.is_empty() {
                self.wake_others(&mut untold);
                facts.add_shared(self.push_all(setup, crm, ready, lease_until).await?);
                untold = true;
            }
            if later.is_empty() {
                return Ok(());
            }
            jobs = later;
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

    /// Lays bookings aside whose template cannot be used.
    async fn fail_broken(&self, setup: &ConnectionSetup, broken: Vec<(&Claimed, String)>) -> StoreResult<()> {
        for (claimed, why) in broken {
            let text = format!("the template that is in force for this meeting type cannot be used: {why}");
            let error = Error::new(ErrorKind::Configuration, Retry::Never, "read settings", text);
            self.fail(&setup.id, [(claimed, None)], &error, &[]).await?;
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
                outdated: push.decision.outdated.clone(),
                adopted: push.decision.kept(&push.job.claimed.links),
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
            self.wake_others(&mut !calls.is_empty());
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
        let beside = self.known_calendar_flows(&setup.workspace).await?.iter().any(|flow| flow.crm == setup.id);
        let answer = self.write(setup, &plans, lease_until).await;
        let now = self.world.clock.now();
        let mut settlements = Vec::with_capacity(chunk.len());
        let mut done = Vec::with_capacity(chunk.len());
        match answer {
            Ok(Answered { value, calls, .. }) => {
                let writes = share(calls, chunk.len());
                for (push, outcome) in chunk.iter().zip(value) {
                    let ids = match outcome {
                        GraphOutcome::Done(ids) => ids,
                        GraphOutcome::Unknown(_) if mutant::on(Mutant::UnknownIsDone) => Vec::new(),
                        GraphOutcome::Refused(error) => {
                            settlements.push(self.refused_push(setup, push, &error, false, now));
                            continue;
                        }
                        GraphOutcome::Unknown(error) => {
                            settlements.push(self.refused_push(setup, push, &error, true, now));
                            continue;
                        }
                    };
                    let mut settlement = done_with(setup, push, &ids, writes, now);
                    if beside {
                        tell_calendars(push, &mut settlement);
                    }
                    settlements.push(settlement);
                    done.push(push.job.claimed.waiting_since);
                }
            }
            Err(error) => {
                settlements.extend(chunk.iter().map(|push| self.refused_push(setup, push, &error, false, now)));
            }
        }
        let shared = settlements.iter().flat_map(|settlement| settlement.shared.iter().cloned()).collect();
        self.settle(settlements).await?;
        self.count_done(&done);
        Ok(shared)
    }

    /// Counts bookings that are written and settled, given since when each was waited for.
    fn count_done(&self, waiting_since: &[Timestamp]) {
        let now = self.world.clock.now();
        let seconds = metrics::histogram!("syncline_booking_seconds");
        for since in waiting_since {
            seconds.record(now.duration_since(*since).as_secs_f64().max(0.0));
        }
        metrics::counter!("syncline_bookings_written_total").increment(waiting_since.len() as u64);
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
                    Before { links: claimed.links.clone(), unsettled: claimed.unsettled.is_some(), mend: None },
                    view,
                    error,
                    relied_on,
                    now,
                )
            })
            .collect();
        self.settle(settlements).await
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
        Ok(())
    }

    /// A booking that waited for a person or an account of one that was settled may be due now, and so may one of which
    /// there was news meanwhile. This worker looks by itself once it is through; while it still waits for a vendor,
    /// another one is to look.
    fn wake_others(&self, untold: &mut bool) {
        if std::mem::take(untold) {
            self.wake();
        }
    }
}

/// Tells integrations of calendars that the meeting of a booking has a record, by the names that calendars have for it.
fn tell_calendars(push: &Push<'_>, settlement: &mut Settlement) {
    let Outcome::Done { links, .. } = &settlement.outcome else { return };
    let Some(link) = links.get(&Slot::Meeting) else { return };
    let names = push.job.view.content.calendar_ids.iter().filter_map(|name| Uid::read(name));
    let told = names.map(|uid| SharedLink { key: uid.shared(), role: link.role, id: link.id.clone(), account: None });
    settlement.shared.extend(told);
}

/// A booking whose records are written.
fn done_with(
    setup: &ConnectionSetup,
    push: &Push<'_>,
    ids: &[(Slot, RecordId)],
    writes: f64,
    now: Timestamp,
) -> Settlement {
    let links = push.decision.links(ids);
    let entry = journal::written(now, &push.decision, ids, &links, push.job.looks + writes);
    let outcome = Outcome::Done { links, look_again: push.decision.look_again };
    let mut settlement = settlement(&setup.id, push.job.claimed, outcome, vec![entry]);
    settlement.shared = push.decision.shared(ids);
    settlement.summary = Some(journal::summary(&push.job.view));
    settlement
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
