//! Random scripts against a plain model: whatever is done in whatever order, both databases do what the model says.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};
use syncline_core::{
    booking::{chain::ChainState, message::BookingMessage},
    ids::{BookingKey, ChainId, WorkspaceId},
};

use super::world::*;
use crate::{Claimed, Outcome, PlanOutcome, Store, TakenIn};

/// Bookings that a script is about: few, so that much happens to each.
const BOOKINGS: u8 = 4;
const LEASE: i64 = 40;

#[derive(Debug, Clone)]
enum Act {
    Take {
        booking: u8,
        key: u8,
        cancel: bool,
    },
    Claim {
        limit: usize,
    },
    /// Writes a plan down for the n-th claim ever made, creating a shared record or not.
    Plan {
        claim: u8,
        creates: Option<u8>,
    },
    Settle {
        claim: u8,
        how: u8,
    },
    Replay {
        booking: u8,
    },
    Wait {
        seconds: i64,
    },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..BOOKINGS, 0..24u8, any::<bool>()).prop_map(|(booking, key, cancel)| Act::Take { booking, key, cancel }),
        4 => (1..4usize).prop_map(|limit| Act::Claim { limit }),
        3 => (any::<u8>(), proptest::option::of(0..2u8)).prop_map(|(claim, creates)| Act::Plan { claim, creates }),
        4 => (any::<u8>(), 0..8u8).prop_map(|(claim, how)| Act::Settle { claim, how }),
        1 => (0..BOOKINGS).prop_map(|booking| Act::Replay { booking }),
        3 => (1..30i64).prop_map(|seconds| Act::Wait { seconds }),
        1 => (30..3000i64).prop_map(|seconds| Act::Wait { seconds }),
    ]
}

/// What the model knows of a chain.
#[derive(Debug, Clone, Default)]
struct Chain {
    state: ChainState,
    news: u32,
    due: Option<i64>,
    held: bool,
    fence: i64,
    attempts: u32,
    parked: bool,
    sent: bool,
    news_at_claim: u32,
    deferred: bool,
    /// Until when something that was sent may still arrive.
    rest: i64,
}

#[derive(Default)]
struct Model {
    now: i64,
    keys: BTreeSet<u8>,
    new: Vec<(u8, BookingMessage)>,
    chains: BTreeMap<u8, Chain>,
    /// Who says it creates which shared record, and which are known.
    pending: BTreeMap<u8, u8>,
    known: BTreeSet<u8>,
    /// Which booking waits for which key, since when.
    waits: BTreeMap<(u8, u8), i64>,
}

impl Model {
    fn fold(&mut self) {
        for (booking, message) in std::mem::take(&mut self.new) {
            let chain = self.chains.entry(booking).or_default();
            chain.state.absorb(&message);
            chain.news += 1;
            if !chain.held {
                (chain.due, chain.deferred) = (Some(self.now.max(chain.rest)), false);
                if std::mem::take(&mut chain.parked) {
                    chain.attempts = 0;
                }
            }
        }
    }

    /// Which chains may be handed out, with when they became due.
    fn due(&self) -> BTreeMap<u8, i64> {
        self.chains
            .iter()
            .filter_map(|(booking, chain)| chain.due.filter(|due| *due <= self.now).map(|due| (*booking, due)))
            .collect()
    }

    /// A booking gives up all that it said it would create, but for this one; whoever waits looks again.
    fn free(&mut self, booking: u8, keeps: Option<u8>) {
        let is_freed = |(key, owner): &(&u8, &u8)| **owner == booking && Some(**key) != keeps;
        let freed: Vec<u8> = self.pending.iter().filter(is_freed).map(|(key, _)| *key).collect();
        for key in freed {
            self.pending.remove(&key);
            for waiting in (0..BOOKINGS).filter(|waiting| self.waits.contains_key(&(key, *waiting))).collect::<Vec<_>>()
            {
                self.waits.remove(&(key, waiting));
                let waiting = self.chains.get_mut(&waiting).unwrap();
                if waiting.deferred && !waiting.held && waiting.due.is_some_and(|due| due > self.now) {
                    (waiting.due, waiting.deferred) = (Some(self.now), false);
                }
            }
        }
    }

