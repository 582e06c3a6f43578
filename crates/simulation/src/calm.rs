//! The calm after the chaos: nothing goes wrong any more, an operator does his part, and everything must come to rest.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use syncline_connect::RawRequest;
use syncline_store::{ActivityFilter, BookingFilter, BookingRow, ConnectionStatus, JournalKind, PAGE_MAX};

use crate::{
    checks,
    faults::Fault,
    log,
    network::Network,
    orgs,
    post::PostOffice,
    process::connector,
    run::Looks,
    sim::{Reached, Sim, lock},
    story::{Customer, Message, Nature},
};

/// How often the operator looks.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How long it may take until all is done: the longest pause that a vendor may ask for is an hour, and it may ask again.
const BOUND: Duration = Duration::from_secs(4 * 3600);
/// A clock that ran a day ahead has given leases that end a day later.
const BOUND_AFTER_JUMP: Duration = Duration::from_secs(28 * 3600);
/// Replays of what was laid aside, before it counts as stuck.
const REPLAYS_MAX: usize = 5;
/// Calls that one message or one fault may cost, and that a run costs in any case.
const CALLS_PER_CAUSE: u64 = 12;
const CALLS_ANYWAY: u64 = 60;

/// The end of a run.
pub struct Ending<'a> {
    pub sim: &'a Sim,
    pub network: &'a Network,
    pub post: &'a PostOffice,
}

impl Ending<'_> {
    /// Waits until everything is done, and looks at it; says how long it took.
    pub async fn see_out(&self, looks: Looks) -> Duration {
        let began = self.sim.clock.elapsed();
        let rests = self.settle().await;
        let drained = self.sim.clock.elapsed().saturating_sub(began);
        let everything = looks == Looks::Everything;
        if rests {
            if everything {
                self.check_inbox_and_journal().await;
            }
            for line in &self.network.lines {
                checks::in_the_end(self.sim, line);
            }
            self.check_budget();
            if everything {
                self.check_quiescence().await;
            }
        }
        drained
    }

    /// J1: the queue empties. J4: what was laid aside says why, and is done once it is asked for.
    async fn settle(&self) -> bool {
        let jumped = self.sim.story.faults.has(Fault::K1);
        let bound = if jumped { BOUND_AFTER_JUMP } else { BOUND };
        let until = self.sim.clock.elapsed() + bound;
        let mut replays = 0;
        let mut looks = 0_u32;
        while self.sim.clock.elapsed() < until {
            // The longer it takes, the less it matters to the second.
            tokio::time::sleep(LOOK_EVERY * (1 + looks / 20).min(20)).await;
            looks += 1;
            self.reconnect().await;
            if !self.is_quiet().await {
                continue;
            }
            let parked = self.parked().await;
            if parked.is_empty() {
                return true;
            }
            replays += 1;
            if replays > REPLAYS_MAX {
                let reason = parked[0].1.parked_reason.clone().unwrap_or_default();
                self.sim.violation("J4", format!("what is laid aside does not get done: {reason}"));
                return false;
            }
            self.replay_parked(parked).await;
        }
        let mut states = String::new();
        for customer in &self.sim.story.customers {
            let counts = self.sim.store.counts(&customer.workspace()).await;
            states += &format!(" {counts:?}");
        }
        self.sim.violation("J1", format!("not at rest after {bound:?}; {} letters;{states}", self.post.under_way()));
        false
    }

    async fn is_quiet(&self) -> bool {
        let mut quiet = self.post.under_way() == 0;
        for customer in &self.sim.story.customers {
            let counts = self.sim.store.counts(&customer.workspace()).await.unwrap_or_default();
            quiet &= counts.inbox_new == 0 && counts.due == 0 && counts.leased == 0;
        }
        quiet
    }

    /// A person connects again what was lost.
    async fn reconnect(&self) {
        for (customer, line) in self.sim.story.customers.iter().zip(&self.network.lines) {
            let rows = self.sim.store.connection_states(&customer.workspace()).await.unwrap_or_default();
            if rows.iter().any(|row| row.status == ConnectionStatus::NeedsReconnect) {
                self.sim.reach(Reached::Reconnected);
                orgs::connect(&self.sim.store, customer, &line.org, &self.sim.clock).await;
            }
        }
    }

    async fn parked(&self) -> Vec<(&Customer, BookingRow)> {
        let mut parked = Vec::new();
        for customer in &self.sim.story.customers {
            let rows = self.bookings(customer, true).await;
            parked.extend(rows.into_iter().map(|row| (customer, row)));
        }
        parked
    }

    async fn bookings(&self, customer: &Customer, parked_only: bool) -> Vec<BookingRow> {
        let filter = BookingFilter { parked_only, limit: PAGE_MAX, ..BookingFilter::default() };
        self.sim.store.bookings(&customer.workspace(), filter).await.unwrap_or_default()
    }

    async fn replay_parked(&self, parked: Vec<(&Customer, BookingRow)>) {
        for (customer, row) in parked {
            let told = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
            if !told(&row.parked_reason) || !told(&row.parked_fix) {
                self.sim.violation("J4", "a booking is laid aside without a reason and a fix".to_owned());
            }
            self.sim.reach(Reached::ParkedAndReplayed);
            self.replay(customer, &row).await;
        }
    }

    async fn replay(&self, customer: &Customer, row: &BookingRow) {
        let now = syncline_core::Clock::now(&*self.sim.clock);
        if !matches!(self.sim.store.replay(&customer.workspace(), &row.chain, now).await, Ok(true)) {
            self.sim.violation("J4", "a booking cannot be replayed".to_owned());
        }
    }

    /// I1: what was accepted is in the inbox, and what was forged is not. And every booking that has records tells in the
    /// journal how it came to them.
    async fn check_inbox_and_journal(&self) {
        let mut kept: BTreeSet<(usize, String, String)> = BTreeSet::new();
        for customer in &self.sim.story.customers {
            let workspace = customer.workspace();
            let mut rows = self.sim.store.parked_messages(&workspace, None, PAGE_MAX).await.unwrap_or_default();
            for booking in self.bookings(customer, false).await {
                let Ok(Some(detail)) = self.sim.store.booking(&workspace, &booking.chain).await else { continue };
                let told = |kind| matches!(kind, JournalKind::Written | JournalKind::Unchanged);
                if !detail.links.is_empty() && !detail.journal.iter().any(|line| told(line.entry.kind)) {
                    let chain = &booking.chain;
                    self.sim.violation("journal", format!("{chain} has records, and the journal says nothing"));
                }
                rows.extend(detail.messages);
            }
            kept.extend(rows.into_iter().map(|row| (customer.number, row.source.as_str().to_owned(), row.key)));
        }
        for number in self.post.accepted() {
            let message = &self.sim.story.messages[number];
            let Some(key) = delivery_key(message) else { continue };
            if !kept.contains(&(message.customer, message.source.as_str().to_owned(), key)) {
                self.sim.violation("I1", format!("message {number} ({}) was accepted and is gone", message.what));
            }
        }
    }

    /// J5: calls are bounded by what caused them.
    fn check_budget(&self) {
        let calls: u64 = self.network.lines.iter().map(|line| lock(&line.watch).calls).sum();
        let causes = self.sim.story.messages.len() as u64 + self.sim.fired_so_far().total();
        if calls > CALLS_ANYWAY + CALLS_PER_CAUSE * causes {
            self.sim.violation("J5", format!("{calls} calls for {causes} messages and faults"));
        }
    }

    /// Has every booking done once more; whether all came to rest.
    async fn do_again(&self) -> bool {
        for customer in &self.sim.story.customers {
            for booking in self.bookings(customer, false).await {
                self.replay(customer, &booking).await;
            }
        }
        self.settle().await
    }

    /// J3: done once more, everything is as it should be and nothing is written.
    async fn check_quiescence(&self) {
        let writes = || -> u64 { self.network.lines.iter().map(|line| lock(&line.watch).writes).sum() };
        // A guest whom a rule of the org refused for a while was left out, and comes once it is asked again.
        if journals(self.sim).await.iter().any(|line| line.contains(LEFT_OUT)) {
            self.do_again().await;
        }
        let before = writes();
        if self.do_again().await && writes() != before {
            self.sim.violation("J3", format!("{} writes although everything was done", writes() - before));
        }
    }
}

