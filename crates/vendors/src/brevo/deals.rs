//! Deals: read page by page, found by our key, written one by one. They are told whom they belong to by the ids of contacts
//! and companies; whom people link besides stays.
//!
//! All calls about deals share a hundred an hour, so nothing is asked that is not needed. A deal bears our key in an
//! attribute that has to be made for it, because Brevo has no place of its own for one.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use syncline_connect::{
    Answered, Cx, Error, ErrorKind, Retry, Settings,
    mirror::{Ask, Changes, From, KindSpec, Lookup, Op, RowOutcome, RowWrite, Seen, Written},
};
use syncline_core::{
    description::{FieldDescription, FieldKind, Habits, ObjectDescription},
    ids::{ExternalKey, RecordId},
    record::{Field, Role, Value},
};

use super::{
    api::Api,
    classify,
    convert::CONTACT,
    walk::{Place, Step, Walk},
    wire::{Deal, DealAttribute, Pipeline},
};

pub const DEAL: &str = "deal";
/// The setting that names the attribute of deals that bears our key.
pub const KEY_SETTING: &str = "deal_key";
/// Its name unless the setting says otherwise.
const KEY_DEFAULT: &str = "syncline_key";

const NAME: &str = "deal_name";
const STAGE: &str = "deal_stage";
const PIPELINE: &str = "pipeline";
const CREATED_AT: &str = "created_at";
const CHANGED_AT: &str = "last_updated_date";
/// Whom a deal belongs to.
const CONTACTS: &str = "linkedContactsIds";
const COMPANIES: &str = "linkedCompaniesIds";
/// What Brevo keeps of a deal by itself.
const READ_ONLY: [&str; 7] = [
    CREATED_AT,
    CHANGED_AT,
    "last_activity_date",
    "next_activity_date",
    "number_of_activities",
    "number_of_contacts",
    "stage_updated_at",
];

/// Deals of a page. The largest page is not documented.
pub const PAGE: u64 = 100;
/// Deals of one write: each is a call or two of the hundred an hour.
pub const ROWS_MAX: usize = 20;
/// Digits behind the point that are compared of a number.
const NUMBER_SCALE: u32 = 6;
/// Stages that a field's label names.
const NAMED_MAX: usize = 50;

/// How far before the beginning of the last run the next one begins: a poll's interval and five minutes.
const OVERLAP: SignedDuration = SignedDuration::from_mins(15);
/// How far our own clock may lie from Brevo's, where an answer bears no date.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

pub const KIND: KindSpec = KindSpec {
    name: DEAL,
    role: Role::Opportunity,
    email: None,
    phone: None,
    one_per_email: false,
    created: Some(CREATED_AT),
    opt_out: None,
    sets: &[],
    can_create: true,
    can_delete: true,
    shows_deleted: false,
    reads_at_once: 0,
    // Six looks an hour of the hundred calls that everything but contacts may take.
    every: Duration::from_secs(600),
};

/// The name of the attribute that bears our key.
pub fn key_attribute(settings: &Settings) -> &str {
    settings.get(KEY_SETTING).map_or(KEY_DEFAULT, |name| name.trim())
}

/// What deals are in this account: their attributes, and the stages of its pipelines by their ids.
pub async fn describe(api: &mut Api<'_>, settings: &Settings) -> Result<ObjectDescription, Error> {
    let attributes = api.deal_attributes().await?;
    let key = key_attribute(settings);
    if !attributes.iter().any(|attribute| attribute.internal_name == key && attribute.kind == "text") {
        let says = format!(
            "deals have no text attribute `{key}`, by which Syncline knows the ones that it made; make one in Brevo's CRM \
             settings, or name another in the connection's setting `{KEY_SETTING}`"
        );
        return Err(Error::new(ErrorKind::Configuration, Retry::Never, api.0.op, says));
    }
    let pipelines = api.pipelines().await?;
    Ok(description(&attributes, &pipelines, key))
}

