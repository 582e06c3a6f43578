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
    /// May be emptied.
    pub nillable: bool,
    /// Worked out by the vendor: it can be read and never written, and its change may move no time stamp.
    pub calculated: bool,
    /// Finds the one record that bears a value.
    pub unique: bool,
    pub habits: Habits,
}

impl FieldDescription {
    /// A field that takes any value of its kind, may be written and may be emptied; what is special is laid over it.
    pub fn plain(label: impl Into<String>, kind: FieldKind) -> Self {
        Self {
            label: label.into(),
            kind,
            length: None,
            precision: 0,
            scale: 0,
            createable: true,
            updateable: true,
            required: false,
            restricted: false,
            values: Vec::new(),
            refers_to: Vec::new(),
            nillable: true,
            calculated: false,
            unique: false,
            habits: Habits::default(),
        }
    }

    /// A plain field that can be read and not written.
    pub fn read_only(label: impl Into<String>, kind: FieldKind) -> Self {
        Self { createable: false, updateable: false, ..Self::plain(label, kind) }
    }
}

/// What a vendor does to a value that it takes, beyond what kind and length say. Told by its connector, so that what we
/// wrote is known again when it comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    /// Letters come back small.
    pub lower_case: bool,
    /// Blanks at both ends are dropped.
    pub trims: bool,
    /// Of a phone number only the digits come back, with neither `+` nor `00` before them.
    pub digits_only: bool,
    /// Times come back without fractions of a second.
    pub whole_seconds: bool,
    /// It is taken and never shown: what the side was told last is what it is believed to hold.
    pub untold: bool,
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
