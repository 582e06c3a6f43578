//! The words that end up in records.

use insta::assert_snapshot;
use proptest::prelude::*;

use super::{fold::fold, story::*};
use crate::booking::{
    message::{Attendee, Booking, BookingMessage, MessageKind},
    settings::Language,
    text::{Related, description, newlines, splice, title, with_prefix},
};

fn described(messages: &[BookingMessage], language: Language) -> String {
    let state = fold(messages);
    let related = Related { case: Some("Demo with Ada"), opportunity: Some("Product demo") };
    description(&state.view().expect("there is content"), language, &related)
}

/// A meeting on the day on which Europe's clocks go forward, moved to the day after.
fn long_story() -> Vec<BookingMessage> {
    let mut content = booking("2026-03-29T00:30:00Z".parse().expect("a time"));
    content.end = Some("2026-03-29T01:30:00Z".parse().expect("a time"));
    content.invitee.time_zone = Some("America/New_York".into());
    content.guests =
        vec![Attendee { email: "bob@acme.example".into(), full_name: Some("Bob".into()), ..Attendee::default() }];
    content.reschedule_url = Some("https://book.example/r/1".into());
    content.cancel_url = Some("https://book.example/c/1".into());
    let mut moved = content.clone();
    moved.start = Some("2026-03-30T00:30:00Z".parse().expect("a time"));
    moved.end = Some("2026-03-30T01:00:00Z".parse().expect("a time"));
    moved.rescheduled_by = Some("Ada".into());
    moved.reschedule_reason = Some("train\r\nlate".into());
    vec![
        message("a", 0, MessageKind::Booked, Some(content)),
        message("a", 1, MessageKind::Booked, Some(moved)),
        message("a", 2, MessageKind::NoShow { attendees: vec![(INVITEE.into(), true)] }, None),
        cancelled("a", 3),
    ]
}

