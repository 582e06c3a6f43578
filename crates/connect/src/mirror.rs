//! The facet of an account whose records are kept in step with another's: read what changed, fetch by id or key, write
//! many rows in few calls. Nothing here sleeps, retries, stores or logs; what differs between vendors is data
//! ([`KindSpec`]) or stays inside their folder.

mod singly;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use syncline_core::{
    description::{FieldKind, ObjectDescription},
    ids::{ExternalKey, RecordId},
    record::{Role, Value},
};

pub use self::singly::Singly;
use crate::{Answered, BoxFuture, Cx, Error, RawRequest, Settings};

/// Reads and writes rows of one kind. Every method makes as few calls as the vendor allows and says how many it made.
pub trait Mirror: Send + Sync {
    /// The kinds of records that can be kept in step.
    fn kinds(&self) -> &'static [KindSpec];

    /// Where the vendor's API answers, where all accounts share one address.
    fn home(&self) -> Option<&'static str> {
        None
    }

    /// The kind with this name.
    fn kind(&self, name: &str) -> Option<&'static KindSpec> {
        self.kinds().iter().find(|kind| kind.name == name)
    }

    /// Whether records bear our key, and writes go better where it is known ([`RowWrite::seen`]).
    fn keeps_keys(&self) -> bool {
        false
    }

    /// The field by which records of a kind are marked for people and automations, where there is one: tags, or lists.
    fn marks(&self, _kind: &str) -> Option<MarkSpec> {
        None
    }

    /// For whom a record is asked by a webhook of the vendor's automations; nothing where it names nobody, or there are no
    /// such webhooks. Pure; never panics on any bytes.
    fn named(&self, _raw: &RawRequest) -> Option<Named> {
        None
    }

    /// Describes kinds, position by position; `None` where the account has none or does not show it. The fields of a
    /// parent that can be read along (`Account.Name`) are described as ones that cannot be written.
    fn describe<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        kinds: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Answered<Vec<Option<ObjectDescription>>>, Error>>;

    /// The next page of what changed, deleted and merged records included where the vendor shows them, position by
    /// position. It is safe to read a page twice, and to go on from a cursor days later. Time is the vendor's own: what
    /// it commits late is covered by an overlap, so that some rows come again.
    fn changes<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        asks: &'a [Ask<'a>],
    ) -> BoxFuture<'a, Result<Answered<Vec<Changes>>, Error>>;

    /// Records by id, in any order; what is not there is left out, which is certain knowledge. At most
    /// [`KindSpec::reads_at_once`] ids cost one call.
    fn fetch<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        kind: &'a str,
        ids: &'a [RecordId],
        fields: &'a [String],
    ) -> BoxFuture<'a, Result<Answered<Vec<Seen>>, Error>>;

    /// Records that bear one of these values in a field by which the vendor can look them up.
    fn find<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        kind: &'a str,
        key: Lookup<'a>,
        fields: &'a [String],
    ) -> BoxFuture<'a, Result<Answered<Vec<Seen>>, Error>>;

    /// How many of the waiting writes one [`Mirror::write`] should carry: at least one. With many waiting, a vendor may
    /// have a cheaper way, which may hang on the connection's settings.
    fn carries(&self, settings: &Settings, kind: &str, waiting: usize) -> usize;

    /// Writes rows, each by itself: one that is refused stops no other. `Err` only where nothing was sent or the whole
    /// call was refused; an answer that never came makes every outcome [`RowOutcome::Unknown`].
    fn write<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        kind: &'a str,
        rows: &'a [RowWrite],
    ) -> BoxFuture<'a, Result<Answered<Written>, Error>>;

    /// Asks for the outcome of what was taken for later. `rows` are those of the write, in its order: outcomes are told
    /// by their positions.
    fn collect<'a>(
        &'a self,
        cx: &'a Cx<'a>,
        kind: &'a str,
        ticket: &'a str,
        rows: &'a [RowWrite],
    ) -> BoxFuture<'a, Result<Answered<Written>, Error>>;
}

/// A kind of record, as data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindSpec {
    /// The vendor's own name.
    pub name: &'static str,
    pub role: Role,
    /// The vendor's names of the fields by which people are told apart.
    pub email: Option<&'static str>,
    pub phone: Option<&'static str>,
    /// Whether the vendor refuses a second record with the same e-mail address.
    pub one_per_email: bool,
    /// The field that tells when a record was made.
    pub created: Option<&'static str>,
    /// The field that is true where the person opted out of mail.
    pub opt_out: Option<&'static str>,
    /// Fields whose value is several entries that come and go one by one.
    pub sets: &'static [&'static str],
    pub can_create: bool,
    pub can_delete: bool,
    /// Whether [`Mirror::changes`] shows what was deleted; otherwise only a sweep finds it.
    pub shows_deleted: bool,
    /// Ids that one call fetches; 0 where there is no way but one by one.
    pub reads_at_once: usize,
    /// Least time between two looks that the vendor's limits bear for good.
    pub every: Duration,
}

/// How a webhook names a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    Record(RecordId),
    /// By its address, as it was typed.
    Email(String),
}

/// A field whose entries mark records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkSpec {
    pub field: &'static str,
    /// Whether marks are words of our choice; otherwise they are chosen among the entries that the account has.
    pub free: bool,
    /// What a write of it has to know as well, so that it needs no look of its own.
    pub reads: &'static [&'static str],
}

/// One kind of records to ask for.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    pub kind: &'a str,
    pub fields: &'a [String],
    pub start: From<'a>,
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From<'a> {
    /// With every record there is: a first load, or a sweep. What changes meanwhile is covered by the cursor at its end.
    Beginning,
    /// With what changed since then.
    Since(Timestamp),
    /// Where the last page stopped.
    Cursor(&'a str),
}

