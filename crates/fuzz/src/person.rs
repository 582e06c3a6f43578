//! What people type about themselves: addresses, names, numbers, and the text that is kept of them.

use syncline_core::person::{domain_of, normal_email, phone_digits, split_name, squeeze};
use syncline_vendors::intake::text;

/// Normal forms are their own normal forms, and nothing that is kept breaks a line or a bound.
pub fn normalise(bytes: &[u8]) {
    let typed = String::from_utf8_lossy(bytes);
    if let Some(email) = normal_email(&typed) {
        assert_eq!(normal_email(&email).as_deref(), Some(&*email), "a normal address has another normal form");
        assert!(domain_of(&email).is_some_and(|domain| domain.is_ascii() && domain.contains('.')));
        assert!(!email.contains(|c: char| c.is_control() || c.is_whitespace()));
    }
    if let Some(digits) = phone_digits(&typed) {
        assert_eq!(phone_digits(&digits).as_deref(), Some(&*digits), "a normal number has another normal form");
    }
    let (_, last) = split_name(None, None, Some(&typed), &typed);
    assert!(!last.trim().is_empty(), "a CRM wants a last name");
    let once = squeeze(&typed);
    assert_eq!(squeeze(&once), once);
    if let Some(line) = text::line(&typed) {
        assert_eq!(text::line(&line).as_deref(), Some(&*line), "a line that was cleaned changes again");
        assert!(line.chars().count() <= text::MAX_LINE_CHARS && !line.contains(char::is_control));
    }
    if let Some(block) = text::block(&typed) {
        assert_eq!(text::block(&block).as_deref(), Some(&*block), "a block that was cleaned changes again");
    }
    if let Some(url) = text::web_url(&typed) {
        assert!(url.starts_with("http://") || url.starts_with("https://"), "a link of another kind");
        assert_eq!(text::web_url(&url).as_deref(), Some(&*url));
    }
}
