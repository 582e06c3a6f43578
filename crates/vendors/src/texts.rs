//! Texts and numbers as a CRM holds them: tidied, cut between letters, each number in one form. Pure.
//!
//! What must not live here: any vendor's lengths, marks or names.

use unicode_segmentation::UnicodeSegmentation;

/// Every end of a line in one form.
pub fn one_line_break(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// Without control characters and outer blanks; line breaks are kept or become blanks.
pub fn tidy(text: &str, keep_lines: bool) -> String {
    let kept: String = one_line_break(text)
        .chars()
        .map(|char| if char == '\t' || (char == '\n' && !keep_lines) { ' ' } else { char })
        .filter(|char| *char == '\n' || !char.is_control())
        .collect();
    kept.trim().to_owned()
}

/// The longest beginning of at most so many characters that ends between two graphemes.
pub fn cut(text: &str, max_chars: usize) -> String {
    if max_chars == 0 || text.chars().count() <= max_chars {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut left = max_chars;
    for grapheme in text.graphemes(true) {
        match left.checked_sub(grapheme.chars().count()) {
            Some(rest) => left = rest,
            None => break,
        }
        kept.push_str(grapheme);
    }
    // One grapheme longer than the field: better a torn letter than nothing.
    if kept.is_empty() { text.chars().take(max_chars).collect() } else { kept.trim_end().to_owned() }
}

/// Significant digits that a number keeps on the way: a CRM's numbers and JSON's are binary fractions.
const EXACT_DIGITS: usize = 15;

/// `007.50` → `7.5`: the same number has one text, with no more digits than come back. `None` where it is no plain
/// decimal number.
pub fn normal_decimal(text: &str) -> Option<String> {
    let plain = plain_decimal(text)?;
    if plain.bytes().filter(u8::is_ascii_digit).count() <= EXACT_DIGITS {
        return Some(plain);
    }
    let held: f64 = plain.parse().ok().filter(|held: &f64| held.is_finite())?;
    plain_decimal(&held.to_string())
}

fn plain_decimal(text: &str) -> Option<String> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    Some(match (whole, fraction) {
        ("", "") => "0".to_owned(),
        (whole, "") => format!("{sign}{whole}"),
        ("", fraction) => format!("{sign}0.{fraction}"),
        (whole, fraction) => format!("{sign}{whole}.{fraction}"),
    })
}
