//! Deals: read page by page, found by a mark of ours, written one by one. A deal has one contact, which it must have.
//!
//! ActiveCampaign has no key against making a deal twice and no filter by a field of one's own. So a deal that we make bears
//! our key in its description, and after a lost answer the deals of the last days are read for it.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Map, Value as Json, json};
use syncline_connect::{
    Answered, Cx, Error, ErrorKind, Retry,
    mirror::{Ask, Changes, KindSpec, Lookup, Op, RowWrite, Seen, Singly, Written},
};
use syncline_core::{
    description::{FieldDescription, FieldKind, Habits, ObjectDescription},
    ids::{ExternalKey, RecordId},
    record::{Field, Role, Value},
};

use super::{
    accounts,
    api::{Api, DealsSince, PAGE},
    convert::CONTACT,
    crm::{Cursor, OWN_FIELD, SCALE, own_field, text, written},
    wire::{Deal, OwnField, Pipeline, Stage},
};

pub const DEAL: &str = "deal";

const TITLE: &str = "title";
const VALUE: &str = "value";
const CURRENCY: &str = "currency";
const STAGE: &str = "stage";
const STATUS: &str = "status";
const OWNER: &str = "owner";
const PERCENT: &str = "percent";
const PERSON: &str = "contact";
const CREATED_AT: &str = "cdate";
/// Where our key stands; nobody else's to map.
const DESCRIPTION: &str = "description";
/// What stands before our key, and how every key of ours begins.
const MARK: &str = "Syncline ";
const OUR_KEYS: &str = "sy_";

/// Money is in hundredths.
const CENTS: u64 = 100;
/// How a deal stands, by ActiveCampaign's numbers.
const STATUSES: [(&str, &str); 3] = [("0", "open"), ("1", "won"), ("2", "lost")];
/// Stages that a field's label names.
const NAMED_MAX: usize = 50;

/// A filter takes a day, and whose day it is is not documented: a day and a half is longer than any clock is off.
const OVERLAP: SignedDuration = SignedDuration::from_hours(36);
/// How long ago deals were made that somebody looks after.
const RECENT: SignedDuration = SignedDuration::from_hours(72);

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
    every: Duration::from_secs(60),
};

/// What deals are in this account: their own fields, its stages and its custom fields.
pub async fn describe(api: &mut Api<'_>) -> Result<ObjectDescription, Error> {
    let (pipelines, stages) = (api.pipelines().await?, api.stages().await?);
    Ok(description(&pipelines, &stages, &api.deal_fields().await?))
}

fn description(pipelines: &[Pipeline], stages: &[Stage], own: &[OwnField]) -> ObjectDescription {
    let pipeline = |stage: &Stage| {
        let of = pipelines.iter().find(|pipeline| pipeline.id == stage.group);
        of.map_or(String::new(), |pipeline| format!(" of {}", pipeline.title.0))
    };
    let stages: Vec<(String, String)> =
        stages.iter().map(|stage| (stage.id.0.clone(), format!("{}{}", stage.title.0, pipeline(stage)))).collect();
    let statuses = STATUSES.map(|(number, name)| (number.to_owned(), name.to_owned())).to_vec();
    let required = |field: FieldDescription| FieldDescription { required: true, nillable: false, ..field };
    let plain = |label: &str, kind: FieldKind| FieldDescription::plain(label, kind);
    let currency = FieldDescription {
        length: Some(3),
        habits: Habits { lower_case: true, trims: true, ..Habits::default() },
        ..plain("Currency, such as eur", FieldKind::Text)
    };
    let value = FieldDescription { scale: SCALE, nillable: false, ..plain("Value", FieldKind::Number) };
    let person = FieldDescription {
        refers_to: vec![CONTACT.to_owned()],
        ..plain("The contact that it belongs to", FieldKind::Reference)
    };
    let mut fields: BTreeMap<String, FieldDescription> = own.iter().filter_map(own_field).collect();
    let known = [
        (TITLE, required(plain("Title", FieldKind::Text))),
        (VALUE, value),
        (CURRENCY, required(currency)),
        (STAGE, required(choice("Stage", stages))),
        (STATUS, FieldDescription { nillable: false, ..choice("Status", statuses) }),
        (OWNER, FieldDescription { nillable: false, ..plain("Owner, by the user's number", FieldKind::Text) }),
        (PERCENT, FieldDescription { nillable: false, ..plain("Percent", FieldKind::Number) }),
        (PERSON, required(person)),
        (accounts::OF_OTHERS, accounts::of_others("The account that it belongs to")),
        (CREATED_AT, FieldDescription::read_only("Created", FieldKind::DateTime)),
    ];
    fields.extend(known.map(|(name, field)| (name.to_owned(), field)));
    ObjectDescription {
        name: DEAL.to_owned(),
        label: "Deal".to_owned(),
        createable: true,
        updateable: true,
        relates_many: false,
        fields,
    }
}

