//! What deals and companies have in common: attributes of the account's own, a key of ours in one of them, and links by ids.
//! They are read as a whole, found by our key, and written one by one. Whom people link besides stays.
//!
//! All calls about them share a hundred an hour, so nothing is asked that is not needed. Each bears our key in an attribute
//! that has to be made for it, because Brevo has no place of its own for one.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json, json};
use syncline_connect::{
    Answered, Cx, Error, ErrorKind, Retry, Settings,
    mirror::{Lookup, Op, RowWrite, Seen, Singly, Written},
};
use syncline_core::{
    description::{FieldDescription, FieldKind, Habits},
    ids::{ExternalKey, RecordId},
    record::{Field, Value},
};

use super::{
    api::Api,
    wire::{CrmAttribute, CrmRecord},
};

/// The name of the attribute that bears our key, unless a setting says otherwise.
const KEY_DEFAULT: &str = "syncline_key";

/// Records of a page. The largest page is not documented.
pub const PAGE: u64 = 100;
/// Records of one write: each is a call or two of the hundred an hour.
pub const ROWS_MAX: usize = 20;
/// Digits behind the point that are compared of a number.
const NUMBER_SCALE: u32 = 6;

/// How far before the beginning of the last run the next one begins: a poll's interval and five minutes.
pub const OVERLAP: SignedDuration = SignedDuration::from_mins(15);
/// How far our own clock may lie from Brevo's, where an answer bears no date.
pub const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Deals, or companies.
pub struct Object {
    /// As people call several of them.
    pub plural: &'static str,
    pub path: &'static [&'static str],
    /// What their attributes are asked for by.
    pub attributes: &'static str,
    /// The attributes that bear the name, and when a record was made and changed.
    pub name: &'static str,
    pub created: &'static str,
    pub changed: &'static str,
    /// What Brevo keeps by itself, or takes in a way that is not documented.
    pub read_only: &'static [&'static str],
    /// The setting that names the attribute that bears our key.
    pub key_setting: &'static str,
    /// Whom a record belongs to.
    pub ties: &'static [TieSpec],
}

/// A field that names another record.
pub struct TieSpec {
    pub field: &'static str,
    pub link: &'static str,
    pub unlink: &'static str,
    /// Whether the ids of those are numbers.
    pub numbers: bool,
    /// What is said of a value that is no such id.
    pub wrong: &'static str,
}

