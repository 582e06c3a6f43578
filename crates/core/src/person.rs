//! What a person's typed address and name mean: the normal form of an e-mail address, its domain, first and last name.

use unicode_normalization::UnicodeNormalization;

/// Longest address that can be delivered to (RFC 5321, section 4.5.3.1).
pub const MAX_EMAIL_CHARS: usize = 254;

/// Providers at which anybody may have an address, so that the domain says nothing about a company.
const FREE_MAIL: &[&str] = &[
    "163.com", "aol.com", "bluewin.ch", "freenet.de", "gmail.com", "gmx.at", "gmx.ch", "gmx.com", "gmx.de", "gmx.net",
    "googlemail.com", "hey.com", "hotmail.co.uk", "hotmail.com", "hotmail.de", "hotmail.fr", "icloud.com", "laposte.net",
    "libero.it", "live.com", "live.fr", "mac.com", "mail.com", "mail.ru", "mailbox.org", "me.com", "msn.com", "orange.fr",
    "outlook.com", "outlook.de", "outlook.fr", "pm.me", "posteo.de", "proton.me", "protonmail.com", "qq.com", "sfr.fr",
    "t-online.de", "tutanota.com", "wanadoo.fr", "web.de", "yahoo.co.uk", "yahoo.com", "yahoo.de", "yahoo.fr", "yandex.ru",
    "ymail.com", "zoho.com",
];

/// The form in which addresses are compared: trimmed, NFC, lower case, domain in ASCII. Sub-addresses (`+tag`) stay:
/// whether they name the same person is not ours to decide. `None` where the text cannot be an address.
pub fn normal_email(typed: &str) -> Option<String> {
    let text: String = typed.trim().nfc().collect();
    let (local, domain) = text.rsplit_once('@')?;
    if local.is_empty() || local.chars().any(|c| c.is_whitespace() || c.is_control() || c == '@') {
        return None;
    }
    let domain = idna::domain_to_ascii(domain.trim_end_matches('.')).ok()?;
    if !domain.contains('.') || domain.starts_with('.') || domain.contains(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-') {
        return None;
    }
    let email = format!("{}@{domain}", local.to_lowercase().nfc().collect::<String>());
    (email.chars().count() <= MAX_EMAIL_CHARS).then_some(email)
}

/// The domain of a normalised address.
pub fn domain_of(email: &str) -> Option<&str> {
    email.rsplit_once('@').map(|(_, domain)| domain)
}

/// Whether anybody may have an address at this domain; `more` adds to the built-in list.
pub fn is_free_mail(domain: &str, more: &[String]) -> bool {
    FREE_MAIL.binary_search(&domain).is_ok() || more.iter().any(|own| own.eq_ignore_ascii_case(domain))
}

/// First and last name. A source's own split is kept; else the first word is the first name and all the rest the last
/// name; a single word is the last name; with no name at all the address's local part stands in, because a CRM wants
/// a last name.
pub fn split_name(first: Option<&str>, last: Option<&str>, full: Option<&str>, email: &str) -> (Option<String>, String) {
    let clean = |text: Option<&str>| text.map(squeeze).filter(|text| !text.is_empty());
    match (clean(first), clean(last)) {
        (first, Some(last)) => (first, last),
        (first, None) => {
            let full = clean(full).or(first).unwrap_or_default();
            match full.split_once(' ') {
                Some((first, rest)) => (Some(first.to_owned()), rest.to_owned()),
                None if !full.is_empty() => (None, full),
                None => (None, local_part(email)),
            }
        }
    }
}

fn local_part(email: &str) -> String {
    let local = email.split('@').next().unwrap_or_default().trim();
    if local.is_empty() { "Unknown".to_owned() } else { local.to_owned() }
}

/// White space folded to single spaces; control characters dropped.
pub fn squeeze(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// The digits of a phone number with their leading plus, for comparing; `None` below 6 or above 16 digits.
pub fn phone_digits(typed: &str) -> Option<String> {
    let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
    if !(6..=16).contains(&digits.len()) {
        return None;
    }
    let typed = typed.trim_start();
    let international = typed.strip_prefix('+').map(|_| digits.clone()).or_else(|| {
        typed.starts_with("00").then(|| digits.trim_start_matches('0').to_owned())
    });
    Some(international.map_or(digits, |digits| format!("+{digits}")))
}
