//! Text from outside, made safe to keep: no control characters, bounded, cut between graphemes. Nothing here knows
//! what the text means.

use unicode_segmentation::UnicodeSegmentation;
use url::Url;

/// Longest single line: names, titles, subjects, addresses. CRM text fields hold 255; the rest is for templates.
pub const MAX_LINE_CHARS: usize = 1_000;

/// Longest block: notes, answers, reasons. The description of a CRM record holds 32,000.
pub const MAX_BLOCK_CHARS: usize = 32_000;

/// Longest web address that is kept; a longer one is dropped, because a cut address leads nowhere.
pub const MAX_URL_CHARS: usize = 2_048;

/// Longest e-mail address that is kept: 64 before the at sign, 255 behind it (RFC 5321, section 4.5.3.1).
pub const MAX_EMAIL_CHARS: usize = 320;

/// Longest time zone or language name.
const MAX_NAME_CHARS: usize = 64;

/// One line: control characters and line breaks become spaces, the ends are trimmed; `None` where nothing is left.
pub fn line(text: &str) -> Option<String> {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    kept(&text, MAX_LINE_CHARS)
}

/// Several lines: control characters other than line breaks and tabs go, the ends are trimmed.
pub fn block(text: &str) -> Option<String> {
    let text: String =
        text.replace("\r\n", "\n").chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    kept(&text, MAX_BLOCK_CHARS)
}

/// An e-mail address as typed, without what can never be in one; empty where there is none.
pub fn email(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    kept(&text, MAX_EMAIL_CHARS).unwrap_or_default()
}

/// A web address that a person may be sent to.
pub fn web_url(text: &str) -> Option<String> {
    let text = text.trim();
    if text.chars().count() > MAX_URL_CHARS {
        return None;
    }
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "https" | "http") && url.has_host()).then(|| url.to_string())
}

/// The name of an IANA time zone, judged by its form; whether it exists is asked where it is used.
pub fn time_zone(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
    (!text.is_empty() && text.len() <= MAX_NAME_CHARS && text.chars().all(fits)).then(|| text.to_owned())
}

/// A language tag, judged by its form.
pub fn language(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    (!text.is_empty() && text.len() <= MAX_NAME_CHARS && text.chars().all(fits)).then(|| text.to_owned())
}

fn kept(text: &str, max_chars: usize) -> Option<String> {
    let text = cut(text.trim(), max_chars).trim_end();
    (!text.is_empty()).then(|| text.to_owned())
}

/// At most so many characters, cut between graphemes, so that no accent or joined emoji is torn apart.
pub fn cut(text: &str, max_chars: usize) -> &str {
    // No character is longer in bytes than in count, so a short text needs no count.
    if text.len() <= max_chars {
        return text;
    }
    let (mut chars, mut end) = (0, 0);
    for (start, grapheme) in text.grapheme_indices(true) {
        chars += grapheme.chars().count();
        if chars > max_chars {
            break;
        }
        end = start + grapheme.len();
    }
    if end == 0 {
        // A single grapheme beyond the limit is no writing; it is cut wherever the limit falls.
        end = text.char_indices().nth(max_chars).map_or(text.len(), |(at, _)| at);
    }
    &text[..end]
}
