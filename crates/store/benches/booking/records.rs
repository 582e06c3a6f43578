//! Records in step through the store: a first reading of both sides, the adoption of all matches, an idle round, one
//! change.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use syncline_core::{
    description::{FieldDescription, FieldKind, Habits},
    ids::{IntegrationId, RecordId, WorkspaceId},
    merge::{Blanks, Direction, End, Evidence, Images, Kind, Pair, Policy, Row, Rule, RuleKey, Side, merge_rows},
    record::Value,
};
use syncline_store::{
    EntryChange, FinishSweep, Held, JournalEntry, JournalKind, LinkRef, NewLink, PullPhase, PullState, RowsTaken,
    SaveRows, SeenRow, Store, StoredEntry, StoredFate, SweepEnd, TakeRows, WorkerId,
};

/// Rows of one page.
const PAGE: usize = 2_000;
/// Entries decided about in one round.
const ROUND: usize = 4_000;
/// Fields of one record.
const FIELDS: u32 = 10;

/// How often what takes no time is done, to measure it.
const TIMES: u32 = 20;

/// A time, and what of it was spent on the processor, in microseconds.
#[derive(Clone, Copy)]
pub struct Lap {
    pub wall: Duration,
    pub cpu: u64,
}

struct Watch(Instant, u64);

impl Watch {
    fn start() -> Self {
        Self(Instant::now(), cpu_micros())
    }

    fn lap(&self) -> Lap {
        Lap { wall: self.0.elapsed(), cpu: cpu_micros() - self.1 }
    }
}

/// How long everything took.
pub struct Took {
    pub rows: usize,
    pub read: Lap,
    pub links: usize,
    /// Through the merge, into links with their images and a line of the journal each.
    pub adopt: Lap,
    /// Asking what is due where nothing is.
    pub idle: Duration,
    /// Taking one changed row in, finding it due, and writing down that it rests.
    pub change: Duration,
    /// Reading one side once more, with nothing new in it, and looking what is missing.
    pub again: Lap,
    pub finish: Duration,
}

struct Bench<'a> {
    store: &'a Store,
    rules: Vec<Rule>,
    workspace: WorkspaceId,
    integration: IntegrationId,
    held: Held,
    now: Timestamp,
}

/// Goes the whole way with so many people on each side.
pub async fn run(store: &Store, people: usize) -> Took {
    let (workspace, now) = (WorkspaceId::new("bench"), Timestamp::from_second(1_772_000_000).unwrap_or_default());
    let holder = WorkerId("worker-1".to_owned());
    let until = now + SignedDuration::from_hours(24);
    let fence = store.acquire_lease(&workspace, "records", &holder, now, until).await.expect("the store answers");
    let held = Held { name: "records".to_owned(), holder, fence: fence.expect("nobody else holds it") };
    let bench = Bench { store, rules: rules(), workspace, integration: IntegrationId::new("newsletter"), held, now };

    let watch = Watch::start();
    for side in Side::BOTH {
        for from in (0..people).step_by(PAGE) {
            let rows = (from..people.min(from + PAGE)).map(|number| bench.row(side, number, 0)).collect();
            let taken = bench.take(rows, PullPhase::First, 1).await;
            assert_eq!(taken.repeated, 0);
        }
    }
    let read = watch.lap();

    let watch = Watch::start();
    let mut links = 0;
    loop {
        let adopted = bench.adopt().await;
        links += adopted;
        if adopted == 0 {
            break;
        }
    }
    let adopt = watch.lap();

    let began = Instant::now();
    for _ in 0..TIMES {
        let due = store.due_rows(&bench.workspace, &bench.integration, now, ROUND).await.expect("the store answers");
        assert!(due.is_empty());
    }
    let idle = began.elapsed() / TIMES;
    let began = Instant::now();
    for change in 1..=TIMES {
        let row = bench.row(Side::Left, people / 2, i64::from(change));
        bench.take(vec![row], PullPhase::Changes, 1).await;
        assert_eq!(bench.rest().await, 1);
    }
    let change = began.elapsed() / TIMES;

    let watch = Watch::start();
    for from in (0..people).step_by(PAGE) {
        let numbers = (from..people.min(from + PAGE)).filter(|number| *number != people / 2);
        let rows = numbers.map(|number| bench.row(Side::Left, number, 0)).collect();
        let taken = bench.take(rows, PullPhase::Sweep, 2).await;
        assert_eq!(taken.new + taken.changed, 0);
    }
    let again = watch.lap();
    let began = Instant::now();
    assert_eq!(bench.finish().await, SweepEnd::Done { missing: 1 });
    Took { rows: 2 * people, read, links, adopt, idle, change, again, finish: began.elapsed() }
}

/// Numbers as digests have them: nine or ten digits.
fn key(field: u32) -> RuleKey {
    RuleKey(3_000_000_000 + 7_654_321 * field)
}

/// Texts that travel both ways.
fn rules() -> Vec<Rule> {
    let shape = FieldDescription {
        length: Some(80),
        habits: Habits { trims: true, ..Habits::default() },
        ..FieldDescription::plain("", FieldKind::Text)
    };
    let rule = |field: u32| Rule {
        key: key(field),
        left: End::new(format!("Field{field}"), shape.clone()),
        right: End::new(format!("FIELD{field}"), shape.clone()),
        kind: Kind::Plain,
        direction: Direction::Both,
        policy: Policy::Prefer(Side::Left),
        blanks: Blanks::Propagate,
        truncate: false,
        group: None,
    };
    (0..FIELDS).map(rule).collect()
}

