//! Records as every CRM has them: which part they play, their fields, their values. No vendor's names.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::RecordId;

/// The part that a record plays. A vendor's manifest says which of its objects plays it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Account,
    Contact,
    Lead,
    Case,
    Opportunity,
    Meeting,
    User,
    /// Somebody's place in a meeting: what ties a guest or a co-host to it.
    Attendee,
    /// A record of an object that only the settings name ([`crate::ids::ObjectName`]).
    Custom,
}

impl Role {
    /// The word shown to people and used in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Account => "account",
            Role::Contact => "contact",
            Role::Lead => "lead",
            Role::Case => "case",
            Role::Opportunity => "opportunity",
            Role::Meeting => "meeting",
            Role::User => "user",
            Role::Attendee => "attendee",
            Role::Custom => "record",
        }
    }
}

macro_rules! standard_fields {
    ($($(#[$doc:meta])* $name:ident = $text:literal),* $(,)?) => {
        /// A field that the roles have in common across vendors. A vendor's manifest gives its own name for it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Std { $($(#[$doc])* $name),* }

        impl Std {
            /// Every standard field.
            pub const ALL: &[Std] = &[$(Std::$name),*];

            /// The stable name used in stored images and the API.
            pub fn as_str(self) -> &'static str {
                match self { $(Std::$name => $text),* }
            }

            fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Std::$name),)* _ => None }
            }
        }
    };
}

standard_fields! {
    /// Our own unique key on the record ([`crate::ids::ExternalKey`]).
    Key = "key",
    Name = "name",
    FirstName = "first_name",
    LastName = "last_name",
    Email = "email",
    /// Further addresses of the same person, separated by semicolons.
    OtherEmails = "other_emails",
    Phone = "phone",
    Mobile = "mobile",
    /// A lead's company, as text.
    Company = "company",
    Website = "website",
    Owner = "owner",
    /// Reference to the account.
    Account = "account",
    /// Reference to the contact.
    Contact = "contact",
    /// Reference to the case.
    Case = "case",
    /// Reference to the opportunity.
    Opportunity = "opportunity",
    Status = "status",
    Origin = "origin",
    Stage = "stage",
    CloseDate = "close_date",
    Amount = "amount",
    Subject = "subject",
    Description = "description",
    Location = "location",
    Start = "start",
    End = "end",
    /// Whether the time counts as `busy` or `free`.
    ShowAs = "show_as",
    /// Reference to the person that the meeting is with.
    Who = "who",
    /// Reference to the record that the meeting is about.
    What = "what",
    SuppliedName = "supplied_name",
    SuppliedEmail = "supplied_email",
    SuppliedPhone = "supplied_phone",
    SuppliedCompany = "supplied_company",
    /// Reference to the meeting that an attendee belongs to.
    Meeting = "meeting",
    /// Reference to the person or user who attends.
    Attends = "attends",
    /// Whether the attendee is invited.
    Invited = "invited",
    /// Whether the meeting stands on the attendee's own timeline, as it does on that of the main person.
    Related = "related",
    /// What became of the invitation, in words: that somebody did not come.
    Response = "response",
    Active = "active",
    Converted = "converted",
    ConvertedContact = "converted_contact",
    ConvertedAccount = "converted_account",
    CreatedAt = "created_at",
    LastActivity = "last_activity",
    /// Whether the record lies in the bin.
    Deleted = "deleted",
    /// Reference to the record that this one was merged into.
    MergedInto = "merged_into",
}

/// A field of a record: one that all vendors share, or one that only this vendor's account has.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    Std(Std),
    /// The vendor's own name, as an admin wrote it in a mapping.
    Native(String),
}

/// Marks a native field's name in stored form, so that it never clashes with a standard one.
const NATIVE_MARK: char = '@';

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Field::Std(std) => f.write_str(std.as_str()),
            Field::Native(name) => write!(f, "{NATIVE_MARK}{name}"),
        }
    }
}

impl From<Std> for Field {
    fn from(std: Std) -> Self {
        Field::Std(std)
    }
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Field::Std(std) => serializer.serialize_str(std.as_str()),
            Field::Native(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        match text.strip_prefix(NATIVE_MARK) {
            Some(name) => Ok(Field::Native(name.to_owned())),
            None => Std::parse(&text)
                .map(Field::Std)
                .ok_or_else(|| serde::de::Error::custom(format!("unknown field `{text}`"))),
        }
    }
}

