//! Long texts that a vendor keeps as markup, and we as text: both directions side by side. Pure.
//!
//! What people write there comes with tags of its own; all that is read of them is where lines end.

/// Letters that mean something to markup, and how they are written.
const ESCAPED: [(char, &str); 4] = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;")];

/// Further names of letters that are understood.
const NAMED: [(&str, char); 7] =
    [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\''), ("nbsp", ' '), ("#39", '\'')];

/// Longest name of a letter.
const NAME_CHARS_MAX: usize = 8;

/// Tags after whose end a new line begins.
const BLOCKS: [&str; 8] = ["p", "div", "li", "tr", "h1", "h2", "h3", "h4"];

/// Text as markup.
pub fn from_text(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match ESCAPED.iter().find(|(known, _)| *known == char) {
            Some((_, escaped)) => html.push_str(escaped),
            None if char == '\n' => html.push_str("<br>"),
            None => html.push(char),
        }
    }
    html
}

/// The longest beginning whose markup has at most so many characters.
pub fn fitting(text: &str, max_chars: usize) -> String {
    let mut left = max_chars;
    let width = |char: char| match ESCAPED.iter().find(|(known, _)| *known == char) {
        Some((_, escaped)) => escaped.len(),
        None if char == '\n' => "<br>".len(),
        None => 1,
    };
    let end = text.char_indices().find_map(|(at, char)| match left.checked_sub(width(char)) {
        Some(rest) => {
            left = rest;
            None
        }
        None => Some(at),
    });
    let chars = end.map_or(0, |end| text[..end].chars().count());
    if end.is_none() { text.to_owned() } else { crate::texts::cut(text, chars.max(1)) }
}

/// Markup as text.
pub fn to_text(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&', '\n', '\r']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let used = match rest.as_bytes()[0] {
            b'<' => tag(rest, &mut text),
            b'&' => letter(rest, &mut text),
            // A line's end within markup is a blank.
            _ => {
                text.push(' ');
                1
            }
        };
        rest = &rest[used..];
    }
    text.push_str(rest);
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// Reads a tag; gives its length.
fn tag(rest: &str, text: &mut String) -> usize {
    let Some(end) = rest.find('>') else {
        text.push('<');
        return 1;
    };
    let inside = &rest[1..end];
    let name: String = inside.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
    let name = name.to_ascii_lowercase();
    let is_end = inside.starts_with('/');
    if name.is_empty() && !inside.starts_with('!') {
        text.push('<');
        return 1;
    }
    if name == "br" || (is_end && BLOCKS.contains(&name.as_str())) {
        text.push('\n');
    }
    end + 1
}

/// Reads the name of a letter; gives its length.
fn letter(rest: &str, text: &mut String) -> usize {
    let end = rest.char_indices().take(NAME_CHARS_MAX + 2).find(|(_, char)| *char == ';').map(|(at, _)| at);
    let found = end.and_then(|end| {
        let name = &rest[1..end];
        let named = NAMED.iter().find(|(known, _)| *known == name).map(|(_, char)| *char);
        let numbered = || {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => digits.parse().ok()?,
            };
            char::from_u32(code).filter(|char| !char.is_control())
        };
        Some((named.or_else(numbered)?, end + 1))
    });
    let (char, used) = found.unwrap_or(('&', 1));
    text.push(char);
    used
}
