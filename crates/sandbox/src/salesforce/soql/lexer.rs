//! From text to words, strings, numbers, dates and signs.

use jiff::civil::Date;
use winnow::{
    Parser, Result,
    ascii::{multispace1, till_line_ending},
    combinator::{alt, delimited, preceded, repeat},
    error::ContextError,
    token::{none_of, one_of, take_while},
};

use super::ast::At;
use crate::salesforce::time;

#[derive(Debug, Clone, PartialEq)]
pub enum Tok {
    Word(String),
    /// Unescaped, and as written.
    Text(String, String),
    Number(f64),
    Date(Date),
    Stamp(i64),
    Sign(&'static str),
    End,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    pub tok: Tok,
    pub at: At,
    pub end: At,
}

/// Cuts a text into tokens; an error is the place of the first character that fits nowhere.
pub fn tokens(text: &str) -> std::result::Result<Vec<Token>, At> {
    let mut rest = text;
    let mut out = Vec::new();
    loop {
        let _: () = repeat(0.., space).parse_next(&mut rest).map_err(|_: ContextError| text.len() - rest.len())?;
        let at = text.len() - rest.len();
        if rest.is_empty() {
            out.push(Token { tok: Tok::End, at, end: at });
            return Ok(out);
        }
        let tok = alt((string, word, number, sign)).parse_next(&mut rest).map_err(|_: ContextError| at)?;
        out.push(Token { tok, at, end: text.len() - rest.len() });
    }
}

fn space(input: &mut &str) -> Result<()> {
    alt((multispace1.void(), ("//", till_line_ending).void())).parse_next(input)
}

fn word(input: &mut &str) -> Result<Tok> {
    (
        one_of(|c: char| c.is_ascii_alphabetic() || c == '_'),
        take_while(0.., |c: char| c.is_ascii_alphanumeric() || c == '_'),
    )
        .take()
        .map(|word: &str| Tok::Word(word.to_owned()))
        .parse_next(input)
}

fn string(input: &mut &str) -> Result<Tok> {
    let inner = repeat(0.., alt((preceded('\\', escape), none_of(['\'', '\\'])))).fold(String::new, |mut all, c| {
        all.push(c);
        all
    });
    delimited('\'', inner.with_taken(), '\'')
        .map(|(text, raw): (String, &str)| Tok::Text(text, raw.to_owned()))
        .parse_next(input)
}

/// The character after a backslash.
pub fn escape(input: &mut &str) -> Result<char> {
    alt((
        one_of(['n', 'N']).value('\n'),
        one_of(['r', 'R']).value('\r'),
        one_of(['t', 'T']).value('\t'),
        one_of(['b', 'B']).value('\u{8}'),
        one_of(['f', 'F']).value('\u{c}'),
        preceded(one_of(['u', 'U']), take_while(4, |c: char| c.is_ascii_hexdigit()))
            .verify_map(|hex: &str| char::from_u32(u32::from_str_radix(hex, 16).ok()?)),
        one_of(['\'', '"', '\\', '_', '%']),
    ))
    .parse_next(input)
}

/// Numbers, days and moments all begin with a digit or a sign.
fn number(input: &mut &str) -> Result<Tok> {
    let body = |c: char| c.is_ascii_digit() || matches!(c, '.' | ':' | '-' | '+' | 'T' | 'Z' | 't' | 'z' | 'e' | 'E');
    (one_of(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')), take_while(0.., body))
        .take()
        .verify_map(|text: &str| {
            if text.as_bytes().get(4) == Some(&b'-') {
                return match text.len() {
                    10 => time::parse_day(text).map(Tok::Date),
                    _ => time::parse_stamp(text).map(Tok::Stamp),
                };
            }
            text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Tok::Number)
        })
        .parse_next(input)
}

fn sign(input: &mut &str) -> Result<Tok> {
    alt((
        alt(("!=".value("!="), "<>".value("!="), "<=".value("<="), ">=".value(">="))),
        alt(("=".value("="), "<".value("<"), ">".value(">"), "(".value("("), ")".value(")"))),
        alt((",".value(","), ".".value("."), ":".value(":"))),
    ))
    .map(Tok::Sign)
    .parse_next(input)
}
