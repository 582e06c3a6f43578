//! Rows to be written, drawn one by one, and why a row was refused: the classes of a booking's records, with the fields
//! by Salesforce's own names. Pure.

use serde_json::{Map, Value as Json, json};
use syncline_connect::{
    Error, ErrorKind, Retry,
    mirror::{KindSpec, Op, RowOutcome, RowWrite},
};
use syncline_core::{
    ids::RecordId,
    record::{Field, Role, Slot},
};

use super::{configuration, rows};
use crate::salesforce::{
    api::jobs::Operation,
    convert,
    draw::{Effect, Node},
    id, refusal,
    settings::Org,
    soql::ApiName,
    wire::{SubAnswer, SubRequest},
};

pub const OP: &str = "write";

/// A row as it will be sent.
pub struct Drawn {
    /// Its place in the write.
    pub at: usize,
    pub operation: Operation,
    /// The id, or the key of what is made.
    pub identity: String,
    pub node: Node,
}

/// Draws a row; `Err` where it cannot be sent.
pub fn draw(org: &Org, kind: &KindSpec, at: usize, row: &RowWrite) -> Result<Drawn, Error> {
    let known = |id: &RecordId| {
        id::of(kind.role, id.as_str())
            .ok_or_else(|| configuration(OP, format!("the id to write to is not the id of a {}", kind.name)))
    };
    let (operation, effect, identity) = match &row.op {
        Op::Create { key } => (Operation::Upsert, Effect::Make, key.as_str().to_owned()),
        Op::Update { id } => {
            let id = known(id)?;
            (Operation::Update, Effect::Patch(id.clone()), id.as_str().to_owned())
        }
        Op::Delete { id } => (Operation::Delete, Effect::Delete, known(id)?.as_str().to_owned()),
    };
    let mut body = Map::new();
    if operation != Operation::Delete {
        for (name, value) in &row.fields {
            let wrong = |why: &str| rows::naming(configuration(OP, format!("the field {name} {why}")), name);
            if ApiName::parse(name).is_none() {
                return Err(wrong("is not one of the record's own"));
            }
            if name != org.key_field.as_str() {
                body.insert(name.clone(), rows::json_of(kind.role, name, value).map_err(wrong)?);
            }
        }
    }
    let request = SubRequest {
        method: "",
        url: String::new(),
        reference_id: String::new(),
        http_headers: None,
        body: Some(body),
    };
    // A slot is what a booking's records have; no row's error tells it.
    let node = Node { at, slot: Slot::Person, role: kind.role, object: ApiName::fixed(kind.name), effect, request };
    Ok(Drawn { at, operation, identity, node })
}

impl Drawn {
    pub fn body(&self) -> &Map<String, Json> {
        self.node.request.body.as_ref().expect("a row is drawn with a body, be it empty")
    }

    /// The record that this one hangs on, by whose lock rows come into each other's way.
    pub fn parent(&self) -> &str {
        let id = ["AccountId", "ParentId"].iter().find_map(|name| self.body().get(*name)?.as_str());
        id.unwrap_or_default()
    }

    /// It worked: the record has this id.
    pub fn done(&self, id: Option<&str>) -> RowOutcome {
        let id = match &self.node.effect {
            Effect::Patch(id) => Some(id.clone()),
            Effect::Delete => Some(RecordId::new(self.identity.clone())),
            Effect::Make => id.and_then(|id| id::of(self.node.role, id)),
        };
        id.map_or_else(|| unknown("the answer does not tell the id of a record"), |id| RowOutcome::Done { id })
    }

    /// It was refused with these errors.
    pub fn refused(&self, org: &Org, errors: Json) -> RowOutcome {
        let error = verdict(org, &self.node, errors);
        // What is to be gone is gone.
        if self.node.effect == Effect::Delete && error.kind == ErrorKind::Gone {
            return self.done(None);
        }
        RowOutcome::Refused(error)
    }
}

/// Nobody knows what became of the row.
pub fn unknown(message: impl Into<String>) -> RowOutcome {
    RowOutcome::Unknown(Error::new(ErrorKind::UnknownOutcome, Retry::Backoff, OP, message))
}

/// The error of a row, its fields by Salesforce's own names.
pub fn verdict(org: &Org, node: &Node, errors: Json) -> Error {
    // A row's errors have no status. Of a record that is gone a single call would say "not found"; a row says the same
    // of itself and of what it refers to, and then names the field.
    let says = |error: &Json, what: &str| {
        error.get("statusCode").or_else(|| error.get("errorCode")).and_then(Json::as_str) == Some(what)
    };
    let unnamed = |error: &Json| error.get("fields").and_then(Json::as_array).is_none_or(Vec::is_empty);
    let gone = errors.as_array().into_iter().flatten().any(|error| says(error, "ENTITY_IS_DELETED") && unnamed(error));
    let taken = (errors.as_array().into_iter().flatten())
        .filter(|error| says(error, "DUPLICATE_VALUE"))
        .flat_map(|error| named_ids(node.role, error))
        .collect::<Vec<_>>();
    let answer = SubAnswer {
        body: errors,
        http_status_code: if gone && node.effect != Effect::Make { 404 } else { 400 },
        reference_id: String::new(),
    };
    let mut error = refusal::verdict(org, Some(node), &answer);
    error.slot = None;
    error.fields = error.fields.into_iter().map(|field| native(org, node.role, field)).collect();
    if error.kind == ErrorKind::KeyTaken {
        error.matches = taken;
    }
    error
}

fn native(org: &Org, role: Role, field: Field) -> Field {
    convert::api_name(org, role, &field).map_or(field, |name| Field::Native(name.as_str().to_owned()))
}

/// The records that a message about a value taken twice names.
fn named_ids(role: Role, error: &Json) -> Vec<(Role, RecordId)> {
    let message = error.get("message").and_then(Json::as_str).unwrap_or_default();
    let words = message.split(|char: char| !char.is_ascii_alphanumeric());
    words.filter_map(|word| id::of(role, word)).map(|id| (role, id)).collect()
}

/// A job's words for why a row failed, `CODE:message:field, field --`, as errors of a row.
pub fn errors_of_job(text: &str) -> Json {
    let text = text.trim().trim_end_matches("--").trim_end();
    let (code, rest) = text.split_once(':').unwrap_or((text, ""));
    let (message, fields) = rest.rsplit_once(':').unwrap_or((rest, ""));
    let fields: Vec<&str> = fields.split(',').map(str::trim).filter(|field| ApiName::parse(field).is_some()).collect();
    json!([{ "statusCode": code, "message": message, "fields": fields }])
}
