//! Accounts: read page by page, found by a key of ours, written one by one; and the contacts that belong to them.
//!
//! ActiveCampaign lets no two accounts bear one name, and knows no filter by the time of a change: every look reads all of
//! them, a hundred a call. Our key stands in a custom field that has to be made for it, so that an account which we made and
//! nobody answered for is told from one that was there before.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json, json};
use syncline_connect::{
    Answered, Cx, Error, ErrorKind, Retry, Settings,
    mirror::{Ask, Changes, KindSpec, Lookup, Op, RowWrite, Seen, Singly, Written},
};
use syncline_core::{
    description::{FieldDescription, FieldKind, ObjectDescription},
    ids::{ExternalKey, RecordId},
    record::{Field, Role, Value},
};

use super::{
    api::{Api, PAGE},
    crm::{Cursor, OWN_FIELD, own_field, text, written},
    wire::{Account, OwnField},
};

pub const ACCOUNT: &str = "account";
/// The field by which a contact or a deal names its account.
pub const OF_OTHERS: &str = "account";
/// The setting that names the custom field of accounts that bears our key.
pub const KEY_SETTING: &str = "account_key";

const NAME: &str = "name";
const WEBSITE: &str = "accountUrl";
const OWNER: &str = "owner";
const CREATED_AT: &str = "createdTimestamp";

/// Pages of accounts or values that are searched at the most.
const PAGES_MAX: usize = 1_000;
/// How far before the beginning of the last run changes are still told: what is committed late is still found.
const OVERLAP: SignedDuration = SignedDuration::from_mins(15);
/// How far our own clock may lie from the vendor's, where an answer bears no date.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

pub const KIND: KindSpec = KindSpec {
    name: ACCOUNT,
    role: Role::Account,
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
    // Each look reads all accounts: ten thousand are twenty seconds of the calls that all programs share.
    every: Duration::from_secs(600),
};

/// The number of the custom field that bears our key.
fn key_field(op: &'static str, settings: &Settings) -> Result<u64, Error> {
    let wrong = || {
        let says = format!(
            "accounts need a custom field of type text, by which Syncline knows the ones that it made; make one in \
             ActiveCampaign and set its number as the connection's setting `{KEY_SETTING}`"
        );
        Error::new(ErrorKind::Configuration, Retry::Never, op, says)
    };
    settings.get(KEY_SETTING).and_then(|number| number.trim().parse().ok()).ok_or_else(wrong)
}

/// What accounts are in this account: their own fields and its custom fields.
pub async fn describe(api: &mut Api<'_>, settings: &Settings) -> Result<ObjectDescription, Error> {
    let key = key_field(api.0.op, settings)?;
    let own = api.account_fields().await?;
    let is_text = |field: &&OwnField| matches!(field.kind.0.as_str(), "text" | "hidden");
    if !own.iter().filter(is_text).any(|field| field.id.number() == Some(key)) {
        let says = format!("accounts have no custom field {key} of type text; the setting `{KEY_SETTING}` names it");
        return Err(Error::new(ErrorKind::Configuration, Retry::Never, api.0.op, says));
    }
    let own = own.iter().filter(|field| field.id.number() != Some(key));
    let mut fields: BTreeMap<String, FieldDescription> = own.filter_map(own_field).collect();
    let name = FieldDescription {
        required: true,
        nillable: false,
        unique: true,
        ..FieldDescription::plain("Name", FieldKind::Text)
    };
    let owner =
        FieldDescription { nillable: false, ..FieldDescription::plain("Owner, by the user's number", FieldKind::Text) };
    let known = [
        (NAME, name),
        (WEBSITE, FieldDescription::plain("Website", FieldKind::Url)),
        (OWNER, owner),
        (CREATED_AT, FieldDescription::read_only("Created", FieldKind::DateTime)),
    ];
    fields.extend(known.map(|(name, field)| (name.to_owned(), field)));
    Ok(ObjectDescription {
        name: ACCOUNT.to_owned(),
        label: "Account".to_owned(),
        createable: true,
        updateable: true,
        relates_many: false,
        fields,
    })
}

/// The field by which a contact or a deal names its account.
pub fn of_others(label: &str) -> FieldDescription {
    let refers_to = vec![ACCOUNT.to_owned()];
    FieldDescription { refers_to, ..FieldDescription::plain(label, FieldKind::Reference) }
}

