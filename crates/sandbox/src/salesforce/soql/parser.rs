//! The grammar: select lists, expressions, conditions. The clauses after them are in `clauses`.
//!
//! Plain recursive descent over the lexer's tokens, because Salesforce's error messages need the place of the first
//! token that does not fit. Nesting is bounded, so no text can exhaust the stack.

use super::{
    ast::{At, Cond, Expr, Lit, Name, Op, Query, Select},
    dates,
    lexer::{Tok, Token, tokens},
};
use crate::salesforce::error::{ApiError, Outcome};

/// Longest statement ("SOQL and SOSL Limits", read 2026-11-21).
const MAX_CHARACTERS: usize = 100_000;
/// Deepest nesting of brackets and queries that is read; real queries stay far below.
const MAX_DEPTH: usize = 40;

/// Words that cannot be an alias.
const KEYWORDS: [&str; 16] = [
    "FROM", "WHERE", "ORDER", "GROUP", "LIMIT", "OFFSET", "FOR", "WITH", "USING", "HAVING", "UPDATE", "ALL", "AND",
    "OR", "NOT", "BIND",
];

/// Reads a query.
pub fn parse(text: &str) -> Outcome<Query> {
    if text.chars().count() > MAX_CHARACTERS {
        let message = format!("SOQL statements cannot be longer than {MAX_CHARACTERS} characters.");
        return Err(ApiError::request("MALFORMED_QUERY", message));
    }
    let tokens = tokens(text).map_err(|at| {
        let odd = text[at..].chars().next().unwrap_or(' ');
        located(text, at, "MALFORMED_QUERY", &format!("unexpected token: '{odd}'"))
    })?;
    let mut parser = Parser { text, tokens, next: 0, depth: 0 };
    let query = parser.query()?;
    match parser.peek() {
        Tok::End => Ok(query),
        _ => Err(parser.unexpected()),
    }
}

/// An error that points at its place, as Salesforce draws it.
pub fn located(text: &str, at: At, code: &'static str, message: &str) -> ApiError {
    let at = at.min(text.len());
    let before = &text[..at];
    let row = before.matches('\n').count() + 1;
    let line_start = before.rfind('\n').map_or(0, |place| place + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let column = before[line_start..].chars().count() + 1;
    let blank = " ".repeat(column - 1);
    ApiError::request(code, format!("\n{line}\n{blank}^\nERROR at Row:{row}:Column:{column}\n{message}"))
}

pub(super) struct Parser<'a> {
    pub text: &'a str,
    tokens: Vec<Token>,
    next: usize,
    pub depth: usize,
}

