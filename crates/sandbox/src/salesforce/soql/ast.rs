//! A query as it was written. Nothing here knows objects or records.

use jiff::civil::Date;

/// Where in the text something stands, in bytes.
pub type At = usize;

#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub select: Vec<Select>,
    pub from: Name,
    /// `FROM Contact c, c.Account a`: further names for paths.
    pub aliases: Vec<(String, Vec<String>)>,
    pub scope: Option<String>,
    pub filter: Option<Cond>,
    pub group: Option<Group>,
    pub having: Option<Cond>,
    pub order: Vec<Order>,
    pub limit: Option<u64>,
    pub offset: Option<u64>,
    /// Clauses that are understood but not carried out.
    pub refused: Vec<&'static str>,
}

/// A dotted path such as `Account.Owner.Name`.
#[derive(Debug, Clone, PartialEq)]
pub struct Name {
    pub parts: Vec<String>,
    pub at: At,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Select {
    Expr { expr: Expr, alias: Option<String> },
    Child(Box<Query>, At),
    TypeOf(At),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    Field(Name),
    Call { name: String, args: Vec<Expr>, at: At },
    Literal(Lit),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Group {
    By(Vec<Expr>),
    Rollup,
    Cube,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    pub by: Expr,
    pub descending: bool,
    /// `None`: first, as Salesforce does it.
    pub nulls_last: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Like,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Cond {
    And(Vec<Cond>),
    Or(Vec<Cond>),
    Not(Box<Cond>),
    Compare {
        left: Expr,
        op: Op,
        right: Lit,
        at: At,
    },
    In {
        left: Expr,
        not: bool,
        list: Vec<Lit>,
        at: At,
    },
    InQuery {
        left: Expr,
        not: bool,
        query: Box<Query>,
        at: At,
    },
    /// `INCLUDES ('A;B', 'C')`: each element is a set that must be there whole.
    Includes {
        left: Expr,
        not: bool,
        sets: Vec<Vec<String>>,
        at: At,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum Lit {
    /// The text, and the text as it was written, for `LIKE`.
    Text(String, String),
    Number(f64),
    /// `USD5000`
    Money(f64),
    Bool(bool),
    Null,
    Date(Date),
    Stamp(i64),
    /// `TODAY`, `LAST_N_DAYS:30`, …
    Range(&'static str, i64),
}
