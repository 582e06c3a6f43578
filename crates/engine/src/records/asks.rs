//! Carrying out what people and automations asked for: a record on the left for one of the right. What is asked for becomes
//! a link whose left record is yet to be made; from there on it is decided about like any other.

use std::collections::BTreeMap;

use serde_json::json;
use syncline_connect::mirror::Lookup;
use syncline_core::{
    ids::RecordId,
    merge::{Fate, Images, Side},
};
use syncline_store::{
    Ask, AskTaken, EntryChange, JournalEntry, JournalKind, LinkRef, NewLink, SaveRows, StoredEntry, Subject,
};

use super::{
    DECIDE_BATCH, Halt, RecordFlow, Round, Turn,
    plan::month,
    rows::seen_row,
    write_down::{at_rest, named},
};
use crate::engine::Engine;

/// Why something cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskRefused {
    /// There is no pair of this name, or several and none was named.
    NoSuchPair,
    /// The pair makes nothing on request.
    NotAllowed { pair: String },
}

impl Engine {
    /// Notes that somebody wants a record on the left for one of the right; without a name, of the only pair that makes
    /// records on request.
    pub async fn ask_for_record(
        &self,
        flow: &RecordFlow,
        pair: Option<&str>,
        subject: Subject,
    ) -> syncline_store::Result<Result<AskTaken, AskRefused>> {
        let mut open = flow.pairs.iter().filter(|known| known.on_request);
        let pair = match (pair, open.next(), open.next()) {
            (None, Some(only), None) => only,
            (None, ..) => return Ok(Err(AskRefused::NoSuchPair)),
            (Some(name), ..) => match flow.pairs.iter().find(|known| known.name == name) {
                Some(known) if known.on_request => known,
                Some(known) => return Ok(Err(AskRefused::NotAllowed { pair: known.name.clone() })),
                None => return Ok(Err(AskRefused::NoSuchPair)),
            },
        };
        let ask = Ask { pair: pair.name.clone(), subject };
        let now = self.world.clock.now();
        self.world.store.ask_for(&flow.workspace, &flow.id, ask, now).await.map(Ok)
    }

    /// Carries out what was asked for.
    pub(crate) async fn carry_out_asks(&self, turn: &Turn<'_>, round: &mut Round) -> Result<(), Halt> {
        let flow = turn.flow;
        loop {
            let asks = self.world.store.asks(&flow.workspace, &flow.id, DECIDE_BATCH).await?;
            if asks.is_empty() {
                return Ok(());
            }
            let full = asks.len() >= DECIDE_BATCH;
            let mut found = self.subjects(turn, &asks).await?;
            let unknown: Vec<&Ask> = asks.iter().filter(|ask| !found.contains_key(ask)).collect();
            if !unknown.is_empty() {
                self.read_subjects(turn, &unknown, round).await?;
                found = self.subjects(turn, &asks).await?;
            }
            let now = self.world.clock.now();
            let mut answers = Answers { save: SaveRows { month: month(now), ..SaveRows::default() }, now };
            for ask in &asks {
                answers.take(ask, found.get(ask).map_or(&[], Vec::as_slice));
            }
            self.save(turn, now, answers.save).await?;
            if !full {
                return Ok(());
            }
        }
    }

    /// The stored records that are meant.
    async fn subjects(&self, turn: &Turn<'_>, asks: &[Ask]) -> Result<BTreeMap<Ask, Vec<StoredEntry>>, Halt> {
        let (flow, store) = (turn.flow, &self.world.store);
        let mut found: BTreeMap<Ask, Vec<StoredEntry>> = BTreeMap::new();
        for (kind, ids, addresses) in by_kind(turn, asks.iter()) {
            let by_id = store.rows_by_record(&flow.workspace, &flow.id, Side::Right, kind, &ids).await?;
            let by_address = store.rows_by_key(&flow.workspace, &flow.id, Side::Right, &addresses).await?;
            let shows = |entry: &&StoredEntry| entry.kind == kind && entry.fate == Fate::Live;
            for entry in by_id.iter().chain(&by_address).filter(shows) {
                let meant = |ask: &&Ask| kind_of(turn, ask) == Some(kind) && is_meant(&ask.subject, entry);
                for ask in asks.iter().filter(meant) {
                    let entries = found.entry(ask.clone()).or_default();
                    if entries.iter().all(|known| known.id != entry.id) {
                        entries.push(entry.clone());
                    }
                }
            }
        }
        Ok(found)
    }

