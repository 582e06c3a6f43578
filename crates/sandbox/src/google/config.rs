//! What the workspace is like: its app, people, limits, and the manners that can be chosen.

use jiff::SignedDuration;

/// Everything of a calendar.
pub(super) const SCOPE_ALL: &str = "https://www.googleapis.com/auth/calendar";
/// Seeing and changing events.
pub(super) const SCOPE_EVENTS: &str = "https://www.googleapis.com/auth/calendar.events";

/// What a channel lives without being asked for more, and at most ("Push notifications", read 2026-11; recorded).
const CHANNELS_LIVE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What the workspace is like.
#[derive(Debug, Clone)]
pub struct GoogleConfig {
    pub client_id: String,
    pub client_secret: String,
    /// Where a code may be sent; empty: anywhere.
    pub redirect_uris: Vec<String>,
    /// Its people. Whoever asks for consent without a `login_hint` is the first.
    pub users: Vec<GoogleUser>,
    pub rates: GoogleRates,
    /// How long an access token lives.
    pub access_lives: SignedDuration,
    /// Whether the consent screen is in testing: refresh tokens then end after seven days.
    pub testing: bool,
    /// How long a sync token is good for.
    pub sync_tokens_live: SignedDuration,
    /// How long a write stays unseen by lists, while reads by id see it at once.
    pub list_lag: SignedDuration,
    /// How many rows of a page come again on the page after it.
    pub repeated_rows: usize,
    /// Whether a deleted event keeps nothing but its id, as the documents allow, even on its organiser's calendar.
    pub bare_tombstones: bool,
    /// The longest life that a channel is given, whatever is asked for.
    pub channels_live: SignedDuration,
    /// Changes that are remembered.
    pub kept_effects: usize,
}

/// Somebody with an account, and so with a calendar.
#[derive(Debug, Clone)]
pub struct GoogleUser {
    pub email: String,
    pub name: String,
    /// The zone of the primary calendar.
    pub zone: String,
}

/// How often may be called ("Manage quotas", read 2026-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoogleRates {
    /// In a sliding minute, all users together.
    pub project_per_minute: u32,
    /// In a sliding minute, for one user.
    pub user_per_minute: u32,
    /// The status of a refusal: both are documented.
    pub refused_with: u16,
}

impl GoogleRates {
    pub const DEFAULT: Self = Self { project_per_minute: 10_000, user_per_minute: 600, refused_with: 403 };
    pub const NONE: Self = Self { project_per_minute: u32::MAX, user_per_minute: u32::MAX, refused_with: 403 };
}

impl GoogleUser {
    pub fn new(email: &str, name: &str, zone: &str) -> Self {
        Self { email: email.to_owned(), name: name.to_owned(), zone: zone.to_owned() }
    }
}

impl Default for GoogleConfig {
    fn default() -> Self {
        Self {
            client_id: "sandbox-0123456789.apps.google.example".into(),
            client_secret: "sandbox-google-secret-0123456789".into(),
            redirect_uris: Vec::new(),
            users: vec![
                GoogleUser::new("rosa@host.example", "Rosa Rep", "Europe/Berlin"),
                GoogleUser::new("sam@host.example", "Sam Seller", "America/New_York"),
            ],
            rates: GoogleRates::DEFAULT,
            // The hour less a second, as answers of the token resource were seen to have it.
            access_lives: SignedDuration::from_secs(3_599),
            testing: false,
            sync_tokens_live: SignedDuration::from_hours(30 * 24),
            list_lag: SignedDuration::ZERO,
            repeated_rows: 0,
            bare_tombstones: false,
            channels_live: CHANNELS_LIVE,
            kept_effects: 20_000,
        }
    }
}