    fn blocks(&self, key: u8, booking: u8) -> bool {
        let live = |owner: &u8| {
            *owner != booking && self.chains.get(owner).is_some_and(|chain| !chain.parked && chain.due.is_some())
        };
        self.known.contains(&key) || self.pending.get(&key).is_some_and(live)
    }
}

struct Run {
    store: Store,
    workspace: WorkspaceId,
    model: Model,
    claims: Vec<(u8, Claimed)>,
}

fn name(booking: u8) -> String {
    format!("b{booking}")
}

impl Run {
    fn new(store: Store, workspace: WorkspaceId) -> Self {
        Self { store, workspace, model: Model::default(), claims: Vec::new() }
    }

    async fn act(&mut self, act: &Act) {
        match act {
            Act::Take { booking, key, cancel } => self.take(*booking, *key, *cancel).await,
            Act::Claim { limit } => self.claim(*limit).await,
            Act::Plan { claim, creates } => self.plan(*claim, *creates).await,
            Act::Settle { claim, how } => self.settle(*claim, *how).await,
            Act::Replay { booking } => self.replay(*booking).await,
            Act::Wait { seconds } => self.model.now += seconds,
        }
    }

    async fn take(&mut self, booking: u8, key: u8, cancel: bool) {
        let message = if cancel { cancelled(&name(booking), key.into()) } else { booked(&name(booking), key.into()) };
        let delivery = crate::Delivery {
            workspace: self.workspace.clone(),
            ..delivery(&key.to_string(), self.model.now, vec![message.clone()])
        };
        let fresh = self.model.keys.insert(key);
        let expected = if fresh { TakenIn::Stored } else { TakenIn::Duplicate };
        assert_eq!(self.store.take_in(delivery).await.unwrap(), expected);
        if fresh {
            self.model.new.push((booking, message));
        }
    }

    async fn claim(&mut self, limit: usize) {
        let (now, model) = (self.model.now, &mut self.model);
        model.fold();
        let mut due = model.due();
        let claimed =
            self.store.claim(&self.workspace, &worker("w"), at(now), at(now + LEASE), limit, &[]).await.unwrap();
        assert_eq!(claimed.len(), due.len().min(limit), "as many as are due and asked for");
        for claimed in claimed {
            let booking = (0..BOOKINGS).find(|booking| claimed.chain == self.chain(*booking)).unwrap();
            let when = due.remove(&booking).expect("only what is due is handed out, once");
            let longer = due.values().filter(|other| **other < when).count();
            assert_eq!(longer, 0, "the longest due first");
            let chain = self.model.chains.get_mut(&booking).unwrap();
            assert_eq!(claimed.state, chain.state);
            assert_eq!(claimed.attempts, chain.attempts);
            assert_eq!(claimed.unsettled.is_some(), chain.sent, "what was sent and not settled comes back");
            assert!(claimed.fence > chain.fence);
            (chain.fence, chain.held, chain.due, chain.news_at_claim) =
                (claimed.fence, true, Some(now + LEASE), chain.news);
            chain.deferred = false;
            self.claims.push((booking, claimed));
        }
    }

    fn chain(&self, booking: u8) -> ChainId {
        ChainId::beginning_with(&self.workspace, &"cal".into(), &BookingKey::new(name(booking)))
    }

