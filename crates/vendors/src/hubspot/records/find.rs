//! Look-ups. Whoever bears an address, a key or an id is read by batch, which knows of every write at once; only what no
//! batch can answer (a domain, a phone number) is searched. A failed call fails everything: a record that is missing for
//! want of an answer would be taken for one that nobody knows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use syncline_connect::{Answered, Cx, Error, ErrorKind, Find, Retry, Usage, Wanted};
use syncline_core::{
    ids::RecordId,
    record::{Field, Fields, Record, Role, Std, Value},
};

use super::{fields, id, people};
use crate::hubspot::{
    api,
    batch::no_key,
    classify,
    convert::{self, ALL_CONTACT_IDS, MERGED, is_id},
    manifest::ROWS_PER_BATCH,
    settings::key_property,
    span::ROWS_PER_SEARCH,
    wire::{Batch, Row},
};

pub const OP: &str = "find";

/// Pages that are followed: behind the 10,000th row there is nothing to be had.
/// <https://developers.hubspot.com/docs/api-reference/search/guide>, read 2026-11; the other limits of searches, too.
const PAGES_MAX: usize = 50;

/// Values of one condition.
const VALUES_PER_SEARCH: usize = 100;

/// Characters of values in one search, whose whole body may have 3,000.
const VALUE_CHARS_PER_SEARCH: usize = 2_000;

/// Answers all questions, one after the other.
pub async fn find(cx: &Cx<'_>, finds: &[Find]) -> Result<Answered<Vec<Vec<Record>>>, Error> {
    let key = key_property(cx.settings, OP)?;
    let mut look = Look { cx, key, calls: 0, usage: None };
    let mut value = Vec::with_capacity(finds.len());
    for find in finds {
        value.push(look.answer(find).await?);
    }
    Ok(Answered { value, calls: look.calls, usage: look.usage })
}

/// Questions on their way, and what they cost so far.
pub struct Look<'a> {
    pub cx: &'a Cx<'a>,
    pub key: String,
    pub calls: u32,
    pub usage: Option<Usage>,
}

/// One question about records that are rows.
struct Rows<'a> {
    find: &'a Find,
    object: &'a str,
    properties: Vec<String>,
}

