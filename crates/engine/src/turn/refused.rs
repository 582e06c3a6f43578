//! What becomes of a booking that the CRM refuses: what is done so that the refusal does not come again, and how it is told.

use jiff::Timestamp;
use syncline_connect::{Error, ErrorKind, Retry};
use syncline_core::{
    booking::{
        chain::View, duplicates::use_match, owner::candidates, project::Links, settings::Duplicates,
        unite::leave_surplus,
    },
    ids::{ConnectionId, SharedKey},
    record::Slot,
    step::{Plan, Write},
};
use syncline_store::{Claimed, JournalKind, Outcome, Settlement};

use super::{Push, settlement};
use crate::{
    engine::Engine,
    journal,
    outcome::{Failed, after_failure, rest_until, waits_for_connection},
    setup::ConnectionSetup,
    templates::Effective,
};

/// What is known of a booking that fails.
pub(super) struct Before {
    pub(super) links: Links,
    /// Whether a plan from before, whose outcome nobody knows, is still to be looked at.
    pub(super) unsettled: bool,
    /// What is done so that the refusal does not come again.
    pub(super) mend: Option<Mend>,
}

/// What is done about a refusal: the links are changed, or what is there is looked at once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mend {
    /// A record that a duplicate rule named has taken the place of the one that it stopped.
    StandIn,
    /// A record that was made twice stays, because the CRM does not let it be deleted.
    SurplusLeft,
    /// What was refused is left out, and the rest is written.
    LeftOut,
    /// The record that was to be made is looked for: it may be there already.
    LookedFor,
}

/// Whether a record that was to be made may stand already: some fields can be given to a new record only. A process whose
/// clock is wrong may have made it, or this database is older than the CRM.
fn may_stand(plan: &Plan, error: &Error) -> bool {
    let mut made = plan.steps.iter().filter(|step| Some(step.slot) == error.slot);
    error.kind == ErrorKind::Field && made.any(|step| matches!(step.write, Write::Upsert { .. }))
}

impl Engine {
    /// A push that failed leaves what a former plan turned out to have done, and the people that it relied on; or the
    /// record that a duplicate rule names, in the place of the one that it stopped. `unsettled`: some of it may have been
    /// done, and is looked for before anything is written again.
    pub(super) fn refused_push(
        &self,
        setup: &ConnectionSetup,
        push: &Push<'_>,
        error: &Error,
        unsettled: bool,
        now: Timestamp,
    ) -> Settlement {
        let decision = &push.decision;
        let links = decision.relied_on(decision.adopted.as_ref().unwrap_or(&push.job.claimed.links));
        let stand_in = (error.kind == ErrorKind::DuplicateRule && push.job.settings.duplicates == Duplicates::UseMatch)
            .then(|| use_match(&links, &decision.plan, error.slot?, &error.matches))
            .flatten();
        // A record that was made twice and may not be deleted must not keep the booking from being written.
        let left = error.slot.filter(|_| error.retry == Retry::Never).and_then(|slot| leave_surplus(&links, slot));
        let mend = stand_in.map(|links| (Mend::StandIn, links)).or(left.map(|links| (Mend::SurplusLeft, links)));
        let left_out = mend.is_none() && self.leave_out(push, error, now);
        let stands = may_stand(&decision.plan, error) && push.job.claimed.unsettled.is_none();
        let before = match mend {
            Some((mend, links)) => Before { mend: Some(mend), links, unsettled },
            None if left_out => Before { mend: Some(Mend::LeftOut), links, unsettled },
            None if stands => Before { mend: Some(Mend::LookedFor), links, unsettled: true },
            None => Before { mend: None, links, unsettled },
        };
        self.refused(&setup.id, push.job.claimed, before, Some(&push.job.view), error, &push.job.shared, now)
    }

