//! A contact as ActiveCampaign shows it and as we see it, both ways, side by side. Pure.
//!
//! Custom fields are named by their numbers, `field:7`, and those that hold several entries `field:7[]`: so neither
//! reading nor writing has to ask what the fields are, and a field that is renamed stays the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};
use syncline_connect::{
    Error, ErrorKind, Retry,
    mirror::{Fate, RowWrite, Seen},
};
use syncline_core::{
    ids::RecordId,
    record::{Field, Value},
};

use super::{
    accounts::{self, OF_OTHERS, Tie},
    api::Beside,
    wire::{Contact, ContactList, ContactsPage, FieldValue, Word},
};

pub const CONTACT: &str = "contact";
pub const EMAIL: &str = "email";
pub const CREATED_AT: &str = "cdate";
pub const TAGS: &str = "tags";
/// Lists that the contact is subscribed to.
pub const LISTS: &str = "lists";
/// Lists that it unsubscribed from, or was.
pub const LISTS_LEFT: &str = "unsubscribedLists";
/// Whether it unsubscribed from every list that it ever was on.
pub const OPT_OUT: &str = "unsubscribed";

/// Fields that every contact has beside its address.
pub const STANDARD: &[&str] = &["firstName", "lastName", "phone"];

/// How a list row stands.
const SUBSCRIBED: &str = "1";
const UNSUBSCRIBED: &str = "2";

/// Divides entries of one field on the wire, and ours.
const BARS: &str = "||";
const SEPARATOR: char = ';';

/// Fewest and most digits of a number that can be called.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 6..=16;

/// The name of a custom field.
pub fn field_name(id: u64, holds_several: bool) -> String {
    format!("field:{id}{}", if holds_several { "[]" } else { "" })
}

/// The number of a custom field, and whether it holds several entries.
fn field_of(name: &str) -> Option<(u64, bool)> {
    let rest = name.strip_prefix("field:")?;
    let (number, several) = rest.strip_suffix("[]").map_or((rest, false), |number| (number, true));
    Some((number.parse().ok()?, several))
}

/// What has to be loaded beside a contact to show these fields.
pub fn beside(fields: &[String]) -> Beside {
    Beside {
        values: fields.iter().any(|name| field_of(name).is_some()),
        tags: fields.iter().any(|name| name == TAGS),
        lists: fields.iter().any(|name| [LISTS, LISTS_LEFT, OPT_OUT].contains(&name.as_str())),
    }
}

/// The contacts of a page as we see them, in its order. What was not loaded is not shown, which is not blank.
pub fn seen(page: &ContactsPage, fields: &[String]) -> Vec<Seen> {
    let loaded = Loaded::of(page);
    let known = page.contacts.iter().filter(|contact| !contact.id.0.is_empty());
    known.map(|contact| loaded.seen(contact, fields)).collect()
}

/// What was loaded beside contacts, by contact.
struct Loaded<'p> {
    page: &'p ContactsPage,
    /// Values with the times of their last change, by field.
    values: HashMap<(&'p Word, &'p Word), (&'p str, &'p str)>,
    tags: HashMap<&'p Word, BTreeSet<&'p str>>,
    lists: HashMap<&'p Word, Vec<&'p ContactList>>,
}

impl<'p> Loaded<'p> {
    fn of(page: &'p ContactsPage) -> Self {
        let names: HashMap<&Word, &str> = page.tags.iter().flatten().map(|tag| (&tag.id, tag.tag.0.as_str())).collect();
        let rows = page.field_values.iter().flatten();
        let value = |row: &'p FieldValue| ((&row.contact, &row.field), (row.value.0.as_str(), row.udate.0.as_str()));
        let mut loaded = Self { page, values: rows.map(value).collect(), tags: HashMap::new(), lists: HashMap::new() };
        for row in page.contact_tags.iter().flatten() {
            // A name with our separator in it cannot be told from two names.
            if let Some(name) = names.get(&row.tag).filter(|name| !name.contains(SEPARATOR)) {
                loaded.tags.entry(&row.contact).or_default().insert(name);
            }
        }
        for row in page.contact_lists.iter().flatten() {
            loaded.lists.entry(&row.contact).or_default().push(row);
        }
        loaded
    }

