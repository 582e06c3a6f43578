//! Steps: declarative writes, planned in full before the first call, each safe to send twice.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{ExternalKey, ObjectName, RecordId, SharedKey},
    record::{Fields, Role, Slot},
};

/// One write to one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub slot: Slot,
    pub role: Role,
    /// The object, where the role alone does not tell it ([`Role::Custom`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectName>,
    pub write: Write,
}

impl Step {
    /// A step of a role that has one object.
    pub fn new(slot: Slot, role: Role, write: Write) -> Self {
        Self { slot, role, object: None, write }
    }
}

/// What is to be done. A field may refer to the record of an earlier step ([`crate::record::Value::Slot`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Write {
    /// Make the record, or bring the one that bears the key to these values. An attendee bears no key: the meeting and
    /// the one who attends are what tells it apart, and one that is there already is refused.
    Upsert {
        key: ExternalKey,
        fields: Fields,
    },
    /// Bring these fields of an existing record to these values.
    Patch {
        id: RecordId,
        fields: Fields,
    },
    Delete {
        id: RecordId,
    },
}

/// The steps of one booking: sent together, done or refused together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Plan {
    pub steps: Vec<Step>,
}

/// What one record of a booking is in the CRM, and what we last agreed on about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub role: Role,
    pub id: RecordId,
    /// The object, where the role alone does not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectName>,
    /// Where the record is ours: the key it was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<ExternalKey>,
    /// The fields as we last wrote or adopted them.
    pub image: Fields,
    /// The CRM refused the record as gone, merged or converted: it is to be followed before it is used again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub doubt: bool,
}

impl Link {
    /// A link to a record of a role that has one object, and that nothing speaks against.
    pub fn new(role: Role, id: RecordId, key: Option<ExternalKey>, image: Fields) -> Self {
        Self { role, id, object: None, key, image, doubt: false }
    }
}

/// A person or account that several bookings share, as far as we know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedLink {
    pub key: SharedKey,
    pub role: Role,
    pub id: RecordId,
    /// The account that a contact belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<RecordId>,
}
