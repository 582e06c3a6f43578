//! Writing plans down before their first byte leaves, and keeping two bookings from creating one shared record twice.

use jiff::{SignedDuration, Timestamp};
use syncline_core::ids::{ConnectionId, RecordId, SharedKey, WorkspaceId};

use super::shared::{self, Key};
use crate::{
    PlanOutcome, Planned, Store,
    db::{Db, Op, P, Scope, statements, to_json},
    error::Result,
};

/// The shortest and the longest time for which a chain is put off, and the longest one at first: one that has waited for
/// long waits half as long again. It becomes due earlier when the shared record is settled; the longest ones only count
/// where that never happens.
const PUT_OFF_MIN: SignedDuration = SignedDuration::from_secs(1);
const PUT_OFF_FIRST: SignedDuration = SignedDuration::from_mins(1);
const PUT_OFF_MAX: SignedDuration = SignedDuration::from_hours(1);

statements! {
    HELD = "select id, (select creates from outbox where outbox.workspace = chain.workspace and outbox.id = chain.id) \
        from chain where workspace = ?1 and chain = ?2 and fence = ?3 and owner is not null {lock}";
    PENDING_TAKE = "insert into shared_link (workspace, connection, key, pending) values (?1, ?2, ?3, ?4) \
        on conflict (workspace, connection, key) do update set pending = excluded.pending \
        where shared_link.role is null and (shared_link.pending is null or shared_link.pending = excluded.pending \
        or not exists (select 1 from chain where chain.workspace = shared_link.workspace and chain.id = shared_link.pending \
        and chain.parked = 0 and chain.due_at is not null)) {taken}";
    BLOCKER = "select s.role, c.due_at, s.pending from shared_link s left join chain c on c.workspace = s.workspace and c.id = s.pending \
        where s.workspace = ?1 and s.connection = ?2 and s.key = ?3";
    WAIT = "insert into shared_wait (workspace, connection, key, chain_id, since) values (?1, ?2, ?3, ?4, ?5) \
        on conflict (workspace, connection, key, chain_id) do update set since = shared_wait.since returning since";
    PUT_OFF = "update chain set owner = null, due_at = ?3, deferred = 1, unsettled = case when exists \
        (select 1 from outbox where outbox.workspace = chain.workspace and outbox.id = chain.id) then 1 else 0 end \
        where workspace = ?1 and id = ?2";
    LINKS_SET = "insert into chain_links (workspace, id, links) values (?1, ?2, ?3) on conflict {pk} do update set links = excluded.links";
    OUTBOX_PUT = "insert into outbox (workspace, id, connection, fence, attempt, sent_at, creates, plan) \
        values (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7) on conflict {pk} do update set connection = excluded.connection, \
        fence = excluded.fence, attempt = outbox.attempt + 1, sent_at = excluded.sent_at, creates = excluded.creates, plan = excluded.plan";
}

struct Plan {
    planned: Vec<Planned>,
    now: Timestamp,
}

/// Rows of the plans whose chains are still held, with whether they may go out.
struct Held<'a> {
    planned: &'a Planned,
    id: i64,
    blocked: bool,
    /// What a former, unsettled plan said it would create.
    before: Vec<SharedKey>,
}

impl Op for Plan {
    type Out = Vec<PlanOutcome>;

    fn scope(&self) -> Scope<'_> {
        Scope::of(self.planned.iter().map(|planned| &planned.workspace))
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Vec<PlanOutcome>> {
        let mut order: Vec<usize> = (0..self.planned.len()).collect();
        order.sort_by(|a, b| self.planned[*a].chain.cmp(&self.planned[*b].chain));
        let sets: Vec<_> = order
            .iter()
            .map(|at| &self.planned[*at])
            .map(|planned| {
                [P::Text(planned.workspace.as_str()), P::Text(planned.chain.as_str()), P::Int(planned.fence)]
            })
            .collect();
        let rows = db.each(&HELD, &sets).await?;
        let mut outcomes = vec![PlanOutcome::Lost; self.planned.len()];
        let mut held = Vec::with_capacity(rows.len());
        let mut places = Vec::with_capacity(rows.len());
        for (at, row) in order.into_iter().zip(rows) {
            let Some(mut row) = row else { continue };
            let before = row.opt_json(1)?.unwrap_or_default();
            held.push(Held { planned: &self.planned[at], id: row.int(0)?, blocked: false, before });
            places.push(at);
        }
        self.give_up_former(db, &held).await?;
        self.take_pending(db, &mut held).await?;
        self.write_down(db, &held).await?;
        for (held, at) in held.iter().zip(places) {
            outcomes[at] = if held.blocked { PlanOutcome::Deferred } else { PlanOutcome::Ready };
        }
        Ok(outcomes)
    }
}