    fn seen(&self, contact: &Contact, fields: &[String]) -> Seen {
        let mut out = Row { fields: BTreeMap::new(), times: BTreeMap::new() };
        out.put(EMAIL, text(&contact.email.0));
        for name in fields {
            self.show(contact, name, &mut out);
        }
        Seen {
            changed_at: time(&contact.udate),
            field_times: out.times,
            fate: if contact.deleted.0 == "1" { Fate::Deleted } else { Fate::Live },
            ..Seen::live(RecordId::new(contact.id.0.clone()), out.fields)
        }
    }

    fn show(&self, contact: &Contact, name: &str, out: &mut Row) {
        let page = self.page;
        match name {
            "firstName" => out.put(name, text(&contact.first_name.0)),
            "lastName" => out.put(name, text(&contact.last_name.0)),
            "phone" => out.put(name, text(&contact.phone.0)),
            CREATED_AT => out.fields.extend(time(&contact.cdate).map(|at| (name.to_owned(), Value::Time(at)))),
            TAGS if page.contact_tags.is_some() || contact.contact_tags.is_some() => {
                let held = self.tags.get(&contact.id).into_iter().flatten();
                out.put(name, set(held.map(|tag| (*tag).to_owned())));
            }
            LISTS | LISTS_LEFT | OPT_OUT if page.contact_lists.is_some() || contact.contact_lists.is_some() => {
                out.put_lists(name, self.lists.get(&contact.id).map_or(&[], Vec::as_slice));
            }
            name if page.field_values.is_some() || contact.field_values.is_some() => {
                let Some((number, several)) = field_of(name) else { return };
                let number = Word(number.to_string());
                let (held, changed) = self.values.get(&(&contact.id, &number)).copied().unwrap_or_default();
                out.put(name, if several { set(held.split(BARS).map(str::to_owned)) } else { text(held) });
                out.times.extend(changed.parse().ok().map(|at: Timestamp| (name.to_owned(), at)));
            }
            _ => {}
        }
    }
}

struct Row {
    fields: BTreeMap<String, Value>,
    times: BTreeMap<String, Timestamp>,
}

impl Row {
    fn put(&mut self, name: &str, value: Value) {
        self.fields.insert(name.to_owned(), value);
    }

    fn put_lists(&mut self, name: &str, rows: &[&ContactList]) {
        let with = |status: &str| {
            rows.iter().filter(|row| row.status.0 == status).map(|row| row.list.0.clone()).collect::<BTreeSet<_>>()
        };
        let (on, left) = (with(SUBSCRIBED), with(UNSUBSCRIBED));
        // Who never was on a list has neither opted in nor out: nothing is said of it.
        if name == OPT_OUT && !(on.is_empty() && left.is_empty()) {
            self.put(OPT_OUT, Value::Bool(on.is_empty()));
        }
        // Whoever writes lists has to know both.
        self.put(LISTS, set(on.into_iter()));
        self.put(LISTS_LEFT, set(left.into_iter()));
    }
}

fn time(at: &Word) -> Option<Timestamp> {
    at.0.parse().ok()
}

fn text(value: &str) -> Value {
    if value.trim().is_empty() { Value::Null } else { Value::text(value) }
}

fn set(entries: impl Iterator<Item = String>) -> Value {
    let entries: BTreeSet<String> =
        entries.map(|entry| entry.trim().to_owned()).filter(|entry| !entry.is_empty()).collect();
    text(&entries.into_iter().collect::<Vec<_>>().join(";"))
}

/// What is to be sent of a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    pub email: Option<String>,
    /// By the names of [`STANDARD`]. A blank is an empty text.
    pub standard: BTreeMap<String, String>,
    /// By the numbers of the fields.
    pub values: BTreeMap<u64, String>,
    /// All tags that the contact is to have.
    pub tags: Option<BTreeSet<String>>,
    /// All lists that it is to be subscribed to.
    pub lists: Option<BTreeSet<u64>>,
    pub opts_out: bool,
    /// The account that it comes to belong to, and the one it ceases to.
    pub account: Option<Tie>,
}

