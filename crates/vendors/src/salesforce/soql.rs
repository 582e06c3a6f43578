//! Queries as values, and their text. Nothing that a person typed reaches a query except through a literal here, and no
//! name except an [`ApiName`]. Pure.

use std::fmt::{self, Display, Formatter, Write};

use jiff::{Timestamp, civil::Date};

/// Longest API name: 40 characters of a name, 15 of a namespace, and the marks around them.
const API_NAME_CHARS_MAX: usize = 80;

/// A name of an object or field that can stand in a query or an address as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApiName(String);

impl ApiName {
    /// Takes a letter followed by letters, digits and underscores.
    pub fn parse(text: &str) -> Option<Self> {
        let sound = text.len() <= API_NAME_CHARS_MAX
            && text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        sound.then(|| Self(text.to_owned()))
    }

    /// A name from our own manifest.
    pub(super) fn fixed(text: &'static str) -> Self {
        Self::parse(text).expect("names in the manifest are sound; a test looks at each")
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ApiName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// References that a path may follow: a query refuses more.
/// <https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_relationships_query_limits.htm>,
/// read 2026-11.
const PATH_STEPS_MAX: usize = 5;

/// A field of an object or, through references, of another: `Account.Name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(Vec<ApiName>);

impl Path {
    /// Takes API names with full stops between them.
    pub fn parse(text: &str) -> Option<Self> {
        let names: Vec<ApiName> = text.split('.').map(ApiName::parse).collect::<Option<_>>()?;
        (names.len() <= PATH_STEPS_MAX + 1).then_some(Self(names))
    }

    /// The names, from the object at hand on; at least one.
    pub fn names(&self) -> &[ApiName] {
        &self.0
    }

    /// The field itself.
    pub fn last(&self) -> &ApiName {
        self.0.last().expect("a path is parsed from a text, which has at least one part")
    }
}

impl From<ApiName> for Path {
    fn from(name: ApiName) -> Self {
        Self(vec![name])
    }
}

impl Display for Path {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        joined(f, &self.0, ".")
    }
}

/// A value in a query.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    /// A finite number.
    Float(f64),
    Text(String),
    Date(Date),
    Time(Timestamp),
}

/// What a row must meet.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    Is(ApiName, Literal),
    IsNot(ApiName, Literal),
    In(ApiName, Vec<Literal>),
    /// The text ends with this, wildcards in it taken as they stand.
    EndsWith(ApiName, String),
    /// The text contains this, wildcards in it taken as they stand.
    Contains(ApiName, String),
}

/// A query: rows that meet one of `any` and all of `all`, oldest first, so that the same question always has the same
/// first answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Select {
    pub object: ApiName,
    pub fields: Vec<ApiName>,
    pub any: Vec<Condition>,
    pub all: Vec<Condition>,
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Null => f.write_str("null"),
            Literal::Bool(value) => write!(f, "{value}"),
            Literal::Int(value) => write!(f, "{value}"),
            Literal::Float(value) => write!(f, "{value}"),
            Literal::Text(text) => {
                f.write_char('\'')?;
                escape(text, f)?;
                f.write_char('\'')
            }
            Literal::Date(date) => write!(f, "{date}"),
            Literal::Time(time) => write!(f, "{time}"),
        }
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Is(field, literal) => write!(f, "{field} = {literal}"),
            Condition::IsNot(field, literal) => write!(f, "{field} != {literal}"),
            Condition::In(field, literals) => {
                write!(f, "{field} IN (")?;
                joined(f, literals, ",")?;
                f.write_char(')')
            }
            Condition::EndsWith(field, text) => {
                write!(f, "{field} LIKE '%")?;
                escape_like(text, f)?;
                f.write_char('\'')
            }
            Condition::Contains(field, text) => {
                write!(f, "{field} LIKE '%")?;
                escape_like(text, f)?;
                f.write_str("%'")
            }
        }
    }
}

impl Display for Select {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("SELECT ")?;
        joined(f, &self.fields, ", ")?;
        write!(f, " FROM {}", self.object)?;
        let mut glue = " WHERE ";
        if !self.any.is_empty() {
            f.write_str(" WHERE (")?;
            joined(f, &self.any, " OR ")?;
            f.write_char(')')?;
            glue = " AND ";
        }
        for condition in &self.all {
            write!(f, "{glue}{condition}")?;
            glue = " AND ";
        }
        f.write_str(" ORDER BY CreatedDate, Id")
    }
}

/// Escapes a text for a literal between single quotes.
pub fn escape(text: &str, f: &mut impl Write) -> fmt::Result {
    text.chars().try_for_each(|char| escape_char(char, f))
}

/// Escapes a text for the pattern of a LIKE, so that its wildcards stand for themselves.
pub fn escape_like(text: &str, f: &mut impl Write) -> fmt::Result {
    text.chars().try_for_each(|char| match char {
        '%' => f.write_str("\\%"),
        '_' => f.write_str("\\_"),
        _ => escape_char(char, f),
    })
}

fn escape_char(char: char, f: &mut impl Write) -> fmt::Result {
    match char {
        '\\' => f.write_str("\\\\"),
        '\'' => f.write_str("\\'"),
        '"' => f.write_str("\\\""),
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        '\u{8}' => f.write_str("\\b"),
        '\u{c}' => f.write_str("\\f"),
        other => f.write_char(other),
    }
}

/// Writes a text as one segment of a path or one value of a query string: all but unreserved characters
/// (RFC 3986 §2.3) are percent-encoded, so that it cannot end the segment, nor be taken for a reference `@{…}`.
pub fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    encoded
}

pub(super) fn joined<T: Display>(f: &mut Formatter<'_>, parts: &[T], glue: &str) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(glue)?;
        }
        write!(f, "{part}")?;
    }
    Ok(())
}