impl Object {
    /// The name of the attribute that bears our key.
    pub fn key<'a>(&self, settings: &'a Settings) -> &'a str {
        settings.get(self.key_setting).map_or(KEY_DEFAULT, |name| name.trim())
    }

    /// The account's attributes, among which is the one for our key.
    pub async fn attributes(&self, api: &mut Api<'_>, settings: &Settings) -> Result<Vec<CrmAttribute>, Error> {
        let attributes = api.crm_attributes(self.attributes).await?;
        let key = self.key(settings);
        if attributes.iter().any(|attribute| attribute.internal_name == key && attribute.kind == "text") {
            return Ok(attributes);
        }
        let says = format!(
            "{} have no text attribute `{key}`, by which Syncline knows the ones that it made; make one in Brevo's CRM \
             settings, or name another in the connection's setting `{}`",
            self.plural, self.key_setting
        );
        Err(Error::new(ErrorKind::Configuration, Retry::Never, api.0.op, says))
    }

    /// The fields that attributes are.
    pub fn fields(&self, attributes: &[CrmAttribute], key: &str) -> BTreeMap<String, FieldDescription> {
        let own = attributes.iter().filter(|attribute| attribute.internal_name != key);
        let mut fields: BTreeMap<String, FieldDescription> =
            own.map(|attribute| (attribute.internal_name.clone(), self.field(attribute))).collect();
        fields.insert(self.created.to_owned(), FieldDescription::read_only("Created", FieldKind::DateTime));
        fields
    }

    fn field(&self, attribute: &CrmAttribute) -> FieldDescription {
        let kind = match attribute.kind.as_str() {
            "text" => FieldKind::Text,
            "number" => FieldKind::Number,
            "date" => FieldKind::DateTime,
            "boolean" => FieldKind::Boolean,
            "single-select" => FieldKind::Picklist,
            "multi-choice" => FieldKind::MultiPicklist,
            _ => FieldKind::Other,
        };
        let name = attribute.internal_name.as_str();
        let is_kept = attribute.is_value_readonly || self.read_only.contains(&name) || name == self.changed;
        if kind == FieldKind::Other || is_kept {
            return FieldDescription::read_only(&attribute.label, kind);
        }
        let is_required = name == self.name || attribute.is_required;
        FieldDescription {
            scale: if kind == FieldKind::Number { NUMBER_SCALE } else { 0 },
            required: is_required,
            nillable: !is_required,
            restricted: matches!(kind, FieldKind::Picklist | FieldKind::MultiPicklist),
            values: attribute.options.iter().map(|option| option.key.clone()).collect(),
            habits: Habits { whole_seconds: kind == FieldKind::DateTime, ..Habits::default() },
            ..FieldDescription::plain(&attribute.label, kind)
        }
    }

    /// When a record was made.
    pub fn made_at(&self, record: &CrmRecord) -> Option<Timestamp> {
        time(record, self.created)
    }

    /// A record as we see it. Whom it belongs to is not shown: it may belong to many, and only one of them is our business.
    pub fn seen(&self, record: &CrmRecord, key: &str, fields: &[String]) -> Seen {
        let is_tie = |name: &str| self.ties.iter().any(|tie| tie.field == name);
        let shown = fields.iter().filter(|name| !is_tie(name)).map(|name| {
            let value = match record.attributes.get(name) {
                None | Some(Json::Null | Json::Object(_)) => Value::Null,
                Some(Json::Bool(value)) => Value::Bool(*value),
                Some(Json::Number(number)) => Value::text(number.to_string()),
                Some(Json::String(text)) if text.trim().is_empty() => Value::Null,
                Some(Json::String(text)) => Value::text(text),
                Some(Json::Array(values)) => {
                    Value::text(values.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(";"))
                }
            };
            (name.clone(), value)
        });
        Seen {
            key: record.attributes.get(key).and_then(Json::as_str).filter(|key| !key.is_empty()).map(ExternalKey::new),
            changed_at: time(record, self.changed),
            ..Seen::live(RecordId::new(record.id.clone()), shown.collect())
        }
    }

    /// Records by id, a call each.
    pub async fn fetch(&self, cx: &Cx<'_>, ids: &[RecordId], fields: &[String]) -> Result<Answered<Vec<Seen>>, Error> {
        let mut api = Api::new(cx, "fetch");
        let key = self.key(cx.settings);
        let mut value = Vec::with_capacity(ids.len());
        for id in ids {
            value.extend(api.crm_record(self.path, id.as_str()).await?.map(|record| self.seen(&record, key, fields)));
        }
        Ok(Answered { value, calls: api.calls(), usage: None })
    }

    /// Records that bear one of our keys, a call each.
    pub async fn find(&self, cx: &Cx<'_>, lookup: Lookup<'_>, fields: &[String]) -> Result<Answered<Vec<Seen>>, Error> {
        let mut api = Api::new(cx, "find");
        let name = self.key(cx.settings);
        let Lookup::Key(keys) = lookup else { return Ok(Answered { value: Vec::new(), calls: 0, usage: None }) };
        let filter = format!("filters[attributes.{name}]");
        let mut value = Vec::with_capacity(keys.len());
        for key in keys {
            let (found, _) = api.crm_page(self.path, &[(filter.as_str(), key.as_str().to_owned())]).await?;
            let found = found.iter().map(|record| self.seen(record, name, fields));
            // A server that does not know the filter shows others.
            value.extend(found.filter(|seen| seen.key.as_ref() == Some(key)));
        }
        Ok(Answered { value, calls: api.calls(), usage: None })
    }

    /// Writes rows one by one, each to its end.
    pub async fn write(&self, cx: &Cx<'_>, rows: &[RowWrite]) -> Result<Answered<Written>, Error> {
        let mut api = Api::new(cx, "write");
        let key = self.key(cx.settings);
        let mut said = Singly::default();
        for row in rows {
            if said.goes_on() {
                let mut begun = false;
                let written = self.one(&mut api, key, row, &mut begun).await;
                said.said(written, begun);
            }
        }
        Ok(Answered { value: said.end()?, calls: api.calls(), usage: None })
    }

    /// Writes one row. `begun` says whether a part of it was written already.
    async fn one(&self, api: &mut Api<'_>, key: &str, row: &RowWrite, begun: &mut bool) -> Result<RecordId, Error> {
        let draft = self.draft(api.0.op, row)?;
        match &row.op {
            Op::Create { key: own } => {
                let mut attributes = draft.attributes;
                attributes.insert(key.to_owned(), own.as_str().into());
                let mut body = Map::from_iter([("attributes".to_owned(), Json::Object(attributes))]);
                body.extend(draft.name.map(|name| ("name".to_owned(), name)));
                let linked = draft.ties.into_iter().filter_map(|(tie, ties)| Some((tie, ties.linked?)));
                body.extend(linked.map(|(tie, id)| (tie.field.to_owned(), json!([id]))));
                api.crm_create(self.path, body).await.map(RecordId::new)
            }
            Op::Update { id } => {
                if draft.name.is_some() || !draft.attributes.is_empty() {
                    let mut body = Map::from_iter([("attributes".to_owned(), Json::Object(draft.attributes))]);
                    body.extend(draft.name.map(|name| ("name".to_owned(), name)));
                    api.crm_update(self.path, id.as_str(), body).await?;
                    *begun = true;
                }
                let named = |name: &str, id: Json| (name.to_owned(), json!([id]));
                let come = draft.ties.iter().filter_map(|(tie, ties)| Some(named(tie.link, ties.linked.clone()?)));
                let go = draft.ties.iter().filter_map(|(tie, ties)| Some(named(tie.unlink, ties.unlinked.clone()?)));
                let (come, go): (Map<_, _>, Map<_, _>) = (come.collect(), go.collect());
                if come.is_empty() && go.is_empty() {
                    return Ok(id.clone());
                }
                let both = come.clone().into_iter().chain(go.clone()).collect();
                match api.crm_link(self.path, id.as_str(), both).await {
                    // Whom it belonged to may be gone, and is then linked with nothing: it is told the others alone.
                    Err(error) if error.kind == ErrorKind::Invalid && !come.is_empty() && !go.is_empty() => {
                        api.crm_link(self.path, id.as_str(), come).await?;
                    }
                    linked => linked?,
                }
                Ok(id.clone())
            }
            Op::Delete { id } => api.crm_delete(self.path, id.as_str()).await.map(|()| id.clone()),
        }
    }

    fn draft(&self, op: &'static str, row: &RowWrite) -> Result<Draft<'_>, Error> {
        let mut draft = Draft::default();
        for (name, value) in &row.fields {
            let wrong = |says: &str| {
                let mut error = Error::new(ErrorKind::Invalid, Retry::Never, op, says);
                error.fields = vec![Field::Native(name.clone())];
                error
            };
            if let Some(tie) = self.ties.iter().find(|tie| tie.field == name) {
                let before = row.seen.as_ref().and_then(|seen| seen.fields.get(name));
                let read = if tie.numbers { number } else { text };
                draft.ties.push((tie, ties(before, value, read).ok_or_else(|| wrong(tie.wrong))?));
                continue;
            }
            let says =
                if name == self.name { "a name is a text" } else { "the value is of a kind that no attribute takes" };
            let value = written(value).ok_or_else(|| wrong(says))?;
            if name == self.name {
                draft.name = Some(value);
            } else {
                draft.attributes.insert(name.clone(), value);
            }
        }
        Ok(draft)
    }
}