impl Draft {
    pub fn has_blanks(&self) -> bool {
        self.standard.values().chain(self.values.values()).any(String::is_empty)
    }

    /// Whether anything of the contact itself is written, tags and lists aside.
    pub fn writes_contact(&self) -> bool {
        self.email.is_some() || !self.standard.is_empty() || !self.values.is_empty()
    }

    pub fn writes_marks(&self) -> bool {
        self.tags.is_some() || self.lists.is_some() || self.opts_out
    }

    /// Whether nothing is written but whom the contact belongs to.
    pub fn ties_only(&self) -> bool {
        self.account.is_some() && !self.writes_contact() && !self.writes_marks()
    }

    /// The body of a write of one contact.
    pub fn contact(&self) -> Map<String, Json> {
        let mut contact: Map<String, Json> = self.email.iter().map(|email| (EMAIL.to_owned(), json!(email))).collect();
        contact.extend(self.standard.iter().map(|(name, value)| (name.clone(), json!(value))));
        if !self.values.is_empty() {
            let values = self.values.iter().map(|(id, value)| json!({"field": id.to_string(), "value": value}));
            contact.insert("fieldValues".to_owned(), values.collect());
        }
        contact
    }

    /// A row of a bulk import, which finds its contact by the address.
    pub fn bulk_row(&self, email: &str, marks: &Marks) -> Json {
        let mut row = Map::from_iter([(EMAIL.to_owned(), json!(email))]);
        for (name, theirs) in [("firstName", "first_name"), ("lastName", "last_name"), ("phone", "phone")] {
            row.extend(
                self.standard
                    .get(name)
                    .filter(|value| !value.is_empty())
                    .map(|value| (theirs.to_owned(), json!(value))),
            );
        }
        let values = self.values.iter().filter(|(_, value)| !value.is_empty());
        let values: Vec<Json> = values.map(|(id, value)| json!({"id": id, "value": value})).collect();
        let ids = |lists: &BTreeSet<u64>| lists.iter().map(|id| json!({"listid": id.to_string()})).collect::<Vec<_>>();
        let tags = marks.tags_added.iter().map(|tag| json!(tag)).collect();
        let lists = [
            ("fields", values),
            ("tags", tags),
            ("subscribe", ids(&marks.lists_joined)),
            ("unsubscribe", ids(&marks.lists_left)),
        ];
        row.extend(
            lists.into_iter().filter(|(_, rows)| !rows.is_empty()).map(|(name, rows)| (name.to_owned(), json!(rows))),
        );
        Json::Object(row)
    }
}

/// What comes and goes on a contact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    pub tags_added: BTreeSet<String>,
    pub tags_dropped: BTreeSet<String>,
    pub lists_joined: BTreeSet<u64>,
    pub lists_left: BTreeSet<u64>,
}

/// What a draft changes about a contact that was seen so. Nothing where the seen record does not tell; refused where the
/// contact would be subscribed to a list that it unsubscribed from.
pub fn marks(op: &'static str, draft: &Draft, seen: &BTreeMap<String, Value>) -> Option<Result<Marks, Error>> {
    let mut marks = Marks::default();
    if let Some(wanted) = &draft.tags {
        let held = entries(seen.get(TAGS)?);
        marks.tags_added = wanted.difference(&held).cloned().collect();
        marks.tags_dropped = held.difference(wanted).cloned().collect();
    }
    if draft.lists.is_some() || draft.opts_out {
        // Who left a list may not have been read along: imports know by themselves, and all else is read afresh.
        let (on, left) = (lists(seen.get(LISTS)?)?, seen.get(LISTS_LEFT).and_then(lists).unwrap_or_default());
        let wanted = if draft.opts_out { Some(BTreeSet::new()) } else { draft.lists.clone() };
        let wanted = wanted.unwrap_or_default();
        marks.lists_joined = wanted.difference(&on).copied().collect();
        marks.lists_left = on.difference(&wanted).copied().collect();
        if !marks.lists_joined.is_disjoint(&left) {
            return Some(Err(opted_out(op)));
        }
    }
    Some(Ok(marks))
}