#[test]
fn an_english_description() {
    assert_snapshot!(described(&long_story(), Language::English), @r"
    When: 2026-03-29 20:30–21:00 America/New_York (host's time: 2026-03-30 02:30–03:00 Europe/Berlin)
    Where: https://meet.example/abc
    With: Ada King Lovelace <ada@acme.example>, +49 151 2345678
    Guests: Bob <bob@acme.example>
    Notes: Bring the contract
    Answers:
    - Team size: 12
    Rescheduled: 2026-03-28 20:30 America/New_York → 2026-03-29 20:30 America/New_York, by Ada, reason: train late
    Cancelled: by Ada, reason: ill
    Did not come: ada@acme.example
    Case: Demo with Ada
    Opportunity: Product demo
    Reschedule: https://book.example/r/1
    Cancel: https://book.example/c/1
    ");
}

#[test]
fn a_german_description() {
    assert_snapshot!(described(&long_story(), Language::German), @r"
    Wann: 2026-03-29 20:30–21:00 America/New_York (Zeit des Gastgebers: 2026-03-30 02:30–03:00 Europe/Berlin)
    Wo: https://meet.example/abc
    Mit: Ada King Lovelace <ada@acme.example>, +49 151 2345678
    Gäste: Bob <bob@acme.example>
    Notizen: Bring the contract
    Antworten:
    - Team size: 12
    Verschoben: 2026-03-28 20:30 America/New_York → 2026-03-29 20:30 America/New_York, durch Ada, Grund: train late
    Storniert: durch Ada, Grund: ill
    Nicht erschienen: ada@acme.example
    Case: Demo with Ada
    Opportunity: Product demo
    Verschieben: https://book.example/r/1
    Stornieren: https://book.example/c/1
    ");
}

#[test]
fn a_french_description() {
    let mut messages = long_story();
    messages.pop();
    messages.push(message(
        "a",
        4,
        MessageKind::RescheduleRequested { reason: Some("malade".into()), by: Some("Léa".into()) },
        None,
    ));
    assert_snapshot!(described(&messages, Language::French), @r"
    Quand: 2026-03-29 20:30–21:00 America/New_York (heure de l’hôte: 2026-03-30 02:30–03:00 Europe/Berlin)
    Où: https://meet.example/abc
    Avec: Ada King Lovelace <ada@acme.example>, +49 151 2345678
    Invités: Bob <bob@acme.example>
    Notes: Bring the contract
    Réponses:
    - Team size: 12
    Reporté: 2026-03-28 20:30 America/New_York → 2026-03-29 20:30 America/New_York, par Ada, motif: train late
    Prié de choisir une autre date: par Léa, motif: malade
    Absent: ada@acme.example
    Requête: Demo with Ada
    Opportunité: Product demo
    Reporter: https://book.example/r/1
    Annuler: https://book.example/c/1
    ");
}

/// The wall clock of the zone, on both sides of the change of clocks and across midnight.
#[test]
fn times_are_told_on_the_wall_clock() {
    let check = |start: &str, minutes: i64, zone: &str, expected: &str| {
        let start: jiff::Timestamp = start.parse().expect("a time");
        let mut content = booking(start);
        content.end = Some(start + jiff::SignedDuration::from_mins(minutes));
        content.invitee.time_zone = Some(zone.into());
        content.hosts.clear();
        let text = described(&[message("a", 0, MessageKind::Booked, Some(content))], Language::English);
        assert_eq!(text.lines().next(), Some(expected));
    };
    check("2026-03-29T00:30:00Z", 60, "Europe/Berlin", "When: 2026-03-29 01:30–03:30 Europe/Berlin");
    check("2026-10-25T00:30:00Z", 60, "Europe/Berlin", "When: 2026-10-25 02:30–02:30 Europe/Berlin");
    check("2026-01-01T22:30:00Z", 60, "Europe/Berlin", "When: 2026-01-01 23:30 – 2026-01-02 00:30 Europe/Berlin");
    check("2026-01-01T22:30:00Z", 30, "Nowhere/Else", "When: 2026-01-01 22:30–23:00 UTC");
}

#[test]
fn a_title_is_found_somewhere() {
    let check = |title_text: &str, kind: &str, expected: &str| {
        let content = Booking { title: title_text.into(), meeting_type_name: kind.into(), ..booking(time(0)) };
        assert_eq!(title(&content), expected);
    };
    check(" Demo\n with  Ada", "x", "Demo with Ada");
    check("", "Product demo", "Product demo: Ada King Lovelace");
    check(" ", "", "Ada King Lovelace");
}

/// Our lines stand where their beginning stands twice in a row.
#[test]
fn splicing_finds_lines_that_begin_within_others() {
    let once = splice("bb\naa", "aa", "bb\nb");
    assert_eq!(once, "bb\nbb\nb");
    assert_eq!(splice(&once, "bb\nb", "bb\nb"), once);
}

proptest! {
    #![proptest_config(super::cases(500))]

    /// proves: B22
    #[test]
    fn the_prefix_is_there_once_or_not_at_all(subject in "[ a-zA-Z\\[\\]]{0,20}", turns in prop::collection::vec(any::<bool>(), 1..6), padded in any::<bool>()) {
        let prefix = if padded { "[STORNIERT] " } else { "ANNULÉ:" };
        let mut text = subject.clone();
        for wanted in turns {
            text = with_prefix(&text, prefix, wanted);
            prop_assert_eq!(text.matches(prefix.trim()).count(), usize::from(wanted));
            prop_assert_eq!(text.starts_with(prefix), wanted);
            prop_assert!(text.ends_with(subject.trim_start()));
            prop_assert_eq!(with_prefix(&text, prefix, wanted), text.clone());
        }
    }

    #[test]
    fn an_empty_prefix_changes_nothing_but_space_in_front(subject in ".{0,20}", wanted in any::<bool>()) {
        let text = with_prefix(&subject, "", wanted);
        prop_assert_eq!(text.trim_start(), subject.trim_start());
    }

    /// Splicing again, with the same last text or with what was just written, changes nothing.
    #[test]
    fn splicing_again_changes_nothing(current in lines(), last in lines(), ours in ours_or_lines()) {
        let once = splice(&current, &last, &ours);
        prop_assert_eq!(splice(&once, &ours, &ours), once.clone());
        prop_assert!(once.contains(ours.trim()));
    }

    /// What people wrote before and behind our text stays, letter by letter.
    #[test]
    fn what_surrounds_our_text_stays(before in "[a-z \n]{0,20}", behind in "[a-z \n]{0,20}", last in ours(), new in ours(), crlf in any::<bool>()) {
        let current = format!("{before}\n{last}\n{behind}");
        let typed = if crlf { current.replace('\n', "\r\n") } else { current };
        let spliced = splice(&typed, &last, &new);
        prop_assert_eq!(&spliced, &format!("{before}\n{new}\n{behind}"));
        // The write arrived but its answer did not: it is spliced again with the last text from before.
        let again = splice(&spliced, &last, &new);
        prop_assert_eq!(again.matches("When: ").count(), 1);
    }

    #[test]
    fn line_ends_have_one_form(text in "[ab\r\n]{0,12}") {
        let once = newlines(&text).into_owned();
        prop_assert!(!once.contains('\r'));
        prop_assert_eq!(newlines(&once).into_owned(), once);
    }
}

fn ours_or_lines() -> impl Strategy<Value = String> {
    lines().prop_filter("a description is never blank", |lines| !lines.trim().is_empty())
}

fn lines() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab]{0,2}", 0..5).prop_map(|lines| lines.join("\n"))
}

/// Texts as we write them: first the time, then more.
fn ours() -> impl Strategy<Value = String> {
    (0..3, prop::collection::vec("[A-C]: [x-z]{1,2}", 0..4)).prop_map(|(hour, more)| {
        let mut lines = vec![format!("When: {hour}")];
        lines.extend(more);
        lines.join("\n")
    })
}

#[test]
fn an_edit_inside_our_text_gives_way_and_what_is_around_stays() {
    let current = "mine\nWhen: 1\nchanged\nWith: Ada\nyours";
    assert_eq!(
        splice(current, "When: 1\nNotes: x\nWith: Ada", "When: 2\nWith: Ada"),
        "mine\nWhen: 2\nWith: Ada\nyours"
    );
    // Where even its ends were rewritten, nothing is taken away.
    assert_eq!(splice("mine\nat one\nyours", "When: 1\nWith: Ada", "When: 2"), "When: 2\n\nmine\nat one\nyours");
    assert_eq!(splice("", "When: 1", "When: 2"), "When: 2");
    // A line of a person's that merely contains ours is not ours.
    assert_eq!(splice("see When: 1 above", "When: 1", "When: 2"), "When: 2\n\nsee When: 1 above");
}
