//! Licence expressions as packages write them (SPDX 3.0, annex "SPDX license expressions"), and whether what is allowed
//! is enough for one.

use std::collections::BTreeSet;

/// Expressions inside each other at most.
const DEPTH_MAX: usize = 16;

/// Whether the allowed licences satisfy an expression. Nothing satisfies an empty one.
pub fn allows(expression: &str, allowed: &BTreeSet<String>) -> Result<bool, String> {
    if expression.trim().is_empty() {
        return Ok(false);
    }
    // Before there were expressions, a slash stood for a choice.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = Words { words: spaced.split_whitespace().collect(), at: 0 };
    let verdict = words.choice(allowed, 0)?;
    match words.next() {
        None => Ok(verdict),
        Some(word) => Err(format!("`{word}` was not expected")),
    }
}

struct Words<'a> {
    words: Vec<&'a str>,
    at: usize,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let word = self.words.get(self.at).copied();
        self.at += 1;
        word
    }

    fn take(&mut self, word: &str) -> bool {
        let there = self.words.get(self.at) == Some(&word);
        self.at += usize::from(there);
        there
    }

    fn choice(&mut self, allowed: &BTreeSet<String>, depth: usize) -> Result<bool, String> {
        let mut any = self.all(allowed, depth)?;
        while self.take("OR") {
            any |= self.all(allowed, depth)?;
        }
        Ok(any)
    }

    fn all(&mut self, allowed: &BTreeSet<String>, depth: usize) -> Result<bool, String> {
        let mut all = self.one(allowed, depth)?;
        while self.take("AND") {
            all &= self.one(allowed, depth)?;
        }
        Ok(all)
    }

    fn one(&mut self, allowed: &BTreeSet<String>, depth: usize) -> Result<bool, String> {
        if depth > DEPTH_MAX {
            return Err("it is nested too deeply".to_owned());
        }
        match self.next() {
            Some("(") => {
                let inside = self.choice(allowed, depth + 1)?;
                if self.take(")") { Ok(inside) } else { Err("a bracket is not closed".to_owned()) }
            }
            None | Some(")" | "AND" | "OR" | "WITH") => Err("a licence is missing".to_owned()),
            Some(licence) if self.take("WITH") => {
                let exception = self.next().ok_or("an exception is missing")?;
                Ok(allowed.contains(&format!("{licence} WITH {exception}")))
            }
            Some(licence) => Ok(allowed.contains(licence)),
        }
    }
}