/// One of these numbers, which say nothing to people: the label names them.
fn choice(label: &str, options: Vec<(String, String)>) -> FieldDescription {
    let named: Vec<String> = options.iter().take(NAMED_MAX).map(|(id, name)| format!("{id} {name}")).collect();
    FieldDescription {
        restricted: true,
        values: options.into_iter().map(|(id, _)| id).collect(),
        ..FieldDescription::plain(format!("{label} ({})", named.join(", ")), FieldKind::Picklist)
    }
}

/// The next page of deals, in the order of their making.
pub async fn changes(cx: &Cx<'_>, api: &mut Api<'_>, ask: &Ask<'_>) -> Result<Changes, Error> {
    let cursor = Cursor::of(ask.start)?;
    let since = cursor.since.map(|since| DealsSince::Changed(day(since, OVERLAP)));
    let deals = api.deals(since, cursor.offset()).await?;
    cursor.page(&deals, cx.now, |deal| deal.id.number(), |deal| Some(seen(deal, ask.fields)))
}

/// The day that lies so far before a moment.
fn day(moment: Timestamp, before: SignedDuration) -> String {
    let moment = moment.checked_sub(before).unwrap_or(Timestamp::MIN);
    moment.to_zoned(TimeZone::UTC).date().to_string()
}

/// A deal as we see it. Custom fields are not shown.
fn seen(deal: &Deal, fields: &[String]) -> Seen {
    let shown = fields.iter().filter_map(|name| {
        let value = match name.as_str() {
            TITLE => text(&deal.title.0),
            VALUE => money(&deal.value.0),
            CURRENCY => text(&deal.currency.0),
            STAGE => text(&deal.stage.0),
            STATUS => text(&deal.status.0),
            OWNER => text(&deal.owner.0),
            PERCENT => text(&deal.percent.0),
            PERSON => match deal.contact.0.as_str() {
                "" | "0" => Value::Null,
                id => Value::Id(RecordId::new(id)),
            },
            CREATED_AT => deal.cdate.0.parse().map_or(Value::Null, Value::Time),
            _ => return None,
        };
        Some((name.clone(), value))
    });
    Seen {
        key: own_key(deal),
        changed_at: deal.mdate.0.parse().ok(),
        ..Seen::live(RecordId::new(deal.id.0.clone()), shown.collect())
    }
}

fn own_key(deal: &Deal) -> Option<ExternalKey> {
    let mut words = deal.description.0.split_whitespace();
    words.find(|word| word.starts_with(OUR_KEYS)).map(ExternalKey::new)
}

/// Hundredths as an amount.
fn money(cents: &str) -> Value {
    let Ok(cents) = cents.trim().parse::<i64>() else { return Value::Null };
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    Value::text(format!("{sign}{}.{:02}", cents / CENTS, cents % CENTS))
}

/// Deals by number, a call each.
pub async fn fetch(cx: &Cx<'_>, ids: &[RecordId], fields: &[String]) -> Result<Answered<Vec<Seen>>, Error> {
    let mut api = Api::new(cx, "fetch");
    let mut value = Vec::with_capacity(ids.len());
    for id in ids {
        value.extend(api.deal(id.as_str()).await?.map(|deal| seen(&deal, fields)));
    }
    Ok(Answered { value, calls: api.calls(), usage: None })
}

