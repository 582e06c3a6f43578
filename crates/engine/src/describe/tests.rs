//! When a refusal has the CRM's objects described anew.

use super::*;

fn here() -> Key {
    (WorkspaceId::from("acme"), ConnectionId::from("crm"))
}

fn refused(field: &str) -> Error {
    let mut error = Error::new(ErrorKind::Field, Retry::Never, "write", "no such field");
    error.fields = vec![Field::Native(field.to_owned())];
    error
}

fn described() -> Described {
    Described::from([(Object::Of(Role::Contact), None)])
}

/// A refusal that a new description did not cure is the CRM's last word for a while; after it the objects may have
/// changed again.
///
/// proves: B13
#[test]
fn a_refusal_is_doubted_once_in_a_while() {
    let descriptions = Descriptions::default();
    let start = Timestamp::UNIX_EPOCH;
    let wanted = BTreeSet::from([Object::Of(Role::Contact)]);
    let doubts = |field: &str, after: SignedDuration| {
        descriptions.learn(here(), &described(), start + after);
        let doubted = descriptions.explain(&here(), &refused(field), start + after);
        assert_eq!(
            descriptions.get(&here(), &wanted, start + after).is_empty(),
            doubted,
            "what is doubted is forgotten"
        );
        doubted
    };
    assert!(doubts("Gone__c", SignedDuration::ZERO));
    assert!(doubts("Gone__c", DOUBTED_TOGETHER), "others were planned with the same description");
    assert!(!doubts("Gone__c", DOUBTED_TOGETHER + SignedDuration::from_millis(1)), "the new one says the same");
    assert!(doubts("Other__c", DOUBTED_TOGETHER), "another refusal is news");
    assert!(!doubts("Gone__c", DOUBTED_AGAIN - SignedDuration::from_millis(1)));
    assert!(doubts("Gone__c", DOUBTED_AGAIN));
}

/// Without a description there is nothing to doubt, and what names no field tells nothing of one.
#[test]
fn only_a_refusal_of_a_described_field_is_doubted() {
    let descriptions = Descriptions::default();
    let now = Timestamp::UNIX_EPOCH;
    assert!(!descriptions.explain(&here(), &refused("Gone__c"), now));
    descriptions.learn(here(), &described(), now);
    for (kind, retry, fields) in [
        (ErrorKind::Invalid, Retry::Never, false),
        (ErrorKind::Field, Retry::Backoff, true),
        (ErrorKind::Gone, Retry::Never, true),
    ] {
        let mut error = Error { kind, retry, ..refused("Gone__c") };
        if !fields {
            error.fields.clear();
        }
        assert!(!descriptions.explain(&here(), &error, now), "{kind:?}");
    }
    assert!(descriptions.explain(&here(), &Error { kind: ErrorKind::Invalid, ..refused("Gone__c") }, now));
}

/// An object is asked for again once its description is old.
#[test]
fn a_description_is_believed_for_its_time() {
    let descriptions = Descriptions::default();
    let start = Timestamp::UNIX_EPOCH;
    let wanted = BTreeSet::from([Object::Of(Role::Contact), Object::Of(Role::Lead)]);
    descriptions.learn(here(), &described(), start);
    let known = |after: SignedDuration| descriptions.get(&here(), &wanted, start + after).len();
    assert_eq!((known(BELIEVED - SignedDuration::from_secs(1)), known(BELIEVED)), (1, 0));
}