/// A row as it is to be sent.
#[derive(Default)]
struct Draft<'a> {
    name: Option<Json>,
    attributes: Map<String, Json>,
    ties: Vec<(&'a TieSpec, Ties)>,
}

/// Whom a record is linked with now, and whom it was linked with before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ties {
    pub linked: Option<Json>,
    pub unlinked: Option<Json>,
}

/// What comes and goes; nothing where the new one cannot be read.
pub fn ties(before: Option<&Value>, now: &Value, read: impl Fn(&Value) -> Option<Json>) -> Option<Ties> {
    let before = before.and_then(&read);
    let now = match now {
        Value::Null => None,
        now => Some(read(now)?),
    };
    if before == now {
        return Some(Ties::default());
    }
    Some(Ties { linked: now, unlinked: before })
}

fn number(value: &Value) -> Option<Json> {
    id(value).and_then(|id| id.parse::<u64>().ok()).map(Json::from)
}

/// The id that a value names, as deals and companies have them.
pub fn text(value: &Value) -> Option<Json> {
    id(value).map(Json::from)
}

fn id(value: &Value) -> Option<&str> {
    match value {
        Value::Id(id) => Some(id.as_str()),
        other => other.as_text(),
    }
}

fn written(value: &Value) -> Option<Json> {
    Some(match value {
        Value::Null => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Decimal(text) => Json::Number(text.parse().ok()?),
        Value::Text(text) => json!(text),
        Value::Date(date) => json!(format!("{date}T00:00:00.000Z")),
        Value::Time(time) => json!(format!("{time:.3}")),
        Value::Id(id) => json!(id.as_str()),
        Value::Slot(_) => return None,
    })
}

fn time(record: &CrmRecord, name: &str) -> Option<Timestamp> {
    record.attributes.get(name)?.as_str()?.parse().ok()
}

/// A moment, so long before it.
pub fn before(moment: Timestamp, span: SignedDuration) -> Timestamp {
    moment.checked_sub(span).unwrap_or(Timestamp::MIN)
}
