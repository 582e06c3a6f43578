//! Records that name others, such as a deal its person: what is known of the counterparts of those, and who is to hear of
//! another one.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::{
    ids::RecordId,
    merge::{Counterpart, Counterparts, Images, Named, PairSettings, Row, Side, shown},
};
use syncline_store::{LinkedPair, StoredEntry, Wait, Work};

use super::{Compiled, Halt, Turn};
use crate::engine::Engine;

impl Compiled {
    /// Whether records of any pair name others.
    pub(crate) fn relates(&self) -> bool {
        self.flow.pairs.iter().any(PairSettings::relates)
    }

    fn kind_in(&self, pair: &str, side: Side) -> Option<&str> {
        self.flow.pairs.iter().find(|known| known.name == pair).map(|pair| pair.side(side).kind.as_str())
    }

    /// The records of a piece of work with what each shows, for each pair in which it may name others.
    fn naming<'a>(&'a self, work: &'a Work) -> impl Iterator<Item = (&'a PairSettings, &'a StoredEntry, Row)> {
        let entries = [Some(&work.entry), work.partner.as_ref()].into_iter().flatten();
        let pairs = self.flow.pairs.iter().filter(|pair| {
            let own = work.link.as_ref().is_none_or(|link| link.pair == pair.name);
            own && pair.relates()
        });
        pairs.flat_map(move |pair| {
            let of_pair = entries.clone().filter(|entry| pair.side(entry.side).kind == entry.kind);
            of_pair.map(move |entry| {
                let row = match &work.link {
                    Some(link) => shown(entry.seen.as_ref(), &link.images, entry.side).into_owned(),
                    None => entry.seen.clone().unwrap_or_default(),
                };
                (pair, entry, row)
            })
        })
    }

    /// Whom the records of a piece of work name, with what is known of their counterparts; nothing where they are of a kind
    /// that names nobody.
    pub(crate) fn waits(&self, work: &Work, known: &Counterparts) -> Vec<(i64, Vec<Wait>)> {
        let mut waits: BTreeMap<i64, Vec<Wait>> = BTreeMap::new();
        for (pair, entry, row) in self.naming(work) {
            let named = pair.names(entry.side, &row).into_iter().filter_map(|named| self.wait(named, known));
            waits.entry(entry.id).or_default().extend(named);
        }
        waits.into_iter().collect()
    }

    /// Whether a record names others than the images say: whoever has no counterpart yet stands in none.
    pub(crate) fn names_others(&self, pair: &str, entry: &StoredEntry, images: &Images) -> bool {
        let pair = self.flow.pairs.iter().find(|known| known.name == pair && known.relates());
        let Some((pair, row)) = pair.zip(entry.seen.as_ref()) else { return false };
        pair.names(entry.side, row) != pair.names(entry.side, &shown(None, images, entry.side))
    }

    fn wait(&self, Named { pair, side, record }: Named, known: &Counterparts) -> Option<Wait> {
        let kind = self.kind_in(&pair, side)?.to_owned();
        let (counterpart, coming) = match known.of(&pair, side, &record) {
            Some(Counterpart::There(counterpart)) => (Some(counterpart.clone()), false),
            Some(Counterpart::Coming) => (None, true),
            None => (None, false),
        };
        Some(Wait { pair, side, kind, record, counterpart, coming })
    }
}

impl Engine {
    /// What is known of the counterparts of all whom these records name.
    pub(crate) async fn counterparts(&self, turn: &Turn<'_>, works: &[Work]) -> Result<Counterparts, Halt> {
        let Turn { flow, compiled, .. } = *turn;
        let mut known = Counterparts::default();
        if !compiled.relates() {
            return Ok(known);
        }
        let named: BTreeSet<Named> = works
            .iter()
            .flat_map(|work| compiled.naming(work))
            .flat_map(|(pair, entry, row)| pair.names(entry.side, &row))
            .collect();
        let mut places: BTreeMap<(String, Side), Vec<RecordId>> = BTreeMap::new();
        for Named { pair, side, record } in named {
            places.entry((pair, side)).or_default().push(record);
        }
        let store = &self.world.store;
        for ((pair, side), records) in places {
            let Some(kind) = compiled.kind_in(&pair, side) else { continue };
            let entries = store.rows_by_record(&flow.workspace, &flow.id, side, kind, &records).await?;
            let links: Vec<i64> = entries.iter().filter_map(|entry| entry.link).collect();
            let links = store.links_by_id(&flow.workspace, &flow.id, &links).await?;
            let links: BTreeMap<i64, LinkedPair> = links.into_iter().map(|linked| (linked.link.id, linked)).collect();
            for entry in entries {
                let linked = entry.link.and_then(|link| links.get(&link));
                if let Some(counterpart) = counterpart(&pair, &entry, linked) {
                    known.insert(&pair, side, entry.record, counterpart);
                }
            }
        }
        Ok(known)
    }
}

/// What is known of a record's counterpart in a pair. Who waits is woken by the same rule, in the store.
fn counterpart(pair: &str, entry: &StoredEntry, linked: Option<&LinkedPair>) -> Option<Counterpart> {
    let Some(linked) = linked else {
        return entry.due_at.map(|_| Counterpart::Coming);
    };
    let across = match entry.side {
        Side::Left => &linked.right,
        Side::Right => &linked.left,
    };
    match across {
        Some(other) if linked.link.pair == pair => Some(Counterpart::There(other.record.clone())),
        Some(_) => None,
        None => Some(Counterpart::Coming),
    }
}
