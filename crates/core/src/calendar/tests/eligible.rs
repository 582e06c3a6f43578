//! Who may be known in the CRM, and why not.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    cases,
    world::{HOME, PEOPLE, contents, event, in_crm, instant, meeting, party, policy},
};
use crate::calendar::{
    eligible::{Facts, Known, Policy, PolicyFault, Reason, SeriesRule, Since, Verdict, guests, judge},
    event::{Body, Event, EventType, Unreadable},
    series::SeriesPolicy,
};

fn verdict(event: &Event, known: Known, policy: &Policy) -> Verdict {
    let in_crm = in_crm();
    judge(event, known, policy, Facts { in_crm: &in_crm, selected: true }, &HOME)
}

fn reason(event: &Event) -> Reason {
    match verdict(event, Known::default(), &policy()) {
        Verdict::LeftOut(reason) => reason,
        Verdict::Log => panic!("it is logged"),
    }
}

/// proves: C4, C5, C8
#[test]
fn each_check_has_its_reason() {
    let fine = event(meeting(&[PEOPLE[0], PEOPLE[3]]));
    assert_eq!(verdict(&fine, Known::default(), &policy()), Verdict::Log);
    assert_eq!(reason(&fine.clone().hidden()), Reason::Private);
    assert_eq!(reason(&Event { body: Body::Bare, ..fine.clone() }), Reason::Gone);
    let broken = Event { body: Body::Unreadable(Unreadable::NoStart), ..fine.clone() };
    assert_eq!(reason(&broken), Reason::Unreadable("it has no start".into()));
    let mut birthday = meeting(&[PEOPLE[3]]);
    birthday.kind = EventType::Birthday;
    assert_eq!(reason(&event(birthday)), Reason::Type(EventType::Birthday));
    assert_eq!(reason(&event(meeting(&[PEOPLE[0], PEOPLE[6]]))), Reason::Blocked("@blocked.example".into()));
    assert_eq!(reason(&event(meeting(&[PEOPLE[0], PEOPLE[1], PEOPLE[2]]))), Reason::InternalOnly);
    assert_eq!(reason(&event(meeting(&[PEOPLE[0], PEOPLE[4]]))), Reason::NoContact);
    let in_crm = in_crm();
    let facts = Facts { in_crm: &in_crm, selected: false };
    let rule = Reason::SeriesRule(SeriesRule::FirstAndChanged);
    assert_eq!(judge(&fine, Known::default(), &policy(), facts, &HOME), Verdict::LeftOut(rule));
}

/// An invitation from a contact counts as one to a contact does.
///
/// proves: C4
#[test]
fn the_organiser_takes_part() {
    let mut invited = meeting(&[PEOPLE[0]]);
    invited.organizer = Some(party(PEOPLE[3]));
    assert_eq!(verdict(&event(invited), Known::default(), &policy()), Verdict::Log);
}

/// Whoever is never to be logged is no guest, and hides nobody else.
///
/// proves: C5
#[test]
fn the_blocked_are_no_guests_and_the_others_are() {
    let both = meeting(&[PEOPLE[6], PEOPLE[3]]);
    assert_eq!(verdict(&event(both.clone()), Known::default(), &policy()), Verdict::Log);
    assert_eq!(guests(&both, &policy()), BTreeSet::from([PEOPLE[3].to_owned()]));
    let by_address = Policy { blocked: vec!["Dora@Sub.blocked.example".into()], ..policy() };
    assert!(by_address.blocked_by(PEOPLE[6]).is_some());
    assert!(by_address.blocked_by("other@sub.blocked.example").is_none());
    assert!(policy().blocked_by("a@notblocked.example").is_none());
}

/// proves: C6
#[test]
fn events_from_before_the_connection_count_as_chosen() {
    let fine = event(meeting(&[PEOPLE[3]]));
    let known = |touched| Known { baseline: true, touched };
    let left_out = Verdict::LeftOut(Reason::BeforeConnection);
    let with = |since| Policy { since, ..policy() };
    assert_eq!(verdict(&fine, known(true), &with(Since::Created)), left_out);
    assert_eq!(verdict(&fine, known(false), &with(Since::Touched)), left_out);
    assert_eq!(verdict(&fine, known(true), &with(Since::Touched)), Verdict::Log);
    assert_eq!(verdict(&fine, known(false), &with(Since::Backfill(instant("2026-03-16T08:00:00Z")))), Verdict::Log);
    assert_eq!(verdict(&fine, known(true), &with(Since::Backfill(instant("2026-03-17T00:00:00Z")))), left_out);
    // What is new counts in any case.
    assert_eq!(verdict(&fine, Known::default(), &with(Since::Backfill(instant("2026-03-17T00:00:00Z")))), Verdict::Log);
}

