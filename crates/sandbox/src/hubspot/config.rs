//! What the account is like: its app, people, limits, objects of its own, and the manners that can be chosen.

use std::time::Duration;

/// What the account is like.
#[derive(Debug, Clone)]
pub struct HubSpotConfig {
    pub portal_id: u64,
    /// The day's allowance begins anew at midnight of this zone.
    pub time_zone: String,
    pub app: HubSpotApp,
    pub private_apps: Vec<HubSpotPrivateApp>,
    /// Its people, each of them an owner; the first is who acts by hand.
    pub users: Vec<HubSpotUser>,
    pub rates: HubSpotRates,
    /// How long a write stays unseen by search.
    pub search_lag: Duration,
    /// Whether a merged record gets an id that neither of the two had.
    pub merge_gives_new_id: bool,
    /// Whether an upsert by e-mail finds a contact by an address that is not its first one.
    pub upsert_by_email_sees_secondary: bool,
    pub custom_objects: Vec<HubSpotObject>,
    /// Properties of one's own, each with the object it belongs to.
    pub properties: Vec<(String, HubSpotProperty)>,
    pub lists: Vec<HubSpotList>,
    /// How many of the last writes are remembered for [`super::HubSpotAccount::effects_since`].
    pub kept_effects: usize,
    /// The id of the first record; those after it count up.
    pub first_id: u64,
}

/// The public app that calls through OAuth.
#[derive(Debug, Clone)]
pub struct HubSpotApp {
    pub app_id: u64,
    pub client_id: String,
    pub client_secret: String,
    /// The developer's own key, with which webhooks are set.
    pub developer_key: String,
    /// Where a code may be sent; empty: anywhere.
    pub redirect_uris: Vec<String>,
    /// What it may be granted.
    pub scopes: Vec<String>,
    /// Whether a refresh answers with a new refresh token and ends the old one.
    pub rotates_refresh_tokens: bool,
}

/// An app of this account only, which calls with a token that does not end.
#[derive(Debug, Clone)]
pub struct HubSpotPrivateApp {
    pub name: String,
    pub app_id: u64,
    pub token: String,
    /// Signs its webhooks.
    pub client_secret: String,
    pub scopes: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct HubSpotUser {
    pub user_id: u64,
    pub owner_id: u64,
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    pub active: bool,
}

/// How often may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubSpotRates {
    /// Within ten rolling seconds, for an app with OAuth. 110 was recorded in March 2026; the documents said 100.
    pub oauth_per_ten_seconds: u32,
    /// The same for a private app: 100 on the smaller plans, 150 on the larger.
    pub private_per_ten_seconds: u32,
    /// In a day, all private apps together.
    pub daily: u32,
    /// Searches in a second, each token for itself.
    pub searches_per_second: u32,
}

/// A kind of object that only this account has.
#[derive(Debug, Clone)]
pub struct HubSpotObject {
    /// `2-` and a number.
    pub type_id: String,
    pub name: String,
    pub singular: String,
    pub plural: String,
    pub required: Vec<String>,
    pub properties: Vec<HubSpotProperty>,
}

/// A property of one's own.
#[derive(Debug, Clone)]
pub struct HubSpotProperty {
    pub name: String,
    pub label: String,
    /// `string`, `number`, `bool`, `enumeration`, `date`, `datetime`, `phone_number`.
    pub kind: String,
    pub field_type: String,
    /// Values of an enumeration; the label is the value.
    pub options: Vec<String>,
    pub unique: bool,
}

impl HubSpotProperty {
    /// A line of text.
    pub fn text(name: &str) -> Self {
        Self::of(name, "string", "text")
    }

    pub fn of(name: &str, kind: &str, field_type: &str) -> Self {
        Self {
            name: name.to_owned(),
            label: name.to_owned(),
            kind: kind.to_owned(),
            field_type: field_type.to_owned(),
            options: Vec::new(),
            unique: false,
        }
    }

    /// One value or, with `checkbox`, several of these.
    pub fn choice(name: &str, field_type: &str, options: &[&str]) -> Self {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        Self { options, ..Self::of(name, "enumeration", field_type) }
    }

    #[must_use]
    pub fn unique(self) -> Self {
        Self { unique: true, ..self }
    }
}

/// A list of records.
#[derive(Debug, Clone)]
pub struct HubSpotList {
    pub list_id: u64,
    pub name: String,
    /// What it lists, such as `contacts`.
    pub object: String,
    /// `MANUAL`, `SNAPSHOT` or `DYNAMIC`; only the first two take members by hand.
    pub processing: String,
}

const SCOPES: &[&str] = &[
    "oauth",
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.objects.companies.read",
    "crm.objects.companies.write",
    "crm.objects.deals.read",
    "crm.objects.deals.write",
    "crm.objects.custom.read",
    "crm.objects.custom.write",
    "crm.objects.owners.read",
    "crm.schemas.contacts.read",
    "crm.schemas.contacts.write",
    "crm.schemas.companies.read",
    "crm.schemas.companies.write",
    "crm.schemas.deals.read",
    "crm.schemas.deals.write",
    "crm.schemas.custom.read",
    "crm.lists.read",
    "crm.lists.write",
    "tickets",
];

/// Every scope that this account knows.
pub(super) fn all_scopes() -> Vec<String> {
    SCOPES.iter().map(|scope| (*scope).to_owned()).collect()
}

impl Default for HubSpotRates {
    fn default() -> Self {
        Self { oauth_per_ten_seconds: 110, private_per_ten_seconds: 150, daily: 500_000, searches_per_second: 4 }
    }
}

impl Default for HubSpotConfig {
    fn default() -> Self {
        let user = |number: u64, email: &str, first: &str, last: &str, active| HubSpotUser {
            user_id: 5000 + number,
            owner_id: 88_842_000 + number,
            email: email.into(),
            first_name: first.into(),
            last_name: last.into(),
            active,
        };
        Self {
            portal_id: 147_893_286,
            time_zone: "Europe/Berlin".into(),
            app: HubSpotApp {
                app_id: 18_221_010,
                client_id: "11111111-2222-3333-4444-555555555555".into(),
                client_secret: "sandbox-client-secret-0123456789".into(),
                developer_key: "sandbox-developer-key-0123456789".into(),
                redirect_uris: Vec::new(),
                scopes: all_scopes(),
                rotates_refresh_tokens: false,
            },
            private_apps: vec![HubSpotPrivateApp {
                name: "sandbox private app".into(),
                app_id: 18_221_011,
                token: "pat-eu1-00000000-1111-2222-3333-444444444444".into(),
                client_secret: "sandbox-private-secret-0123456789".into(),
                scopes: all_scopes(),
            }],
            users: vec![
                user(95, "ola@host.example", "Ola", "Owner", true),
                user(96, "rosa@host.example", "Rosa", "Rep", true),
                user(97, "gone@host.example", "Gone", "Away", false),
            ],
            rates: HubSpotRates::default(),
            search_lag: Duration::ZERO,
            merge_gives_new_id: true,
            upsert_by_email_sees_secondary: true,
            custom_objects: Vec::new(),
            properties: Vec::new(),
            lists: vec![HubSpotList {
                list_id: 1,
                name: "Booked a meeting".into(),
                object: "contacts".into(),
                processing: "MANUAL".into(),
            }],
            kept_effects: 100_000,
            first_id: 700_000_000_001,
        }
    }
}
