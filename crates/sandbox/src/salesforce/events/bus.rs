//! The event bus: changes become events, each with a replay id that says nothing to whoever holds it, and are kept for
//! as long as the platform keeps them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use super::avro::{CHANGE_TYPES, EventSchema, Head, event_name};
use crate::salesforce::{
    id::Id,
    schema::{FieldNo, Schema},
    world::Val,
};

/// How long events are kept: 72 hours.
const KEPT_SECONDS: i64 = 72 * 3_600;

/// How many are kept at the most, whatever their age: the sandbox lives in memory.
const KEPT_MAX: usize = 50_000;

/// All events of the objects that are selected.
const ALL: &str = "/data/ChangeEvents";

/// Who makes a change, and by which way.
#[derive(Debug, Clone, Default)]
pub struct Author {
    pub user: String,
    pub origin: String,
}

/// What was done to one record within a transaction.
#[derive(Debug)]
pub struct Write {
    pub kind: WriteKind,
    pub object: usize,
    pub id: Id,
    pub fields: Vec<(FieldNo, Option<Val>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteKind {
    Created,
    Updated,
    Deleted,
    Undeleted,
}

/// An event that is kept.
#[derive(Clone)]
pub struct Event {
    pub number: u64,
    pub at: i64,
    pub object: String,
    pub schema_id: String,
    pub payload: Arc<Vec<u8>>,
}

/// What listeners are woken for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signal {
    /// The number of the last event.
    pub latest: u64,
    /// Grows when all exchanges are to break.
    pub broken: u64,
    /// Grows when all listeners are to be given a sign of life.
    pub alive: u64,
}

/// The bus of one org.
pub struct Bus {
    /// By which it knows its own replay ids.
    mark: [u8; 4],
    selected: Vec<String>,
    inner: Mutex<Kept>,
    signal: watch::Sender<Signal>,
}

#[derive(Default)]
struct Kept {
    events: VecDeque<Event>,
    /// Events that are no longer kept: all up to this number.
    forgotten: u64,
    written: u64,
    transactions: u64,
    /// By object, for the schema that they were made from.
    current: BTreeMap<usize, Arc<EventSchema>>,
    made_from: Option<Arc<Schema>>,
    /// By id, outdated ones included.
    by_id: BTreeMap<String, Arc<EventSchema>>,
}

impl Bus {
    pub fn new(selected: Vec<String>, mark: [u8; 4]) -> Arc<Self> {
        Arc::new(Self { mark, selected, inner: Mutex::default(), signal: watch::Sender::new(Signal::default()) })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn signal(&self) -> watch::Receiver<Signal> {
        self.signal.subscribe()
    }

    /// Which objects a topic tells of; nothing for one that there is not.
    pub fn objects_of(&self, topic: &str) -> Option<Vec<String>> {
        if topic == ALL {
            return Some(self.selected.clone());
        }
        let named = self.selected.iter().find(|object| topic.strip_prefix("/data/") == Some(&event_name(object)));
        named.map(|object| vec![object.clone()])
    }

    /// Publishes what a transaction did: one event for each record.
    pub fn publish(&self, schema: &Arc<Schema>, author: &Author, now: i64, writes: &[Write]) {
        let mut records: Vec<Write> = Vec::new();
        for write in writes {
            if !self.selected.contains(&schema.def(write.object).name) {
                continue;
            }
            let same = records.iter_mut().find(|known| known.object == write.object && known.id == write.id);
            match same {
                Some(known) => join(known, write),
                None => records.push(Write { fields: write.fields.clone(), ..*write }),
            }
        }
        if records.is_empty() {
            return;
        }
        let mut kept = self.kept();
        kept.transactions += 1;
        let transaction = format!("0000{:04x}-0000-4000-8000-{:012x}", now & 0xffff, kept.transactions);
        for (record, sequence) in records.into_iter().zip(1..) {
            let head = Head {
                record_ids: vec![record.id.as_str().to_owned()],
                change_type: match record.kind {
                    WriteKind::Created => 0,
                    WriteKind::Updated => 1,
                    WriteKind::Deleted => 2,
                    WriteKind::Undeleted => 3,
                },
                origin: author.origin.clone(),
                user: author.user.clone(),
                transaction: transaction.clone(),
                sequence,
                nulled: record.fields.iter().filter(|(_, value)| value.is_none()).map(|(no, _)| *no).collect(),
                changed: match record.kind {
                    WriteKind::Updated => record.fields.iter().map(|(no, _)| *no).collect(),
                    _ => Vec::new(),
                },
                ..Head::default()
            };
            kept.add(schema, record.object, head, &record.fields, now);
        }
        kept.trim(now);
        let latest = kept.written;
        drop(kept);
        self.signal.send_modify(|signal| signal.latest = latest);
    }

    /// Publishes an event of an object without values: a gap, an overflow.
    pub fn publish_bare(
        &self,
        schema: &Arc<Schema>,
        object: &str,
        change: &str,
        ids: Vec<String>,
        now: i64,
    ) -> Result<(), String> {
        let object = schema.find(object).ok_or_else(|| format!("no object {object}"))?;
        let change_type = CHANGE_TYPES.iter().position(|known| *known == change);
        let change_type = change_type.ok_or_else(|| format!("no change type {change}"))?;
        let mut kept = self.kept();
        let head = Head { record_ids: ids, change_type, ..Head::default() };
        kept.add(schema, object, head, &[], now);
        kept.trim(now);
        let latest = kept.written;
        drop(kept);
        self.signal.send_modify(|signal| signal.latest = latest);
        Ok(())
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        self.signal.receiver_count()
    }

    /// Breaks all exchanges, without a word.
    pub fn break_all(&self) {
        self.signal.send_modify(|signal| signal.broken += 1);
    }

    /// Gives all listeners a sign of life now.
    pub fn sign_of_life(&self) {
        self.signal.send_modify(|signal| signal.alive += 1);
    }

    /// Forgets all events, as after 72 hours.
    pub fn forget(&self) {
        let mut kept = self.kept();
        kept.forgotten = kept.written;
        kept.events.clear();
    }

    /// The events of these objects behind a number, so many at the most, and the number of the last that was looked at.
    pub fn after(&self, number: u64, objects: &[String], most: usize) -> (Vec<Event>, u64) {
        let kept = self.kept();
        let mut found = Vec::new();
        for event in kept.events.iter().filter(|event| event.number > number) {
            if found.len() >= most {
                return (found.clone(), found.last().map_or(number, |last| last.number));
            }
            if objects.contains(&event.object) {
                found.push(event.clone());
            }
        }
        (found, kept.written)
    }

    pub fn latest(&self) -> u64 {
        self.kept().written
    }

    /// The number before the oldest event that is kept.
    pub fn earliest(&self, now: i64) -> u64 {
        let mut kept = self.kept();
        kept.trim(now);
        kept.forgotten
    }

    pub fn schema(&self, id: &str) -> Option<Arc<EventSchema>> {
        self.kept().by_id.get(id).cloned()
    }

    /// The schema of an object's events as it is now.
    pub fn schema_of(&self, schema: &Arc<Schema>, object: &str) -> Option<Arc<EventSchema>> {
        let object = schema.find(object)?;
        Some(self.kept().event_schema(schema, object))
    }

    /// A number as a replay id: it can be given back, and that is all.
    pub fn replay_id(&self, number: u64) -> Vec<u8> {
        let hidden = number ^ u64::from_le_bytes([self.mark, self.mark].concat().try_into().unwrap_or_default());
        [&self.mark[..], &hidden.to_le_bytes()].concat()
    }

    /// The number of a replay id; nothing where it is none of this bus.
    pub fn number_of(&self, replay_id: &[u8]) -> Option<u64> {
        let hidden: [u8; 8] = replay_id.strip_prefix(&self.mark)?.try_into().ok()?;
        let mask = u64::from_le_bytes([self.mark, self.mark].concat().try_into().unwrap_or_default());
        Some(u64::from_le_bytes(hidden) ^ mask)
    }
}

impl Kept {
    fn event_schema(&mut self, schema: &Arc<Schema>, object: usize) -> Arc<EventSchema> {
        if self.made_from.as_ref().is_none_or(|from| !Arc::ptr_eq(from, schema)) {
            self.current.clear();
            self.made_from = Some(schema.clone());
        }
        let made = self.current.entry(object).or_insert_with(|| Arc::new(EventSchema::of(schema.def(object)))).clone();
        self.by_id.entry(made.id.clone()).or_insert_with(|| made.clone());
        made
    }

    fn add(&mut self, schema: &Arc<Schema>, object: usize, head: Head, fields: &[(FieldNo, Option<Val>)], now: i64) {
        let made = self.event_schema(schema, object);
        self.written += 1;
        let name = &schema.def(object).name;
        let number = i64::try_from(self.written).unwrap_or(i64::MAX);
        let head = Head { entity: name.clone(), at: now * 1_000, number, ..head };
        self.events.push_back(Event {
            number: self.written,
            at: now,
            object: name.clone(),
            schema_id: made.id.clone(),
            payload: Arc::new(made.payload(&head, fields)),
        });
    }

    fn trim(&mut self, now: i64) {
        while self.events.len() > KEPT_MAX || self.events.front().is_some_and(|first| first.at + KEPT_SECONDS < now) {
            if let Some(gone) = self.events.pop_front() {
                self.forgotten = gone.number;
            }
        }
    }
}

/// Two writes of one transaction to one record are one event with the final values.
fn join(known: &mut Write, write: &Write) {
    known.fields.extend(write.fields.iter().cloned());
    if known.kind != WriteKind::Created && write.kind != WriteKind::Updated {
        known.kind = write.kind;
    }
}