    /// Reads those that no look has shown yet.
    async fn read_subjects(&self, turn: &Turn<'_>, asks: &[&Ask], round: &mut Round) -> Result<(), Halt> {
        for (kind, ids, addresses) in by_kind(turn, asks.iter().copied()) {
            let Some(view) = turn.compiled.kinds(Side::Right).get(kind) else { continue };
            self.extend(turn, self.world.clock.now()).await?;
            let mut seen: Vec<_> =
                self.fetch_rows(turn, Side::Right, kind, view, &ids, &mut round.calls).await?.into_values().collect();
            if !addresses.is_empty() {
                let lookup = Lookup::Email(&addresses);
                seen.extend(self.find_rows(turn, Side::Right, kind, view, lookup, &mut round.calls).await?);
            }
            let rows = seen.into_iter().map(|seen| seen_row(Side::Right, kind, view, seen)).collect();
            self.take(turn, rows).await?;
        }
        Ok(())
    }
}

/// The right side's kind of an ask's pair.
fn kind_of<'t>(turn: &Turn<'t>, ask: &Ask) -> Option<&'t str> {
    let pair = turn.compiled.flow.pairs.iter().find(|pair| pair.name == ask.pair)?;
    Some(pair.right.kind.as_str())
}

/// Ids and addresses that are asked for, by the right side's kind.
fn by_kind<'t, 'a>(turn: &Turn<'t>, asks: impl Iterator<Item = &'a Ask>) -> Vec<(&'t str, Vec<RecordId>, Vec<String>)> {
    let mut kinds: BTreeMap<&str, (Vec<RecordId>, Vec<String>)> = BTreeMap::new();
    for ask in asks {
        let Some(kind) = kind_of(turn, ask) else { continue };
        let (ids, addresses) = kinds.entry(kind).or_default();
        match &ask.subject {
            Subject::Record(record) => ids.push(record.clone()),
            Subject::Address(address) => addresses.push(address.clone()),
        }
    }
    kinds.into_iter().map(|(kind, (ids, addresses))| (kind, ids, addresses)).collect()
}

fn is_meant(subject: &Subject, entry: &StoredEntry) -> bool {
    match subject {
        Subject::Record(record) => entry.record == *record,
        Subject::Address(address) => entry.match_key.as_ref() == Some(address),
    }
}

/// Turns asks into what the store keeps.
struct Answers {
    save: SaveRows,
    now: jiff::Timestamp,
}

impl Answers {
    fn take(&mut self, ask: &Ask, found: &[StoredEntry]) {
        self.save.answered.push(ask.clone());
        let taken = |save: &SaveRows, entry: &StoredEntry| save.entries.iter().any(|change| change.id == entry.id);
        match found {
            [] => self.line(JournalKind::Unchanged, ask, "nobody is there for whom a record was asked".to_owned()),
            [entry] if entry.link.is_some() || taken(&self.save, entry) => {
                let text = format!("{}: a record was asked for, and there is one", named(entry));
                self.line(JournalKind::Unchanged, ask, text);
            }
            [entry] => {
                let link = LinkRef::New(self.save.new_links.len());
                self.save.new_links.push(NewLink {
                    pair: ask.pair.clone(),
                    left: None,
                    right: Some(entry.id),
                    images: Images::new(),
                });
                let change = EntryChange { link: Some(link), due_at: Some(self.now), let_go: false, ..at_rest(entry) };
                self.save.entries.push(change);
                self.line(JournalKind::Message, ask, format!("{}: a record is asked for", named(entry)));
            }
            [entry, ..] => {
                let text = format!("{}: a record was asked for, and several bear the address", named(entry));
                self.line(JournalKind::Unchanged, ask, text);
            }
        }
    }

    fn line(&mut self, kind: JournalKind, ask: &Ask, text: String) {
        let details = json!({ "action": "asked", "pair": ask.pair });
        self.save.journal.push(JournalEntry { at: self.now, kind, text, details });
    }
}
