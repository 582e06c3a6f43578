//! Microsoft Graph's facts as data: scopes, settings, sizes. No behaviour.

use std::time::Duration;

use jiff::SignedDuration;
use syncline_connect::Manifest;

pub const ALLOW_HOST: &str = "allow_host";
pub const TENANT: &str = "tenant";

/// Where the API is, for every account of the worldwide service.
pub const API: &str = "https://graph.microsoft.com";

/// Where people are sent to connect an account, and where tokens are.
pub const LOGIN: &str = "https://login.microsoftonline.com";

/// Whose accounts may be connected where the operator names no tenant: everybody's.
pub const TENANT_DEFAULT: &str = "common";

/// To read events and to answer and write them.
pub const EVENTS: &str = "Calendars.ReadWrite";

/// A refresh token comes only with it; answers do not repeat it.
pub const OFFLINE: &str = "offline_access";

/// Whether what was given, parted by blanks, has all that is needed. A scope may be written with the address of the
/// service that it is for.
pub fn suffices(given: &str) -> bool {
    given.split(' ').any(|given| given.rsplit('/').next().is_some_and(|name| name.eq_ignore_ascii_case(EVENTS)))
}

/// Everything about Microsoft 365 that is a fact and not a behaviour.
pub static MANIFEST: Manifest = Manifest {
    vendor: "microsoft",
    display_name: "Microsoft 365",
    docs: "https://learn.microsoft.com/en-us/graph/outlook-calendar-concept-overview",
    scopes: &[EVENTS, OFFLINE],
    settings: &[
        (
            TENANT,
            "the tenant whose people may connect: its id or domain, or `organizations`; without it `common`, which is anybody",
        ),
        (
            ALLOW_HOST,
            "one exact origin, such as https://graph.example:8443, that stands in for Microsoft; for test set-ups",
        ),
    ],
    roles: &[],
    // <https://learn.microsoft.com/en-us/graph/change-notifications-delivery-webhooks>, read 2026-11.
    overload_status: 503,
    trusted_domains: &[".graph.microsoft.com"],
};

/// Rows of one page of a delta: what is asked for. One change can bring more, and of a series all rows are one.
pub const ROWS_PER_PAGE: u32 = 50;

/// Requests that one batch may hold. <https://learn.microsoft.com/en-us/graph/json-batching>, read 2026-11.
pub const BATCH_MAX: usize = 20;

/// Requests that one page costs at the most, each of a batch counted: the page itself, whose calendar it is, and for each
/// row, if all are removals that prove to be occurrences, the row and the two that read a series. A series with more
/// changed occurrences than come along with it costs a call more for each further page of them.
pub const CALLS_PER_PAGE: u32 = 2 + 3 * ROWS_PER_PAGE;

/// How far the window that is read reaches back, and how far ahead. The service takes some 1,825 days; what lies farther
/// off is nobody's meeting yet.
pub const WINDOW_BACK: SignedDuration = SignedDuration::from_hours(90 * 24);
pub const WINDOW_AHEAD: SignedDuration = SignedDuration::from_hours(400 * 24);

/// When less than this is left of the window it is begun anew.
pub const WINDOW_LEFT_MIN: SignedDuration = SignedDuration::from_hours(60 * 24);

/// What was not changed for this long before a reading began has but one form, whenever it is told: room for the clocks of
/// the service and of this machine, and for deltas that lag.
pub const SETTLED: SignedDuration = SignedDuration::from_hours(1);

/// Pages of calendars that are read: more than anybody has.
pub const CALENDAR_PAGES_MAX: usize = 20;

/// Pages of one series' changed occurrences that are read beyond those that come along with it: each holds ten at least.
pub const EXCEPTION_PAGES_MAX: u32 = 20;

/// A look is one call, of which a mailbox takes 10,000 in ten minutes.
/// <https://learn.microsoft.com/en-us/graph/throttling-limits>, read 2026-11.
pub const EVERY: Duration = Duration::from_secs(60);

/// How long a subscription is asked to last. Documents name 4,230 minutes and, newer ones, 10,080 as the most; the answer
/// says what it became.
/// <https://learn.microsoft.com/en-us/graph/outlook-change-notifications-overview>, read 2026-11.
pub const WATCH_LASTS: SignedDuration = SignedDuration::from_mins(4_230);

/// Longest secret of a subscription.
/// <https://learn.microsoft.com/en-us/graph/api/resources/subscription>, read 2026-11.
pub const CLIENT_STATE_CHARS_MAX: usize = 128;

/// Longest token of a handshake that is answered: far more than any has.
pub const CHALLENGE_BYTES_MAX: usize = 4_096;
