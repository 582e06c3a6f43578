//! What an admin writes to say what goes into a field: Jinja, read by MiniJinja's parser and worked out here.
//!
//! One language serves both texts and values. A source is a text in which `{{ … }}` is replaced; a source that is
//! nothing but one `{{ … }}` keeps the kind of its value, so that a date stays a date. Conditions may leave the braces
//! out.
//!
//! MiniJinja's own interpreter is not used: it counts instructions but not memory, so that a few nested loops, a
//! repeated text or a folded constant can ask for gigabytes. Here every step and every byte is counted, there is
//! neither clock nor chance nor input, the same scope always gives the same value, and what is missing is null.
//! No booking is known here; which names a scope offers stands in [`names`].

mod budget;
mod datum;
mod eval;
mod functions;
mod lower;
mod names;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, sync::Arc};

use minijinja::{
    machinery::{parse, parse_expr, tokenize},
    syntax::SyntaxConfig,
};

pub use self::{
    datum::{Datum, Reference, graphemes},
    functions::{FUNCTIONS, Function, Usage},
    names::{NAMES, Name},
};
use self::{
    eval::Run,
    lower::{Lower, Node, Part},
    names::Words,
};

/// Longest source: a long e-mail template fits four times.
pub const SOURCE_CHARS_MAX: usize = 16_384;
/// Most tokens of a source; a stretch of plain text is one. It bounds how deep the parser's result can get.
pub const TOKENS_MAX: usize = 1_024;
/// Deepest nesting of an expression or of statements.
pub const DEPTH_MAX: usize = 48;
/// Most steps of one evaluation: a hundred guests with a hundred operations each.
pub const STEPS_MAX: u32 = 20_000;
/// Most bytes of text that one evaluation may put together, results in between included.
pub const BYTES_MAX: usize = 4 * 1_048_576;
/// Longest text of a result: as many characters as the longest text field of a CRM.
pub const TEXT_CHARS_MAX: usize = 131_072;

/// The values that an expression can name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    roots: std::collections::BTreeMap<String, Datum>,
}

impl Scope {
    /// Gives a name its value.
    pub fn set(&mut self, name: &str, value: Datum) {
        self.roots.insert(name.to_owned(), value);
    }

    /// The value of a name, null where it has none.
    pub fn get(&self, name: &str) -> &Datum {
        self.roots.get(name).unwrap_or(&Datum::Null)
    }
}

/// A compiled source. Two are equal when their sources are.
#[derive(Clone)]
pub struct Expression {
    source: String,
    body: Arc<Body>,
    reads: Vec<Read>,
    roots: BTreeSet<String>,
}

/// A field of a CRM record that an expression names, as in `person.fields.Industry`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Read {
    pub root: String,
    pub field: String,
}

#[derive(Debug)]
enum Body {
    Text(Vec<Part>),
    Value(Node),
}

/// Why a source cannot be compiled, and what it might look like instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}; for example: {example}")]
pub struct CompileError {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    pub reason: String,
    pub example: String,
}

/// Why a value cannot be worked out from this scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}")]
pub struct EvalError {
    pub line: usize,
    pub column: usize,
    pub reason: String,
}

/// A place in a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
}

const START: Place = Place { line: 1, column: 1 };

impl Expression {
    /// Compiles a value: a text in which `{{ … }}` is replaced.
    pub fn compile(source: &str) -> Result<Self, CompileError> {
        Self::compile_about(source, Words::Booking)
    }

    /// Compiles what makes one field's value of another's, which it names `value`.
    pub fn conversion(source: &str) -> Result<Self, CompileError> {
        Self::compile_about(source, Words::Record)
    }

    fn compile_about(source: &str, words: Words) -> Result<Self, CompileError> {
        let source = source.trim_end();
        check_size(source, false)?;
        let template = parse(source, "value", SyntaxConfig::default()).map_err(|error| syntax(source, &error))?;
        let mut lower = Lower::new(source, words);
        let parts = without_leading_blanks(lower.template(&template)?);
        let body = match only_value(parts) {
            Ok(node) => Body::Value(node),
            Err(parts) => {
                forgotten_braces(source, &parts)?;
                Body::Text(parts)
            }
        };
        let (reads, roots) = lower.named();
        Ok(Self { source: source.to_owned(), body: Arc::new(body), reads, roots })
    }

    /// Compiles a condition: an expression, with or without its braces.
    pub fn condition(source: &str) -> Result<Self, CompileError> {
        Self::condition_about(source, Words::Booking)
    }

    /// Compiles a condition about a record, whose fields it names as in `record.Newsletter__c`.
    pub fn criteria(source: &str) -> Result<Self, CompileError> {
        Self::condition_about(source, Words::Record)
    }

    fn condition_about(source: &str, words: Words) -> Result<Self, CompileError> {
        if source.contains("{{") || source.contains("{%") {
            return Self::compile_about(source, words);
        }
        check_size(source, true)?;
        let expr = parse_expr(source).map_err(|error| syntax(source, &error))?;
        let mut lower = Lower::new(source, words);
        let node = lower.expression(&expr)?;
        let (reads, roots) = lower.named();
        Ok(Self { source: source.to_owned(), body: Arc::new(Body::Value(node)), reads, roots })
    }

