//! What a failure means for one booking: try again when, forget what, or lay it aside with words that help.

#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};
use syncline_connect::{Error, ErrorKind, Retry};
use syncline_core::{
    backoff,
    booking::{duplicates::doubt, project::Links},
    ids::SharedKey,
    mutant::{self, Mutant},
};
use syncline_store::Outcome;

use crate::push::BLOCKED_BELIEVED;

/// The pause before a booking is planned anew with fresh facts.
const REPLAN_PAUSE: SignedDuration = SignedDuration::from_millis(50);

/// Replans in a row before a refusal that fresh facts do not cure is laid aside.
const MAX_REPLANS: u32 = 5;

/// What is known of the booking when it failed.
pub(crate) struct Failed<'a> {
    pub(crate) error: &'a Error,
    pub(crate) links: &'a Links,
    pub(crate) attempts: u32,
    pub(crate) max_attempts: u32,
    pub(crate) now: Timestamp,
    pub(crate) random: u64,
    /// How much later than its deadline a call that was given up may still be applied.
    pub(crate) late: SignedDuration,
    /// Whether a plan from before, whose outcome nobody knows, is still to be looked at.
    pub(crate) unsettled: bool,
    /// Whether the links were changed so that the refusal does not come again.
    pub(crate) mended: bool,
    /// The shared records that the decision relied on.
    pub(crate) relied_on: &'a [SharedKey],
}

/// How it goes on, and which shared records are forgotten.
pub(crate) fn after_failure(failed: &Failed<'_>) -> (Outcome, Vec<SharedKey>) {
    let Failed { error, links, attempts, now, .. } = failed;
    let later = |pause: SignedDuration| now.saturating_add(pause).unwrap_or(Timestamp::MAX);
    let unsettled = failed.unsettled || error.kind == ErrorKind::UnknownOutcome;
    let unsettled = unsettled && !mutant::on(Mutant::BlindRetry);
    let park =
        |links: Links| Outcome::Parked { reason: error.to_string(), fix: fix(error).to_owned(), unsettled, links };
    if waits_for_connection(error) {
        // The connection rests as a whole; this booking has done nothing wrong. Another process may have found that out, and
        // this one believes for as long that it may call.
        return (
            Outcome::Retry { at: later(BLOCKED_BELIEVED), unsettled, failed: false, links: (*links).clone() },
            Vec::new(),
        );
    }
    if failed.mended && *attempts < MAX_REPLANS {
        let links = (*links).clone();
        return (Outcome::Retry { at: later(REPLAN_PAUSE), unsettled, failed: true, links }, Vec::new());
    }
    match error.retry {
        Retry::Never => (park((*links).clone()), Vec::new()),
        Retry::Replan if *attempts >= MAX_REPLANS => (park((*links).clone()), Vec::new()),
        Retry::Replan => {
            let links = doubted(links, error);
            (Outcome::Retry { at: later(REPLAN_PAUSE), unsettled, failed: true, links }, failed.relied_on.to_vec())
        }
        _ if *attempts >= failed.max_attempts => (park((*links).clone()), Vec::new()),
        Retry::After(pause) => {
            let pause = backoff::capped(SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX));
            (Outcome::Retry { at: later(pause), unsettled, failed: true, links: (*links).clone() }, Vec::new())
        }
        Retry::Backoff | Retry::Reauthorise => {
            let pause = backoff::next_delay(*attempts, failed.random);
            let at = rest_until(failed).map_or(later(pause), |rest| rest.max(later(pause)));
            (Outcome::Retry { at, unsettled, failed: true, links: (*links).clone() }, Vec::new())
        }
    }
}

/// Until when a call that was given up may still be applied. What is looked for or written before would be undone by it,
/// so that not even news about the booking may cut this short.
pub(crate) fn rest_until(failed: &Failed<'_>) -> Option<Timestamp> {
    let unknown = failed.error.kind == ErrorKind::UnknownOutcome && !mutant::on(Mutant::LateIgnored);
    unknown.then(|| failed.now.saturating_add(failed.late).unwrap_or(Timestamp::MAX))
}

/// Whether the connection, not the booking, is what must change.
pub(crate) fn waits_for_connection(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Revoked | ErrorKind::DailyLimit)
}

/// The links with doubt cast on those that the refusal speaks against: what became of their records is looked up before
/// they are used again.
fn doubted(links: &Links, error: &Error) -> Links {
    match error.kind {
        ErrorKind::Gone => doubt(links, error.slot, true),
        ErrorKind::Converted | ErrorKind::Reference => doubt(links, error.slot, false),
        _ => links.clone(),
    }
}

/// What the person can do about it.
pub(crate) fn fix(error: &Error) -> &'static str {
    match error.kind {
        ErrorKind::Forbidden => "give the connected user the permission that the CRM names, then replay the booking",
        ErrorKind::Invalid => {
            "change the setting or the validation rule that refuses the value, then replay the booking"
        }
        ErrorKind::Field => "add the field in the CRM, or take it out of the mapping, then replay the booking",
        ErrorKind::DuplicateRule => "resolve the duplicate in the CRM, or loosen the rule, then replay the booking",
        ErrorKind::Owner => "activate the user in the CRM, or change the owner route, then replay the booking",
        ErrorKind::Configuration => "correct the configuration and restart, then replay the booking",
        ErrorKind::Protocol => "look at the CRM's status page; if it persists, report it, then replay the booking",
        ErrorKind::Gone | ErrorKind::Converted | ErrorKind::Reference | ErrorKind::KeyTaken => {
            "look at the record in the CRM and at who may see it, then replay the booking"
        }
        ErrorKind::Unreachable
        | ErrorKind::UnknownOutcome
        | ErrorKind::Unavailable
        | ErrorKind::RateLimited
        | ErrorKind::DailyLimit
        | ErrorKind::Locked
        | ErrorKind::Unauthorised
        | ErrorKind::Revoked => "make sure that the CRM answers and the account is connected, then replay the booking",
    }
}
