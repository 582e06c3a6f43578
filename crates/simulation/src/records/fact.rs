//! What is kept in step of a person, whatever each account calls it, and how two accounts spell one value.

use std::collections::BTreeMap;

/// A mapped thing about a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    Email,
    First,
    /// Nobody ever edits it, so that it tells who somebody is whatever the product makes of them.
    Last,
    Title,
    /// Whether the person opted out.
    Out,
}

impl Fact {
    pub const ALL: [Fact; 5] = [Fact::Email, Fact::First, Fact::Last, Fact::Title, Fact::Out];

    /// A value in the one form in which values of different accounts are compared.
    pub fn normal(self, value: Option<&str>) -> Option<String> {
        let text = value?.trim();
        match (self, text) {
            (_, "") | (Fact::Out, "false") => None,
            (Fact::Email, text) => Some(text.to_lowercase()),
            (_, text) => Some(text.to_owned()),
        }
    }
}

/// What a record shows of a person; what it does not show is not there, and what is blank is nothing.
pub type Facts = BTreeMap<Fact, Option<String>>;

/// A live record of a person in one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The account's name of this kind of records.
    pub kind: &'static str,
    pub id: String,
    pub facts: Facts,
}

impl Shown {
    /// A value in its normal form.
    pub fn get(&self, fact: Fact) -> Option<&str> {
        self.facts.get(&fact)?.as_deref()
    }

    /// Who it is.
    pub fn who(&self) -> &str {
        self.get(Fact::Last).unwrap_or_default()
    }
}

/// What a program did to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Created,
    Updated,
    Deleted,
    /// It belongs to others than before, and nothing else of it changed.
    Tied,
}

/// A write that a program made and that stayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub deed: Deed,
    /// Whether the record is a deal, and no person.
    pub deal: bool,
    pub id: String,
    /// By the account's own names, as far as the program named them.
    pub fields: Vec<String>,
}
