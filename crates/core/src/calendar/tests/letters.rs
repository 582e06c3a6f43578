//! Who is mailed what of a write to an event, and in which words.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::{
    cases,
    world::{HOME, PEOPLE, contents, event, meeting},
};
use crate::calendar::{
    event::{Body, Content, Event, Moment, Party, Reply, Status},
    meeting::{Letter, Word, declined, letters, words},
};

fn with(sequence: u32, people: &[&str]) -> Event {
    Event { sequence, ..event(meeting(people)) }
}

fn told(before: Option<&Event>, after: Option<&Event>) -> Vec<(Word, u32, Vec<String>)> {
    let one = |letter: &Letter| (letter.word, letter.revision(), letter.to.iter().cloned().collect());
    letters(before, after).iter().map(one).collect()
}

/// proves: C2, C9
#[test]
fn who_comes_is_invited_who_stays_hears_of_a_move_and_who_goes_that_it_is_off() {
    let [ada, bob, eve] = [PEOPLE[3], PEOPLE[4], PEOPLE[5]];
    let of = |word, revision, who: &str| (word, revision, vec![who.to_owned()]);
    let first = with(0, &[PEOPLE[0], ada, bob]);
    assert_eq!(told(None, Some(&first)), [(Word::Invited, 0, vec![ada.to_owned(), bob.to_owned()])]);
    assert_eq!(told(Some(&first), Some(&first)), [], "nothing is new");
    let renamed = Event {
        body: Body::Open(Box::new(Content { summary: "Other".into(), ..meeting(&[ada, bob]) })),
        ..first.clone()
    };
    assert_eq!(told(Some(&first), Some(&renamed)), [], "a text is no reason for a mail");
    let moved = with(1, &[ada, eve]);
    assert_eq!(
        told(Some(&first), Some(&moved)),
        [of(Word::Invited, 1, eve), of(Word::Moved, 1, ada), of(Word::Off, 2, bob)]
    );
    let off = letters(Some(&first), Some(&moved)).pop().expect("a letter");
    let named: Vec<_> = off.event.content().expect("it is open").attendees.iter().map(|one| &one.who.email).collect();
    assert_eq!(named, [bob], "it names no others");
    assert_eq!(told(Some(&moved), None), [(Word::Off, 2, vec![ada.to_owned(), eve.to_owned()])]);
    let cancelled = Event { status: Status::Cancelled, ..moved.clone() };
    assert_eq!(told(Some(&moved), Some(&cancelled)), told(Some(&moved), None));
}

/// proves: C3, C9: who does not come tells the organiser alone, once of each revision and in words; an organiser answers nobody,
/// and neither does who said so before, or has nothing to answer any more.
#[test]
fn who_declines_tells_the_organiser() {
    let (rep, ada) = (PEOPLE[1], PEOPLE[3]);
    let answered = |reply: Reply| {
        let mut content = meeting(&[rep, ada]);
        content.attendees.iter_mut().filter(|one| one.who.email == rep).for_each(|one| one.reply = reply);
        Event { sequence: 4, ..event(content) }
    };
    let (asked, no) = (answered(Reply::Awaited), answered(Reply::Declined));
    let letter = declined(&asked, Some(&no), rep).expect("a letter");
    assert_eq!((letter.word, letter.revision()), (Word::Declined, 4));
    assert_eq!(letter.to, BTreeSet::from([PEOPLE[0].to_owned()]));
    let named: Vec<_> =
        letter.event.content().expect("open").attendees.iter().map(|one| one.who.email.as_str()).collect();
    assert_eq!((named, letter.sender().map(|who| who.email.as_str())), (vec![rep], Some(rep)));
    let (subject, text) = words(&letter, &HOME).expect("it can be said");
    assert!(subject == "Declined: Plan" && text.starts_with("ann@ours.example does not come to “Plan”."), "{text}");
    assert!(declined(&answered(Reply::Accepted), Some(&no), rep).is_some());
    for (before, after, who) in [
        (&no, Some(&no), rep),
        (&asked, Some(&asked), rep),
        (&asked, Some(&no), PEOPLE[0]),
        (&asked, Some(&no), ada),
        (&asked, None, rep),
        (&asked, Some(&Event { status: Status::Cancelled, ..no.clone() }), rep),
        (&asked, Some(&no.clone().hidden()), rep),
        (&asked.clone().hidden(), Some(&no), rep),
    ] {
        assert_eq!(declined(before, after, who), None);
    }
}

