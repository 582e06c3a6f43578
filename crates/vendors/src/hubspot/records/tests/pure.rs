//! Ids, markup and values, without any account.

use proptest::prelude::*;
use syncline_connect::Records;
use syncline_core::{
    ids::RecordId,
    record::{Field, Role, Slot, Std, Value},
};

use super::super::{fields, id};
use crate::hubspot::{HubSpot, roles::ROLES, wire::Row};
use crate::markup;

#[test]
fn ids_tell_their_kind() {
    for (text, role, canonical) in [
        ("0-1/512", Role::Contact, "0-1/512"),
        (" 0-47/7 ", Role::Meeting, "0-47/7"),
        ("https://app-eu1.hubspot.com/contacts/147893286/record/0-2/90?x=1", Role::Account, "0-2/90"),
        ("https://app.hubspot.com/contacts/1/record/0-3/4/", Role::Opportunity, "0-3/4"),
        ("owners/88842095", Role::User, "owners/88842095"),
    ] {
        assert_eq!(HubSpot.identify(text), Some((role, RecordId::new(canonical))), "{text}");
    }
    for text in ["512", "0-1/", "0-1/x", "2-100/5", "003000000000001AAA", "0-1/5/0-1/6", ""] {
        assert_eq!(HubSpot.identify(text), None, "{text}");
    }
}

#[test]
fn a_place_in_a_meeting_names_both() {
    let (meeting, owner) = (id::of("meetings", "7"), id::of_owner("41"));
    let place = id::of_place(&meeting, &owner);
    assert_eq!(id::place(&place), Some((meeting.clone(), owner)));
    assert_eq!(id::place(&meeting), None);
    assert_eq!(id::place(&id::of_place(&meeting, &meeting)), None, "a meeting attends nothing");
}

/// People write in a meeting's body with tags of their own; what is read of them are words and lines.
#[test]
fn markup_is_read_as_text() {
    for (html, text) in [
        ("<p>Call <b>her</b> &amp; him</p><p>soon</p>", "Call her & him\nsoon"),
        ("a<br/>b<BR>c", "a\nb\nc"),
        ("<div>one</div>\n<div>two &lt;3&gt; &#8364; &#x41;</div>", "one\n two <3> € A"),
        ("5 < 6 & so on", "5 < 6 & so on"),
        ("<!-- note -->x", "x"),
        ("&nbsp;&bogus; <", "&bogus; <"),
    ] {
        assert_eq!(markup::to_text(html), text, "{html}");
    }
}

#[test]
fn a_field_that_is_not_there_holds_nothing() {
    let normal = |role, std: Std, value| HubSpot.normalise(role, &std.into(), value);
    assert_eq!(normal(Role::Meeting, Std::ShowAs, Value::text("busy")), Value::Null);
    assert_eq!(normal(Role::Attendee, Std::Response, Value::text("did not come")), Value::Null);
    assert_eq!(normal(Role::Case, Std::SuppliedEmail, Value::text("a@b.example")), Value::Null);
    assert_eq!(normal(Role::Contact, Std::Owner, Value::text("41")), Value::Id(id::of_owner("41")));
    assert_eq!(normal(Role::Contact, Std::Email, Value::text(" Ada@One.example ")), Value::text("ada@one.example"));
}