    /// A text that is taken as it stands, braces included.
    pub fn literal(text: &str) -> Self {
        let body = Body::Value(Node::Const(Datum::text(text)));
        Self { source: text.to_owned(), body: Arc::new(body), reads: Vec::new(), roots: BTreeSet::new() }
    }

    /// The source as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The CRM fields that it names.
    pub fn reads(&self) -> &[Read] {
        &self.reads
    }

    /// Whether it names this: a first word as `booking`, a whole name as `booking.raw`, or a function as `answer()`.
    pub fn names(&self, root: &str) -> bool {
        self.roots.contains(root)
    }

    /// Whether it names nothing of a booking, so that its value is always the same.
    pub fn names_nothing(&self) -> bool {
        self.roots.is_empty()
    }

    /// Works the value out.
    pub fn evaluate(&self, scope: &Scope) -> Result<Datum, EvalError> {
        let mut run = Run::new(scope);
        match &*self.body {
            Body::Value(node) => run.value(node),
            Body::Text(parts) => run.text(parts),
        }
    }

    /// Works the value out as a text.
    pub fn render(&self, scope: &Scope) -> Result<String, EvalError> {
        let value = self.evaluate(scope)?;
        budget::Budget::default().text_of(&value).map_err(|reason| EvalError::at(START, reason))
    }

    /// Whether the condition holds. A text says no where it is blank, `false`, `no` or `0`.
    pub fn holds(&self, scope: &Scope) -> Result<bool, EvalError> {
        Ok(match self.evaluate(scope)? {
            Datum::Text(text) => !matches!(text.trim().to_lowercase().as_str(), "" | "false" | "no" | "0"),
            value => value.is_true(),
        })
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Expression {}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Expression").field(&self.source).finish()
    }
}

impl CompileError {
    fn at(place: Place, reason: impl Into<String>, example: impl Into<String>) -> Self {
        Self { line: place.line, column: place.column, reason: reason.into(), example: example.into() }
    }
}

impl EvalError {
    fn at(place: Place, reason: impl Into<String>) -> Self {
        Self { line: place.line, column: place.column, reason: reason.into() }
    }
}

/// Where this byte of the source stands.
fn place_of(source: &str, offset: usize) -> Place {
    let before = &source[..source.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Place { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
}

fn check_size(source: &str, is_expression: bool) -> Result<(), CompileError> {
    let too_long = |what: String| {
        CompileError::at(START, what, "several fields with a part of it each, or a text without so many {{ … }}")
    };
    if source.chars().count() > SOURCE_CHARS_MAX {
        return Err(too_long(format!("longer than {SOURCE_CHARS_MAX} characters")));
    }
    // A token that cannot be read ends the stream; the parser then says what is wrong with it.
    if tokenize(source, is_expression, SyntaxConfig::default()).take_while(Result::is_ok).count() > TOKENS_MAX {
        return Err(too_long(format!("more than {TOKENS_MAX} words and signs within {{{{ … }}}} and {{% … %}}")));
    }
    Ok(())
}

fn syntax(source: &str, error: &minijinja::Error) -> CompileError {
    let place = match error.range() {
        Some(range) => place_of(source, range.start),
        None => Place { line: error.line().unwrap_or(1), column: 1 },
    };
    let reason = error.detail().unwrap_or("cannot be read").to_owned();
    let example = if reason.contains("end of") {
        "{{ invitee.first_name }}, every {{ closed by }}"
    } else {
        "{{ answer(\"Company\")|default(\"unknown\") }}"
    };
    CompileError::at(place, reason, example)
}

/// Blanks before a value belong to the file it stands in. They are only dropped now, so that places in the source are
/// those that its writer sees.
fn without_leading_blanks(mut parts: Vec<Part>) -> Vec<Part> {
    if let Some(Part::Raw(text)) = parts.first_mut() {
        text.drain(..text.len() - text.trim_start().len());
        if text.is_empty() {
            parts.remove(0);
        }
    }
    parts
}

/// The one value that the parts are, where they are nothing else.
fn only_value(mut parts: Vec<Part>) -> Result<Node, Vec<Part>> {
    match parts.pop() {
        Some(Part::Emit(node)) if parts.is_empty() => Ok(node),
        Some(last) => {
            parts.push(last);
            Err(parts)
        }
        None => Ok(Node::Const(Datum::Null)),
    }
}

/// A text that looks like an expression is surely meant as one.
fn forgotten_braces(source: &str, parts: &[Part]) -> Result<(), CompileError> {
    let [Part::Raw(text)] = parts else { return Ok(()) };
    let name: String = text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let rest = &text[name.len()..];
    let mut next = rest.chars();
    let joins = match next.next() {
        Some('.') => next.next().is_some_and(|c| c.is_ascii_alphabetic()),
        Some('(' | '[') => true,
        Some('|') => next.next().is_some_and(|c| c.is_ascii_alphabetic()),
        _ => false,
    };
    if !joins || !names::is_root(&name) && functions::find(&name, Usage::Function).is_none() {
        return Ok(());
    }
    Err(CompileError::at(
        START,
        "this would be written as it stands; to have it worked out, put it in double braces",
        format!("{{{{ {} }}}}", source.trim()),
    ))
}
