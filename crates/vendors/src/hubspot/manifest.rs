//! HubSpot's facts as data: kinds of records, scopes, settings. No behaviour.

use std::time::Duration;

use syncline_connect::{Manifest, mirror::KindSpec};
use syncline_core::record::Role;

pub use super::roles::{ROLES, STANDING};

/// The property that bears our key, unless the setting [`KEY_PROPERTY`] names another.
pub const DEFAULT_KEY_PROPERTY: &str = "syncline_key";

pub const KEY_PROPERTY: &str = "key_property";
pub const ALLOW_HOST: &str = "allow_host";

/// Where the API is, for every account.
pub const API: &str = "https://api.hubapi.com";

/// Where people are sent to connect an account.
pub const LOGIN: &str = "https://app.hubspot.com";

/// Everything about HubSpot that is a fact and not a behaviour.
pub static MANIFEST: Manifest = Manifest {
    vendor: "hubspot",
    display_name: "HubSpot",
    docs: "https://developers.hubspot.com/docs/api-reference/overview",
    scopes: &[
        "oauth",
        "crm.objects.contacts.read",
        "crm.objects.contacts.write",
        "crm.objects.companies.read",
        "crm.objects.companies.write",
        "crm.objects.deals.read",
        "crm.objects.deals.write",
        "crm.objects.owners.read",
        "crm.schemas.contacts.read",
        "crm.schemas.companies.read",
        "crm.schemas.deals.read",
        "tickets",
    ],
    settings: &[
        (
            KEY_PROPERTY,
            "name of the property with unique values that bears Syncline's key; `syncline_key` unless set; needed where records are made",
        ),
        (
            ALLOW_HOST,
            "one exact origin, such as https://crm.example:8443, that stands in for HubSpot; for test set-ups",
        ),
    ],
    roles: ROLES,
    // A sender is told to come again by this status alone: of 4xx it repeats no other, and a 5xx counts as an outage.
    overload_status: 429,
    trusted_domains: &[".hubapi.com"],
};

/// Records of one batch.
/// <https://developers.hubspot.com/docs/api-reference/crm-contacts-v3/batch/>, read 2026-11.
pub const ROWS_PER_BATCH: usize = 100;

/// A look costs a search for each kind, of which an account may make some four a second; a minute between two looks is
/// two in a hundred of the smallest day's allowance for all four kinds.
const EVERY: Duration = Duration::from_secs(60);

const fn kind(name: &'static str, role: Role) -> KindSpec {
    KindSpec {
        name,
        role,
        email: None,
        phone: None,
        one_per_email: true,
        created: Some("createdate"),
        opt_out: None,
        sets: &[],
        can_create: true,
        can_delete: true,
        shows_deleted: false,
        reads_at_once: ROWS_PER_BATCH,
        every: EVERY,
    }
}

/// What can be kept in step. Which properties are sets an account's own description says.
pub static KINDS: [KindSpec; 4] = [
    KindSpec {
        email: Some("email"),
        phone: Some("phone"),
        opt_out: Some("hs_email_optout"),
        ..kind("contacts", Role::Contact)
    },
    kind("companies", Role::Account),
    kind("deals", Role::Opportunity),
    kind("tickets", Role::Case),
];

/// The property that changes with every change of a record.
pub fn watermark(kind: &str) -> &'static str {
    if kind == "contacts" { "lastmodifieddate" } else { "hs_lastmodifieddate" }
}

/// Without which a record cannot be made.
/// <https://developers.hubspot.com/docs/api-reference/crm-deals-v3/guide>, and of the other kinds, read 2026-11.
pub fn required(kind: &str) -> &'static [&'static str] {
    match kind {
        "companies" => &["name"],
        "deals" => &["dealname", "dealstage"],
        "tickets" => &["subject", "hs_pipeline_stage"],
        _ => &[],
    }
}