fn description(attributes: &[DealAttribute], pipelines: &[Pipeline], key: &str) -> ObjectDescription {
    let own = attributes.iter().filter(|attribute| attribute.internal_name != key);
    let mut fields: BTreeMap<String, FieldDescription> =
        own.map(|attribute| (attribute.internal_name.clone(), field(attribute))).collect();
    let stages = pipelines.iter().flat_map(|pipeline| {
        let of = |name: &str| format!("{name} of {}", pipeline.name);
        pipeline.stages.iter().map(move |stage| (stage.id.clone(), of(&stage.name)))
    });
    fields.insert(STAGE.to_owned(), choice("Deal stage", stages.collect()));
    let lines = pipelines.iter().map(|pipeline| (pipeline.id.clone(), pipeline.name.clone()));
    fields.insert(PIPELINE.to_owned(), choice("Pipeline", lines.collect()));
    for (name, label, kind) in [
        (CONTACTS, "The contact that it belongs to", CONTACT),
        (COMPANIES, "The company that it belongs to", "company"),
    ] {
        let refers_to = vec![kind.to_owned()];
        let tie = FieldDescription { refers_to, ..FieldDescription::plain(label, FieldKind::Reference) };
        fields.insert(name.to_owned(), tie);
    }
    fields.insert(CREATED_AT.to_owned(), FieldDescription::read_only("Created", FieldKind::DateTime));
    ObjectDescription {
        name: DEAL.to_owned(),
        label: "Deal".to_owned(),
        createable: true,
        updateable: true,
        relates_many: true,
        fields,
    }
}

/// One of these ids, which say nothing to people: the label names them.
fn choice(label: &str, options: Vec<(String, String)>) -> FieldDescription {
    let named: Vec<String> = options.iter().take(NAMED_MAX).map(|(id, name)| format!("{id} {name}")).collect();
    FieldDescription {
        restricted: true,
        values: options.into_iter().map(|(id, _)| id).collect(),
        nillable: false,
        ..FieldDescription::plain(format!("{label} ({})", named.join(", ")), FieldKind::Picklist)
    }
}

fn field(attribute: &DealAttribute) -> FieldDescription {
    let kind = match attribute.kind.as_str() {
        "text" => FieldKind::Text,
        "number" => FieldKind::Number,
        "date" => FieldKind::DateTime,
        "boolean" => FieldKind::Boolean,
        "single-select" => FieldKind::Picklist,
        "multi-choice" => FieldKind::MultiPicklist,
        _ => FieldKind::Other,
    };
    let is_name = attribute.internal_name == NAME;
    if kind == FieldKind::Other || READ_ONLY.contains(&attribute.internal_name.as_str()) {
        return FieldDescription::read_only(&attribute.label, kind);
    }
    let values: Vec<String> = attribute.options.iter().map(|option| option.key.clone()).collect();
    FieldDescription {
        scale: if kind == FieldKind::Number { NUMBER_SCALE } else { 0 },
        required: is_name || attribute.is_required,
        nillable: !is_name && !attribute.is_required,
        restricted: matches!(kind, FieldKind::Picklist | FieldKind::MultiPicklist),
        values,
        habits: Habits { whole_seconds: kind == FieldKind::DateTime, ..Habits::default() },
        ..FieldDescription::plain(&attribute.label, kind)
    }
}

/// Where the reading stopped.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    /// Nothing that changed last before this is of interest; where it is missing, everything is.
    since: Option<Timestamp>,
    run: Option<Run>,
}

/// A run through the pages.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    began: Option<Timestamp>,
    walk: Walk,
}

/// The next page of deals, in the order of their making.
pub async fn changes(cx: &Cx<'_>, api: &mut Api<'_>, ask: &Ask<'_>) -> Result<Changes, Error> {
    let wrong = |what: &str| Error::new(ErrorKind::Configuration, Retry::Never, "changes", what);
    let cursor: Cursor = match ask.start {
        From::Beginning => Cursor::default(),
        From::Since(since) => Cursor { since: Some(before(since, OVERLAP)), run: None },
        From::Cursor(text) => {
            serde_json::from_str(text).map_err(|_| wrong("the stored cursor is not one of Brevo's deals"))?
        }
    };
    let Run { began, mut walk } = cursor.run.unwrap_or_default();
    let (deals, date) = api.deals(cursor.since, walk.offset, PAGE).await?;
    let began = began.or(date).unwrap_or_else(|| before(cx.now, SKEW));
    let places: Vec<Place> = deals.iter().map(place).collect();
    let (fresh, is_end) = match walk.take(&places, u64::MAX, PAGE) {
        Step::On { fresh } => (fresh, false),
        Step::End { fresh } => (fresh, true),
        Step::Back => (deals.len(), false),
    };
    let next = match is_end {
        true => Cursor { since: Some(before(began, OVERLAP)), run: None },
        false => Cursor { since: cursor.since, run: Some(Run { began: Some(began), walk }) },
    };
    let cursor = serde_json::to_string(&next).map_err(|_| wrong("the cursor cannot be written down"))?;
    let key = key_attribute(cx.settings);
    let rows = deals.iter().skip(fresh).map(|deal| seen(deal, key, ask.fields)).collect();
    Ok(Changes { rows, cursor, more: !is_end })
}