/// The place of a record in one booking's graph. One booking has at most one record a slot. Slots are in the order in
/// which their records can be made: none refers to a later one. The numbered ones keep their number for as long as the
/// booking lives, so that a guest who leaves and comes back is the same guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Slot {
    /// The account of the invitee.
    Account,
    /// The account of a guest.
    GuestAccount(u16),
    /// The invitee.
    Person,
    /// Another seat of a group meeting, or a guest.
    Guest(u16),
    Case,
    Opportunity,
    Meeting,
    /// What ties a guest or a host to the meeting.
    Attendee(u16),
    /// A further record that the settings ask for.
    Record(u16),
    /// A record that was made twice, because two bookings turned out to be one only later. It is to go.
    Surplus(u16),
}

impl std::fmt::Display for Slot {
    /// The word shown to people and used as a reference name on the wire.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Slot::Account => f.write_str("account"),
            Slot::GuestAccount(number) => write!(f, "guest_account_{number}"),
            Slot::Person => f.write_str("person"),
            Slot::Guest(number) => write!(f, "guest_{number}"),
            Slot::Case => f.write_str("case"),
            Slot::Opportunity => f.write_str("opportunity"),
            Slot::Meeting => f.write_str("meeting"),
            Slot::Attendee(number) => write!(f, "attendee_{number}"),
            Slot::Record(number) => write!(f, "record_{number}"),
            Slot::Surplus(number) => write!(f, "surplus_{number}"),
        }
    }
}

impl std::str::FromStr for Slot {
    type Err = UnknownSlot;

    fn from_str(text: &str) -> Result<Self, UnknownSlot> {
        let numbered = |kind: &str| text.strip_prefix(kind)?.parse().ok();
        match text {
            "account" => Some(Slot::Account),
            "person" => Some(Slot::Person),
            "case" => Some(Slot::Case),
            "opportunity" => Some(Slot::Opportunity),
            "meeting" => Some(Slot::Meeting),
            _ => numbered("guest_account_")
                .map(Slot::GuestAccount)
                .or_else(|| numbered("guest_").map(Slot::Guest))
                .or_else(|| numbered("attendee_").map(Slot::Attendee))
                .or_else(|| numbered("record_").map(Slot::Record))
                .or_else(|| numbered("surplus_").map(Slot::Surplus)),
        }
        .ok_or(UnknownSlot)
    }
}

/// The text names no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no slot of a booking is called so")]
pub struct UnknownSlot;

impl Serialize for Slot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Slot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A field's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Explicitly nothing: writing it clears the field.
    Null,
    Bool(bool),
    /// A decimal number, as text so that no digit is lost.
    Decimal(String),
    Text(String),
    Date(Date),
    Time(Timestamp),
    /// An existing record.
    Id(RecordId),
    /// The record that stands in this slot of the same booking, whose id may not be known yet.
    Slot(Slot),
}

impl Value {
    /// A text value.
    pub fn text(text: impl Into<String>) -> Self {
        Value::Text(text.into())
    }

    /// The text, where this is text or an id.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) | Value::Decimal(text) => Some(text),
            Value::Id(id) => Some(id.as_str()),
            Value::Null | Value::Bool(_) | Value::Date(_) | Value::Time(_) | Value::Slot(_) => None,
        }
    }
}

/// Fields with their values; an absent field is unknown or untouched, which is not [`Value::Null`].
pub type Fields = BTreeMap<Field, Value>;

/// A record that was looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub role: Role,
    pub id: RecordId,
    pub fields: Fields,
}

impl Record {
    /// The text of a standard field, where it has one that is not blank.
    pub fn text(&self, field: Std) -> Option<&str> {
        self.fields.get(&Field::Std(field)).and_then(Value::as_text).filter(|text| !text.is_empty())
    }

    /// Whether a standard boolean field is true.
    pub fn is(&self, field: Std) -> bool {
        self.fields.get(&Field::Std(field)) == Some(&Value::Bool(true))
    }
}
