//! `LIKE`: `%` for any text, `_` for one character, a backslash to mean the sign itself. Case does not matter.

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Char(char),
    One,
    Any,
}

/// A pattern, ready to be matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Like(Vec<Part>);

impl Like {
    /// From a string literal as it was written between its quotes.
    pub fn new(raw: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = raw;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            let part = match c {
                '%' => Part::Any,
                '_' => Part::One,
                '\\' => {
                    let mut after = rest;
                    match super::lexer::escape(&mut after) {
                        Ok(c) => {
                            rest = after;
                            parts.extend(c.to_lowercase().map(Part::Char));
                            continue;
                        }
                        Err(_) => Part::Char('\\'),
                    }
                }
                c => {
                    parts.extend(c.to_lowercase().map(Part::Char));
                    continue;
                }
            };
            // Two wildcards in a row say no more than one, and cost much more.
            if !(part == Part::Any && parts.last() == Some(&Part::Any)) {
                parts.push(part);
            }
        }
        Self(parts)
    }

    /// Greedy matching with one point of return: never more steps than text times pattern.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
        let (mut at, mut part) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        while at < text.len() {
            match self.0.get(part) {
                Some(Part::Any) => {
                    retry = Some((part, at));
                    part += 1;
                    continue;
                }
                Some(Part::One) => {
                    at += 1;
                    part += 1;
                    continue;
                }
                Some(Part::Char(c)) if *c == text[at] => {
                    at += 1;
                    part += 1;
                    continue;
                }
                _ => {}
            }
            let Some((wild, from)) = retry else { return false };
            retry = Some((wild, from + 1));
            (part, at) = (wild + 1, from + 1);
        }
        self.0[part..].iter().all(|part| *part == Part::Any)
    }
}
