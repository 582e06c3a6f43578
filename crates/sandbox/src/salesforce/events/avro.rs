//! An object's change events in Avro: their schema, and a payload by it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::salesforce::{
    schema::{FieldNo, Kind, ObjectDef},
    world::Val,
};

/// The cases of `changeType`, in the order of the schema.
pub const CHANGE_TYPES: [&str; 10] = [
    "CREATE",
    "UPDATE",
    "DELETE",
    "UNDELETE",
    "GAP_CREATE",
    "GAP_UPDATE",
    "GAP_DELETE",
    "GAP_UNDELETE",
    "GAP_OVERFLOW",
    "SNAPSHOT",
];

/// The head of an event.
#[derive(Debug, Clone, Default)]
pub struct Head {
    pub entity: String,
    pub record_ids: Vec<String>,
    /// Its place in [`CHANGE_TYPES`].
    pub change_type: usize,
    pub origin: String,
    pub transaction: String,
    pub sequence: i64,
    /// Milliseconds.
    pub at: i64,
    pub number: i64,
    pub user: String,
    pub nulled: Vec<FieldNo>,
    pub changed: Vec<FieldNo>,
}

/// The events of one object.
pub struct EventSchema {
    pub id: String,
    pub json: String,
    fields: Vec<(FieldNo, Kind)>,
}

impl EventSchema {
    pub fn of(def: &ObjectDef) -> Self {
        let told = |kind: Kind| !matches!(kind, Kind::Id | Kind::Compound | Kind::JunctionIdList);
        let all = def.fields.iter().zip(0..).filter(|(field, _)| told(field.kind) && field.name != "SystemModstamp");
        let mut fields = vec![head_field()];
        let mut kept = Vec::new();
        for (field, no) in all {
            fields.push(json!({"name": field.name, "type": ["null", avro_type(field.kind)], "default": null}));
            kept.push((no, field.kind));
        }
        let json = json!({"type": "record", "name": event_name(&def.name), "namespace": "com.sforce.eventbus",
            "fields": fields})
        .to_string();
        let id = URL_SAFE_NO_PAD.encode(&Sha256::digest(json.as_bytes())[..16]);
        Self { id, json, fields: kept }
    }

    /// A payload: the head, and the fields that are told.
    pub fn payload(&self, head: &Head, values: &[(FieldNo, Option<Val>)]) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let bitmap = |fields: &[FieldNo]| self.bitmap(fields);
        text(&mut out, &head.entity);
        texts(&mut out, &head.record_ids);
        number(&mut out, i64::try_from(head.change_type).unwrap_or(0));
        text(&mut out, &head.origin);
        text(&mut out, &head.transaction);
        number(&mut out, head.sequence);
        number(&mut out, head.at);
        number(&mut out, head.number);
        text(&mut out, &head.user);
        texts(&mut out, &bitmap(&head.nulled));
        texts(&mut out, &[]);
        texts(&mut out, &bitmap(&head.changed));
        for (no, kind) in &self.fields {
            let value = values.iter().rev().find(|(named, _)| named == no).and_then(|(_, value)| value.as_ref());
            match value {
                None => number(&mut out, 0),
                Some(value) => {
                    number(&mut out, 1);
                    field(&mut out, *kind, value);
                }
            }
        }
        out
    }

    /// Fields as the platform writes them: one bit each, the lowest for the schema's first field.
    fn bitmap(&self, fields: &[FieldNo]) -> Vec<String> {
        let mut bytes = vec![0_u8; self.fields.len() / 8 + 1];
        let mut any = false;
        for (at, (no, _)) in self.fields.iter().enumerate() {
            if fields.contains(no) {
                any = true;
                // The head is the first field.
                bytes[(at + 1) / 8] |= 1 << ((at + 1) % 8);
            }
        }
        let digits: String = bytes.iter().rev().map(|byte| format!("{byte:02X}")).collect();
        if any { vec![format!("0x{digits}")] } else { Vec::new() }
    }
}

/// `Contact` becomes `ContactChangeEvent`, `Visit__c` becomes `Visit__ChangeEvent`.
pub fn event_name(object: &str) -> String {
    match object.strip_suffix("__c") {
        Some(own) => format!("{own}__ChangeEvent"),
        None => format!("{object}ChangeEvent"),
    }
}

fn head_field() -> Value {
    let list = || json!({"type": "array", "items": "string"});
    json!({"name": "ChangeEventHeader", "type": {"type": "record", "name": "ChangeEventHeader", "fields": [
        {"name": "entityName", "type": "string"},
        {"name": "recordIds", "type": list()},
        {"name": "changeType", "type": {"type": "enum", "name": "ChangeType", "symbols": CHANGE_TYPES}},
        {"name": "changeOrigin", "type": "string"},
        {"name": "transactionKey", "type": "string"},
        {"name": "sequenceNumber", "type": "int"},
        {"name": "commitTimestamp", "type": "long"},
        {"name": "commitNumber", "type": "long"},
        {"name": "commitUser", "type": "string"},
        {"name": "nulledFields", "type": list()},
        {"name": "diffFields", "type": list()},
        {"name": "changedFields", "type": list()},
    ]}})
}

fn avro_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "boolean",
        Kind::Int => "long",
        Kind::Double => "double",
        // In milliseconds.
        Kind::Date | Kind::DateTime => "long",
        _ => "string",
    }
}

fn field(out: &mut Vec<u8>, kind: Kind, value: &Val) {
    const DAY_MS: i64 = 86_400_000;
    match (kind, value) {
        (Kind::Bool, value) => out.push(u8::from(*value == Val::Bool(true))),
        (Kind::Int, value) => number(out, value.as_number().unwrap_or_default() as i64),
        (Kind::Double, value) => out.extend_from_slice(&value.as_number().unwrap_or_default().to_le_bytes()),
        (Kind::Date | Kind::DateTime, Val::Stamp(seconds)) => number(out, seconds * 1_000),
        (Kind::Date | Kind::DateTime, Val::Date(day)) => {
            let epoch = jiff::civil::date(1970, 1, 1);
            let days = epoch.until(*day).map_or(0, |span| span.get_days());
            number(out, i64::from(days) * DAY_MS);
        }
        (Kind::Date | Kind::DateTime, _) => number(out, 0),
        (_, Val::Text(value)) => text(out, value),
        (_, value) => text(out, value.to_json().as_str().unwrap_or_default()),
    }
}

/// Zigzag, seven bits to a byte.
fn number(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn text(out: &mut Vec<u8>, value: &str) {
    number(out, i64::try_from(value.len()).unwrap_or(0));
    out.extend_from_slice(value.as_bytes());
}

fn texts(out: &mut Vec<u8>, values: &[String]) {
    if !values.is_empty() {
        number(out, i64::try_from(values.len()).unwrap_or(0));
        for value in values {
            text(out, value);
        }
    }
    number(out, 0);
}
