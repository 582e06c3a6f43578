//! Folding: the state of a chain does not depend on how its messages came, and says what is true.

use proptest::prelude::*;

use super::story::*;
use crate::booking::{
    chain::{ChainState, MAX_TIMES, Standing, View},
    message::{BookingMessage, MessageKind},
};

pub fn fold(messages: &[BookingMessage]) -> ChainState {
    let mut state = ChainState::default();
    messages.iter().for_each(|message| state.absorb(message));
    state
}

fn view_of(messages: &[BookingMessage], check: impl FnOnce(View<'_>)) {
    check(fold(messages).view().expect("there is content"));
}

proptest! {
    #![proptest_config(super::cases(500))]

    /// proves: B4
    #[test]
    fn any_order_and_repetition_gives_the_same_state((story, other) in told(prop_oneof![story(), story_with_ties()])) {
        prop_assert_eq!(fold(&story.messages), fold(&other));
    }

    /// proves: B4 for group meetings
    #[test]
    fn any_order_of_a_group_gives_the_same_state(
        (messages, other) in group_story().prop_flat_map(|(messages, _)| (Just(messages.clone()), shuffled(messages)))
    ) {
        prop_assert_eq!(fold(&messages), fold(&other));
    }

    /// proves: B3
    #[test]
    fn the_state_says_what_is_true(story in story()) {
        let state = fold(&story.messages);
        let view = state.view().expect("there is content");
        let end = match view.standing {
            Standing::Active => End::Active,
            Standing::RescheduleRequested { .. } => End::AskedToMove,
            Standing::Cancelled { .. } => End::Cancelled,
            Standing::Rejected { .. } => End::Rejected,
            Standing::Unconfirmed => End::Unconfirmed,
            Standing::ReschedulePending { .. } | Standing::FormOnly => panic!("{:?} at the end of a story", view.standing),
        };
        prop_assert_eq!(end, story.end);
        prop_assert_eq!(view.content.start, Some(story.start));
        prop_assert_eq!(view.moves.len(), story.moves);
        prop_assert_eq!(!view.no_shows.is_empty(), story.no_show);
        prop_assert_eq!(view.moves.last().map_or(story.start, |last| last.to), story.start);
    }

    /// proves: B23
    #[test]
    fn a_group_is_those_who_are_left((messages, here) in group_story()) {
        let state = fold(&messages);
        // Who cancels without ever having had a seat leaves nothing to look at.
        let Some(view) = state.view() else { return Ok(()) };
        let mut seats: Vec<String> = view.other_seats.iter().map(|seat| seat.invitee.email.clone()).collect();
        if here.is_empty() {
            let called_off = matches!(view.standing, Standing::Cancelled { .. });
            prop_assert!(called_off && seats.is_empty());
        } else {
            prop_assert_eq!(view.standing, Standing::Active);
            seats.push(view.content.invitee.email.clone());
            seats.sort();
            prop_assert_eq!(seats, here);
        }
    }

    /// proves: B4 while messages are still missing: whatever is known, a look at it does not fail.
    #[test]
    fn any_part_of_a_story_can_be_looked_at((_, other) in told(story_with_ties()), known in 0_usize..12) {
        let state = fold(&other[..known.min(other.len())]);
        if let Some(view) = state.view() {
            prop_assert!(view.moves.iter().all(|change| change.from != change.to));
        }
    }
}

/// proves: B4
#[test]
fn calendlys_pair_comes_either_way_round() {
    let (gone, come) = (rescheduled_away("a", 5, Some("b")), replacing(booked("b", 5, 900), "a"));
    let first = booked("a", 0, 600);
    view_of(&[first.clone(), gone.clone()], |view| {
        assert_eq!(view.standing, Standing::ReschedulePending { since: time(5) });
    });
    for messages in [[first.clone(), gone.clone(), come.clone()], [come, gone, first]] {
        view_of(&messages, |view| {
            assert_eq!(view.standing, Standing::Active);
            assert_eq!(view.content.start, Some(time(900)));
            assert_eq!(view.moves.len(), 1);
        });
    }
}

#[test]
fn details_that_come_late_do_not_prolong_the_wait_for_the_other_half() {
    let detail = message("a", 50, MessageKind::Updated, Some(booking(time(600))));
    view_of(&[booked("a", 0, 600), rescheduled_away("a", 5, Some("b")), detail], |view| {
        assert_eq!(view.standing, Standing::ReschedulePending { since: time(5) });
    });
}

#[test]
fn of_two_reschedules_at_once_the_one_that_stands_is_the_meeting() {
    let fork = [
        booked("a", 0, 600),
        replacing(booked("b", 1, 700), "a"),
        replacing(booked("c", 2, 800), "a"),
        cancelled("b", 3),
    ];
    view_of(&fork, |view| {
        assert_eq!(view.standing, Standing::Active);
        assert_eq!(view.content.start, Some(time(800)));
    });
}

#[test]
fn of_two_unknown_successors_the_later_one_is_waited_for() {
    let messages = [
        booked("a", 0, 600),
        rescheduled_away("a", 1, Some("z")),
        replacing(booked("b", 2, 700), "a"),
        rescheduled_away("b", 9, Some("c")),
    ];
    view_of(&messages, |view| assert_eq!(view.standing, Standing::ReschedulePending { since: time(9) }));
}

#[test]
fn declined_reschedules_one_after_the_other_leave_the_first_booking_standing() {
    let ask = |key, at, old| replacing(message(key, at, MessageKind::Requested, Some(booking(time(900)))), old);
    let decline = |key, at| message(key, at, MessageKind::Rejected { reason: None }, None);
    view_of(&[booked("a", 0, 600), ask("b", 1, "a"), decline("b", 2), ask("c", 3, "b")], |view| {
        assert_eq!(view.standing, Standing::Active);
        assert_eq!(view.content.start, Some(time(600)));
    });
}

#[test]
fn a_confirmed_reschedule_that_is_called_off_does_not_bring_the_old_time_back() {
    let rejected = message("b", 3, MessageKind::Rejected { reason: None }, None);
    view_of(&[booked("a", 0, 600), replacing(booked("b", 1, 700), "a"), rejected], |view| {
        assert!(matches!(view.standing, Standing::Rejected { .. }));
    });
}

#[test]
fn a_request_for_another_time_of_the_same_booking_leaves_the_confirmed_time() {
    let ask = message("a", 5, MessageKind::Requested, Some(booking(time(900))));
    view_of(&[booked("a", 0, 600), ask], |view| {
        assert_eq!(view.standing, Standing::Active);
        assert_eq!(view.content.start, Some(time(600)));
    });
}

#[test]
fn a_circle_and_a_booking_that_replaces_itself_are_looked_at_calmly() {
    let circle =
        [replacing(booked("a", 0, 600), "b"), replacing(booked("b", 1, 700), "a"), replacing(booked("b", 1, 700), "b")];
    view_of(&circle, |view| assert_eq!(view.content.start, Some(time(700))));
}

#[test]
fn a_mark_that_names_a_successor_does_not_hide_the_booking() {
    let mut mark = message("x", 4, MessageKind::NoShow { attendees: vec![] }, None);
    mark.replaced_by = Some("y".into());
    view_of(&[booked("a", 0, 600), mark], |view| assert_eq!(view.standing, Standing::Active));
}

#[test]
fn a_tombstone_does_not_hide_the_form() {
    let form = message("f", 0, MessageKind::FormSubmitted, Some(booking(time(600))));
    view_of(&[form, cancelled("a", 3)], |view| assert_eq!(view.standing, Standing::FormOnly));
}

/// proves: B23
#[test]
fn seats_that_only_wait_do_not_bring_a_left_meeting_back() {
    let waits = in_group(message("s2", 9, MessageKind::Requested, Some(booking(time(600)))), "e", "b@acme.example");
    let messages =
        [in_group(booked("s1", 0, 600), "e", "a@acme.example"), in_group(cancelled("s1", 5), "e", ""), waits];
    view_of(&messages, |view| assert!(matches!(view.standing, Standing::Cancelled { .. })));
}

#[test]
fn the_times_of_one_booking_are_bounded_and_the_newest_are_kept_in_any_order() {
    let mut messages: Vec<BookingMessage> = (0..80).map(|n| booked("a", n, 600 + n)).collect();
    let state = fold(&messages);
    messages.reverse();
    assert_eq!(state, fold(&messages));
    assert_eq!(state.view().expect("there is content").moves.len(), MAX_TIMES - 1);
}

/// A path of hundreds of bookings costs a look that grows with its length, not with its square.
#[test]
fn a_long_chain_is_walked_once() {
    let mut messages = vec![booked("k0", 0, 600)];
    for n in 1..500 {
        let ask = message(&format!("k{n}"), n, MessageKind::Requested, Some(booking(time(700 + n))));
        messages.push(replacing(ask, &format!("k{}", n - 1)));
    }
    view_of(&messages, |view| {
        assert_eq!(view.standing, Standing::Active);
        assert_eq!(view.content.start, Some(time(600)));
    });
}
