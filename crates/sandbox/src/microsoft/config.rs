//! What the tenant is like: its app, people, limits, and the manners that can be chosen.

use jiff::SignedDuration;

/// What the tenant is like.
#[derive(Debug, Clone)]
pub struct MicrosoftConfig {
    pub tenant_id: String,
    pub client_id: String,
    pub client_secret: String,
    /// Where a code may be sent; empty: anywhere.
    pub redirect_uris: Vec<String>,
    /// Its people. Whoever signs in without a `login_hint` is the first.
    pub users: Vec<MicrosoftUser>,
    pub rates: MicrosoftRates,
    /// How long an access token lives: 60 to 90 minutes, 75 on average ("Access tokens", read 2026-11).
    pub access_lives: SignedDuration,
    /// Whether a refresh ends the refresh token it was done with; it normally stays good for a while.
    pub old_refresh_ends: bool,
    /// How long the tokens of a delta are good for; about seven days were seen.
    pub delta_tokens_live: SignedDuration,
    /// The code with which an old one is refused: `SyncStateNotFound`, `resyncRequired` and others are documented.
    pub delta_refusal: &'static str,
    /// Whether a delta tells of occurrences that were cancelled; without, only their series comes again.
    pub tells_cancelled_occurrences: bool,
    /// How a `transactionId` that was used before is refused, also after its event has gone; without, the event is answered
    /// once more as long as it is there.
    pub transaction_refusal: Option<u16>,
    /// How long a write stays unseen by deltas, while reads by id see it at once.
    pub delta_lag: SignedDuration,
    /// Whether a page of a delta has its first row twice.
    pub repeats_rows: bool,
    /// Changes that are remembered.
    pub kept_effects: usize,
}

/// Somebody with a mailbox.
#[derive(Debug, Clone)]
pub struct MicrosoftUser {
    pub id: String,
    pub email: String,
    pub name: String,
}

/// How often may be called ("Throttling limits", read 2026-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MicrosoftRates {
    /// In ten minutes, for one mailbox.
    pub per_ten_minutes: u32,
    /// At one time, for one mailbox.
    pub at_once: u32,
    /// How long a call keeps its mailbox busy by the tenant's clock; zero, no call meets another.
    pub call_takes: SignedDuration,
}

impl MicrosoftRates {
    pub const DEFAULT: Self = Self { per_ten_minutes: 10_000, at_once: 4, call_takes: SignedDuration::ZERO };
}

impl MicrosoftUser {
    pub fn new(id: &str, email: &str, name: &str) -> Self {
        Self { id: id.to_owned(), email: email.to_owned(), name: name.to_owned() }
    }
}

impl Default for MicrosoftConfig {
    fn default() -> Self {
        Self {
            tenant_id: "11111111-2222-4333-8444-555555555555".into(),
            client_id: "66666666-7777-4888-8999-000000000000".into(),
            client_secret: "sandbox-microsoft-secret-0123456789".into(),
            redirect_uris: Vec::new(),
            users: vec![
                MicrosoftUser::new("aaaaaaaa-0000-4000-8000-000000000001", "mia@firm.example", "Mia Manager"),
                MicrosoftUser::new("aaaaaaaa-0000-4000-8000-000000000002", "noah@firm.example", "Noah North"),
            ],
            rates: MicrosoftRates::DEFAULT,
            access_lives: SignedDuration::from_mins(75),
            old_refresh_ends: false,
            delta_tokens_live: SignedDuration::from_hours(7 * 24),
            delta_refusal: "SyncStateNotFound",
            tells_cancelled_occurrences: false,
            transaction_refusal: None,
            delta_lag: SignedDuration::ZERO,
            repeats_rows: false,
            kept_effects: 20_000,
        }
    }
}