impl Bench<'_> {
    fn row(&self, side: Side, number: usize, changes: i64) -> SeenRow {
        let value = |field: u32| Value::text(format!("value {field} of {number} {changes}"));
        let row: Row = (0..FIELDS).map(|field| (key(field), value(field))).collect();
        let record = match side {
            Side::Left => format!("003{number:015}"),
            Side::Right => format!("{number}"),
        };
        // In no order, as addresses are.
        let key = format!("{:08x}@example.org", (number as u32).wrapping_mul(2_654_435_761));
        SeenRow {
            side,
            kind: "contact".to_owned(),
            record: RecordId::new(record),
            match_key: Some(key),
            row,
            changed_at: Some(self.now + SignedDuration::from_secs(changes)),
            fate: StoredFate::Live,
        }
    }

    async fn take(&self, rows: Vec<SeenRow>, phase: PullPhase, sweep: i64) -> RowsTaken {
        let pull = PullState {
            side: Side::Left,
            kind: "contact".to_owned(),
            phase,
            cursor: Some("cursor".to_owned()),
            next_at: self.now,
            failures: 0,
            problem: None,
            read_at: None,
            sweep,
            changes_cursor: None,
            swept_at: None,
            fields: None,
        };
        let (workspace, integration) = (self.workspace.clone(), self.integration.clone());
        let take = TakeRows { workspace, integration, held: self.held.clone(), now: self.now, rows, pulls: vec![pull] };
        self.store.take_rows(take).await.expect("the store answers").expect("the lease is held")
    }

    async fn finish(&self) -> SweepEnd {
        let end = FinishSweep {
            workspace: self.workspace.clone(),
            integration: self.integration.clone(),
            held: self.held.clone(),
            now: self.now,
            side: Side::Left,
            kind: "contact".to_owned(),
            sweep: 2,
            confirmed: false,
        };
        self.store.finish_sweep(end).await.expect("the store answers").expect("the lease is held")
    }

    /// Links those of the left side that are due with their likes; says how many.
    async fn adopt(&self) -> usize {
        let due = self.store.due_rows(&self.workspace, &self.integration, self.now, ROUND).await;
        let due: Vec<_> = due.expect("the store answers").into_iter().filter(|work| work.link.is_none()).collect();
        let keys: Vec<String> = due.iter().filter_map(|work| work.entry.match_key.clone()).collect();
        let others = self.store.rows_by_key(&self.workspace, &self.integration, Side::Right, &keys).await;
        let others: std::collections::BTreeMap<_, _> =
            others.expect("the store answers").into_iter().map(|entry| (entry.match_key.clone(), entry)).collect();
        let mut rows = SaveRows::default();
        for work in due.iter().filter(|work| work.entry.side == Side::Left) {
            let Some(other) = others.get(&work.entry.match_key) else { continue };
            let images = self.merged(&work.entry, other);
            rows.journal.push(self.line(&work.entry, other));
            let link = Some(LinkRef::New(rows.new_links.len()));
            let (left, right) = (Some(work.entry.id), Some(other.id));
            rows.new_links.push(NewLink { pair: "people".to_owned(), left, right, images });
            for entry in [&work.entry, other] {
                rows.entries.push(EntryChange {
                    id: entry.id,
                    revision: entry.revision,
                    link,
                    seen: None,
                    due_at: None,
                    note: None,
                    tries: 0,
                    fate: StoredFate::Live,
                    let_go: false,
                    written: false,
                });
                rows.holds.push((entry.id, Vec::new()));
            }
        }
        self.save(rows).await
    }

    /// What both agree on.
    fn merged(&self, left: &StoredEntry, right: &StoredEntry) -> Images {
        let (Some(left), Some(right)) = (&left.seen, &right.seen) else { return Images::new() };
        let merge = merge_rows(&self.rules, None, &Images::new(), Pair { left, right }, |_| Evidence::default());
        assert_eq!(merge.adopted.len(), self.rules.len());
        merge.adopted.into_iter().collect()
    }

    fn line(&self, left: &StoredEntry, right: &StoredEntry) -> JournalEntry {
        let text = format!("{} {} and {} {} are one", left.kind, left.record, right.kind, right.record);
        let details = serde_json::json!({ "action": "tied", "by": "address", "pair": "people" });
        JournalEntry { at: self.now, kind: JournalKind::Written, text, details }
    }

    /// Lets rest what is due; says how many that were.
    async fn rest(&self) -> usize {
        let due = self.store.due_rows(&self.workspace, &self.integration, self.now, ROUND).await;
        let due = due.expect("the store answers");
        let entries = due.iter().map(|work| EntryChange {
            id: work.entry.id,
            revision: work.entry.revision,
            link: work.entry.link.map(LinkRef::Known),
            seen: None,
            due_at: None,
            note: None,
            tries: 0,
            fate: StoredFate::Live,
            let_go: false,
            written: false,
        });
        self.save(SaveRows { entries: entries.collect(), ..SaveRows::default() }).await;
        due.len()
    }

    async fn save(&self, rows: SaveRows) -> usize {
        let saved = self.store.save_rows(&self.workspace, &self.integration, &self.held, self.now, rows).await;
        saved.expect("the store answers").expect("the lease is held").links.len()
    }
}

/// This process' CPU time so far, its waiting excluded; 0 where the system does not tell.
pub fn cpu_micros() -> u64 {
    // Fields 14 and 15 of proc(5)'s stat: user and system time, in ticks of 10 ms.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10_000
}
