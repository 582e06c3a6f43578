//! What people change in the CRM stays, whatever the booking does afterwards.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::{converge::record, story::*, world::*};
use crate::{
    booking::settings::{BookingSettings, CancelSettings, CaseSettings, PersonMode},
    record::{Role, Slot, Std, Value},
};

fn settings() -> BookingSettings {
    BookingSettings {
        case: Some(CaseSettings { status: "New".into(), origin: None }),
        cancel: CancelSettings { prefix: "[STORNIERT] ".into(), show_as_free: true, delete: false },
        ..BookingSettings::default()
    }
}

proptest! {
    #![proptest_config(super::cases(120))]

    /// proves: B21, B22
    #[test]
    fn edits_survive_everything_that_follows(story in story(), after in 0_usize..10) {
        let mut desk = Desk::new(World::default(), settings());
        let after = after % story.messages.len() + 1;
        desk.work_one_by_one(&story.messages[..after]);
        prop_assume!(desk.links.contains_key(&Slot::Meeting));
        let text = |desk: &Desk, slot, field| desk.text(slot, field).to_owned();
        let prefix = if text(&desk, Slot::Meeting, Std::Subject).starts_with('[') { "[STORNIERT] " } else { "" };
        let around = |text: &str| Value::Text(format!("Call before.\r\n\r\n{}\r\n\r\nAsk for the budget.", text.replace('\n', "\r\n")));
        let (meeting, case) = (text(&desk, Slot::Meeting, Std::Description), text(&desk, Slot::Case, Std::Description));
        desk.edit(Slot::Meeting, Std::Subject, Value::Text(format!("{prefix}My own words")));
        desk.edit(Slot::Meeting, Std::Description, around(&meeting));
        desk.edit(Slot::Meeting, Std::Location, Value::text("Room 7"));
        desk.edit(Slot::Meeting, Std::Owner, Value::Id("user-9".into()));
        desk.edit(Slot::Case, Std::Subject, Value::text("Renewal"));
        desk.edit(Slot::Case, Std::Description, around(&case));
        desk.edit(Slot::Case, Std::Status, Value::text("Closed"));
        for known in after..=story.messages.len() {
            desk.later(SignedDuration::from_secs(1));
            desk.work(&story.messages[..known]);
        }
        let called_off = matches!(story.end, End::Cancelled | End::Rejected);
        let subject = if called_off { "[STORNIERT] My own words" } else { "My own words" };
        prop_assert_eq!(desk.text(Slot::Meeting, Std::Subject), subject);
        prop_assert_eq!(desk.text(Slot::Meeting, Std::Location), "Room 7");
        prop_assert_eq!(&desk.record(Slot::Meeting).fields[&Std::Owner.into()], &Value::Id("user-9".into()));
        prop_assert_eq!(desk.text(Slot::Case, Std::Subject), "Renewal");
        prop_assert_eq!(desk.text(Slot::Case, Std::Status), "Closed");
        for slot in [Slot::Meeting, Slot::Case] {
            let description = desk.text(slot, Std::Description);
            prop_assert!(description.starts_with("Call before."), "{}", description);
            prop_assert!(description.ends_with("Ask for the budget."), "{}", description);
            prop_assert_eq!(description.matches("When:").count(), 1);
            prop_assert_eq!(description.matches("Cancelled:").count(), usize::from(story.end == End::Cancelled));
        }
        prop_assert_eq!(desk.work(&story.messages).plan.steps, vec![]);
    }
}

fn worked(messages: &[crate::booking::message::BookingMessage]) -> Desk {
    let mut desk = Desk::new(World::default(), settings());
    desk.work(messages);
    desk
}

/// proves: B22: the CRM holds as much as fits, prefix included.
#[test]
fn a_long_subject_that_somebody_wrote_still_fits_with_the_prefix() {
    let messages = [booked("a", 0, 6000), cancelled("a", 1)];
    let mut desk = worked(&messages[..1]);
    let long = "x".repeat(SUBJECT_CHARS);
    desk.edit(Slot::Meeting, Std::Subject, Value::text(long));
    desk.work(&messages);
    let subject = desk.text(Slot::Meeting, Std::Subject);
    assert_eq!(subject.len(), SUBJECT_CHARS);
    assert!(subject.starts_with("[STORNIERT] xxx"));
    assert_eq!(desk.work(&messages).plan.steps, vec![]);
}

