//! Taking in what the sides show: pages of rows with the cursors behind them, and hints that a record may have changed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use syncline_core::{
    ids::{IntegrationId, RecordId, WorkspaceId},
    merge::Side,
};

use super::{
    Flow, Tally,
    columns::{fate_columns, fate_of, is_gone, side_column},
    flow::{pulls, set_pulls},
    take_turn, wake,
};
use crate::{
    PullPhase, PullState, RowsTaken, SeenRow, Store, StoredFate, TakeRows,
    db::{Db, Op, P, Row, Scope, statements, to_json},
    error::Result,
    ops::leases::is_held,
};

statements! {
    KNOWN = "select id, changed_at, sweep, fate, into_record, match_key, digest, written from record_entry \
        where workspace = ?1 and integration = ?2 and side = ?3 and kind = ?4 and record = ?5";
    ADD = "insert into record_entry (workspace, integration, side, kind, record, match_key, changed_at, fate, into_record, \
        due_at, tries, revision, sweep, gone_at, seen, digest) \
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, 0, ?11, ?12, ?13, ?14) \
        on conflict (workspace, integration, side, kind, record) do nothing {written}";
    NEWS = "update record_entry set match_key = ?3, changed_at = ?4, fate = ?5, into_record = ?6, \
        due_at = case when due_at < ?7 then due_at else ?7 end, sweep = ?8, \
        gone_at = ?9, seen = ?10, digest = ?11, written = 0, note = null, tries = 0, revision = revision + 1 \
        where workspace = ?1 and id = ?2";
    // What is stored of it reads as nothing that can be relied on: a decision about it reads the record first.
    DOUBT = "update record_entry set seen = ?3, due_at = case when due_at < ?4 then due_at else ?4 end, sweep = ?5, \
        note = null, tries = 0, revision = revision + 1 where workspace = ?1 and id = ?2";
    SEEN_AGAIN = "update record_entry set sweep = ?3 where workspace = ?1 and id = ?2";
    HINT = "update record_entry set due_at = ?6, changed_at = null, note = null, tries = 0, revision = revision + 1 \
        where workspace = ?1 and integration = ?2 and side = ?3 and kind = ?4 and record = ?5 {written}";
}

/// The number of the last whole reading of this kind, the running one included; none where it was never read.
pub(super) fn sweep_of(pulls: &[PullState], side: Side, kind: &str) -> i64 {
    pulls.iter().find(|pull| pull.side == side && pull.kind == kind).map_or(0, |pull| pull.sweep)
}

/// How rows were come by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// Out of an index, which may lag behind.
    Page,
    /// Each by its name: that is how it stands.
    Named,
}

struct Take(TakeRows, Reading);

/// What a row is, compared with what is stored.
enum News {
    New,
    /// `freed` is the key that others may bear now.
    Changed {
        id: i64,
        freed: Option<String>,
        changed_at: Option<i64>,
    },
    Repeated {
        id: i64,
        marked: bool,
    },
    /// As it was before we wrote it, within one second: from before that, or taken back by somebody. Only the record
    /// itself can tell.
    Doubtful {
        id: i64,
    },
}

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

