//! Random scripts against a plain model: whatever is done in whatever order, both databases do what the model says.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};
use syncline_core::ids::WorkspaceId;

use super::*;
use crate::{FinishSweep, SweepEnd};

/// Records of each side that a script is about: few, so that much happens to each.
const RECORDS: u8 = 4;

#[derive(Debug, Clone)]
enum Act {
    Take {
        side: Side,
        record: u8,
        time: Option<u8>,
        fate: u8,
    },
    Mark {
        side: Side,
        record: u8,
    },
    /// Remembers an entry as it is now, as a decision does that takes its time.
    Read {
        side: Side,
        record: u8,
    },
    /// Saves the n-th of what was read: at rest, or due later.
    Save {
        read: u8,
        later: bool,
        hold: bool,
    },
    Link {
        left: u8,
        right: u8,
    },
    /// Saves new images and a refusal for what was read of a link.
    Change {
        read: u8,
    },
    Drop {
        read: u8,
    },
    Plan {
        read: u8,
    },
    Outcome,
    Release {
        all: bool,
        side: Side,
        record: u8,
    },
    Decide {
        side: Side,
        record: u8,
        to: Side,
    },
    Begin {
        side: Side,
    },
    Finish {
        side: Side,
        confirmed: bool,
    },
    Wait,
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Left), Just(Side::Right)]
}

fn act() -> impl Strategy<Value = Act> {
    let record = || 0..RECORDS;
    prop_oneof![
        6 => (side(), record(), proptest::option::of(0..3u8), 0..4u8).prop_map(|(side, record, time, fate)| Act::Take { side, record, time, fate }),
        2 => (side(), record()).prop_map(|(side, record)| Act::Mark { side, record }),
        4 => (side(), record()).prop_map(|(side, record)| Act::Read { side, record }),
        5 => (any::<u8>(), any::<bool>(), any::<bool>()).prop_map(|(read, later, hold)| Act::Save { read, later, hold }),
        3 => (record(), record()).prop_map(|(left, right)| Act::Link { left, right }),
        2 => any::<u8>().prop_map(|read| Act::Change { read }),
        1 => any::<u8>().prop_map(|read| Act::Drop { read }),
        2 => any::<u8>().prop_map(|read| Act::Plan { read }),
        2 => Just(Act::Outcome),
        2 => (any::<bool>(), side(), record()).prop_map(|(all, side, record)| Act::Release { all, side, record }),
        2 => (side(), record(), side()).prop_map(|(side, record, to)| Act::Decide { side, record, to }),
        1 => side().prop_map(|side| Act::Begin { side }),
        2 => (side(), any::<bool>()).prop_map(|(side, confirmed)| Act::Finish { side, confirmed }),
        3 => Just(Act::Wait),
    ]
}

/// What the model knows of an entry.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    id: i64,
    link: Option<i64>,
    seen: bool,
    changed_at: Option<i64>,
    fate: StoredFate,
    due: Option<i64>,
    revision: i64,
    sweep: i64,
    held: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Link {
    left: Option<i64>,
    right: Option<i64>,
    images: Images,
    refused: Vec<(RuleKey, u64)>,
    decided: Vec<(RuleKey, Side)>,
    revision: i64,
}

#[derive(Default)]
struct Model {
    now: i64,
    entries: BTreeMap<(Side, u8), Entry>,
    links: BTreeMap<i64, Link>,
    /// Open steps with their links, the oldest first.
    steps: Vec<(i64, i64)>,
    sweeps: BTreeMap<Side, i64>,
}

impl Model {
    fn news(&mut self, key: (Side, u8)) -> &mut Entry {
        let now = self.now;
        let entry = self.entries.get_mut(&key).unwrap();
        entry.due = Some(now);
        entry.revision += 1;
        entry
    }

    fn link_of(&mut self, key: (Side, u8)) -> Option<&mut Link> {
        let link = self.entries.get(&key)?.link?;
        self.links.get_mut(&link)
    }
}

struct Run {
    store: Store,
    workspace: WorkspaceId,
    held: Held,
    model: Model,
    reads: Vec<((Side, u8), StoredEntry, Option<StoredLink>)>,
}

fn name(record: u8) -> RecordId {
    RecordId::new(format!("r{record}"))
}

fn fate(number: u8) -> StoredFate {
    match number {
        0 | 1 => StoredFate::Live,
        2 => StoredFate::Deleted,
        _ => StoredFate::ConvertedTo("other".into()),
    }
}

impl Run {
    async fn new(store: Store, workspace: WorkspaceId) -> Self {
        let fence = store.acquire_lease(&workspace, LEASE, &worker("w"), at(0), at(9000)).await.unwrap().unwrap();
        let held = Held { name: LEASE.to_owned(), holder: worker("w"), fence };
        Self { store, workspace, held, model: Model::default(), reads: Vec::new() }
    }