    async fn plan(&mut self, claim: u8, creates: Option<u8>) {
        if self.claims.is_empty() {
            return;
        }
        let (booking, claimed) = &self.claims[usize::from(claim) % self.claims.len()];
        let key = creates.map(|key| format!("person:{key}"));
        let planned = planned(claimed, &key.iter().map(String::as_str).collect::<Vec<_>>());
        let outcome = self.store.plan(vec![planned], at(self.model.now)).await.unwrap().remove(0);
        let model = &mut self.model;
        let holds = model.chains.get(booking).is_some_and(|chain| chain.held && chain.fence == claimed.fence);
        if holds {
            // What a former plan said and this one does not.
            model.free(*booking, creates);
        }
        let blocked = creates.is_some_and(|key| model.blocks(key, *booking));
        let chain = model.chains.get_mut(booking).unwrap();
        match (holds, blocked) {
            (false, _) => assert_eq!(outcome, PlanOutcome::Lost),
            (true, true) => {
                assert_eq!(outcome, PlanOutcome::Deferred);
                let key = creates.unwrap();
                chain.held = false;
                chain.deferred = true;
                chain.due = Some(model.now);
                if !model.known.contains(&key) {
                    let since = *model.waits.entry((key, *booking)).or_insert(model.now);
                    let longest = ((model.now - since) / 2).clamp(60, 3600);
                    let owner = model.chains[&model.pending[&key]].due.unwrap();
                    model.chains.get_mut(booking).unwrap().due = Some(owner.clamp(model.now + 1, model.now + longest));
                }
            }
            (true, false) => {
                assert_eq!(outcome, PlanOutcome::Ready);
                chain.sent = true;
                if let Some(key) = creates {
                    model.pending.insert(key, *booking);
                }
            }
        }
    }

    async fn settle(&mut self, claim: u8, how: u8) {
        if self.claims.is_empty() {
            return;
        }
        let (booking, claimed) = self.claims[usize::from(claim) % self.claims.len()].clone();
        let now = self.model.now;
        let links = links("1");
        let outcome = match how {
            0 => Outcome::Done { links, look_again: None },
            1 => Outcome::Done { links, look_again: Some(at(now + 10)) },
            2 => Outcome::Retry { at: at(now + 5), unsettled: false, failed: true, links },
            3 => Outcome::Retry { at: at(now + 5), unsettled: true, failed: true, links },
            4 => Outcome::Retry { at: at(now + 5), unsettled: false, failed: false, links },
            6 => Outcome::Retry { at: at(now + 25), unsettled: true, failed: true, links },
            _ => Outcome::Parked { reason: "r".to_owned(), fix: "f".to_owned(), unsettled: how == 7, links },
        };
        let rest = (how >= 6).then_some(now + 20);
        let settlement = crate::Settlement { rest_until: rest.map(at), ..settlement(&claimed, outcome) };
        let held = self.store.settle(vec![settlement], at(now)).await.unwrap().remove(0);
        let model = &mut self.model;
        let chain = model.chains.get_mut(&booking).unwrap();
        assert_eq!(held, chain.held && chain.fence == claimed.fence, "the fence decides");
        if !held {
            return;
        }
        let news = chain.news > chain.news_at_claim;
        chain.held = false;
        chain.parked = matches!(how, 5 | 7) && !news;
        chain.rest = rest.unwrap_or_default();
        chain.due = match how {
            0 | 1 | 5 | 7 if news => Some(now.max(chain.rest)),
            0 | 5 | 7 => None,
            1 => Some(now + 10),
            6 => Some(now + 25),
            _ => Some(now + 5),
        };
        chain.attempts = match how {
            0 | 1 => 0,
            2 | 3 | 6 => chain.attempts + 1,
            _ => chain.attempts,
        };
        if matches!(how, 3 | 6 | 7) {
            return;
        }
        chain.sent = false;
        model.free(booking, None);
    }

    async fn replay(&mut self, booking: u8) {
        let done = self.store.replay(&self.workspace, &self.chain(booking), at(self.model.now)).await.unwrap();
        let now = self.model.now;
        let chain = self.model.chains.get_mut(&booking).filter(|chain| !chain.held);
        assert_eq!(done, chain.is_some());
        if let Some(chain) = chain {
            (chain.due, chain.parked, chain.attempts, chain.deferred) = (Some(now.max(chain.rest)), false, 0, false);
        }
    }
}

