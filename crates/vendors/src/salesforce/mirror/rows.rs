//! What is asked of a row, and what it says: its fields by Salesforce's own names, and what became of the record. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};
use syncline_connect::{
    Error, ErrorKind, Retry,
    mirror::{Fate, KindSpec, Seen},
};
use syncline_core::{
    ids::ExternalKey,
    record::{Field, Role, Value},
};

use super::{configuration, protocol};
use crate::salesforce::{
    convert,
    query::{self, NoPage, reference, stamp},
    settings::Org,
    soql::{ApiName, Path},
    wire::{ErrorRow, QueryPage, SubAnswer},
};

/// Bytes of an answer that a call aims to stay below; the program reads at most ten million.
const ANSWER_BYTES: usize = 8_000_000;

/// Bytes of a cell of a line, as they are in the middle of many orgs' lines.
const CELL_BYTES: usize = 30;

/// Bytes of a row without fields, and of one more field, as they are in the middle of many orgs' rows.
const ROW_BYTES: usize = 200;
const FIELD_BYTES: usize = 40;

/// One kind of records and the fields that are wanted of them.
pub struct Table<'a> {
    pub kind: &'static KindSpec,
    pub object: ApiName,
    pub columns: Vec<Path>,
    wanted: Vec<(&'a str, Path)>,
}

impl<'a> Table<'a> {
    /// With the columns that tell what became of a record.
    pub fn new(op: &'static str, org: &Org, kind: &'static KindSpec, fields: &'a [String]) -> Result<Self, Error> {
        let own = ["Id", "SystemModstamp", "LastModifiedById", "IsDeleted"];
        let fate: &[&str] = match kind.role {
            Role::Lead => &["MasterRecordId", "IsConverted", "ConvertedContactId"],
            Role::Contact | Role::Account => &["MasterRecordId"],
            _ => &[],
        };
        let own = own.iter().chain(fate).map(|name| ApiName::fixed(name)).chain([org.key_field.clone()]);
        let mut columns: Vec<Path> = own.map(Path::from).collect();
        let mut wanted = Vec::with_capacity(fields.len());
        for field in fields {
            let path = Path::parse(field)
                .ok_or_else(|| naming(configuration(op, format!("`{field}` is not the API name of a field")), field))?;
            if !columns.contains(&path) {
                columns.push(path.clone());
            }
            wanted.push((field.as_str(), path));
        }
        Ok(Self { kind, object: ApiName::fixed(kind.name), columns, wanted })
    }

    /// How many rows one of so many queries in a call may answer.
    pub fn rows_in_answer(&self, queries: usize) -> usize {
        ANSWER_BYTES / queries.max(1) / (ROW_BYTES + FIELD_BYTES * self.columns.len())
    }

    /// How many lines one part of a job's results may have.
    pub fn lines_in_answer(&self) -> usize {
        ANSWER_BYTES / (CELL_BYTES * self.columns.len())
    }

    /// What a row says.
    pub fn seen(&self, op: &'static str, org: &Org, row: &Map<String, Json>) -> Result<Seen, Error> {
        let id = reference(row, "Id").ok_or_else(|| protocol(op, "a row has no sound id"))?;
        let mut fields = BTreeMap::new();
        for (name, path) in &self.wanted {
            // A field that the user may not see is left out of the row, and a compound one has no value to hold.
            let value = at(row, path).and_then(|json| convert::from_json(&Field::Native((*name).to_owned()), json));
            if let Some(value) = value {
                fields.insert((*name).to_owned(), value);
            }
        }
        let key = row.get(org.key_field.as_str()).and_then(Json::as_str).filter(|key| !key.is_empty());
        let ours = org.user.as_ref().and_then(|user| Some(reference(row, "LastModifiedById")? == *user));
        Ok(Seen {
            key: key.map(ExternalKey::new),
            changed_at: stamp(row),
            fate: self.fate(row),
            ours,
            ..Seen::live(id, fields)
        })
    }

    fn fate(&self, row: &Map<String, Json>) -> Fate {
        let is = |name: &str| row.get(name).and_then(Json::as_bool) == Some(true);
        match (is("IsDeleted"), reference(row, "MasterRecordId")) {
            (true, Some(master)) => Fate::MergedInto(master),
            (true, None) => Fate::Deleted,
            (false, _) if self.kind.role == Role::Lead && is("IsConverted") => {
                // The contact may be gone, or hidden from the user: then the lead became what nobody finds, and is no
                // lead any more all the same.
                let into = reference(row, "ConvertedContactId").or_else(|| reference(row, "Id"));
                into.map_or(Fate::Deleted, Fate::ConvertedTo)
            }
            (false, _) => Fate::Live,
        }
    }

    /// A page of rows, where the query was answered with one.
    pub fn page(
        &self,
        op: &'static str,
        org: &Org,
        answers: &[SubAnswer],
        reference: &str,
    ) -> Result<QueryPage, Error> {
        let NoPage { mut error, rows } = match query::page_of(op, answers, reference) {
            Ok(page) => return Ok(page),
            Err(none) => *none,
        };
        if error.kind == ErrorKind::Field {
            let names = |name: &str| rows.iter().any(|row: &ErrorRow| row.names(name));
            let named = self.wanted.iter().filter(|(_, path)| names(path.last().as_str()));
            error.fields = named.map(|(name, _)| Field::Native((*name).to_owned())).collect();
            if error.fields.is_empty() && names(org.key_field.as_str()) {
                (error.kind, error.retry) = (ErrorKind::Configuration, Retry::Never);
                error.message = format!(
                    "{} has no field {} that this user may see; see the set-up of the key field",
                    self.object, org.key_field
                );
            }
        }
        error.message = format!("{}: {}", self.object, error.message);
        Err(error)
    }
}

/// The value at the end of a path; nothing, where the record on the way there is not.
fn at<'r>(row: &'r Map<String, Json>, path: &Path) -> Option<&'r Json> {
    let (last, way) = path.names().split_last()?;
    let mut here = row;
    for name in way {
        match here.get(name.as_str())? {
            Json::Object(parent) => here = parent,
            Json::Null => return Some(&Json::Null),
            _ => return None,
        }
    }
    here.get(last.as_str())
}

/// The error, naming the field that it is about.
pub fn naming(mut error: Error, field: &str) -> Error {
    error.fields = vec![Field::Native(field.to_owned())];
    error
}

/// The value as it stands in a body, or why it cannot.
pub fn json_of(role: Role, name: &str, value: &Value) -> Result<Json, &'static str> {
    let field = Field::Native(name.to_owned());
    convert::to_json(&field, &convert::normalise(role, &field, value.clone()))
}