    async fn act(&mut self, act: &Act) {
        match *act {
            Act::Take { side, record, time, fate: of } => self.take(side, record, time, fate(of)).await,
            Act::Mark { side, record } => self.mark(side, record).await,
            Act::Read { side, record } => {
                if let Some(entry) = self.stored(side, record).await {
                    let link = match entry.link {
                        Some(id) => self.link(id).await,
                        None => None,
                    };
                    self.reads.push(((side, record), entry, link));
                }
            }
            Act::Save { read, later, hold } => self.save_entry(read, later, hold).await,
            Act::Link { left, right } => self.join(left, right).await,
            Act::Change { read } => self.change(read).await,
            Act::Drop { read } => self.drop_link(read).await,
            Act::Plan { read } => self.plan(read).await,
            Act::Outcome => {
                if !self.model.steps.is_empty() {
                    let (step, _) = self.model.steps.remove(0);
                    self.save(SaveRows { drop_steps: vec![step], ..SaveRows::default() }).await;
                }
            }
            Act::Release { all, side, record } => self.release(all, side, record).await,
            Act::Decide { side, record, to } => self.decide(side, record, to).await,
            Act::Begin { side } => {
                let sweep = self.model.sweeps.get(&side).copied().unwrap_or(0) + 1;
                self.model.sweeps.insert(side, sweep);
                self.take_in(Vec::new(), vec![pull(side, PullPhase::Sweep, sweep)]).await;
            }
            Act::Finish { side, confirmed } => self.finish(side, confirmed).await,
            Act::Wait => self.model.now += 1,
        }
    }

    async fn stored(&self, side: Side, record: u8) -> Option<StoredEntry> {
        let found = self.store.rows_by_record(&self.workspace, &flow(), side, "contact", &[name(record)]).await;
        found.unwrap().pop()
    }

    async fn link(&self, id: i64) -> Option<StoredLink> {
        self.store.links_by_id(&self.workspace, &flow(), &[id]).await.unwrap().pop().map(|pair| pair.link)
    }

    async fn save(&self, rows: SaveRows) -> crate::RowsSaved {
        let now = at(self.model.now);
        self.store.save_rows(&self.workspace, &flow(), &self.held, now, rows).await.unwrap().unwrap()
    }

    async fn take_in(&self, rows: Vec<SeenRow>, pulls: Vec<PullState>) -> crate::RowsTaken {
        let take = TakeRows { workspace: self.workspace.clone(), ..taking(&self.held, self.model.now, rows, pulls) };
        self.store.take_rows(take).await.unwrap().unwrap()
    }

    async fn take(&mut self, side: Side, record: u8, time: Option<u8>, fate: StoredFate) {
        let changed_at = time.map(i64::from);
        let row = SeenRow {
            record: name(record),
            match_key: None,
            changed_at: changed_at.map(at),
            fate: fate.clone(),
            ..seen(side, "x", 0)
        };
        let taken = self.take_in(vec![row], Vec::new()).await;
        let sweep = self.model.sweeps.get(&side).copied().unwrap_or(0);
        let Some(entry) = self.model.entries.get_mut(&(side, record)) else {
            assert_eq!(taken.new, 1);
            return self.learn(side, record, changed_at, fate, true).await;
        };
        entry.sweep = sweep;
        let is_old = entry.changed_at.zip(changed_at).is_some_and(|(before, now)| now <= before);
        if is_old && entry.fate == fate {
            assert_eq!(taken.repeated, 1);
            return;
        }
        assert_eq!(taken.changed, 1);
        // Who waits already does not wait longer because of further news.
        let due = entry.due.unwrap_or(i64::MAX).min(self.model.now);
        let entry = self.model.news((side, record));
        (entry.seen, entry.changed_at, entry.fate, entry.due) = (true, changed_at, fate, Some(due));
    }

    async fn learn(&mut self, side: Side, record: u8, changed_at: Option<i64>, fate: StoredFate, seen: bool) {
        let id = self.stored(side, record).await.expect("it was just stored").id;
        let sweep = self.model.sweeps.get(&side).copied().unwrap_or(0);
        let due = Some(self.model.now);
        let entry = Entry { id, link: None, seen, changed_at, fate, due, revision: 0, sweep, held: false };
        self.model.entries.insert((side, record), entry);
    }

    async fn mark(&mut self, side: Side, record: u8) {
        let (store, now) = (self.store.clone(), at(self.model.now));
        store.mark_rows(&self.workspace, &flow(), side, "contact", &[name(record)], now).await.unwrap();
        if self.model.entries.contains_key(&(side, record)) {
            self.model.news((side, record)).changed_at = None;
        } else {
            self.learn(side, record, None, StoredFate::Live, false).await;
        }
    }