impl Parser<'_> {
    pub fn peek(&self) -> &Tok {
        &self.tokens[self.next].tok
    }

    pub fn peek_after(&self, ahead: usize) -> &Tok {
        self.tokens.get(self.next + ahead).map_or(&Tok::End, |token| &token.tok)
    }

    pub fn at(&self) -> At {
        self.tokens[self.next].at
    }

    pub fn bump(&mut self) -> Tok {
        let tok = self.tokens[self.next].tok.clone();
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        tok
    }

    pub fn unexpected(&self) -> ApiError {
        let token = &self.tokens[self.next];
        let shown = if token.tok == Tok::End { "<EOF>" } else { &self.text[token.at..token.end] };
        located(self.text, token.at, "MALFORMED_QUERY", &format!("unexpected token: '{shown}'"))
    }

    pub fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Tok::Word(found) if found.eq_ignore_ascii_case(word))
    }

    pub fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.bump();
        }
        found
    }

    pub fn want_word(&mut self, word: &str) -> Outcome<()> {
        if self.eat_word(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub fn eat_sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Tok::Sign(found) if *found == sign);
        if found {
            self.bump();
        }
        found
    }

    pub fn want_sign(&mut self, sign: &str) -> Outcome<()> {
        if self.eat_sign(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub fn word(&mut self) -> Outcome<String> {
        match self.peek() {
            Tok::Word(word) => {
                let word = word.clone();
                self.bump();
                Ok(word)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// Any word that no clause begins with.
    pub fn alias(&mut self) -> Option<String> {
        match self.peek() {
            Tok::Word(word) if !KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(word)) => {
                let word = word.clone();
                self.bump();
                Some(word)
            }
            _ => None,
        }
    }

    pub fn deeper(&mut self) -> Outcome<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(located(self.text, self.at(), "MALFORMED_QUERY", "the query is nested too deeply"));
        }
        Ok(())
    }

    pub fn query(&mut self) -> Outcome<Query> {
        self.deeper()?;
        self.want_word("SELECT")?;
        let mut select = vec![self.select_item()?];
        while self.eat_sign(",") {
            select.push(self.select_item()?);
        }
        let query = self.clauses(select)?;
        self.depth -= 1;
        Ok(query)
    }

    fn select_item(&mut self) -> Outcome<Select> {
        let at = self.at();
        if self.eat_sign("(") {
            let query = self.query()?;
            self.want_sign(")")?;
            return Ok(Select::Child(Box::new(query), at));
        }
        if self.is_word("TYPEOF") && matches!(self.peek_after(1), Tok::Word(next) if !next.eq_ignore_ascii_case("FROM"))
        {
            return self.type_of(at);
        }
        let expr = self.expr()?;
        Ok(Select::Expr { expr, alias: self.alias() })
    }

    fn type_of(&mut self, at: At) -> Outcome<Select> {
        self.want_word("TYPEOF")?;
        self.name()?;
        if !self.is_word("WHEN") {
            return Err(self.unexpected());
        }
        while self.eat_word("WHEN") {
            self.word()?;
            self.want_word("THEN")?;
            self.names()?;
        }
        if self.eat_word("ELSE") {
            self.names()?;
        }
        self.want_word("END")?;
        Ok(Select::TypeOf(at))
    }

    pub fn names(&mut self) -> Outcome<Vec<Name>> {
        let mut all = vec![self.name()?];
        while self.eat_sign(",") {
            all.push(self.name()?);
        }
        Ok(all)
    }

    pub fn name(&mut self) -> Outcome<Name> {
        let at = self.at();
        let mut parts = vec![self.word()?];
        while self.eat_sign(".") {
            parts.push(self.word()?);
        }
        Ok(Name { parts, at })
    }

    /// A field, or a function of fields and literals.
    pub fn expr(&mut self) -> Outcome<Expr> {
        self.deeper()?;
        let at = self.at();
        let expr = match (self.peek(), self.peek_after(1)) {
            (Tok::Word(name), Tok::Sign("(")) => {
                let name = name.clone();
                self.bump();
                self.bump();
                let mut args = Vec::new();
                while !self.eat_sign(")") {
                    if !args.is_empty() {
                        self.want_sign(",")?;
                    }
                    args.push(self.argument()?);
                }
                Expr::Call { name, args, at }
            }
            _ => Expr::Field(self.name()?),
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn argument(&mut self) -> Outcome<Expr> {
        match self.peek() {
            Tok::Word(_) => self.expr(),
            _ => self.literal().map(Expr::Literal),
        }
    }

    /// `a AND b AND c`, or `a OR b OR c`; mixed, they need brackets.
    pub fn condition(&mut self) -> Outcome<Cond> {
        self.deeper()?;
        let first = self.term()?;
        let word = ["AND", "OR"].into_iter().find(|word| self.is_word(word));
        let cond = match word {
            None => first,
            Some(word) => {
                let mut all = vec![first];
                while self.eat_word(word) {
                    all.push(self.term()?);
                }
                if self.is_word("AND") || self.is_word("OR") {
                    return Err(self.unexpected());
                }
                if word == "AND" { Cond::And(all) } else { Cond::Or(all) }
            }
        };
        self.depth -= 1;
        Ok(cond)
    }

    fn term(&mut self) -> Outcome<Cond> {
        self.deeper()?;
        let cond = if self.is_word("NOT") && !matches!(self.peek_after(1), Tok::Sign("=" | "!=" | "<" | ">")) {
            self.bump();
            Cond::Not(Box::new(self.term()?))
        } else if self.eat_sign("(") {
            let inner = self.condition()?;
            self.want_sign(")")?;
            inner
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(cond)
    }

    fn comparison(&mut self) -> Outcome<Cond> {
        let at = self.at();
        let left = self.expr()?;
        if self.eat_word("LIKE") {
            return Ok(Cond::Compare { left, op: Op::Like, right: self.literal()?, at });
        }
        if self.eat_word("IN") {
            return self.list(left, false, at);
        }
        if self.is_word("NOT") && matches!(self.peek_after(1), Tok::Word(next) if next.eq_ignore_ascii_case("IN")) {
            self.bump();
            self.bump();
            return self.list(left, true, at);
        }
        for (word, not) in [("INCLUDES", false), ("EXCLUDES", true)] {
            if self.eat_word(word) {
                return self.includes(left, not, at);
            }
        }
        let op = match self.peek() {
            Tok::Sign("=") => Op::Eq,
            Tok::Sign("!=") => Op::Ne,
            Tok::Sign("<") => Op::Lt,
            Tok::Sign("<=") => Op::Le,
            Tok::Sign(">") => Op::Gt,
            Tok::Sign(">=") => Op::Ge,
            _ => return Err(self.unexpected()),
        };
        self.bump();
        Ok(Cond::Compare { left, op, right: self.literal()?, at })
    }

    fn list(&mut self, left: Expr, not: bool, at: At) -> Outcome<Cond> {
        self.want_sign("(")?;
        if self.is_word("SELECT") {
            let query = Box::new(self.query()?);
            self.want_sign(")")?;
            return Ok(Cond::InQuery { left, not, query, at });
        }
        let mut list = vec![self.literal()?];
        while self.eat_sign(",") {
            list.push(self.literal()?);
        }
        self.want_sign(")")?;
        Ok(Cond::In { left, not, list, at })
    }

    fn includes(&mut self, left: Expr, not: bool, at: At) -> Outcome<Cond> {
        self.want_sign("(")?;
        let mut sets = Vec::new();
        loop {
            match self.bump() {
                Tok::Text(text, _) => sets.push(text.split(';').map(|one| one.trim().to_owned()).collect()),
                _ => return Err(self.unexpected()),
            }
            if !self.eat_sign(",") {
                break;
            }
        }
        self.want_sign(")")?;
        Ok(Cond::Includes { left, not, sets, at })
    }

    pub fn literal(&mut self) -> Outcome<Lit> {
        let lit = match self.peek().clone() {
            Tok::Text(text, raw) => Lit::Text(text, raw),
            Tok::Number(number) => Lit::Number(number),
            Tok::Date(day) => Lit::Date(day),
            Tok::Stamp(seconds) => Lit::Stamp(seconds),
            Tok::Word(word) => match self.word_literal(&word) {
                Some(lit) => lit,
                None => return Err(self.unexpected()),
            },
            _ => return Err(self.unexpected()),
        };
        self.bump();
        if let Lit::Range(name, _) = lit
            && dates::counted(name)
        {
            self.want_sign(":")?;
            return match self.bump() {
                Tok::Number(count) if count.fract() == 0.0 && count.abs() < 1e6 => Ok(Lit::Range(name, count as i64)),
                _ => Err(self.unexpected()),
            };
        }
        Ok(lit)
    }

    fn word_literal(&self, word: &str) -> Option<Lit> {
        match word.to_ascii_uppercase().as_str() {
            "TRUE" => return Some(Lit::Bool(true)),
            "FALSE" => return Some(Lit::Bool(false)),
            "NULL" => return Some(Lit::Null),
            _ => {}
        }
        if let Some(name) = dates::known(word) {
            return Some(Lit::Range(name, 0));
        }
        let (code, amount) = word.split_at_checked(3)?;
        let money = code.bytes().all(|b| b.is_ascii_alphabetic()) && amount.bytes().all(|b| b.is_ascii_digit());
        money.then(|| amount.parse().ok().map(Lit::Money)).flatten()
    }
}