/// The error of a subscription that the contact does not want.
fn opted_out(op: &'static str) -> Error {
    let says = "the contact unsubscribed from a list, and is not subscribed to it again";
    let mut error = Error::new(ErrorKind::Invalid, Retry::Never, op, says);
    error.fields = vec![Field::Native(LISTS.to_owned())];
    error
}

fn entries(value: &Value) -> BTreeSet<String> {
    let text = value.as_text().unwrap_or_default();
    text.split(SEPARATOR).map(|entry| entry.trim().to_owned()).filter(|entry| !entry.is_empty()).collect()
}

fn lists(value: &Value) -> Option<BTreeSet<u64>> {
    match value {
        Value::Null => Some(BTreeSet::new()),
        Value::Text(ids) => ids.split(SEPARATOR).map(|id| id.trim().parse().ok()).collect(),
        _ => None,
    }
}

/// A row as it is to be sent, or why it cannot be.
pub fn draft(op: &'static str, row: &RowWrite) -> Result<Draft, Error> {
    let mut draft = Draft::default();
    for (name, value) in &row.fields {
        let before = row.seen.as_ref().and_then(|seen| seen.fields.get(name));
        put(&mut draft, name, value, before).map_err(|(kind, says)| {
            let mut error = Error::new(kind, Retry::Never, op, says);
            error.fields = vec![Field::Native(name.clone())];
            error
        })?;
    }
    Ok(draft)
}

type Unfit = (ErrorKind, &'static str);

const NO_ACCOUNT: Unfit = (ErrorKind::Invalid, "it names no account");
const WRONG_TYPE: Unfit = (ErrorKind::Invalid, "the value is not of the kind that the field takes");

fn put(draft: &mut Draft, name: &str, value: &Value, before: Option<&Value>) -> Result<(), Unfit> {
    match name {
        OF_OTHERS => draft.account = Some(accounts::tie(before, value).ok_or(NO_ACCOUNT)?),
        EMAIL => match value {
            Value::Text(email) => draft.email = Some(email.clone()),
            _ => return Err((ErrorKind::Invalid, "a contact's e-mail address cannot be emptied")),
        },
        "phone" => {
            let number = written(value)?;
            let digits = number.chars().filter(char::is_ascii_digit).count();
            if !number.is_empty() && !PHONE_DIGITS.contains(&digits) {
                return Err((ErrorKind::Invalid, "a phone number has 6 to 16 digits"));
            }
            draft.standard.insert(name.to_owned(), number);
        }
        name if STANDARD.contains(&name) => {
            draft.standard.insert(name.to_owned(), written(value)?);
        }
        TAGS => draft.tags = Some(entries(value)),
        LISTS => draft.lists = Some(lists(value).ok_or(WRONG_TYPE)?),
        OPT_OUT => match value {
            Value::Bool(true) => draft.opts_out = true,
            Value::Bool(false) => {
                return Err((
                    ErrorKind::Invalid,
                    "nobody is subscribed again from here: that takes the contact's own act",
                ));
            }
            _ => return Err(WRONG_TYPE),
        },
        name => {
            let (id, several) = field_of(name).ok_or((ErrorKind::Field, "the field cannot be written"))?;
            let text = if several { barred(value)? } else { written(value)? };
            draft.values.insert(id, text);
        }
    }
    Ok(())
}

/// A value as the wire carries it.
fn written(value: &Value) -> Result<String, Unfit> {
    Ok(match value {
        Value::Null => String::new(),
        Value::Bool(flag) => flag.to_string(),
        Value::Decimal(text) | Value::Text(text) => text.clone(),
        Value::Date(date) => date.to_string(),
        Value::Time(time) => time.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
        Value::Id(id) => id.as_str().to_owned(),
        Value::Slot(_) => return Err(WRONG_TYPE),
    })
}

/// Several entries: `||a||b||`.
fn barred(value: &Value) -> Result<String, Unfit> {
    match value {
        Value::Null => Ok(String::new()),
        Value::Text(_) => {
            let entries: Vec<String> = entries(value).into_iter().collect();
            Ok(format!("{BARS}{}{BARS}", entries.join(BARS)))
        }
        _ => Err(WRONG_TYPE),
    }
}