/// A property that the app may not see is left out of a row: it may hold something, so that nothing is written over it.
#[test]
fn what_is_hidden_is_not_empty() {
    let row = Row {
        id: "7".to_owned(),
        properties: [("email".to_owned(), Some("ada@one.example".to_owned())), ("phone".to_owned(), None)].into(),
        archived: false,
        object_write_trace_id: None,
    };
    let fields = [Std::Email, Std::Phone, Std::LastName].map(Field::Std);
    let record = fields::record("syncline_key", Role::Contact, "contacts", &fields, &row).unwrap();
    assert_eq!(record.fields.get(&fields[0]), Some(&Value::text("ada@one.example")));
    assert_eq!((record.fields.get(&fields[1]), record.fields.get(&fields[2])), (Some(&Value::Null), None));
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<String>().prop_map(Value::Text),
        "[ -~\n\t<>&;]{0,40}".prop_map(Value::Text),
        any::<bool>().prop_map(Value::Bool),
        "-?[0-9]{1,12}(\\.[0-9]{0,4})?".prop_map(Value::Decimal),
        (0_i64..4_000_000_000_000).prop_map(|ms| Value::Time(jiff::Timestamp::from_millisecond(ms).unwrap())),
        (1_i16..28).prop_map(|day| Value::Date(jiff::civil::date(2026, 5, day as i8))),
        (1_u32..9999).prop_map(|number| Value::Id(id::of("contacts", &number.to_string()))),
        Just(Value::Null),
        Just(Value::Slot(Slot::Person)),
    ]
}

fn any_field() -> impl Strategy<Value = (Role, Field)> {
    let known: Vec<(Role, Field)> = ROLES
        .iter()
        .filter(|spec| !matches!(spec.role, Role::User | Role::Attendee))
        .flat_map(|spec| spec.fields.iter().map(|known| (spec.role, Field::Std(known.field))))
        .chain([(Role::Contact, Field::Native("topic".to_owned()))])
        .collect();
    proptest::sample::select(known)
}

proptest! {
    #[test]
    fn text_survives_as_markup(typed in "[ -~\n<>&;äß€]{0,80}") {
        let normal = markup::to_text(&markup::from_text(&typed));
        prop_assert_eq!(markup::to_text(&markup::from_text(&normal)), normal.clone());
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        prop_assert_eq!(words(&normal), words(&typed));
    }

    #[test]
    fn a_body_fits(typed in "[a<&\n]{0,60}", max in 8_usize..60) {
        let fitting = markup::fitting(&typed, max);
        prop_assert!(markup::from_text(&fitting).chars().count() <= max);
        prop_assert!(typed.starts_with(&fitting));
    }

    #[test]
    fn normal_values_stay_as_they_are((role, field) in any_field(), value in any_value()) {
        let once = HubSpot.normalise(role, &field, value);
        prop_assert_eq!(HubSpot.normalise(role, &field, once.clone()), once);
    }

    /// The image of what we wrote equals what we would read back.
    ///
    /// proves: fault:M4
    #[test]
    fn a_normal_value_survives_the_wire((role, field) in any_field(), value in any_value()) {
        let normal = HubSpot.normalise(role, &field, value);
        // The id of a record stands in no other property than one that takes ids of its kind.
        let takes = matches!(HubSpot.normalise(role, &field, Value::text("7")), Value::Id(own) if {
            matches!(&normal, Value::Id(id) if id::identify(id.as_str()).map(|(role, _)| role)
                == id::identify(own.as_str()).map(|(role, _)| role))
        });
        prop_assume!(takes || !matches!(normal, Value::Id(_)));
        let Some(name) = fields::property("syncline_key", role, &field) else { return Ok(()) };
        let Ok(text) = fields::to_property(role, &field, &normal) else {
            prop_assert!(matches!(normal, Value::Slot(_)));
            return Ok(());
        };
        let row = Row {
            id: "7".to_owned(),
            properties: [(name.to_owned(), Some(text))].into_iter().collect(),
            archived: false,
            object_write_trace_id: None,
        };
        let object = fields::object_name(role, None).unwrap();
        // What is not of the field's kind is refused by HubSpot; what it takes comes back as it was.
        let Ok(record) = fields::record("syncline_key", role, object, std::slice::from_ref(&field), &row) else {
            return Ok(());
        };
        if let Some(read) = record.fields.get(&field) {
            let again = HubSpot.normalise(role, &field, read.clone());
            prop_assert_eq!(&again, &HubSpot.normalise(role, &field, normal));
        }
    }

    #[test]
    fn any_text_as_an_id_is_no_harm(text in any::<String>()) {
        let _ = HubSpot.identify(&text);
        let _ = id::place(&RecordId::new(text.clone()));
        let _ = id::parts(&RecordId::new(text));
    }
}