/// proves: C9
#[test]
fn a_letter_says_when_and_where_in_words() {
    let at = |time: &str| Moment::At { at: time.parse().expect("a time"), zone: "Europe/Berlin".into() };
    let mut content = meeting(&[PEOPLE[3]]);
    (content.start, content.end) = (at("2026-05-05T09:00:00Z"), at("2026-05-05T10:30:00Z"));
    (content.summary, content.location) = ("Kick-off\r\nBcc: eve@gmail.com".into(), " Room 7 ".into());
    content.description = "Bring the plan.\n".into();
    content.organizer = Some(Party { email: PEOPLE[0].into(), name: Some("Rosa".into()) });
    let said = |content: &Content, word| {
        let to = BTreeSet::from([PEOPLE[3].to_owned()]);
        words(&Letter { word, event: event(content.clone()), to }, &HOME).expect("it can be said")
    };
    let (subject, text) = said(&content, Word::Invited);
    assert_eq!(subject, "Invitation: Kick-off Bcc: eve@gmail.com", "no text breaks out of the subject");
    insta::assert_snapshot!(text, @r#"
    Rosa invites you to “Kick-off Bcc: eve@gmail.com”.

    When: Tuesday, 5 May 2026, 11:00 to 12:30 (Europe/Berlin)
    Where: Room 7

    Bring the plan.
    "#);
    content.end = at("2026-05-06T10:30:00Z");
    insta::assert_snapshot!(said(&content, Word::Off).1, @r#"
    “Kick-off Bcc: eve@gmail.com” is off, or takes place without you.

    When: Tuesday, 5 May 2026, 11:00 to Wednesday, 6 May 2026, 12:30 (Europe/Berlin)
    Where: Room 7
    "#);
    let day = |text: &str| Moment::Day(text.parse().expect("a day"));
    (content.start, content.end) = (day("2026-05-05"), day("2026-05-06"));
    assert!(said(&content, Word::Moved).1.contains("When: Tuesday, 5 May 2026\n"), "{:?}", said(&content, Word::Moved));
    assert_eq!(
        words(
            &Letter { word: Word::Moved, event: event(content.clone()).hidden(), to: BTreeSet::new() },
            &TimeZone::UTC
        ),
        None
    );
}

/// What may happen to an event of ours between two writes.
fn turns() -> impl Strategy<Value = Vec<(Option<Content>, u32, bool)>> {
    prop::collection::vec((prop::option::weighted(0.9, contents()), 0..2u32, any::<bool>()), 1..12)
}

proptest! {
    #![proptest_config(cases(300))]

    /// However a meeting changes, a write tells nobody twice, nobody of what he knows already and nobody who organises it;
    /// who is told that it is off is not among the guests, and of what is private nothing is said.
    ///
    /// proves: C2, C8, C9
    #[test]
    fn a_write_tells_each_guest_once(turns in turns()) {
        let mut before: Option<Event> = None;
        let mut sequence = 0;
        for (content, significant, is_private) in turns {
            sequence += significant;
            let after = content.map(|content| Event { sequence, ..event(content) });
            let after = if is_private { after.map(Event::hidden) } else { after };
            let all = letters(before.as_ref(), after.as_ref());
            prop_assert!(!is_private || after.is_none() || all.is_empty());
            let mut once = BTreeSet::new();
            for letter in &all {
                prop_assert!(!letter.to.is_empty());
                for email in &letter.to {
                    prop_assert!(once.insert(email.clone()), "{email} is told twice");
                }
                let content = letter.event.content().expect("a letter is about something");
                let organizer = content.organizer.as_ref().expect("somebody invites");
                prop_assert!(!letter.to.contains(&organizer.email));
                let named: BTreeSet<String> = content.attendees.iter().map(|one| one.who.email.clone()).collect();
                prop_assert!(letter.to.is_subset(&named));
                prop_assert!(words(letter, &HOME).is_some());
            }
            prop_assert_eq!(letters(after.as_ref(), after.as_ref()), vec![]);
            before = after.filter(|event| event.content().is_some());
        }
    }
}
