//! The effect log: every write that stayed, in order, with the request that made it. Kept only where it is asked for.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Slot, Val};
use crate::salesforce::{
    events::{Write, WriteKind},
    id::Id,
    schema::FieldNo,
    schema::Schema,
};

/// What a write did to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectKind {
    Created,
    Updated,
    Deleted,
    Undeleted,
}

/// One write that stayed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Effect {
    /// Counts the org's effects from 1.
    pub number: u64,
    /// The request that made it, as [`CallEntry::number`](crate::salesforce::CallEntry) tells it; 0 for the back door.
    pub request: u64,
    /// Seconds since 1970.
    pub at: i64,
    pub kind: EffectKind,
    pub object: String,
    pub id: String,
    /// What was set, what the platform set by itself included; null was cleared.
    pub fields: Map<String, Value>,
}

/// A write that may still be taken back.
#[derive(Debug)]
struct Pending {
    kind: EffectKind,
    object: usize,
    slot: Slot,
    id: Id,
    fields: Vec<(FieldNo, Option<Val>)>,
}

/// The log, and what the request at hand has written so far.
#[derive(Debug, Default)]
pub struct Effects {
    /// How many are kept; nothing is noted when it is 0.
    limit: usize,
    /// Somebody else wants to know what is written.
    watched: bool,
    pending: Vec<Pending>,
    /// Whether the next change of a field begins an effect of its own.
    apart: bool,
    kept: VecDeque<Effect>,
    written: u64,
}

impl Effects {
    pub fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// From now on [`Effects::writes`] tells of what is written, however few are kept.
    pub fn watch(&mut self) {
        self.watched = true;
    }

    fn off(&self) -> bool {
        self.limit == 0 && !self.watched
    }

    /// What is pending, as change events tell it.
    pub fn writes(&self) -> Vec<Write> {
        let told = self.pending.iter().map(|pending| Write {
            kind: match pending.kind {
                EffectKind::Created => WriteKind::Created,
                EffectKind::Updated => WriteKind::Updated,
                EffectKind::Deleted => WriteKind::Deleted,
                EffectKind::Undeleted => WriteKind::Undeleted,
            },
            object: pending.object,
            id: pending.id,
            fields: pending.fields.clone(),
        });
        told.collect()
    }

    /// The next change belongs to another operation.
    pub fn part(&mut self) {
        self.apart = true;
    }

    pub fn created(&mut self, object: usize, slot: Slot, id: Id, vals: &[(FieldNo, Val)]) {
        if self.off() {
            return;
        }
        let fields = vals.iter().map(|(no, value)| (*no, Some(value.clone()))).collect();
        self.pending.push(Pending { kind: EffectKind::Created, object, slot, id, fields });
        self.apart = false;
    }

    pub fn set(&mut self, object: usize, slot: Slot, id: Id, no: FieldNo, value: Option<&Val>) {
        if self.off() {
            return;
        }
        let same = self.pending.last().is_some_and(|last| last.object == object && last.slot == slot);
        if !same || self.apart {
            self.pending.push(Pending { kind: EffectKind::Updated, object, slot, id, fields: Vec::new() });
            self.apart = false;
        }
        if let Some(last) = self.pending.last_mut() {
            last.fields.push((no, value.cloned()));
        }
    }

    pub fn deleted(&mut self, object: usize, slot: Slot, id: Id, gone: bool) {
        if self.off() {
            return;
        }
        let kind = if gone { EffectKind::Deleted } else { EffectKind::Undeleted };
        self.pending.push(Pending { kind, object, slot, id, fields: Vec::new() });
        self.apart = false;
    }

    pub fn mark(&self) -> usize {
        self.pending.len()
    }

    pub fn rollback(&mut self, mark: usize) {
        self.pending.truncate(mark);
        self.apart = true;
    }

    /// What is pending stays.
    pub fn commit(&mut self, schema: &Schema, request: u64, at: i64) {
        let pending = std::mem::take(&mut self.pending);
        if self.limit == 0 {
            return;
        }
        for pending in pending {
            let def = schema.def(pending.object);
            let named = pending
                .fields
                .iter()
                .map(|(no, value)| (def.field(*no).name.clone(), value.as_ref().map_or(Value::Null, Val::to_json)));
            self.written += 1;
            if self.kept.len() >= self.limit {
                self.kept.pop_front();
            }
            self.kept.push_back(Effect {
                number: self.written,
                request,
                at,
                kind: pending.kind,
                object: def.name.clone(),
                id: pending.id.as_str().to_owned(),
                fields: named.collect(),
            });
        }
    }

    /// Those numbered after `number`, oldest first.
    pub fn since(&self, number: u64) -> Vec<Effect> {
        let first = self.written - self.kept.len() as u64;
        let skip = usize::try_from(number.saturating_sub(first)).unwrap_or(usize::MAX);
        self.kept.iter().skip(skip).cloned().collect()
    }
}
