//! A meeting that was moved several times, each time as a new booking, told in every order.

use std::collections::BTreeMap;

use syncline_sandbox::{FaultKind, FaultRule};

use crate::{
    crms::{Hub, Met, Told},
    lab::{Booking, Hook, Sandbox, Server},
    story::{post, started_with},
};

/// Every order of so many things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(count - 1);
    let places = |order: &Vec<usize>| {
        let with = |at: usize| {
            let mut order = order.clone();
            order.insert(at, count - 1);
            order
        };
        (0..count).map(with).collect::<Vec<_>>()
    };
    shorter.iter().flat_map(places).collect()
}

fn minutes(meeting: &Met) -> i64 {
    (meeting.start.as_second() - 1_893_456_000) / 60
}

/// The activity log's last lines of a kind.
fn lines(server: &Server, kind: &str) -> Vec<String> {
    let lines = server.api(&format!("/api/v1/activity?limit=200&kind={kind}"));
    let lines = lines["activity"].as_array().expect("lines").clone();
    lines.iter().map(|line| line["text"].as_str().expect("a text").to_owned()).collect()
}

/// Three and four linked bookings, in all 30 orders, looked at after every message, each message twice: one meeting each,
/// at its last time, with one case; and the log says what became of the records that were made twice.
///
/// proves: B4, B21
#[test]
fn linked_bookings_in_any_order_are_one_meeting() {
    told_in_any_order::<Sandbox>("chains", "New");
    told_in_any_order::<Hub>("chains-hub", "1");
}

fn told_in_any_order<C: Told>(name: &str, status: &str) {
    let more = format!("[integrations.defaults]\ncase = {{ status = \"{status}\" }}\n");
    let (crm, installation, server) = started_with::<C>(name, &more);
    let all: Vec<Vec<usize>> = orders(3).into_iter().chain(orders(4)).collect();
    let told: Vec<Vec<Hook>> = all
        .iter()
        .enumerate()
        .map(|(number, order)| {
            let mut booking = Booking::new(number, &format!("p{number}@c{number}.example"), "Some Body");
            let mut hooks = vec![booking.created()];
            hooks.extend((1..order.len()).map(|_| booking.moved()));
            order.iter().map(|at| hooks[*at].clone()).collect()
        })
        .collect();
    for round in 0..4 {
        let now: Vec<Hook> = told.iter().filter_map(|hooks| hooks.get(round)).cloned().collect();
        post(&server, &now);
        server.settle(&installation);
        post(&server, &now);
    }
    server.settle(&installation);

    let meetings = crm.meetings();
    let mut by_person: BTreeMap<&str, Vec<&Met>> = BTreeMap::new();
    for meeting in &meetings {
        by_person.entry(&meeting.with[0]).or_default().push(meeting);
    }
    let log = || ["parked", "retried", "message"].map(|kind| lines(&server, kind).join("\n")).join("\n");
    assert_eq!(server.api("/api/v1/status")["parked"], 0, "{}", log());
    assert_eq!((crm.people().len(), by_person.len(), meetings.len()), (30, 30, 30), "{}", log());
    let mut starts: Vec<i64> = meetings.iter().map(minutes).collect();
    starts.sort_unstable();
    let last = |(number, order): (usize, &Vec<usize>)| number as i64 * 100 + (order.len() as i64 - 1) * 60;
    let mut expected: Vec<i64> = all.iter().enumerate().map(last).collect();
    expected.sort_unstable();
    assert_eq!(starts, expected, "each at its last time");
    for meeting in &meetings {
        let moves = meeting.description.matches("Rescheduled: ").count();
        assert!((2..=3).contains(&moves), "{meeting:?}");
    }
    assert_eq!(crm.cases(), 30, "{}", log());
    let joined: Vec<String> =
        lines(&server, "message").into_iter().filter(|line| line.contains("turned out to be one")).collect();
    assert!(!joined.is_empty(), "some orders tell of the middle last");
    assert!(joined.iter().all(|line| line.contains("are to be deleted: case ")), "{joined:?}");
    let deleted = lines(&server, "written").iter().filter(|line| line.contains("meeting deleted")).count();
    assert!(deleted >= 7, "of 30 orders: {deleted}");
}

/// A CRM that does not let the surplus meeting be deleted stops nothing: the older one is brought up to date, and the log
/// leaves the other one to a person.
///
/// proves: B21
#[test]
fn a_surplus_meeting_that_may_not_be_deleted_is_left_to_a_person() {
    let (hub, installation, server) = started_with::<Hub>("chains-kept", "");
    let mut booking = Booking::new(0, "ada@one.example", "Ada Lovelace");
    let [first, middle, last] = [booking.created(), booking.moved(), booking.moved()];
    for hook in [first, last] {
        post(&server, &[hook]);
        server.settle(&installation);
    }
    let refused = FaultRule::always(FaultKind::Status).status(403).on("POST", "/crm/v3/objects/meetings/batch/archive");
    hub.account.faults().add(refused).expect("a fault");
    post(&server, &[middle]);
    server.settle(&installation);
    let retried = lines(&server, "retried").join("\n");
    assert!(retried.contains("the record that was made twice is left for you to delete"), "{retried}");
    assert_eq!(server.api("/api/v1/status")["parked"], 0, "{}", lines(&server, "parked").join("\n"));
    let mut starts: Vec<i64> = hub.meetings().iter().map(minutes).collect();
    starts.sort_unstable();
    assert_eq!(starts, [120, 120], "both are at the last time; one of them is ours");
}