    fn read(&self, read: u8) -> Option<((Side, u8), StoredEntry, Option<StoredLink>)> {
        (!self.reads.is_empty()).then(|| self.reads[usize::from(read) % self.reads.len()].clone())
    }

    async fn save_entry(&mut self, read: u8, later: bool, hold: bool) {
        let Some((key, stored, _)) = self.read(read) else { return };
        let due = later.then_some(self.model.now + 2);
        // The link is what the model has, so that no script ties an entry to a link that does not name it.
        let link = self.model.entries[&key].link;
        let change = EntryChange { due_at: due.map(at), ..rests(&stored, link.map(LinkRef::Known)) };
        let holds = vec![(stored.id, if hold { vec![refusal("both")] } else { Vec::new() })];
        self.save(SaveRows { entries: vec![change], holds, ..SaveRows::default() }).await;
        let entry = self.model.entries.get_mut(&key).unwrap();
        entry.held = hold;
        if entry.revision == stored.revision {
            (entry.due, entry.seen, entry.fate) = (due, false, stored.fate);
        }
    }

    async fn join(&mut self, left: u8, right: u8) {
        let keys = [(Side::Left, left), (Side::Right, right)];
        let free = |key| self.model.entries.get(&key).is_some_and(|entry: &Entry| entry.link.is_none());
        if !keys.iter().all(|key| free(*key)) {
            return;
        }
        let (one, two) = (self.stored(Side::Left, left).await.unwrap(), self.stored(Side::Right, right).await.unwrap());
        let entries = [&one, &two].map(|entry| rests(entry, Some(LinkRef::New(0)))).to_vec();
        let rows = SaveRows { entries, new_links: vec![joined(Some(&one), Some(&two))], ..SaveRows::default() };
        let id = self.save(rows).await.links[0];
        for key in keys {
            let entry = self.model.entries.get_mut(&key).unwrap();
            (entry.link, entry.due, entry.seen) = (Some(id), None, false);
        }
        let (left, right) = (Some(one.id), Some(two.id));
        let link = Link { left, right, images: images("ada"), refused: vec![], decided: vec![], revision: 0 };
        self.model.links.insert(id, link);
    }

    async fn change(&mut self, read: u8) {
        let Some((_, _, Some(stored))) = self.read(read) else { return };
        let Some(link) = self.model.links.get_mut(&stored.id) else { return };
        let (text, refused) = (images(&self.model.now.to_string()), vec![(RuleKey(1), 7)]);
        link.images = text.clone();
        link.decided.retain(|decision| !stored.decided.contains(decision));
        if link.revision == stored.revision {
            link.refused = refused.clone();
        }
        let carried_out = stored.decided.clone();
        let change = LinkChange { images: text, refused, carried_out, ..unchanged(&stored) };
        self.save(SaveRows { links: vec![change], ..SaveRows::default() }).await;
    }

    async fn drop_link(&mut self, read: u8) {
        let Some((_, _, Some(stored))) = self.read(read) else { return };
        self.save(SaveRows { drop_links: vec![stored.id], ..SaveRows::default() }).await;
        self.model.links.remove(&stored.id);
        self.model.steps.retain(|(_, link)| *link != stored.id);
        for entry in self.model.entries.values_mut().filter(|entry| entry.link == Some(stored.id)) {
            entry.link = None;
        }
    }

    async fn plan(&mut self, read: u8) {
        let Some((_, _, Some(stored))) = self.read(read) else { return };
        if !self.model.links.contains_key(&stored.id) {
            return;
        }
        let step = creation(LinkRef::Known(stored.id), self.model.now);
        let steps = self.save(SaveRows { new_steps: vec![step], ..SaveRows::default() }).await.steps;
        self.model.steps.push((steps[0], stored.id));
    }

    async fn release(&mut self, all: bool, side: Side, record: u8) {
        let chosen: Vec<(Side, u8)> = if all {
            self.model.entries.iter().filter(|(_, entry)| entry.held).map(|(key, _)| *key).collect()
        } else {
            self.model.entries.contains_key(&(side, record)).then_some((side, record)).into_iter().collect()
        };
        let ids: Vec<i64> = chosen.iter().map(|key| self.model.entries[key].id).collect();
        let (which, now) = ((!all).then_some(ids.as_slice()), at(self.model.now));
        let count = self.store.release_holds(&self.workspace, &flow(), which, now).await.unwrap();
        assert_eq!(count, chosen.len() as u64);
        let mut links: Vec<i64> = chosen.iter().filter_map(|key| self.model.entries[key].link).collect();
        links.sort_unstable();
        links.dedup();
        for link in links {
            let link = self.model.links.get_mut(&link).unwrap();
            link.refused.clear();
            link.revision += 1;
        }
        for key in chosen {
            self.model.news(key);
        }
    }