/// The next page of accounts, by their numbers.
pub async fn changes(cx: &Cx<'_>, api: &mut Api<'_>, ask: &Ask<'_>) -> Result<Changes, Error> {
    let cursor = Cursor::of(ask.start)?;
    let (accounts, date) = api.accounts(None, cursor.offset()).await?;
    let since = cursor.since.map(|since| before(since, OVERLAP));
    let is_news = |account: &Account| since.is_none_or(|since| changed_at(account).is_none_or(|at| at >= since));
    let now = date.unwrap_or_else(|| before(cx.now, SKEW));
    let number = |account: &Account| account.id.number();
    cursor.page(&accounts, now, number, |account| is_news(account).then(|| seen(account, None, ask.fields)))
}

fn before(moment: Timestamp, span: SignedDuration) -> Timestamp {
    moment.checked_sub(span).unwrap_or(Timestamp::MIN)
}

fn changed_at(account: &Account) -> Option<Timestamp> {
    account.updated.0.parse().ok()
}

/// An account as we see it. Custom fields are not shown.
fn seen(account: &Account, key: Option<ExternalKey>, fields: &[String]) -> Seen {
    let shown = fields.iter().filter_map(|name| {
        let value = match name.as_str() {
            NAME => text(&account.name.0),
            WEBSITE => text(&account.url.0),
            OWNER => text(&account.owner.0),
            CREATED_AT => account.created.0.parse().map_or(Value::Null, Value::Time),
            _ => return None,
        };
        Some((name.clone(), value))
    });
    let (changed_at, shown) = (changed_at(account), shown.collect());
    Seen { key, changed_at, ..Seen::live(RecordId::new(account.id.0.clone()), shown) }
}

/// Accounts by number, a call each.
pub async fn fetch(cx: &Cx<'_>, ids: &[RecordId], fields: &[String]) -> Result<Answered<Vec<Seen>>, Error> {
    let mut api = Api::new(cx, "fetch");
    let mut value = Vec::with_capacity(ids.len());
    for id in ids {
        value.extend(api.account(id.as_str()).await?.map(|account| seen(&account, None, fields)));
    }
    Ok(Answered { value, calls: api.calls(), usage: None })
}

/// Accounts that bear one of our keys: the values of custom fields are read for them, a hundred a call.
pub async fn find(cx: &Cx<'_>, lookup: Lookup<'_>, fields: &[String]) -> Result<Answered<Vec<Seen>>, Error> {
    let mut api = Api::new(cx, "find");
    let Lookup::Key(keys) = lookup else { return Ok(Answered { value: Vec::new(), calls: 0, usage: None }) };
    let key = key_field(api.0.op, cx.settings)?;
    let mut value = Vec::new();
    for page in 0..PAGES_MAX {
        let values = api.account_values(None, page * PAGE).await?;
        for held in values.iter().filter(|held| held.field.number() == Some(key)) {
            let own = keys.iter().find(|key| key.as_str() == held.value.0);
            let account = match own {
                Some(_) => api.account(&held.account.0).await?,
                None => None,
            };
            value.extend(account.map(|account| seen(&account, own.cloned(), fields)));
        }
        if values.len() < PAGE || value.len() >= keys.len() {
            break;
        }
    }
    Ok(Answered { value, calls: api.calls(), usage: None })
}

/// Writes rows one by one, each by one call.
pub async fn write(cx: &Cx<'_>, rows: &[RowWrite]) -> Result<Answered<Written>, Error> {
    let mut api = Api::new(cx, "write");
    let key = key_field(api.0.op, cx.settings)?;
    let mut said = Singly::default();
    for row in rows {
        if said.goes_on() {
            said.said(one(&mut api, key, row).await, false);
        }
    }
    Ok(Answered { value: said.end()?, calls: api.calls(), usage: None })
}

async fn one(api: &mut Api<'_>, key: u64, row: &RowWrite) -> Result<RecordId, Error> {
    let (mut account, mut own) = body(api.0.op, row)?;
    let id = match &row.op {
        Op::Create { key: ours } => {
            own.push(json!({ "customFieldId": key, "fieldValue": ours.as_str() }));
            account.insert("fields".to_owned(), Json::Array(own));
            let name = account.get(NAME).and_then(Json::as_str).unwrap_or_default().to_owned();
            return match api.create_account(account).await {
                Err(error) if error.kind == ErrorKind::KeyTaken => match ours_of_name(api, key, ours, &name).await? {
                    Some(id) => Ok(id),
                    None => Err(name_taken(error)),
                },
                made => made.map(RecordId::new),
            };
        }
        Op::Delete { id } => return api.delete_account(id.as_str()).await.map(|()| id.clone()),
        Op::Update { id } => id,
    };
    if !own.is_empty() {
        account.insert("fields".to_owned(), Json::Array(own));
    }
    if !account.is_empty() {
        let said = api.update_account(id.as_str(), account).await;
        said.map_err(|error| if error.kind == ErrorKind::KeyTaken { name_taken(error) } else { error })?;
    }
    Ok(id.clone())
}