/// Deals of the last days that bear one of our keys, a hundred a call.
pub async fn find(cx: &Cx<'_>, lookup: Lookup<'_>, fields: &[String]) -> Result<Answered<Vec<Seen>>, Error> {
    let mut api = Api::new(cx, "find");
    let Lookup::Key(keys) = lookup else { return Ok(Answered { value: Vec::new(), calls: 0, usage: None }) };
    let (mut value, mut offset) = (Vec::new(), 0);
    while value.len() < keys.len() {
        let deals = api.deals(Some(DealsSince::Made(day(cx.now, RECENT))), offset).await?;
        let found = deals.iter().filter(|deal| own_key(deal).is_some_and(|key| keys.contains(&key)));
        value.extend(found.map(|deal| seen(deal, fields)));
        if deals.len() < PAGE {
            break;
        }
        offset += deals.len();
    }
    Ok(Answered { value, calls: api.calls(), usage: None })
}

/// Writes rows one by one, each by one call.
pub async fn write(cx: &Cx<'_>, rows: &[RowWrite]) -> Result<Answered<Written>, Error> {
    let mut api = Api::new(cx, "write");
    let mut said = Singly::default();
    for row in rows {
        if said.goes_on() {
            said.said(one(&mut api, row).await, false);
        }
    }
    Ok(Answered { value: said.end()?, calls: api.calls(), usage: None })
}

async fn one(api: &mut Api<'_>, row: &RowWrite) -> Result<RecordId, Error> {
    let mut deal = body(api.0.op, row)?;
    let refused = |error: Error| match (error.kind, &row.op) {
        // What is not there is what the deal names: its contact or its stage.
        (ErrorKind::Gone, Op::Create { .. }) => Error {
            kind: ErrorKind::Invalid,
            retry: Retry::Never,
            message: "the contact or the stage that the deal names is not there".to_owned(),
            ..error
        },
        _ => error,
    };
    match &row.op {
        Op::Create { key } => {
            deal.insert(DESCRIPTION.to_owned(), json!(format!("{MARK}{}", key.as_str())));
            // A deal has a value, if only none.
            deal.entry(VALUE).or_insert_with(|| json!(0));
            api.create_deal(deal).await.map(RecordId::new).map_err(refused)
        }
        Op::Update { id } if deal.is_empty() => Ok(id.clone()),
        Op::Update { id } => api.update_deal(id.as_str(), deal).await.map(|()| id.clone()),
        Op::Delete { id } => api.delete_deal(id.as_str()).await.map(|()| id.clone()),
    }
}

/// A row as ActiveCampaign takes it.
fn body(op: &'static str, row: &RowWrite) -> Result<Map<String, Json>, Error> {
    let (mut deal, mut own) = (Map::new(), Vec::new());
    for (name, value) in &row.fields {
        let wrong = || {
            let says = "the value is not of the kind that the field takes";
            let mut error = Error::new(ErrorKind::Invalid, Retry::Never, op, says);
            error.fields = vec![Field::Native(name.clone())];
            error
        };
        match name.as_str() {
            VALUE => {
                let cents = cents(value).ok_or_else(wrong)?;
                deal.insert(name.clone(), json!(cents));
            }
            name if name.starts_with(OWN_FIELD) => {
                let number: u64 = name[OWN_FIELD.len()..].parse().map_err(|_| wrong())?;
                let value = written(value).ok_or_else(wrong)?;
                own.push(json!({ "customFieldId": number, "fieldValue": value }));
            }
            name => {
                deal.insert(name.to_owned(), json!(written(value).ok_or_else(wrong)?));
            }
        }
    }
    if !own.is_empty() {
        deal.insert("fields".to_owned(), Json::Array(own));
    }
    Ok(deal)
}

/// An amount in hundredths.
fn cents(value: &Value) -> Option<i64> {
    let (Value::Decimal(text) | Value::Text(text)) = value else { return None };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = fraction.len() <= 2 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    format!("{whole}{fraction:0<2}").parse().ok().filter(|_| is_plain)
}