#[test]
fn an_edit_that_was_kept_is_told() {
    let messages = [booked("a", 0, 6000), booked("a", 1, 7000)];
    let mut desk = worked(&messages[..1]);
    let mut other = booking(time(7000));
    other.location = Some("Elsewhere".into());
    desk.edit(Slot::Meeting, Std::Location, Value::text("Room 7"));
    let moved = message("a", 1, messages[1].kind.clone(), Some(other));
    let decision = desk.work(&[messages[0].clone(), moved]);
    let kept: Vec<&str> =
        decision.notes.iter().filter(|note| note.code == "kept_edit").map(|note| &*note.text).collect();
    assert_eq!(kept, ["somebody changed location of the meeting in the CRM; that edit was kept"]);
}

/// The time is the booking's to say, and only the booking's.
#[test]
fn a_time_that_somebody_changed_is_set_right_by_the_next_reschedule() {
    let messages = [booked("a", 0, 6000), booked("a", 1, 7000)];
    let mut desk = worked(&messages[..1]);
    desk.edit(Slot::Meeting, Std::Start, Value::Time(time(1)));
    assert_eq!(desk.work(&messages[..1]).plan.steps, vec![]);
    desk.work(&messages);
    assert_eq!(desk.record(Slot::Meeting).fields[&Std::Start.into()], Value::Time(time(7000)));
}

/// A booking whose host changes moves to the new owner, unless somebody gave it to a third.
#[test]
fn a_change_of_host_is_a_change_of_owner_unless_somebody_chose_one() {
    let user = |number, email| {
        record(Role::User, number, &[(Std::Email, Value::text(email)), (Std::Active, Value::Bool(true))])
    };
    let world = World::with(&[user(1, "host@own.example"), user(2, "other@own.example"), user(3, "third@own.example")]);
    let mut other = booking(time(6000));
    other.hosts[0].email = "Other@own.example".into();
    let messages = [booked("a", 0, 6000), message("a", 1, booked("a", 0, 0).kind, Some(other))];
    let owner = |desk: &Desk| desk.record(Slot::Meeting).fields[&Std::Owner.into()].clone();
    let mut desk = Desk::new(world, settings());
    desk.work(&messages[..1]);
    assert_eq!(owner(&desk), Value::Id("user-1".into()));
    let mut edited = desk.clone();
    desk.work(&messages);
    assert_eq!(owner(&desk), Value::Id("user-2".into()));
    edited.edit(Slot::Meeting, Std::Owner, Value::Id("user-3".into()));
    edited.work(&messages);
    assert_eq!(owner(&edited), Value::Id("user-3".into()));
}

/// proves: B11: another invitee of another kind takes the meeting over, and never both a lead and a related record.
#[test]
fn a_corrected_address_takes_the_meeting_to_the_right_person() {
    let contact = record(Role::Contact, 1, &[(Std::Email, Value::text(INVITEE)), (Std::LastName, Value::text("L"))]);
    let mut corrected = booking(time(6000));
    corrected.invitee.email = "bob@acme.example".into();
    let messages =
        [booked("a", 0, 6000), message("a", 1, booked("a", 0, 0).kind, Some(corrected)), booked("a", 2, 6000)];
    let mut desk = Desk::new(World::with(&[contact]), BookingSettings { person: PersonMode::Lead, ..settings() });
    let field = |desk: &Desk, field: Std| desk.record(Slot::Meeting).fields.get(&field.into()).cloned();
    desk.work(&messages[..1]);
    assert_eq!(field(&desk, Std::Who), Some(Value::Id("contact-1".into())));
    assert_eq!(field(&desk, Std::What), Some(Value::Id(desk.links[&Slot::Case].id.clone())));
    desk.work(&messages[..2]);
    assert_eq!(desk.record(Slot::Person).role, Role::Lead);
    assert_eq!(desk.text(Slot::Person, Std::Email), "bob@acme.example");
    assert_eq!(field(&desk, Std::What), Some(Value::Null));
    assert!(desk.text(Slot::Meeting, Std::Description).contains("Case: Demo with Ada"));
    // What other bookings know of either address is not mixed up.
    let known: Vec<(&str, &str)> = desk.shared.iter().map(|(key, link)| (key.as_str(), link.role.as_str())).collect();
    assert_eq!(known, [("contact:ada@acme.example", "contact"), ("lead:bob@acme.example", "lead")]);
    desk.work(&messages);
    assert_eq!(field(&desk, Std::Who), Some(Value::Id("contact-1".into())));
    assert_eq!(field(&desk, Std::What), Some(Value::Id(desk.links[&Slot::Case].id.clone())));
    assert_eq!(desk.work(&messages).plan.steps, vec![]);
}
