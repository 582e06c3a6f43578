//! Whom a webhook of an automation is about. Brevo signs nothing, so nothing else of a webhook is believed. Pure.

use serde::Deserialize;
use syncline_connect::mirror::Named;

/// As much of a body as is read: its `id` may be the webhook's own, so that only the address tells who is meant.
#[derive(Deserialize)]
struct Body {
    email: String,
}

/// The contact of a body.
pub fn named(body: &[u8]) -> Option<Named> {
    let body: Body = serde_json::from_slice(body).ok()?;
    let email = body.email.trim();
    (!email.is_empty()).then(|| Named::Email(email.to_owned()))
}