impl Plan {
    /// Gives up what a former plan said it would create and this one does not: it was looked for since, and is there, or is
    /// wanted no longer. Two plans that each held what the other one wanted would wait for each other without end.
    async fn give_up_former<D: Db>(&self, db: &mut D, held: &[Held<'_>]) -> Result<()> {
        let former = held.iter().flat_map(|held| {
            let given_up = held.before.iter().filter(|key| !held.planned.creates.contains(key));
            given_up.map(|key| (whose(held.planned, key), held.id))
        });
        let mut former: Vec<(Key<'_>, i64)> = former.collect();
        former.sort();
        shared::release(db, &former).await?;
        let keys: Vec<Key<'_>> = former.into_iter().map(|(key, _)| key).collect();
        shared::wake(db, &keys, self.now.as_microsecond()).await
    }

    /// Says for each plan what it creates; a plan that may not is put off and gives up what it got.
    async fn take_pending<D: Db>(&self, db: &mut D, held: &mut [Held<'_>]) -> Result<()> {
        // By key, so that two transactions ask in the same order.
        let mut asked: Vec<(usize, &SharedKey)> = held
            .iter()
            .enumerate()
            .flat_map(|(at, held)| held.planned.creates.iter().map(move |key| (at, key)))
            .collect();
        asked.sort_by_key(|(at, key)| (*key, *at));
        let mut outdated: Vec<(Key<'_>, &RecordId)> = held
            .iter()
            .flat_map(|held| held.planned.outdated.iter().map(|link| (whose(held.planned, &link.key), &link.id)))
            .collect();
        outdated.sort();
        shared::forget_outdated(db, &outdated).await?;
        let sets: Vec<_> = asked
            .iter()
            .map(|(at, key)| {
                let [ws, connection, key] = shared::params(whose(held[*at].planned, key));
                [ws, connection, key, P::Int(held[*at].id)]
            })
            .collect();
        let got = db.each(&PENDING_TAKE, &sets).await?;
        let refused: Vec<(usize, &SharedKey)> =
            asked.iter().zip(&got).filter(|(_, got)| got.is_none()).map(|(asked, _)| *asked).collect();
        if refused.is_empty() {
            return Ok(());
        }
        let mut until: Vec<Option<i64>> = vec![None; held.len()];
        for (at, key) in refused {
            let again = self.wait_for(db, held[at].planned, key, held[at].id).await?;
            held[at].blocked = true;
            until[at] = Some(until[at].map_or(again, |known| known.max(again)));
        }
        let given_up: Vec<(Key<'_>, i64)> = asked
            .iter()
            .zip(&got)
            .filter(|((at, _), got)| held[*at].blocked && got.is_some())
            .map(|((at, key), _)| (whose(held[*at].planned, key), held[*at].id))
            .collect();
        shared::release(db, &given_up).await?;
        for (held, until) in held.iter().zip(until) {
            if let Some(until) = until {
                db.run(&PUT_OFF, &[P::Text(held.planned.workspace.as_str()), P::Int(held.id), P::Int(until)]).await?;
            }
        }
        let keys: Vec<Key<'_>> = given_up.into_iter().map(|(key, _)| key).collect();
        shared::wake(db, &keys, self.now.as_microsecond()).await
    }

    /// Has a chain wait for a shared record; says when it is to look again at the latest.
    async fn wait_for<D: Db>(&self, db: &mut D, planned: &Planned, key: &SharedKey, id: i64) -> Result<i64> {
        let params = shared::params(whose(planned, key));
        let row = db.row(&BLOCKER, &params).await?;
        let Some(mut row) = row else { return Ok(self.now.as_microsecond()) };
        if row.opt_text(0)?.is_some() {
            // It is known already: whoever looks again finds it.
            return Ok(self.now.as_microsecond());
        }
        let [ws, connection, key] = params;
        let waiting = db.row(&WAIT, &[ws, connection, key, P::Int(id), P::time(self.now)]).await?;
        let since = waiting.map(|row| row.time(0)).transpose()?.unwrap_or(self.now);
        Ok(row.opt_int(1)?.unwrap_or_default().clamp(self.after(PUT_OFF_MIN), self.after(pause_max(since, self.now))))
    }

    fn after(&self, pause: SignedDuration) -> i64 {
        self.now.checked_add(pause).unwrap_or(self.now).as_microsecond()
    }

    async fn write_down<D: Db>(&self, db: &mut D, held: &[Held<'_>]) -> Result<()> {
        let ready: Vec<&Held<'_>> = held.iter().filter(|held| !held.blocked).collect();
        let mut blobs = Vec::with_capacity(ready.len());
        for held in &ready {
            let mut creates: Vec<&SharedKey> = held.planned.creates.iter().collect();
            // What a former, unsettled plan said it would create is this one's to settle.
            creates.extend(held.before.iter().filter(|key| !held.planned.creates.contains(key)));
            blobs.push((to_json(&creates)?, to_json(&held.planned.plan)?));
        }
        let sets: Vec<_> = ready
            .iter()
            .zip(&blobs)
            .map(|(held, (creates, plan))| {
                let ws = P::Text(held.planned.workspace.as_str());
                let connection = P::Text(held.planned.connection.as_str());
                let (fence, sent_at) = (P::Int(held.planned.fence), P::time(self.now));
                [ws, P::Int(held.id), connection, fence, sent_at, P::Blob(creates), P::Blob(plan)]
            })
            .collect();
        db.each(&OUTBOX_PUT, &sets).await?;
        self.keep_adopted(db, &ready).await
    }

    async fn keep_adopted<D: Db>(&self, db: &mut D, ready: &[&Held<'_>]) -> Result<()> {
        for held in ready {
            if let Some(links) = &held.planned.adopted {
                let links = to_json(links)?;
                db.run(&LINKS_SET, &[P::Text(held.planned.workspace.as_str()), P::Int(held.id), P::Blob(&links)])
                    .await?;
            }
        }
        Ok(())
    }
}

/// The longest pause of a chain that has waited since then.
fn pause_max(since: Timestamp, now: Timestamp) -> SignedDuration {
    SignedDuration::from_secs(now.duration_since(since).as_secs() / 2).clamp(PUT_OFF_FIRST, PUT_OFF_MAX)
}

fn whose<'a>(planned: &'a Planned, key: &'a SharedKey) -> Key<'a> {
    let (workspace, connection): (&WorkspaceId, &ConnectionId) = (&planned.workspace, &planned.connection);
    (workspace, connection, key)
}

impl Store {
    /// Writes plans down, all in one transaction, and says for each whether it may be sent.
    pub async fn plan(&self, planned: Vec<Planned>, now: Timestamp) -> Result<Vec<PlanOutcome>> {
        self.run(Plan { planned, now }).await
    }
}
