//! What a person's typed address and name mean: the normal form of an e-mail address, its domain, first and last name.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

#[cfg(test)]
mod tests;

/// Longest address that can be delivered to (RFC 5321, section 4.5.3.1).
pub const MAX_EMAIL_CHARS: usize = 254;

/// Providers at which anybody may have an address, so that the domain says nothing about a company.
const FREE_MAIL: &[&str] = &[
    "163.com",
    "aol.com",
    "bluewin.ch",
    "freenet.de",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hey.com",
    "hotmail.co.uk",
    "hotmail.com",
    "hotmail.de",
    "hotmail.fr",
    "icloud.com",
    "laposte.net",
    "libero.it",
    "live.com",
    "live.fr",
    "mac.com",
    "mail.com",
    "mail.ru",
    "mailbox.org",
    "me.com",
    "msn.com",
    "orange.fr",
    "outlook.com",
    "outlook.de",
    "outlook.fr",
    "pm.me",
    "posteo.de",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "sfr.fr",
    "t-online.de",
    "tutanota.com",
    "wanadoo.fr",
    "web.de",
    "yahoo.co.uk",
    "yahoo.com",
    "yahoo.de",
    "yahoo.fr",
    "yandex.ru",
    "ymail.com",
    "zoho.com",
];

/// The form in which addresses are compared: trimmed, NFC, lower case, domain in ASCII. Sub-addresses (`+tag`) stay:
/// whether they name the same person is not ours to decide. `None` where the text cannot be an address.
pub fn normal_email(typed: &str) -> Option<String> {
    normal_address(typed).map(Cow::into_owned)
}

/// As [`normal_email`], without a copy of what was typed in that form.
pub fn normal_address(typed: &str) -> Option<Cow<'_, str>> {
    let typed = typed.trim();
    // Nearly every address is plain ASCII, whose normal form is its lower case; a domain that is encoded already still
    // has to be judged.
    let plain = typed.is_ascii() && !typed.as_bytes().windows(2).any(|two| two == b"--");
    let text: Cow<'_, str> = match plain {
        true if typed.bytes().any(|byte| byte.is_ascii_uppercase()) => Cow::Owned(typed.to_ascii_lowercase()),
        true => Cow::Borrowed(typed),
        false => Cow::Owned(typed.nfc().collect()),
    };
    let (local, domain) = text.rsplit_once('@')?;
    if local.is_empty() || local.chars().any(|c| c.is_whitespace() || c.is_control() || c == '@') {
        return None;
    }
    let domain = domain.trim_end_matches('.');
    let domain = if plain { Cow::Borrowed(domain) } else { Cow::Owned(idna::domain_to_ascii(domain).ok()?) };
    if !domain.contains('.')
        || domain.split('.').any(str::is_empty)
        || domain.bytes().any(|byte| !byte.is_ascii_alphanumeric() && byte != b'.' && byte != b'-')
    {
        return None;
    }
    if plain && local.len() + '@'.len_utf8() + domain.len() == text.len() {
        return (text.len() <= MAX_EMAIL_CHARS).then_some(text);
    }
    let local = if plain { Cow::Borrowed(local) } else { Cow::Owned(local.to_lowercase().nfc().collect::<String>()) };
    let email = format!("{local}@{domain}");
    (email.chars().count() <= MAX_EMAIL_CHARS).then_some(Cow::Owned(email))
}

/// The domain of a normalised address.
pub fn domain_of(email: &str) -> Option<&str> {
    email.rsplit_once('@').map(|(_, domain)| domain)
}

/// Whether anybody may have an address at this domain; `more` adds to the built-in list.
pub fn is_free_mail(domain: &str, more: &[String]) -> bool {
    FREE_MAIL.binary_search(&domain).is_ok() || is_listed(domain, more)
}

/// Whether an admin's list names this domain of a normalised address, however the admin typed it.
pub fn is_listed(domain: &str, list: &[String]) -> bool {
    list.iter().any(|own| {
        let own = own.trim().trim_start_matches('@').trim_end_matches('.');
        own.eq_ignore_ascii_case(domain) || idna::domain_to_ascii(own).is_ok_and(|own| own == domain)
    })
}

/// First and last name. A source's own split is kept; else the first word is the first name and all the rest the last
/// name; a single word is the last name; with no name at all the address's local part stands in, because a CRM wants
/// a last name.
pub fn split_name(
    first: Option<&str>,
    last: Option<&str>,
    full: Option<&str>,
    email: &str,
) -> (Option<String>, String) {
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
    let local = squeeze(email.split('@').next().unwrap_or_default());
    if local.is_empty() { "Unknown".to_owned() } else { local }
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

/// As [`squeeze`], without a copy of what has that form already.
pub fn squeezed(text: &str) -> Cow<'_, str> {
    if is_squeezed(text) { Cow::Borrowed(text) } else { Cow::Owned(squeeze(text)) }
}

/// Whether words are divided by single spaces, with nothing around them and no control characters.
pub(crate) fn is_squeezed(text: &str) -> bool {
    let mut spaced = true;
    for c in text.chars() {
        if c == ' ' {
            if spaced {
                return false;
            }
        } else if !c.is_ascii_graphic() && (c.is_whitespace() || c.is_control()) {
            return false;
        }
        spaced = c == ' ';
    }
    !spaced || text.is_empty()
}

/// Fewest and most digits of a phone number that can be told apart from others: E.164 allows 15, and a zero in
/// brackets or an access code may come on top.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 6..=16;

/// The digits of a phone number with their leading plus, for comparing; `None` below 6 or above 16 digits. Words before
/// the number are passed over. The zero in brackets that some write after the country code is dialled only within the
/// country, so it is left out.
pub fn phone_digits(typed: &str) -> Option<String> {
    let number = &typed[typed.find(|c: char| c == '+' || c.is_ascii_digit())?..];
    let only_digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let (international, digits) = match number.strip_prefix('+').or_else(|| number.strip_prefix("00")) {
        Some(rest) => (true, only_digits(&rest.replacen("(0)", "", 1))),
        None => match only_digits(number) {
            // Two zeros with something between them are the access code, too.
            digits if digits.starts_with("00") => (true, digits[2..].to_owned()),
            digits => (false, digits),
        },
    };
    if !PHONE_DIGITS.contains(&digits.len()) {
        return None;
    }
    Some(if international { format!("+{digits}") } else { digits })
}
