//! Records by id, by e-mail address, by our key: a hundred to a batch. A batch knows of every write at once, which a
//! search does not.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use syncline_connect::{
    Answered, Cx, Error, ErrorKind, Usage,
    mirror::{Fate, KindSpec, Lookup, Seen},
};
use syncline_core::ids::RecordId;

use super::{configuration, known};
use crate::hubspot::{
    api,
    batch::no_key,
    classify,
    convert::{self, is_id},
    manifest::ROWS_PER_BATCH,
    settings::key_property,
    wire::Row,
};

/// What is read along.
struct Reading<'a> {
    cx: &'a Cx<'a>,
    op: &'static str,
    kind: &'static KindSpec,
    key: String,
    fields: &'a [String],
    calls: u32,
    usage: Option<Usage>,
}

/// Records by id; what was archived or merged says so, what is gone for good is left out.
pub async fn fetch(cx: &Cx<'_>, kind: &str, ids: &[RecordId], fields: &[String]) -> Result<Answered<Vec<Seen>>, Error> {
    const OP: &str = "fetch";
    let mut reading = Reading::new(cx, OP, kind, fields)?;
    let asked: BTreeSet<&str> = ids.iter().map(RecordId::as_str).filter(|id| is_id(id)).collect();
    let asked: Vec<&str> = asked.into_iter().collect();
    let mut value = Vec::with_capacity(asked.len());
    for part in asked.chunks(ROWS_PER_BATCH) {
        let live = reading.batch(part, None, false).await?;
        let mut open: BTreeSet<&str> = part.iter().copied().collect();
        value.extend(reading.told(&live, &mut open));
        // What is not there may lie in the bin.
        if !open.is_empty() {
            let missing: Vec<&str> = open.iter().copied().collect();
            let archived = reading.batch(&missing, None, true).await?;
            value.extend(reading.told(&archived, &mut open));
        }
    }
    Ok(Answered { value, calls: reading.calls, usage: reading.usage })
}

/// Live records that bear one of these addresses or keys.
pub async fn find(cx: &Cx<'_>, kind: &str, key: Lookup<'_>, fields: &[String]) -> Result<Answered<Vec<Seen>>, Error> {
    const OP: &str = "find";
    let mut reading = Reading::new(cx, OP, kind, fields)?;
    let (property, values): (String, Vec<&str>) = match key {
        Lookup::Email(emails) => {
            let property = reading.kind.email.ok_or_else(|| {
                configuration(OP, format!("records of the kind `{kind}` cannot be looked up by an e-mail address"))
            })?;
            (property.to_owned(), emails.iter().map(String::as_str).collect())
        }
        Lookup::Key(keys) => (reading.key.clone(), keys.iter().map(|key| key.as_str()).collect()),
    };
    let values: BTreeSet<&str> = values.into_iter().map(str::trim).filter(|value| !value.is_empty()).collect();
    let values: Vec<&str> = values.into_iter().collect();
    let mut found: BTreeMap<RecordId, Seen> = BTreeMap::new();
    for part in values.chunks(ROWS_PER_BATCH) {
        for row in reading.batch(part, Some(&property), false).await? {
            // Two addresses may lead to one contact.
            found.insert(RecordId::new(row.id.clone()), reading.seen(&row));
        }
    }
    Ok(Answered { value: found.into_values().collect(), calls: reading.calls, usage: reading.usage })
}

impl<'a> Reading<'a> {
    fn new(cx: &'a Cx<'a>, op: &'static str, kind: &str, fields: &'a [String]) -> Result<Self, Error> {
        let (kind, key) = (known(op, kind)?, key_property(cx.settings, op)?);
        Ok(Self { cx, op, kind, key, fields, calls: 0, usage: None })
    }

    fn seen(&self, row: &Row) -> Seen {
        convert::seen(self.kind.name, &self.key, self.fields, row)
    }

    async fn batch(&mut self, values: &[&str], property: Option<&str>, archived: bool) -> Result<Vec<Row>, Error> {
        let inputs: Vec<Json> = values.iter().map(|value| json!({ "id": value })).collect();
        let properties = convert::list(convert::properties(self.kind.name, &self.key, self.fields));
        let mut body = json!({ "inputs": inputs, "properties": properties });
        if let Some(property) = property {
            body["idProperty"] = property.into();
        }
        self.calls += 1;
        let answer = match api::batch_read(self.cx, self.op, self.kind.name, archived, &body).await {
            // None of them is there.
            Err(error) if error.kind == ErrorKind::Gone => return Ok(Vec::new()),
            Err(error) if error.kind == ErrorKind::Invalid && property == Some(self.key.as_str()) => {
                return Err(configuration(self.op, no_key(self.kind.name, &self.key)));
            }
            answer => answer?,
        };
        self.usage = answer.usage.or(self.usage);
        for refused in &answer.body.errors {
            let error = classify::of_row(self.op, refused, &[]);
            if error.kind != ErrorKind::Gone {
                return Err(error);
            }
        }
        Ok(answer.body.results)
    }

    /// What the rows say of those that were asked for, which are crossed off. Who was merged is answered with the record
    /// that he is in now.
    fn told(&self, rows: &[Row], open: &mut BTreeSet<&str>) -> Vec<Seen> {
        let mut told = Vec::with_capacity(rows.len());
        for row in rows {
            open.remove(row.id.as_str());
            told.push(self.seen(row));
        }
        for row in rows {
            for lost in convert::merged(row) {
                if open.remove(lost.as_str()) {
                    let fate = Fate::MergedInto(RecordId::new(row.id.clone()));
                    told.push(Seen { fate, ..Seen::live(lost, BTreeMap::new()) });
                }
            }
        }
        told
    }
}