    /// Has the booking be written without what the CRM refuses of it, where that can be left out: mapped fields, a guest who
    /// is new, or all that changes about somebody who is there; and that of all other guests once it has refused one already,
    /// for each refusal costs a call. Whether such a thing is remembered. A duplicate that was to be made is the admin's to
    /// rule.
    fn leave_out(&self, push: &Push<'_>, error: &Error, now: Timestamp) -> bool {
        let Push { job, decision } = push;
        // What a newer description may mend is planned anew first.
        let is_final = match error.retry {
            Retry::Never => {
                error.kind != ErrorKind::DuplicateRule || error.slot.is_some_and(|slot| decision.is_change(slot))
            }
            Retry::Replan => job.claimed.attempts > 0 && matches!(error.kind, ErrorKind::Invalid | ErrorKind::Field),
            Retry::After(_) | Retry::Backoff | Retry::Reauthorise => false,
        };
        let Some(slot) = error.slot.filter(|_| is_final) else { return false };
        let mut refused = decision.dispensable(&job.settings, slot, &error.fields, &error.to_string());
        if refused.is_empty() {
            return false;
        }
        if !refused.guests.is_empty() && !job.refused.guests.is_empty() {
            let others = decision.new_guests().filter(|email| !refused.guests.contains_key(*email));
            let others: Vec<_> = others.map(|email| (email.to_owned(), "others were refused".to_owned())).collect();
            refused.guests.extend(others);
        }
        // Whoever named a field may name another one for the next guest; whoever named none refuses them for what they are.
        let is_guest = |slot: Slot| matches!(slot, Slot::Guest(_) | Slot::GuestAccount(_));
        if is_guest(slot) && error.fields.is_empty() && job.refused.fields.keys().any(|(slot, _)| is_guest(*slot)) {
            let others = decision.guest_changes(&job.settings).filter(|change| !refused.fields.contains_key(change));
            let others: Vec<_> = others.map(|change| (change, "others were refused".to_owned())).collect();
            refused.fields.extend(others);
        }
        self.refusals.learn(&job.claimed.workspace, &job.claimed.chain, refused, now);
        true
    }

    #[expect(clippy::too_many_arguments, reason = "a failure is told with all that it concerns")]
    pub(super) fn refused(
        &self,
        connection: &ConnectionId,
        claimed: &Claimed,
        before: Before,
        view: Option<&View<'_>>,
        error: &Error,
        relied_on: &[SharedKey],
        now: Timestamp,
    ) -> Settlement {
        if error.kind == ErrorKind::Owner
            && let Some(view) = view
        {
            self.pass_over_owner(connection, claimed, view, now);
        }
        if error.kind == ErrorKind::Field {
            self.descriptions.forget(&claimed.workspace, connection);
        }
        let failed = Failed {
            error,
            links: &before.links,
            unsettled: before.unsettled,
            mended: before.mend.is_some(),
            attempts: claimed.attempts,
            max_attempts: self.options.max_attempts,
            now,
            random: self.random(),
            late: self.options.call,
            relied_on,
        };
        let (outcome, forget) = after_failure(&failed);
        let entry = match &outcome {
            Outcome::Parked { reason, fix, .. } => {
                metrics::counter!("syncline_bookings_parked_total").increment(1);
                Some(journal::failed(now, JournalKind::Parked, error, format!("{reason}; {fix}")))
            }
            Outcome::Retry { .. } if let Some(mend) = before.mend => {
                metrics::counter!("syncline_bookings_retried_total").increment(1);
                let text = match mend {
                    Mend::StandIn => format!("{error}; the record that the rule names is used"),
                    Mend::SurplusLeft => format!("{error}; the record that was made twice is left for you to delete"),
                    Mend::LeftOut => format!("{error}; the rest is written without it"),
                    Mend::LookedFor => format!("{error}; it is looked whether the record is there already"),
                };
                Some(journal::failed(now, JournalKind::Retried, error, text))
            }
            Outcome::Retry { at, .. } if !waits_for_connection(error) => {
                metrics::counter!("syncline_bookings_retried_total").increment(1);
                Some(journal::failed(now, JournalKind::Retried, error, format!("{error}; next try at {at:.0}")))
            }
            Outcome::Retry { .. } | Outcome::Done { .. } => None,
        };
        let mut settlement = settlement(connection, claimed, outcome, entry.into_iter().collect());
        settlement.rest_until = rest_until(&failed);
        settlement.forget = forget;
        settlement.summary = view.map(journal::summary);
        settlement
    }

    /// The CRM refused the owner: whoever came first of those believed to be active is not.
    fn pass_over_owner(&self, connection: &ConnectionId, claimed: &Claimed, view: &View<'_>, now: Timestamp) {
        let Some(integration) = self.setup.integration(&claimed.workspace, &claimed.integration) else { return };
        let Ok(Effective { settings, .. }) = self.effective(integration, view) else { return };
        let believed =
            |user: &String| self.directory.get(&claimed.workspace, connection, user, now).is_none_or(|id| id.is_some());
        if let Some(user) = candidates(&settings, view).into_iter().find(believed) {
            self.directory.learn(&claimed.workspace, connection, &user, None, now);
        }
    }
}
