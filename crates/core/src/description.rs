//! What a vendor's account says of its objects and their fields. Plain values; nothing is asked here.

use std::collections::BTreeMap;

/// One object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectDescription {
    /// The vendor's own name.
    pub name: String,
    pub label: String,
    pub createable: bool,
    pub updateable: bool,
    /// Of a meeting: whether it may be related to several people at once.
    pub relates_many: bool,
    /// By the vendor's own name, in its exact case.
    pub fields: BTreeMap<String, FieldDescription>,
}

/// One field, as this account's user may use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldDescription {
    pub label: String,
    pub kind: FieldKind,
    /// In characters; `None` where the kind has no length.
    pub length: Option<u32>,
    /// All digits of a number.
    pub precision: u32,
    /// The digits behind the point.
    pub scale: u32,
    pub createable: bool,
    pub updateable: bool,
    /// Has to have a value when the record is made.
    pub required: bool,
    /// Whether only the active values of a picklist are taken.
    pub restricted: bool,
    /// The active values of a picklist.
    pub values: Vec<String>,
    /// The vendor's own names of the objects that a reference may point to.
    pub refers_to: Vec<String>,
}

/// The kinds that a mapping tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    Text,
    /// Text of several lines.
    TextArea,
    Number,
    Boolean,
    Date,
    DateTime,
    Picklist,
    MultiPicklist,
    Reference,
    Email,
    Phone,
    Url,
    /// Anything else: it can be read and not written by a mapping.
    Other,
}