/// One page of changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    pub rows: Vec<Seen>,
    /// Where to go on; to be kept together with the rows or not at all.
    pub cursor: String,
    /// Whether there is more to read now.
    pub more: bool,
    /// How long the vendor takes until there is more; nothing where it is there already.
    pub ask_in: Duration,
}

/// A record as the vendor shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub id: RecordId,
    /// Our own key, where the record bears one.
    pub key: Option<ExternalKey>,
    /// By the vendor's names; what is not there is not shown, which is not blank. Where an answer does not tell of what
    /// kind a value is, it is text: see [`Seen::in_kinds`].
    pub fields: BTreeMap<String, Value>,
    /// When the record changed last, by the vendor's clock.
    pub changed_at: Option<Timestamp>,
    /// When single fields changed, where the vendor tells.
    pub field_times: BTreeMap<String, Timestamp>,
    pub fate: Fate,
    /// Whether the last change was our own; nothing where the vendor does not tell.
    pub ours: Option<bool>,
}

impl Seen {
    /// A live record of which nothing but id and fields is told.
    pub fn live(id: RecordId, fields: BTreeMap<String, Value>) -> Self {
        let field_times = BTreeMap::new();
        Self { id, key: None, fields, changed_at: None, field_times, fate: Fate::Live, ours: None }
    }

    /// Brings values that came as text into the kinds that the description tells. To be done with every row before it
    /// is compared with anything: some vendors write every value as text.
    pub fn in_kinds(&mut self, description: &ObjectDescription) {
        for (name, value) in &mut self.fields {
            if let Some(field) = description.fields.get(name) {
                let taken = std::mem::replace(value, Value::Null);
                *value = in_kind(field.kind, taken);
            }
        }
    }
}

/// A value that came as text, in the kind of its field. What cannot be read as that kind stays as it is.
pub fn in_kind(kind: FieldKind, value: Value) -> Value {
    let Value::Text(text) = value else { return value };
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Value::Null;
    }
    let read = match kind {
        FieldKind::Number => decimal(trimmed).map(Value::Decimal),
        FieldKind::Boolean => match trimmed {
            "true" | "1" => Some(Value::Bool(true)),
            "false" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        FieldKind::Date => date(trimmed).map(Value::Date),
        FieldKind::DateTime => time(trimmed).map(Value::Time),
        FieldKind::Reference => Some(Value::Id(RecordId::new(trimmed))),
        FieldKind::MultiPicklist => Some(set(trimmed)),
        FieldKind::Text
        | FieldKind::TextArea
        | FieldKind::Picklist
        | FieldKind::Email
        | FieldKind::Phone
        | FieldKind::Url
        | FieldKind::Other => None,
    };
    read.unwrap_or(Value::Text(text))
}

/// The entries of a set, sorted, each once.
fn set(text: &str) -> Value {
    let entries: BTreeSet<&str> = text.split(';').map(str::trim).filter(|entry| !entry.is_empty()).collect();
    if entries.is_empty() {
        return Value::Null;
    }
    Value::Text(entries.into_iter().collect::<Vec<_>>().join(";"))
}

/// `007.50` as `7.5`: one number has one text.
fn decimal(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    Some(match (whole, fraction) {
        ("", "") => "0".to_owned(),
        (whole, "") => format!("{sign}{whole}"),
        (whole, fraction) => format!("{sign}{}.{fraction}", if whole.is_empty() { "0" } else { whole }),
    })
}

/// A day, as such or as the moment at which it begins by UTC.
fn date(text: &str) -> Option<Date> {
    text.parse().ok().or_else(|| time(text).map(|time| time.to_zoned(TimeZone::UTC).date()))
}

/// A moment in RFC 3339, or in milliseconds since 1970.
fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| Timestamp::from_millisecond(text.parse().ok()?).ok())
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    Live,
    Deleted,
    /// Merged away into another of its kind.
    MergedInto(RecordId),
    /// A lead that became a contact.
    ConvertedTo(RecordId),
}

/// How a record is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// By e-mail address, in normal form.
    Email(&'a [String]),
    /// By our own key.
    Key(&'a [ExternalKey]),
}

/// One write to one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowWrite {
    pub op: Op,
    /// By the vendor's names. A set's value is the whole set, or as much of it as `seen` shows: what comes and goes is the
    /// difference between the two.
    pub fields: Vec<(String, Value)>,
    /// The record as it was read just before, where it was: some vendors write many rows by what the records are known
    /// by (e-mail address, our key) and not by id, and change a set by what comes and goes.
    pub seen: Option<Seen>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Make the record that bears this key. Where the vendor keeps keys, sending it twice makes one.
    Create {
        key: ExternalKey,
    },
    Update {
        id: RecordId,
    },
    Delete {
        id: RecordId,
    },
}

/// What became of a call that wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// Outcomes by position.
    Rows(Vec<RowOutcome>),
    /// The vendor works on it: to be asked for with [`Mirror::collect`], not before this long.
    Later { ticket: String, ask_in: Duration },
}

/// What became of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowOutcome {
    Done {
        id: RecordId,
    },
    /// The vendor took it and says no more: whether it is there is seen by reading it, not before this long.
    Taken {
        look_in: Duration,
    },
    /// Nothing was done. Where an existing record stands in the way, [`Error::matches`] names it.
    Refused(Error),
    /// Nobody knows: look before repeating.
    Unknown(Error),
}

#[cfg(test)]
mod tests;
