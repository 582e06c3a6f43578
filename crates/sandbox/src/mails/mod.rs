//! Mails that imitation calendars send to the people of a meeting. They are counted and told, and go nowhere by
//! themselves: whoever steers two sandboxes carries them from one to the other.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use jiff::{Timestamp, civil::Date};
use serde::Serialize;

use crate::recur::Rule;

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
    /// What it is about, for another sandbox that it is carried to.
    #[serde(skip)]
    pub(crate) event: Option<Box<MailedEvent>>,
}

/// A meeting, or one occurrence of it, as a mail carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MailedEvent {
    /// Name and address.
    pub(crate) organizer: (String, String),
    pub(crate) guests: Vec<MailedGuest>,
    pub(crate) summary: String,
    pub(crate) description: String,
    pub(crate) location: String,
    pub(crate) private: bool,
    pub(crate) start: MailedTime,
    pub(crate) end: MailedTime,
    pub(crate) rule: Option<Rule>,
    /// Where an occurrence would begin.
    pub(crate) original: Option<MailedTime>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MailedGuest {
    pub(crate) name: Option<String>,
    pub(crate) address: String,
    pub(crate) reply: MailedReply,
}

/// What a guest says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MailedReply {
    Nothing,
    Accepted,
    Tentative,
    Declined,
}

/// A day, or an instant with the zone in which it was meant by its IANA name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MailedTime {
    Day(Date),
    At { at: Timestamp, zone: String },
}

impl MailedEvent {
    /// What this guest says.
    pub(crate) fn reply_of(&self, address: &str) -> MailedReply {
        let guest = self.guests.iter().find(|guest| guest.address.eq_ignore_ascii_case(address));
        guest.map_or(MailedReply::Nothing, |guest| guest.reply)
    }
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
