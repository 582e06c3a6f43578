//! What each kind of failure means for a booking.

use jiff::{SignedDuration, Timestamp};
use syncline_connect::{Error, ErrorKind, Retry};
use syncline_core::{
    booking::project::Links,
    ids::{RecordId, SharedKey},
    record::{Fields, Role, Slot},
    step::Link,
};
use syncline_store::Outcome;

use super::{Failed, MAX_REPLANS, after_failure};

/// A call may arrive so much later than its deadline.
const LATE: SignedDuration = SignedDuration::from_secs(30);

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

fn links() -> Links {
    let link = |role, id: &str| Link::new(role, RecordId::new(id), None, Fields::new());
    Links::from([
        (Slot::Account, link(Role::Account, "001")),
        (Slot::Person, link(Role::Contact, "003")),
        (Slot::Meeting, link(Role::Meeting, "00U")),
    ])
}

fn after(error: &Error, attempts: u32, unsettled: bool) -> (Outcome, Vec<SharedKey>) {
    after_failure(&Failed {
        error,
        links: &links(),
        attempts,
        max_attempts: 20,
        now: NOW,
        random: u64::MAX / 2,
        late: LATE,
        unsettled,
        mended: false,
        relied_on: &[SharedKey::new("contact:ada@example.org")],
    })
}

fn error(kind: ErrorKind, retry: Retry) -> Error {
    Error::new(kind, retry, "write", "it did not work")
}

/// proves: B24: repeated with growing pauses, and laid aside with a next step after the last try.
#[test]
fn an_outage_is_waited_out_and_then_shown() {
    let down = error(ErrorKind::Unavailable, Retry::Backoff);
    let mut last = SignedDuration::ZERO;
    for attempts in [0, 4, 9] {
        let (Outcome::Retry { at, failed: true, unsettled: false, .. }, forget) = after(&down, attempts, false) else {
            panic!("an outage is tried again");
        };
        assert!(at.duration_since(NOW) > last && forget.is_empty());
        last = at.duration_since(NOW);
    }
    let (Outcome::Parked { reason, fix, .. }, _) = after(&down, 20, false) else { panic!("the last try parks") };
    assert!(reason.contains("it did not work") && fix.contains("replay"));
}

/// proves: V2: what nobody knows stays marked until it has been looked at, whatever fails meanwhile.
#[test]
fn an_unknown_outcome_is_not_forgotten() {
    let unsettled = |error: &Error, before| match after(error, 1, before).0 {
        Outcome::Retry { unsettled, .. } | Outcome::Parked { unsettled, .. } => unsettled,
        Outcome::Done { .. } => panic!("nothing is done"),
    };
    assert!(unsettled(&error(ErrorKind::UnknownOutcome, Retry::Backoff), false));
    assert!(
        unsettled(&error(ErrorKind::Unavailable, Retry::Backoff), true),
        "the look failed; the plan is still unknown"
    );
    assert!(unsettled(&error(ErrorKind::Revoked, Retry::Never), true));
    assert!(!unsettled(&error(ErrorKind::Invalid, Retry::Never), false), "a refusal is an outcome");
}

/// A lost grant or a used-up day is the connection's trouble: the booking waits and its tries are not counted. It is not due
/// again at once, or this process would go round and round for as long as it believes that it may call (seed 19802 of the
/// simulation).
#[test]
fn a_resting_connection_costs_no_try() {
    for kind in [ErrorKind::Revoked, ErrorKind::DailyLimit] {
        let (outcome, _) = after(&error(kind, Retry::Never), 19, false);
        let Outcome::Retry { at, failed, .. } = &outcome else { panic!("{outcome:?}") };
        assert!(!failed && *at > NOW, "{outcome:?}");
    }
}

/// proves: B25: what the CRM says is gone is looked up before it is used again; nothing is forgotten.
#[test]
fn doubt_is_cast_on_what_the_refusal_speaks_against() {
    let doubted = |kind, slot| {
        let error = Error { slot, ..error(kind, Retry::Replan) };
        match after(&error, 0, false) {
            (Outcome::Retry { links, .. }, forget) => {
                assert_eq!((links.len(), forget.len()), (3, 1));
                links.iter().filter(|(_, link)| link.doubt).map(|(slot, _)| *slot).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        }
    };
    let people = vec![Slot::Account, Slot::Person];
    // The meeting is gone, or whoever was to be on it (seed 117277 of the simulation).
    assert_eq!(doubted(ErrorKind::Gone, Some(Slot::Meeting)), vec![Slot::Account, Slot::Person, Slot::Meeting]);
    assert_eq!(doubted(ErrorKind::Gone, Some(Slot::Person)), people);
    assert_eq!(doubted(ErrorKind::Converted, Some(Slot::Meeting)), people);
    assert_eq!(doubted(ErrorKind::Reference, None), people);
    assert_eq!(doubted(ErrorKind::KeyTaken, None), vec![]);
    let stubborn = after(&error(ErrorKind::Gone, Retry::Replan), MAX_REPLANS, false).0;
    assert!(matches!(stubborn, Outcome::Parked { .. }), "fresh facts that do not help are shown to a person");
}

/// proves: B15: a duplicate rule parks the booking unless another record stands in; that is tried a few times, no more.
#[test]
fn a_record_that_stands_in_is_tried_at_once() {
    let error = error(ErrorKind::DuplicateRule, Retry::Never);
    let with = |mended, attempts| {
        let links = links();
        let relied_on = &[];
        let failed = Failed {
            error: &error,
            links: &links,
            attempts,
            max_attempts: 20,
            now: NOW,
            random: 0,
            late: LATE,
            unsettled: false,
            mended,
            relied_on,
        };
        matches!(after_failure(&failed).0, Outcome::Retry { .. })
    };
    assert!(with(true, 0) && !with(false, 0) && !with(true, MAX_REPLANS));
}

/// A pause that the vendor asks for is kept, within our own limit.
#[test]
fn a_vendors_pause_is_kept_but_capped() {
    let asked = |seconds| match after(
        &error(ErrorKind::RateLimited, Retry::After(std::time::Duration::from_secs(seconds))),
        0,
        false,
    )
    .0
    {
        Outcome::Retry { at, .. } => at.duration_since(NOW),
        other => panic!("{other:?}"),
    };
    assert_eq!(asked(30), SignedDuration::from_secs(30));
    assert!(asked(u64::MAX) <= SignedDuration::from_hours(24));
}

/// A call that was given up may still be applied: it is looked for only when it must have arrived.
/// proves: fault:N4
#[test]
fn an_unknown_outcome_rests_until_a_late_arrival_is_over() {
    let (outcome, _) = after(&error(ErrorKind::UnknownOutcome, Retry::Backoff), 1, false);
    let Outcome::Retry { at, unsettled: true, failed: true, .. } = outcome else { panic!("{outcome:?}") };
    assert!(at.duration_since(NOW) >= LATE);
}
