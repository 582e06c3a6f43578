//! The zones in which people meet, and when their clocks change. What a rule comes to there is reckoned by the civil time alone:
//! nothing of it is the product's.

use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};

/// A zone, as each vendor calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone {
    pub iana: &'static str,
    pub windows: &'static str,
}

pub const UTC: Zone = Zone { iana: "UTC", windows: "UTC" };

const BERLIN: Zone = Zone { iana: "Europe/Berlin", windows: "W. Europe Standard Time" };
const NEW_YORK: Zone = Zone { iana: "America/New_York", windows: "Eastern Standard Time" };
const SYDNEY: Zone = Zone { iana: "Australia/Sydney", windows: "AUS Eastern Standard Time" };

/// Those whose clocks change, one of them in the southern hemisphere.
pub const CHANGING: [Zone; 3] = [BERLIN, NEW_YORK, SYDNEY];

/// When the clocks of each change, in both directions, in seconds since 1970.
pub const CHANGES: [(Zone, i64); 6] = [
    // 2027-03-14, 2027-03-28, 2027-04-04.
    (NEW_YORK, 1_805_007_600),
    (BERLIN, 1_806_195_600),
    (SYDNEY, 1_806_768_000),
    // 2027-10-03, 2027-10-31, 2027-11-07.
    (SYDNEY, 1_822_492_800),
    (BERLIN, 1_824_944_400),
    (NEW_YORK, 1_825_567_200),
];

impl Zone {
    fn tz(self) -> TimeZone {
        TimeZone::get(self.iana).expect("the zone is known everywhere")
    }

    /// As its clocks show it, to the second.
    pub fn shown(self, at: Timestamp) -> String {
        self.tz().to_datetime(at).strftime("%Y-%m-%dT%H:%M:%S").to_string()
    }

    /// The day and its name.
    pub fn day(self, at: Timestamp) -> (String, String) {
        let date = self.tz().to_datetime(at).date();
        (date.to_string(), date.strftime("%A").to_string().to_lowercase())
    }

    /// The same time by its clocks, days later. One that a change skips is later by what was skipped; of two alike it is the
    /// first (RFC 5545, 3.3.5).
    pub fn days_later(self, at: Timestamp, days: i64) -> Timestamp {
        if days == 0 {
            return at;
        }
        let tz = self.tz();
        let later = tz.to_datetime(at).checked_add(days.days()).and_then(|local| tz.to_timestamp(local));
        later.unwrap_or(at)
    }

    /// Days before a change, so many minutes after the clocks' time at which it comes.
    pub fn before_change(self, change: Timestamp, days: i64, minutes: i64) -> Timestamp {
        let tz = self.tz();
        let second = 1.second();
        let comes = tz.to_datetime(change - second).checked_add(second);
        let before = comes.and_then(|comes| comes.checked_add(minutes.minutes())?.checked_sub(days.days()));
        before.and_then(|local| tz.to_timestamp(local)).unwrap_or(change)
    }

    /// The first moment from this one on at which clocks that show it, and those that show its end, leave no doubt: not every
    /// vendor is told more than that.
    pub fn undoubted(self, mut at: Timestamp, lasts: SignedDuration) -> Timestamp {
        let tz = self.tz();
        let is_sure = |at: Timestamp| tz.to_timestamp(tz.to_datetime(at)).is_ok_and(|first| first == at);
        while !(is_sure(at) && is_sure(at + lasts)) {
            at += SignedDuration::from_hours(1);
        }
        at
    }

    /// Whether the clocks change between the two.
    pub fn changes_between(self, one: Timestamp, other: Timestamp) -> bool {
        let tz = self.tz();
        tz.to_offset(one) != tz.to_offset(other)
    }
}
