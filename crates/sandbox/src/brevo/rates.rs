//! How often may be called: by the second and by the hour for contacts, by the hour for everything else.
//!
//! Windows are whole seconds and whole hours of the account's clock ("API limits", developers.brevo.com, read 2026-11).

use jiff::Timestamp;

const HOUR: i64 = 3600;

/// The allowances of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrevoRates {
    pub contacts_per_second: u32,
    pub contacts_per_hour: u32,
    /// Everything that is not under `/contacts`, polls of an import's state included.
    pub others_per_hour: u32,
}

impl BrevoRates {
    /// What every account has.
    pub const GENERAL: Self = Self { contacts_per_second: 10, contacts_per_hour: 36_000, others_per_hour: 100 };
    /// Professional and Enterprise plans.
    pub const ADVANCED: Self = Self { contacts_per_second: 20, contacts_per_hour: 72_000, others_per_hour: 200 };
    /// As good as none, for tests that are about something else.
    pub const NONE: Self =
        Self { contacts_per_second: u32::MAX, contacts_per_hour: u32::MAX, others_per_hour: u32::MAX };
}

/// How a call stands against the allowance that is nearest to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) limit: u32,
    pub(super) remaining: u32,
    /// Seconds until the count starts afresh.
    pub(super) reset: i64,
    pub(super) refused: bool,
}

#[derive(Debug, Default)]
struct Window {
    began: i64,
    calls: u32,
}

impl Window {
    fn count(&mut self, now: i64, length: i64, limit: u32) -> Standing {
        let began = now - now.rem_euclid(length);
        if began != self.began {
            *self = Self { began, calls: 0 };
        }
        let refused = self.calls >= limit;
        // A refused call is not counted: the window is full as it is.
        self.calls += u32::from(!refused);
        Standing { limit, remaining: limit - self.calls.min(limit), reset: began + length - now, refused }
    }
}

/// The calls of the present second and hour.
#[derive(Debug, Default)]
pub(super) struct Meter {
    contacts_second: Window,
    contacts_hour: Window,
    others_hour: Window,
}

impl Meter {
    pub(super) fn count(&mut self, now: Timestamp, rates: &BrevoRates, is_contacts: bool) -> Standing {
        let now = now.as_second();
        if !is_contacts {
            return self.others_hour.count(now, HOUR, rates.others_per_hour);
        }
        let hour = self.contacts_hour.count(now, HOUR, rates.contacts_per_hour);
        if hour.refused {
            return hour;
        }
        self.contacts_second.count(now, 1, rates.contacts_per_second)
    }
}