/// proves: C5
#[test]
fn a_free_mail_domain_is_never_our_own() {
    let policy = Policy {
        own_domains: vec!["GMail.com".into(), "nonsense".into(), "@ours.example".into()],
        blocked: vec!["blocked.example".into(), "@x.example".into(), "a@x.example".into()],
        ..policy()
    };
    let faults = policy.check();
    assert_eq!(
        faults,
        [
            PolicyFault::FreeMailAsOwn("gmail.com".into()),
            PolicyFault::NoDomain("nonsense".into()),
            PolicyFault::NoBlock("blocked.example".into())
        ]
    );
    // Even where somebody let it through, its people are outsiders.
    assert_eq!(verdict(&event(meeting(&[PEOPLE[5]])), Known::default(), &policy), Verdict::Log);
}

/// proves: C5
#[test]
fn sub_domains_belong_to_their_domain_and_look_alikes_do_not() {
    let policy = policy();
    assert!(policy.is_internal("a@ours.example"));
    assert!(policy.is_internal("a@berlin.ours.example"));
    assert!(!policy.is_internal("a@notours.example"));
    assert!(!policy.is_internal("a@ours.example.org"));
}

/// proves: C8
#[test]
fn every_reason_says_what_and_what_next() {
    let all = [
        Reason::Private,
        Reason::Gone,
        Reason::Unreadable("it has no start".into()),
        Reason::BeforeConnection,
        Reason::Type(EventType::FocusTime),
        Reason::Blocked("@x.example".into()),
        Reason::InternalOnly,
        Reason::NoContact,
        Reason::SeriesRule(SeriesRule::NotOver),
    ];
    let mut codes: Vec<&str> = all.iter().map(Reason::code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), all.len());
    for reason in &all {
        assert!(reason.sentence().ends_with('.') && reason.next_step().ends_with('.'), "{reason:?}");
        let stored = serde_json::to_string(reason).unwrap();
        assert_eq!(&serde_json::from_str::<Reason>(&stored).unwrap(), reason);
    }
}

fn policies() -> impl Strategy<Value = Policy> {
    let since =
        prop_oneof![Just(Since::Created), Just(Since::Touched), Just(Since::Backfill(instant("2026-03-20T00:00:00Z")))];
    (since, any::<bool>()).prop_map(|(since, blocks)| Policy {
        since,
        blocked: if blocks {
            vec!["@client.example".into(), "bob@client.example".into(), "@gmail.com".into()]
        } else {
            Vec::new()
        },
        series: SeriesPolicy::WhenTakenPlace,
        ..policy()
    })
}

proptest! {
    #![proptest_config(cases(400))]

    /// Neither the order of people nor the way their addresses are written matters.
    ///
    /// proves: C4, C5
    #[test]
    fn the_order_and_spelling_of_people_mean_nothing(content in contents(), mut policy in policies(), baseline: bool, touched: bool) {
        let known = Known { baseline, touched };
        let one = verdict(&event(content.clone()), known, &policy);
        let mut other = content;
        other.attendees.reverse();
        for attendee in &mut other.attendees {
            attendee.who = crate::calendar::event::Party::read(&format!(" MAILTO:{} ", attendee.who.email.to_uppercase()), None).unwrap();
        }
        policy.blocked.reverse();
        policy.blocked.iter_mut().for_each(|entry| *entry = entry.to_uppercase());
        let two = verdict(&event(other), known, &policy);
        match (&one, &two) {
            (Verdict::LeftOut(Reason::Blocked(a)), Verdict::LeftOut(Reason::Blocked(b))) => {
                prop_assert_eq!(a.to_lowercase(), b.to_lowercase())
            }
            _ => prop_assert_eq!(one, two),
        }
    }

    /// Nothing is logged that must not be: no event from before, none among ourselves, none without a known guest.
    ///
    /// proves: C5, C6
    #[test]
    fn what_is_logged_has_a_guest_from_outside(content in contents(), policy in policies(), baseline: bool, touched: bool) {
        let logged = verdict(&event(content.clone()), Known { baseline, touched }, &policy) == Verdict::Log;
        let guests = guests(&content, &policy);
        let counts = !guests.is_disjoint(&in_crm());
        let is_from_before = baseline && match policy.since {
            Since::Created => true,
            Since::Touched => !touched,
            Since::Backfill(from) => content.start.instant(&HOME) < from,
        };
        let wanted = !guests.is_empty() && counts && !is_from_before && content.kind == EventType::Meeting;
        prop_assert_eq!(logged, wanted);
        prop_assert!(guests.iter().all(|guest| !policy.is_internal(guest) && policy.blocked_by(guest).is_none()));
    }
}
