//! Google Calendar's facts as data: scopes, settings, sizes. No behaviour.

use std::time::Duration;

use jiff::SignedDuration;
use syncline_connect::Manifest;

pub const ALLOW_HOST: &str = "allow_host";

/// Where the API is, for every account.
pub const API: &str = "https://www.googleapis.com";

/// Where people are sent to connect an account.
pub const LOGIN: &str = "https://accounts.google.com";

/// Where tokens are.
pub const TOKENS: &str = "https://oauth2.googleapis.com";

/// To read events and to answer and write them.
pub const EVENTS: &str = "https://www.googleapis.com/auth/calendar.events";

/// To show which calendars there are.
pub const LIST: &str = "https://www.googleapis.com/auth/calendar.calendarlist.readonly";

/// What a permission includes beside itself: an approval may be wider than what was asked for.
/// Discovery document of the Calendar API, version 3, read 2026-11.
const WIDER: [(&str, &[&str]); 2] = [
    (EVENTS, &["https://www.googleapis.com/auth/calendar"]),
    (
        LIST,
        &[
            "https://www.googleapis.com/auth/calendar",
            "https://www.googleapis.com/auth/calendar.readonly",
            "https://www.googleapis.com/auth/calendar.calendarlist",
        ],
    ),
];

/// Whether what was given, parted by blanks, has all that is needed.
pub fn suffices(given: &str) -> bool {
    let has = |scope: &str| given.split(' ').any(|given| given == scope);
    WIDER.iter().all(|(needed, wider)| has(needed) || wider.iter().copied().any(has))
}

/// Everything about Google Calendar that is a fact and not a behaviour.
pub static MANIFEST: Manifest = Manifest {
    vendor: "google",
    display_name: "Google Calendar",
    docs: "https://developers.google.com/workspace/calendar/api/guides/overview",
    scopes: &[EVENTS, LIST],
    settings: &[(
        ALLOW_HOST,
        "one exact origin, such as https://calendar.example:8443, that stands in for Google; for test set-ups",
    )],
    roles: &[],
    // Failed notifications are sent again after 500, 502, 503 and 504.
    // <https://developers.google.com/workspace/calendar/api/guides/push>, read 2026-11.
    overload_status: 503,
    trusted_domains: &[".googleapis.com"],
};

/// Events of one page, the most that the API gives.
/// <https://developers.google.com/workspace/calendar/api/v3/reference/events/list>, read 2026-11.
pub const EVENTS_PER_PAGE: usize = 2_500;

/// Calendars of one page, likewise.
pub const CALENDARS_PER_PAGE: usize = 250;

/// Pages of calendars that are read: more than anybody has.
pub const CALENDAR_PAGES_MAX: usize = 20;

/// A look is one call, of which a person may make 600 in a minute.
/// <https://developers.google.com/workspace/calendar/api/guides/quota>, read 2026-11.
pub const EVERY: Duration = Duration::from_secs(60);

/// How long a channel is asked to live, which is the most that is given; the answer says what it became.
/// <https://developers.google.com/workspace/calendar/api/guides/push>, read 2026-11.
pub const WATCH_LIVES: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Longest id and token of a channel, likewise.
pub const CHANNEL_ID_CHARS_MAX: usize = 64;
pub const TOKEN_CHARS_MAX: usize = 256;
