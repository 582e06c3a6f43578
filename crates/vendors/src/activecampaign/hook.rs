//! Whom a webhook of an automation is about. ActiveCampaign signs nothing, so nothing else of a webhook is believed. Pure.

use syncline_connect::mirror::Named;
use syncline_core::ids::RecordId;

/// Pairs of a body that are looked at; a contact's own come first.
const PAIRS_MAX: usize = 1_000;

/// The contact of a form body, as `contact[id]` or `contact[email]`.
pub fn named(body: &[u8]) -> Option<Named> {
    let mut email = None;
    for (name, value) in url::form_urlencoded::parse(body).take(PAIRS_MAX) {
        match (name.as_ref(), value.trim()) {
            (_, "") => {}
            ("contact[id]", id) if id.bytes().all(|byte| byte.is_ascii_digit()) && id != "0" => {
                return Some(Named::Record(RecordId::new(id)));
            }
            ("contact[email]", address) => email = Some(address.to_owned()),
            _ => {}
        }
    }
    email.map(Named::Email)
}