fn before(moment: Timestamp, span: SignedDuration) -> Timestamp {
    moment.checked_sub(span).unwrap_or(Timestamp::MIN)
}

/// Where a deal stands in the order of making. Of those made at the same moment the end of the id tells, which counts up.
fn place(deal: &Deal) -> Place {
    let digits = deal.id.get(deal.id.len().saturating_sub(16)..).unwrap_or_default();
    Place(time(deal, CREATED_AT), u64::from_str_radix(digits, 16).unwrap_or(0))
}

fn time(deal: &Deal, name: &str) -> Option<Timestamp> {
    deal.attributes.get(name)?.as_str()?.parse().ok()
}

/// A deal as we see it. Whom it belongs to is not shown: it may belong to many, and only one of them is our business.
fn seen(deal: &Deal, key: &str, fields: &[String]) -> Seen {
    let shown = fields.iter().filter(|name| ![CONTACTS, COMPANIES].contains(&name.as_str())).map(|name| {
        let value = match deal.attributes.get(name) {
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
        key: deal.attributes.get(key).and_then(Json::as_str).filter(|key| !key.is_empty()).map(ExternalKey::new),
        changed_at: time(deal, CHANGED_AT),
        ..Seen::live(RecordId::new(deal.id.clone()), shown.collect())
    }
}

/// Deals by id, a call each.
pub async fn fetch(cx: &Cx<'_>, ids: &[RecordId], fields: &[String]) -> Result<Answered<Vec<Seen>>, Error> {
    let mut api = Api::new(cx, "fetch");
    let key = key_attribute(cx.settings);
    let mut value = Vec::with_capacity(ids.len());
    for id in ids {
        value.extend(api.deal(id.as_str()).await?.map(|deal| seen(&deal, key, fields)));
    }
    Ok(Answered { value, calls: api.calls(), usage: None })
}

/// Deals that bear one of our keys, a call each.
pub async fn find(cx: &Cx<'_>, lookup: Lookup<'_>, fields: &[String]) -> Result<Answered<Vec<Seen>>, Error> {
    let mut api = Api::new(cx, "find");
    let name = key_attribute(cx.settings);
    let Lookup::Key(keys) = lookup else { return Ok(Answered { value: Vec::new(), calls: 0, usage: None }) };
    let mut value = Vec::with_capacity(keys.len());
    for key in keys {
        let found = api.deals_with(name, key.as_str()).await?;
        // A server that does not know the filter shows others.
        value.extend(found.iter().map(|deal| seen(deal, name, fields)).filter(|seen| seen.key.as_ref() == Some(key)));
    }
    Ok(Answered { value, calls: api.calls(), usage: None })
}

/// Writes rows one by one, each to its end.
pub async fn write(cx: &Cx<'_>, rows: &[RowWrite]) -> Result<Answered<Written>, Error> {
    let mut api = Api::new(cx, "write");
    let key = key_attribute(cx.settings);
    let (mut halted, mut is_heard) = (None::<Error>, false);
    let mut outcomes = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(halted) = &halted {
            outcomes.push(RowOutcome::Refused(halted.clone()));
            continue;
        }
        let mut begun = false;
        let outcome = match one(&mut api, key, row, &mut begun).await {
            Ok(id) => RowOutcome::Done { id },
            Err(error) => {
                if classify::is_halt(&error) {
                    let kind =
                        if error.kind == ErrorKind::UnknownOutcome { ErrorKind::Unavailable } else { error.kind };
                    halted = Some(Error { kind, ..error.clone() });
                }
                match begun || error.kind == ErrorKind::UnknownOutcome {
                    true => RowOutcome::Unknown(error),
                    false => RowOutcome::Refused(error),
                }
            }
        };
        is_heard |= halted.is_none() || matches!(outcome, RowOutcome::Unknown(_));
        outcomes.push(outcome);
    }
    match halted {
        Some(halted) if !is_heard => Err(halted),
        _ => Ok(Answered { value: Written::Rows(outcomes), calls: api.calls(), usage: None }),
    }
}

/// Writes one row. `begun` says whether a part of it was written already.
async fn one(api: &mut Api<'_>, key: &str, row: &RowWrite, begun: &mut bool) -> Result<RecordId, Error> {
    let draft = draft(api.0.op, row)?;
    match &row.op {
        Op::Create { key: own } => {
            let mut attributes = draft.attributes;
            attributes.insert(key.to_owned(), own.as_str().into());
            let mut body = Map::from_iter([("attributes".to_owned(), Json::Object(attributes))]);
            body.extend(draft.name.map(|name| ("name".to_owned(), name)));
            body.extend(draft.contacts.linked.map(|id| (CONTACTS.to_owned(), json!([id]))));
            body.extend(draft.companies.linked.map(|id| (COMPANIES.to_owned(), json!([id]))));
            api.create_deal(body).await.map(RecordId::new)
        }
        Op::Update { id } => {
            if draft.name.is_some() || !draft.attributes.is_empty() {
                let mut body = Map::from_iter([("attributes".to_owned(), Json::Object(draft.attributes))]);
                body.extend(draft.name.map(|name| ("name".to_owned(), name)));
                api.update_deal(id.as_str(), body).await?;
                *begun = true;
            }
            let Ties { linked: contact, unlinked: no_contact } = draft.contacts;
            let Ties { linked: company, unlinked: no_company } = draft.companies;
            let links = [
                ("linkContactIds", contact),
                ("unlinkContactIds", no_contact),
                ("linkCompanyIds", company),
                ("unlinkCompanyIds", no_company),
            ];
            let links: Map<String, Json> =
                links.into_iter().filter_map(|(name, id)| Some((name.to_owned(), json!([id?])))).collect();
            if !links.is_empty() {
                api.link_deal(id.as_str(), links).await?;
            }
            Ok(id.clone())
        }
        Op::Delete { id } => api.delete_deal(id.as_str()).await.map(|()| id.clone()),
    }
}

/// A row as it is to be sent.
#[derive(Default)]
struct Draft {
    name: Option<Json>,
    attributes: Map<String, Json>,
    contacts: Ties,
    companies: Ties,
}

/// Whom a deal is linked with now, and whom it was linked with before.
#[derive(Default)]
struct Ties {
    linked: Option<Json>,
    unlinked: Option<Json>,
}

fn draft(op: &'static str, row: &RowWrite) -> Result<Draft, Error> {
    let mut draft = Draft::default();
    for (name, value) in &row.fields {
        let wrong = |says: &str| {
            let mut error = Error::new(ErrorKind::Invalid, Retry::Never, op, says);
            error.fields = vec![Field::Native(name.clone())];
            error
        };
        let before = row.seen.as_ref().and_then(|seen| seen.fields.get(name));
        match name.as_str() {
            NAME => draft.name = Some(written(value).ok_or_else(|| wrong("a deal's name is a text"))?),
            CONTACTS => {
                let number = |value: &Value| id(value).and_then(|id| id.parse::<u64>().ok()).map(Json::from);
                draft.contacts = ties(before, value, number).ok_or_else(|| wrong("it names no contact"))?;
            }
            COMPANIES => {
                let text = |value: &Value| id(value).map(Json::from);
                draft.companies = ties(before, value, text).ok_or_else(|| wrong("it names no company"))?;
            }
            name => {
                let value = written(value).ok_or_else(|| wrong("the value is of a kind that no attribute takes"))?;
                draft.attributes.insert(name.to_owned(), value);
            }
        }
    }
    Ok(draft)
}

/// What comes and goes; nothing where the new one cannot be read.
fn ties(before: Option<&Value>, now: &Value, read: impl Fn(&Value) -> Option<Json>) -> Option<Ties> {
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