    async fn decide(&mut self, side: Side, record: u8, to: Side) {
        let Some(entry) = self.model.entries.get(&(side, record)).cloned() else { return };
        let now = at(self.model.now);
        let done = self.store.decide_hold(&self.workspace, &flow(), entry.id, RuleKey(1), to, now).await.unwrap();
        assert_eq!(done, entry.held && entry.link.is_some());
        if done {
            let link = self.model.link_of((side, record)).unwrap();
            link.decided = vec![(RuleKey(1), to)];
            link.revision += 1;
            self.model.news((side, record));
        }
    }

    async fn finish(&mut self, side: Side, confirmed: bool) {
        let sweep = self.model.sweeps.get(&side).copied().unwrap_or(0);
        let end = FinishSweep {
            workspace: self.workspace.clone(),
            integration: flow(),
            held: self.held.clone(),
            now: at(self.model.now),
            side,
            kind: "contact".to_owned(),
            sweep,
            confirmed,
        };
        let live = |((of, _), entry): &(&(Side, u8), &Entry)| *of == side && entry.fate == StoredFate::Live;
        let live: Vec<_> = self.model.entries.iter().filter(live).map(|(key, entry)| (*key, entry.sweep)).collect();
        let missing: Vec<_> = live.iter().filter(|(_, seen)| *seen < sweep).map(|(key, _)| *key).collect();
        let (gone, total) = (missing.len() as u64, live.len() as u64);
        let ended = self.store.finish_sweep(end).await.unwrap().unwrap();
        if !confirmed && gone > 0 && gone == total {
            assert_eq!(ended, SweepEnd::TooMany { missing: gone, total });
            return;
        }
        assert_eq!(ended, SweepEnd::Done { missing: gone });
        for key in missing {
            self.model.news(key).fate = StoredFate::Missing;
        }
    }

    /// All that can be seen from outside is as the model has it.
    async fn check(&self) {
        for ((side, record), entry) in &self.model.entries {
            let stored = self.stored(*side, *record).await.unwrap();
            let changed_at = stored.changed_at.map(|time| time.as_second() - at(0).as_second());
            let due = stored.due_at.map(|time| time.as_second() - at(0).as_second());
            let found = (stored.id, stored.link, stored.seen.is_some(), changed_at, stored.fate, due, stored.revision);
            let entry = entry.clone();
            assert_eq!(
                found,
                (entry.id, entry.link, entry.seen, entry.changed_at, entry.fate, entry.due, entry.revision)
            );
        }
        for (id, link) in &self.model.links {
            let StoredLink { left, right, images, refused, decided, revision, .. } = self.link(*id).await.unwrap();
            assert_eq!(Link { left, right, images, refused, decided, revision }, *link);
        }
        let blocked = |entry: &Entry| self.model.steps.iter().any(|(_, link)| entry.link == Some(*link));
        let waiting = self.model.entries.values().filter(|entry| entry.due.is_some_and(|due| due <= self.model.now));
        let mut expected: Vec<_> = waiting.filter(|entry| !blocked(entry)).map(|entry| (entry.due, entry.id)).collect();
        expected.sort_unstable();
        let work = self.store.due_rows(&self.workspace, &flow(), at(self.model.now), 100).await.unwrap();
        assert_eq!(
            work.iter().map(|work| work.entry.id).collect::<Vec<_>>(),
            expected.iter().map(|one| one.1).collect::<Vec<_>>()
        );
        for one in &work {
            let link = one.entry.link.map(|id| &self.model.links[&id]);
            let partner = link.and_then(|link| if one.entry.side == Side::Left { link.right } else { link.left });
            assert_eq!(one.link.as_ref().map(|link| link.id), one.entry.link);
            assert_eq!(one.partner.as_ref().map(|partner| partner.id), partner);
        }
        let count = |side: Side| self.model.entries.keys().filter(|(of, _)| *of == side).count() as u64;
        let all = self.model.entries.values();
        let expected = crate::FlowCounts {
            left: count(Side::Left),
            right: count(Side::Right),
            links: self.model.links.len() as u64,
            due: all.clone().filter(|entry| entry.due.is_some()).count() as u64,
            held: all.filter(|entry| entry.held).count() as u64,
            open_steps: self.model.steps.len() as u64,
        };
        assert_eq!(self.store.flow_counts(&self.workspace, &flow()).await.unwrap(), expected);
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
        runtime.block_on(async {
            let mut run = Run::new(store.clone(), WorkspaceId::new(format!("w{}", number.get()))).await;
            for act in &script {
                run.act(act).await;
                run.check().await;
            }
        });
    });
}

/// proves: V1
#[test]
fn scripts_on_sqlite() {
    scripts(On::Inline, 150);
}

/// proves: O2
#[test]
fn scripts_on_postgres() {
    scripts(On::Postgres, 12);
}