/// Runs scripts on one database, each in a workspace of its own.
fn scripts(on: On, cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::quick(on));
    let store = runtime.block_on(world.store());
    let number = std::cell::Cell::new(0);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(script in vec(act(), 1..60))| {
        number.set(number.get() + 1);
        let mut run = Run::new(store.clone(), WorkspaceId::new(format!("w{}", number.get())));
        runtime.block_on(async {
            for act in &script {
                run.act(act).await;
            }
        });
    });
}

/// proves: V1
/// proves: V3
#[test]
fn scripts_on_sqlite() {
    scripts(On::Inline, 200);
}

/// proves: O2
#[test]
fn scripts_on_postgres() {
    scripts(On::Postgres, 20);
}

/// Messages that tie bookings together, in any order, any repetition, claimed in between at any point: the chains are
/// the sets of bookings that hang together, and each state is what its messages come to.
fn ties(on: On, cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::quick(on));
    let store = runtime.block_on(world.store());
    let number = std::cell::Cell::new(0);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(sent in vec((0..6u8, proptest::option::of(0..6u8), 0..20i64, any::<bool>()), 1..14))| {
        number.set(number.get() + 1);
        let workspace = WorkspaceId::new(format!("t{}", number.get()));
        let messages: Vec<BookingMessage> = sent.iter().map(|(booking, old, seconds, _)| match old {
            Some(old) => moved(&name(*old), &name(*booking), *seconds),
            None => booked(&name(*booking), *seconds),
        }).collect();
        let chains = runtime.block_on(tie(&store, &workspace, &sent, &messages));

        let mut sets: Vec<BTreeSet<&str>> = Vec::new();
        for message in &messages {
            let mut joined: BTreeSet<&str> = message.ties().iter().map(|tie| tie.as_str()).collect();
            sets.retain(|set| set.is_disjoint(&joined) || { joined.extend(set.iter().copied()); false });
            sets.push(joined);
        }
        prop_assert_eq!(chains.len(), sets.len());
        let mut expected: Vec<ChainState> = sets.iter().map(|set| {
            let mut state = ChainState::default();
            messages.iter().filter(|message| set.contains(message.root().as_str())).for_each(|message| state.absorb(message));
            state
        }).collect();
        for state in chains {
            let at = expected.iter().position(|one| *one == state);
            prop_assert!(at.is_some(), "a state that no set of messages comes to");
            expected.remove(at.unwrap_or_default());
        }
    });
}

async fn tie(
    store: &Store,
    workspace: &WorkspaceId,
    sent: &[(u8, Option<u8>, i64, bool)],
    messages: &[BookingMessage],
) -> Vec<ChainState> {
    for (at_, ((_, _, _, claims), message)) in sent.iter().zip(messages).enumerate() {
        let now = at_ as i64;
        let taken =
            crate::Delivery { workspace: workspace.clone(), ..delivery(&at_.to_string(), now, vec![message.clone()]) };
        store.take_in(taken).await.unwrap();
        if *claims {
            let held = store.claim(workspace, &worker("w"), at(now), at(now + LEASE), 2, &[]).await.unwrap();
            let ends = held.iter().filter(|one| one.fence % 2 == 0).map(|one| settlement(one, done("1"))).collect();
            store.settle(ends, at(now)).await.unwrap();
        }
    }
    // By then no lease holds a joining up any more; everything is looked at once more.
    for round in 0..4 {
        let now = 1000 * (round + 1);
        let held = store.claim(workspace, &worker("w"), at(now), at(now + LEASE), 100, &[]).await.unwrap();
        store.settle(held.iter().map(|one| settlement(one, done("1"))).collect(), at(now + 1)).await.unwrap();
    }
    let rows = store.bookings(workspace, crate::BookingFilter { limit: 100, ..Default::default() }).await.unwrap();
    let mut states = Vec::new();
    for row in rows {
        states.push(store.booking(workspace, &row.chain).await.unwrap().unwrap().state);
    }
    states
}

/// proves: V1
#[test]
fn ties_on_sqlite() {
    ties(On::Inline, 120);
}

/// proves: O2
#[test]
fn ties_on_postgres() {
    ties(On::Postgres, 15);
}