/// Tells the contents of a row apart (FNV-1a: the same on every machine and in every version).
fn digest(json: &[u8]) -> i64 {
    let digest = json.iter().fold(0xcbf2_9ce4_8422_2325_u64, |digest, byte| {
        (digest ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    digest.cast_signed()
}

/// A row says nothing new where it bears the time of the stored one and says the same: a vendor's clock may count whole
/// seconds. One that is older comes out of an index that lags behind. What was read by its name counts whatever time it bears,
/// and what an index shows of before that does not.
fn compare(row: &SeenRow, reading: Reading, digest: i64, known: Option<Row>, sweep: i64) -> Result<News> {
    let Some(mut known) = known else { return Ok(News::New) };
    let id = known.int(0)?;
    // Compared as they are stored, to the microsecond.
    let changed_at = row.changed_at.map(Timestamp::as_microsecond);
    let stamp = known.opt_int(1)?;
    let before = changed_at.zip(stamp);
    let same = |known: &Row| known.opt_int(6).map(|before| before == Some(digest));
    let says_nothing = match before {
        Some((now, before)) if now == before => same(&known)?,
        Some((now, before)) => now < before,
        None => false,
    };
    if reading == Reading::Page && says_nothing && fate_of(&mut known, 3)? == row.fate {
        let is_written = known.int(7)? != 0;
        if is_written && before.is_some_and(|(now, before)| now == before && now % SECOND == 0) {
            return Ok(News::Doubtful { id });
        }
        return Ok(News::Repeated { id, marked: known.int(2)? >= sweep });
    }
    let before = known.opt_text(5)?;
    let bears = |key: &String| row.match_key.as_ref() == Some(key) && !is_gone(&row.fate);
    let changed_at = if reading == Reading::Page { changed_at } else { changed_at.max(stamp) };
    Ok(News::Changed { id, freed: before.filter(|key| !bears(key)), changed_at })
}

/// A row with what is stored of it besides.
struct Sorted<'a> {
    row: &'a SeenRow,
    json: Vec<u8>,
    digest: i64,
    sweep: i64,
    /// Nothing while it is new.
    id: i64,
    /// The vendor's time as it is stored from now on.
    changed_at: Option<i64>,
}

impl Op for Take {
    type Out = Option<RowsTaken>;

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.0.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<Self::Out> {
        let take = &self.0;
        if !is_held(db, &take.workspace, &take.held, take.now).await? {
            return Ok(None);
        }
        let flow = Flow::new(&take.workspace, &take.integration);
        take_turn(db, &flow).await?;
        set_pulls(db, &flow, &take.pulls).await?;
        if take.rows.is_empty() {
            return Ok(Some(RowsTaken::default()));
        }
        let pulls = pulls(db, &flow).await?;
        // Of a record that comes twice the last word counts. In the order of their index they are stored faster.
        let rows: BTreeMap<_, _> = take.rows.iter().map(|row| ((row.side, &row.kind, &row.record), row)).collect();
        let mut taken = RowsTaken { repeated: take.rows.len() - rows.len(), ..RowsTaken::default() };
        let rows = self.add_unread(db, &flow, &pulls, rows.into_values().collect(), &mut taken).await?;
        let [ws, integration] = flow.key();
        let keys: Vec<_> = rows
            .iter()
            .map(|row| [ws, integration, side_column(row.side), P::Text(&row.kind), P::Text(row.record.as_str())])
            .collect();
        let known = db.each(&KNOWN, &keys).await?;
        let (mut new, mut changed, mut again, mut doubtful) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut freed = Vec::new();
        for (row, known) in rows.into_iter().zip(known) {
            let sweep = sweep_of(&pulls, row.side, &row.kind);
            let mut sorted = Sorted::new(row, sweep)?;
            match compare(row, self.1, sorted.digest, known, sweep)? {
                News::New => new.push(sorted),
                News::Changed { id, freed: key, changed_at } => {
                    freed.extend(key);
                    (sorted.id, sorted.changed_at) = (id, changed_at);
                    changed.push(sorted);
                }
                News::Repeated { id, marked } => {
                    taken.repeated += 1;
                    if !marked {
                        again.push([ws, P::Int(id), P::Int(sweep)]);
                    }
                }
                News::Doubtful { id } => {
                    taken.changed += 1;
                    doubtful.push([ws, P::Int(id), P::Blob(&[]), P::time(take.now), P::Int(sweep)]);
                }
            }
        }
        db.each(&SEEN_AGAIN, &again).await?;
        db.each(&DOUBT, &doubtful).await?;
        taken.changed += changed.len();
        self.change(db, &flow, &changed).await?;
        taken.new += self.add(db, &flow, &new).await?.into_iter().filter(|added| *added).count();
        wake::bearers(db, &flow, &freed, take.now).await?;
        Ok(Some(taken))
    }
}

impl<'a> Sorted<'a> {
    fn new(row: &'a SeenRow, sweep: i64) -> Result<Self> {
        let json = to_json(&row.row)?;
        let digest = digest(&json);
        let changed_at = row.changed_at.map(Timestamp::as_microsecond);
        Ok(Self { row, json, digest, sweep, id: 0, changed_at })
    }
}

impl Take {
    /// While a kind is read for the first time nearly every row is new, so it is not looked for before it is added.
    /// Yields the rows that are known, or may be.
    async fn add_unread<'a, D: Db>(
        &self,
        db: &mut D,
        flow: &Flow,
        pulls: &[PullState],
        rows: Vec<&'a SeenRow>,
        taken: &mut RowsTaken,
    ) -> Result<Vec<&'a SeenRow>> {
        let is_unread = |row: &&SeenRow| {
            let of_row = |pull: &&PullState| pull.side == row.side && pull.kind == row.kind;
            pulls.iter().find(of_row).is_some_and(|pull| pull.phase == PullPhase::First)
        };
        let (unread, mut rest): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_unread);
        let unread = unread
            .into_iter()
            .map(|row| Sorted::new(row, sweep_of(pulls, row.side, &row.kind)))
            .collect::<Result<Vec<_>>>()?;
        for (sorted, added) in unread.iter().zip(self.add(db, flow, &unread).await?) {
            if added { taken.new += 1 } else { rest.push(sorted.row) }
        }
        Ok(rest)
    }

    fn gone_at(&self, fate: &StoredFate) -> P<'static> {
        P::opt_time(is_gone(fate).then_some(self.0.now))
    }

    async fn change<D: Db>(&self, db: &mut D, flow: &Flow, rows: &[Sorted<'_>]) -> Result<()> {
        let sets: Vec<_> = rows
            .iter()
            .map(|Sorted { row, json, digest, sweep, id, changed_at }| {
                let [fate, into] = fate_columns(&row.fate);
                let (key, changed_at) = (P::opt_text(row.match_key.as_deref()), P::opt_int(*changed_at));
                let (due, gone) = (P::time(self.0.now), self.gone_at(&row.fate));
                let (seen, digest) = (P::Blob(json), P::Int(*digest));
                [flow.ws(), P::Int(*id), key, changed_at, fate, into, due, P::Int(*sweep), gone, seen, digest]
            })
            .collect();
        db.each(&NEWS, &sets).await?;
        Ok(())
    }

    /// Says of each row whether it was added: one that is known is not.
    async fn add<D: Db>(&self, db: &mut D, flow: &Flow, rows: &[Sorted<'_>]) -> Result<Vec<bool>> {
        let [ws, integration] = flow.key();
        let sets: Vec<_> = rows
            .iter()
            .map(|Sorted { row, json, digest, sweep, .. }| {
                let [fate, into] = fate_columns(&row.fate);
                let (side, kind) = (side_column(row.side), P::Text(&row.kind));
                let (record, key) = (P::Text(row.record.as_str()), P::opt_text(row.match_key.as_deref()));
                let (changed_at, due) = (P::opt_time(row.changed_at), P::time(self.0.now));
                let (sweep, gone) = (P::Int(*sweep), self.gone_at(&row.fate));
                let (seen, digest) = (P::Blob(json), P::Int(*digest));
                [ws, integration, side, kind, record, key, changed_at, fate, into, due, sweep, gone, seen, digest]
            })
            .collect();
        let added: Vec<bool> = db.each(&ADD, &sets).await?.into_iter().map(|row| row.is_some()).collect();
        let mut tally = Tally::default();
        for (Sorted { row, .. }, added) in rows.iter().zip(&added) {
            tally.add_entries(row.side, i64::from(*added));
        }
        tally.keep(db, flow).await?;
        Ok(added)
    }
}

struct Mark {
    flow: Flow,
    side: Side,
    kind: String,
    records: BTreeSet<RecordId>,
    now: Timestamp,
}

impl Op for Mark {
    type Out = ();

    fn scope(&self) -> Scope<'_> {
        Scope::One(&self.flow.workspace)
    }

    async fn run<D: Db>(&self, db: &mut D) -> Result<()> {
        take_turn(db, &self.flow).await?;
        let ([ws, integration], now) = (self.flow.key(), P::time(self.now));
        let (side, kind) = (side_column(self.side), P::Text(&self.kind));
        let sets: Vec<_> =
            self.records.iter().map(|record| [ws, integration, side, kind, P::Text(record.as_str()), now]).collect();
        let known = db.each(&HINT, &sets).await?;
        let sweep = P::Int(sweep_of(&pulls(db, &self.flow).await?, self.side, &self.kind));
        let unknown: Vec<_> = sets
            .into_iter()
            .zip(known)
            .filter(|(_, known)| known.is_none())
            .map(|([ws, integration, side, kind, record, now], _)| {
                let [fate, into] = fate_columns(&StoredFate::Live);
                let nothing = P::Null;
                [
                    ws,
                    integration,
                    side,
                    kind,
                    record,
                    nothing,
                    nothing,
                    fate,
                    into,
                    now,
                    sweep,
                    nothing,
                    nothing,
                    nothing,
                ]
            })
            .collect();
        let added = db.each(&ADD, &unknown).await?.into_iter().flatten().count();
        let mut tally = Tally::default();
        tally.add_entries(self.side, added as i64);
        tally.keep(db, &self.flow).await
    }
}

impl Store {
    /// Stores rows and the cursors behind them: together, and only for whoever holds the lease. A row that comes again
    /// with the vendor's time as it was changes nothing but that it was seen.
    pub async fn take_rows(&self, rows: TakeRows) -> Result<Option<RowsTaken>> {
        self.run(Take(rows, Reading::Page)).await
    }

    /// The same for rows that were read by their names: each is news, whatever time it bears, and the newer one of both
    /// times stays.
    pub async fn take_named_rows(&self, rows: TakeRows) -> Result<Option<RowsTaken>> {
        self.run(Take(rows, Reading::Named)).await
    }

    /// Takes hints that records may have changed: they are due, and the next reading of each counts, whatever time it
    /// bears. Records that nobody has heard of are noted with nothing to show.
    pub async fn mark_rows(
        &self,
        workspace: &WorkspaceId,
        integration: &IntegrationId,
        side: Side,
        kind: &str,
        records: &[RecordId],
        now: Timestamp,
    ) -> Result<()> {
        let flow = Flow::new(workspace, integration);
        let records = records.iter().cloned().collect();
        self.run(Mark { flow, side, kind: kind.to_owned(), records, now }).await
    }
}
