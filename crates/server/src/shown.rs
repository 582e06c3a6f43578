//! Text from outside as people may see it: characters that would deceive the eye are spelt out, addresses become links
//! only where that is safe. Escaping for HTML is the templates' part.

use unicode_segmentation::UnicodeSegmentation;
use url::Url;

/// Characters of a field's value that are shown at the most.
const VALUE_MAX: usize = 2_000;

/// Text whose every character can be seen. Views of pages hold outside text in no other form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Shown(String);

impl Shown {
    /// The text with every deceiving character spelt out.
    pub(crate) fn new(text: &str) -> Self {
        let mut shown = String::with_capacity(text.len());
        for character in text.chars() {
            if deceives(character) {
                shown.push_str(&format!("[U+{:04X}]", u32::from(character)));
            } else {
                shown.push(character);
            }
        }
        Self(shown)
    }

    /// At most so many characters as people count them.
    pub(crate) fn short(text: &str, characters_max: usize) -> Self {
        match text.grapheme_indices(true).nth(characters_max) {
            Some((end, _)) => Self(Self::new(&text[..end]).0 + "…"),
            None => Self::new(text),
        }
    }

    /// A field's value.
    pub(crate) fn value(text: &str) -> Self {
        Self::short(text, VALUE_MAX)
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Controls, marks that turn the writing direction, characters without width, and other invisible ones.
fn deceives(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' => true,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' => true,
        '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => true,
        other => other.is_control(),
    }
}

/// An address that may be made a link of: http, https or mailto, and nothing that hides where it leads.
pub(crate) fn link(text: &str) -> Option<String> {
    if text.chars().any(|character| deceives(character) || character.is_whitespace()) {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let plain = url.username().is_empty() && url.password().is_none();
    (matches!(url.scheme(), "http" | "https" | "mailto") && plain).then(|| url.into())
}

#[cfg(test)]
mod tests;