impl Look<'_> {
    async fn answer(&mut self, find: &Find) -> Result<Vec<Record>, Error> {
        match find.role {
            Role::User => people::owners(self, find).await,
            Role::Attendee => people::attendees(self, find).await,
            // No record plays the part: there are no leads.
            role if fields::spec(role).is_none() => Ok(Vec::new()),
            _ => self.rows(find).await,
        }
    }

    async fn rows(&mut self, find: &Find) -> Result<Vec<Record>, Error> {
        let object = fields::object_name(find.role, find.object.as_ref()).map_err(configuration)?;
        let mut properties = fields::properties(&self.key, find.role, &find.fields);
        if find.role != Role::Custom {
            properties.push(MERGED.to_owned());
        }
        if find.role == Role::Contact {
            properties.push(ALL_CONTACT_IDS.to_owned());
        }
        properties.sort();
        properties.dedup();
        let ask = Rows { find, object, properties };
        let mut found: BTreeMap<RecordId, Record> = BTreeMap::new();
        for wanted in &find.any {
            for record in self.wanted(&ask, wanted).await? {
                found.insert(record.id.clone(), record);
            }
        }
        Ok(in_order(found.into_values().collect()))
    }

    async fn wanted(&mut self, ask: &Rows<'_>, wanted: &Wanted) -> Result<Vec<Record>, Error> {
        let role = ask.find.role;
        match wanted {
            Wanted::Ids(ids) => self.by_id(ask, ids).await,
            Wanted::Traces(ids) => self.traces(ask, ids).await,
            Wanted::Is(Std::Key, keys) => {
                let key = self.key.clone();
                self.by_unique(ask, &key, keys).await
            }
            Wanted::Is(Std::Email, emails) if role == Role::Contact => self.by_unique(ask, "email", emails).await,
            Wanted::Is(std, texts) => {
                let field = Field::Std(*std);
                let property = fields::property(&self.key, role, &field)
                    .ok_or_else(|| configuration(format!("the field {field} cannot be looked up")))?
                    .to_owned();
                let texts = texts.iter().map(|text| match (role, std) {
                    (Role::Account, Std::Website) => bare_host(text),
                    _ => text.trim().to_owned(),
                });
                self.search(ask, &property, texts.collect()).await
            }
            Wanted::EmailDomain(domains) => {
                let domains = domains.iter().map(|domain| domain.trim().to_lowercase()).collect();
                self.search(ask, "hs_email_domain", domains).await
            }
        }
    }

    /// Live records by id. Who was merged is answered with the values of the record that he is in now.
    async fn by_id(&mut self, ask: &Rows<'_>, ids: &[RecordId]) -> Result<Vec<Record>, Error> {
        let mut records = Vec::new();
        for part in numbers(ask.find.role, ids).chunks(ROWS_PER_BATCH) {
            let rows = self.batch(ask.object, &ask.properties, part, None, false).await?;
            for row in &rows {
                let record = self.record(ask, row)?;
                let former =
                    convert::merged(row).into_iter().filter(|id| part.iter().any(|asked| asked == id.as_str()));
                let former = former.map(|id| Record { id: id::of(ask.object, id.as_str()), ..record.clone() });
                records.extend(former.collect::<Vec<_>>());
                records.push(record);
            }
        }
        Ok(records)
    }

    /// What became of records: alive, in another one, or in the bin. What is gone for good is left out.
    async fn traces(&mut self, ask: &Rows<'_>, ids: &[RecordId]) -> Result<Vec<Record>, Error> {
        let mut records = Vec::new();
        for part in numbers(ask.find.role, ids).chunks(ROWS_PER_BATCH) {
            let mut open: BTreeSet<String> = part.iter().cloned().collect();
            for archived in [false, true] {
                let asked: Vec<String> = open.iter().cloned().collect();
                if asked.is_empty() {
                    break;
                }
                for row in &self.batch(ask.object, &ask.properties, &asked, None, archived).await? {
                    open.remove(&row.id);
                    let record = self.record(ask, row)?;
                    for lost in convert::merged(row).into_iter().filter(|id| open.remove(id.as_str())) {
                        let id = id::of(ask.object, lost.as_str());
                        let fate = [(Std::Deleted, Value::Bool(true)), (Std::MergedInto, Value::Id(record.id.clone()))];
                        let fields = fate.into_iter().map(|(field, value)| (field.into(), value)).collect();
                        records.push(Record { role: record.role, id, fields });
                    }
                    records.push(with(record, Std::Deleted, Value::Bool(archived)));
                }
            }
        }
        Ok(records)
    }

    /// Live records by a property with unique values. A contact's further addresses lead to the contact, too.
    async fn by_unique(&mut self, ask: &Rows<'_>, property: &str, texts: &[String]) -> Result<Vec<Record>, Error> {
        let texts: BTreeSet<&str> = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
        let texts: Vec<String> = texts.into_iter().map(str::to_owned).collect();
        let mut records = Vec::new();
        for part in texts.chunks(ROWS_PER_BATCH) {
            for row in &self.batch(ask.object, &ask.properties, part, Some(property), false).await? {
                records.push(self.record(ask, row)?);
            }
        }
        Ok(records)
    }

    async fn search(&mut self, ask: &Rows<'_>, property: &str, texts: BTreeSet<String>) -> Result<Vec<Record>, Error> {
        let mut records = Vec::new();
        for part in chunked(texts) {
            let mut after: Option<String> = None;
            for page in 1.. {
                if page > PAGES_MAX {
                    return Err(protocol("a search has more rows than are ever followed"));
                }
                let mut body = json!({
                    "filterGroups": [{"filters": [{"propertyName": property, "operator": "IN", "values": part}]}],
                    "properties": ask.properties, "limit": ROWS_PER_SEARCH,
                });
                if let Some(after) = &after {
                    body["after"] = after.as_str().into();
                }
                self.calls += 1;
                let answer = api::search(self.cx, OP, ask.object, &body).await?;
                self.usage = answer.usage.or(self.usage);
                for row in &answer.body.results {
                    records.push(self.record(ask, row)?);
                }
                after = answer.body.paging.and_then(|paging| paging.next).map(|next| next.after);
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(records)
    }

    /// Rows by id or by a unique property; those that are not there are left out.
    pub async fn batch(
        &mut self,
        object: &str,
        properties: &[String],
        values: &[String],
        property: Option<&str>,
        archived: bool,
    ) -> Result<Vec<Row>, Error> {
        let inputs: Vec<Json> = values.iter().map(|value| json!({ "id": value })).collect();
        let mut body = json!({ "inputs": inputs, "properties": properties });
        if let Some(property) = property {
            body["idProperty"] = property.into();
        }
        self.calls += 1;
        let Batch { results, errors, .. } = match api::batch_read(self.cx, OP, object, archived, &body).await {
            // None of them is there.
            Err(error) if error.kind == ErrorKind::Gone => return Ok(Vec::new()),
            Err(error) if error.kind == ErrorKind::Invalid && property == Some(self.key.as_str()) => {
                return Err(configuration(no_key(object, &self.key)));
            }
            answer => {
                let answer = answer?;
                self.usage = answer.usage.or(self.usage);
                answer.body
            }
        };
        let failed = errors.iter().map(|refused| classify::of_row(OP, refused, &[]));
        failed.filter(|error| error.kind != ErrorKind::Gone).try_for_each(Err)?;
        Ok(results)
    }

    fn record(&self, ask: &Rows<'_>, row: &Row) -> Result<Record, Error> {
        fields::record(&self.key, ask.find.role, ask.object, &ask.find.fields, row).map_err(protocol)
    }
}

fn with(mut record: Record, field: Std, value: Value) -> Record {
    record.fields.insert(field.into(), value);
    record
}

/// Oldest first, as far as that is known; among equals by id.
fn in_order(mut records: Vec<Record>) -> Vec<Record> {
    let age = |fields: &Fields| match fields.get(&Std::CreatedAt.into()) {
        Some(Value::Time(at)) => Some(*at),
        _ => None,
    };
    records.sort_by_cached_key(|record| (age(&record.fields), record.id.clone()));
    records
}

/// The numbers of those that are ids of this role, each once: no record has another.
pub fn numbers(role: Role, ids: &[RecordId]) -> Vec<String> {
    let sound: BTreeSet<&str> = ids.iter().filter_map(|id| id::number_of(role, id)).filter(|id| is_id(id)).collect();
    sound.into_iter().map(str::to_owned).collect()
}

/// Values in parts that one search takes each.
fn chunked(texts: BTreeSet<String>) -> Vec<Vec<String>> {
    let mut parts: Vec<Vec<String>> = Vec::new();
    let mut chars = 0;
    for text in texts.into_iter().filter(|text| !text.is_empty()) {
        let length = text.chars().count();
        let is_full = |part: &Vec<String>| part.len() >= VALUES_PER_SEARCH || chars + length > VALUE_CHARS_PER_SEARCH;
        if parts.last().is_none_or(is_full) {
            parts.push(Vec::new());
            chars = 0;
        }
        chars += length;
        parts.last_mut().expect("the first value opens a part").push(text);
    }
    parts
}

/// A website's bare host, which is what a company's domain is.
fn bare_host(website: &str) -> String {
    let text = website.trim().to_lowercase();
    let text = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(&text);
    let host = text.split(['/', '?', '#', ':']).next().unwrap_or_default();
    host.strip_prefix("www.").unwrap_or(host).to_owned()
}

fn configuration(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, Retry::Never, OP, message)
}

pub fn protocol(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Protocol, Retry::Backoff, OP, message)
}
