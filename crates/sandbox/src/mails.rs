//! Mails that imitation calendars send to the people of a meeting. They are counted and told, and go nowhere by
//! themselves: whoever steers two sandboxes carries them from one to the other.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::Serialize;

/// Mails that are remembered; the oldest are forgotten beyond.
const MAX_KEPT: usize = 50_000;

/// What a mail is about (RFC 5546).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MailMethod {
    /// An invitation, or news of one.
    Request,
    /// The meeting, or somebody's part in it, is off.
    Cancel,
    /// What an attendee says to it.
    Reply,
}

/// A mail that went out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CalendarMail {
    /// Counts the mails from 1.
    pub number: u64,
    pub at: Timestamp,
    pub method: MailMethod,
    pub from: String,
    pub to: String,
    /// The meeting's iCalendar id.
    pub uid: String,
    /// Which occurrence of a series, by its original start.
    pub occurrence: Option<String>,
    pub sequence: u64,
    pub subject: String,
    /// What a reply says, in the vendor's word.
    pub answer: Option<String>,
}

/// All mails, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Mails {
    kept: VecDeque<CalendarMail>,
    sent: u64,
}

impl Mails {
    pub(crate) fn send(&mut self, mail: CalendarMail) {
        self.sent += 1;
        if self.kept.len() >= MAX_KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(CalendarMail { number: self.sent, ..mail });
    }

    /// Those numbered after `number`.
    pub(crate) fn since(&self, number: u64) -> Vec<CalendarMail> {
        self.kept.iter().filter(|mail| mail.number > number).cloned().collect()
    }
}