/// What the journal says of a booking that is written without a guest.
const LEFT_OUT: &str = "the rest is written without it";

/// The name under which a message lies in the inbox; none for one that no booking has.
fn delivery_key(message: &Message) -> Option<String> {
    if message.nature != Nature::Genuine {
        return None;
    }
    let raw = RawRequest { headers: http::HeaderMap::new(), body: message.body.clone().into() };
    let reading = connector(message.source.as_str()).bookings()?.read(&raw, Timestamp::UNIX_EPOCH).ok()?;
    (!reading.messages.is_empty()).then_some(reading.delivery)
}

/// All journals, oldest line first, as text; searched for secrets on the way.
pub async fn journals(sim: &Sim) -> Vec<String> {
    let mut lines = Vec::new();
    for customer in &sim.story.customers {
        let mut before = None;
        let mut rows = Vec::new();
        loop {
            let filter = ActivityFilter { before, limit: PAGE_MAX, ..ActivityFilter::default() };
            let page = sim.store.activity(&customer.workspace(), filter).await.unwrap_or_default();
            before = page.last().map(|row| row.id);
            let ended = page.len() < PAGE_MAX;
            rows.extend(page);
            if ended {
                break;
            }
        }
        for row in rows.iter().rev() {
            let entry = &row.entry;
            let chain = row.chain.as_ref().map_or("-", |chain| chain.as_str());
            let line = format!(
                "journal ws{} {} {chain} {} {} {}",
                customer.number,
                entry.at,
                entry.kind.as_str(),
                entry.text,
                entry.details
            );
            log::search_secrets(sim, "the journal", &line);
            lines.push(line);
        }
    }
    lines
}