/// The account of this name, where it is the one that we made with this key.
async fn ours_of_name(api: &mut Api<'_>, key: u64, ours: &ExternalKey, name: &str) -> Result<Option<RecordId>, Error> {
    let (found, _) = api.accounts(Some(name), 0).await?;
    for account in found.iter().filter(|account| account.name.0.trim().eq_ignore_ascii_case(name.trim())) {
        let values = api.account_values(Some(&account.id.0), 0).await?;
        let is_ours = values.iter().any(|held| {
            held.account == account.id && held.field.number() == Some(key) && held.value.0 == ours.as_str()
        });
        if is_ours {
            return Ok(Some(RecordId::new(account.id.0.clone())));
        }
    }
    Ok(None)
}

fn name_taken(error: Error) -> Error {
    Error {
        kind: ErrorKind::Invalid,
        retry: Retry::Never,
        message: "another account bears this name, and ActiveCampaign lets no two bear one".to_owned(),
        fields: vec![Field::Native(NAME.to_owned())],
        ..error
    }
}

/// A row as ActiveCampaign takes it: the account's own members, and its custom fields.
fn body(op: &'static str, row: &RowWrite) -> Result<(Map<String, Json>, Vec<Json>), Error> {
    let (mut account, mut own) = (Map::new(), Vec::new());
    for (name, value) in &row.fields {
        let wrong = || {
            let says = "the value is not of the kind that the field takes";
            let mut error = Error::new(ErrorKind::Invalid, Retry::Never, op, says);
            error.fields = vec![Field::Native(name.clone())];
            error
        };
        let text = written(value).ok_or_else(wrong)?;
        match name.strip_prefix(OWN_FIELD) {
            Some(number) => {
                let number: u64 = number.parse().map_err(|_| wrong())?;
                own.push(json!({ "customFieldId": number, "fieldValue": text }));
            }
            None => {
                account.insert(name.clone(), json!(text));
            }
        }
    }
    Ok((account, own))
}

/// Whom a contact belongs to now, and whom it belonged to before; ids of accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tie {
    pub before: Option<String>,
    pub now: Option<String>,
}

/// What a value says of whom a contact belongs to; nothing where that cannot be read.
pub fn tie(before: Option<&Value>, now: &Value) -> Option<Tie> {
    let id = |value: &Value| {
        let id = match value {
            Value::Id(id) => id.as_str(),
            other => other.as_text()?,
        };
        id.parse::<u64>().is_ok().then(|| id.to_owned())
    };
    let before = before.and_then(id);
    match now {
        Value::Null => Some(Tie { before, now: None }),
        now => Some(Tie { before, now: Some(id(now)?) }),
    }
}

/// Tells whom a contact belongs to. It can belong to one account and no other, so that whoever belongs to another goes over.
pub async fn belong(api: &mut Api<'_>, contact: &str, tie: &Tie) -> Result<(), Error> {
    let said = match (&tie.before, &tie.now) {
        (None, None) => Ok(()),
        (None, Some(account)) => match api.join_account(contact, account).await {
            // It belongs to one already.
            Err(error) if error.kind == ErrorKind::Invalid => match move_over(api, contact, tie).await? {
                true => Ok(()),
                false => Err(error),
            },
            said => said,
        },
        (Some(_), Some(account)) => match move_over(api, contact, tie).await {
            Ok(false) => api.join_account(contact, account).await,
            said => said.map(drop),
        },
        (Some(_), None) => move_over(api, contact, tie).await.map(drop),
    };
    said.map_err(|mut error| {
        if matches!(error.kind, ErrorKind::Invalid | ErrorKind::Gone) {
            (error.kind, error.retry) = (ErrorKind::Invalid, Retry::Never);
            error.fields = vec![Field::Native(OF_OTHERS.to_owned())];
            error.message = "the contact cannot belong to the account; either may be gone".to_owned();
        }
        error
    })
}

/// Changes the association that a contact has, or takes away ours; says whether it had any.
async fn move_over(api: &mut Api<'_>, contact: &str, tie: &Tie) -> Result<bool, Error> {
    let Some(held) = api.account_of(contact).await? else { return Ok(false) };
    match &tie.now {
        Some(account) if *account == held.account.0 => {}
        Some(account) => api.move_account(&held.id.0, contact, account).await?,
        // Where people put it meanwhile, it stays.
        None if tie.before.as_ref() == Some(&held.account.0) => api.leave_account(&held.id.0).await?,
        None => {}
    }
    Ok(true)
}
