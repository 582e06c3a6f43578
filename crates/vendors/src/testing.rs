//! What the tests of every booking source share: reading fixtures, folding in every order, and spoiling bodies.

#[cfg(any(feature = "caldav", feature = "google"))]
pub mod contents;
pub mod mirror;
#[cfg(any(feature = "hubspot", feature = "salesforce"))]
pub mod recent;
pub mod site;

use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use syncline_connect::{Bookings, RawRequest, Reading, bookings::Malformed};
use syncline_core::booking::{
    chain::ChainState,
    message::{Booking, BookingMessage},
};

use crate::intake;

/// A moment of arrival that no fixture holds, so that it shows where it was used.
pub fn received() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().expect("a time stamp")
}

pub fn request(body: &[u8]) -> RawRequest {
    RawRequest { headers: HeaderMap::new(), body: Bytes::copy_from_slice(body) }
}

pub fn read(source: &dyn Bookings, body: &str) -> Result<Reading, Malformed> {
    source.read(&request(body.as_bytes()), received())
}

/// The reading of a body that must be readable.
pub fn reading(source: &dyn Bookings, body: &str) -> Reading {
    read(source, body).unwrap_or_else(|malformed| panic!("{malformed}: {body}"))
}

/// The messages of bodies that must be readable, in their order.
pub fn messages(source: &dyn Bookings, bodies: &[&str]) -> Vec<BookingMessage> {
    bodies.iter().flat_map(|body| reading(source, body).messages).collect()
}

/// A reading as a value to take a snapshot of.
pub fn picture(reading: &Reading) -> Value {
    let mut picture = json!({ "delivery": reading.delivery });
    if let Some(reason) = &reading.ignored {
        picture["ignored"] = json!(reason);
    }
    if !reading.messages.is_empty() {
        picture["messages"] = json!(reading.messages);
    }
    picture
}

pub fn fold<'a>(messages: impl IntoIterator<Item = &'a BookingMessage>) -> ChainState {
    let mut state = ChainState::default();
    for message in messages {
        state.absorb(message);
    }
    state
}

/// Folds the messages in every order, each order also with every message a second time, and gives the one state that
/// all must end in.
pub fn same_in_every_order(messages: &[BookingMessage]) -> ChainState {
    let expected = fold(messages);
    let mut orders = 0;
    every_order(&mut (0..messages.len()).collect::<Vec<_>>(), 0, &mut |order| {
        orders += 1;
        let once = fold(order.iter().map(|index| &messages[*index]));
        assert_eq!(once, expected, "in the order {order:?}");
        let twice = fold(order.iter().chain(order.iter().rev()).map(|index| &messages[*index]));
        assert_eq!(twice, expected, "in the order {order:?}, then backwards");
    });
    assert_eq!(orders, (1..=messages.len()).product::<usize>());
    expected
}

fn every_order(order: &mut [usize], fixed: usize, visit: &mut dyn FnMut(&[usize])) {
    if fixed == order.len() {
        return visit(order);
    }
    for next in fixed..order.len() {
        order.swap(fixed, next);
        every_order(order, fixed + 1, visit);
        order.swap(fixed, next);
    }
}

/// What must hold of every reading, whatever the body was.
pub fn check_any(source: &dyn Bookings, body: &[u8]) {
    let first = source.read(&request(body), received());
    assert_eq!(first, source.read(&request(body), received()), "the same body, read twice");
    let Ok(reading) = first else { return };
    assert_eq!(reading.messages.is_empty(), reading.ignored.is_some(), "either messages or a reason");
    assert!(reading.delivery.len() <= 512 && reading.delivery.is_ascii());
    for message in &reading.messages {
        assert!(!message.booking.as_str().is_empty());
        message.booked.iter().for_each(|booked| check_bounds(booked));
    }
}

fn check_bounds(booking: &Booking) {
    assert!(!booking.invitee.email.is_empty(), "content without the booker's address");
    assert!(booking.guests.len() <= intake::MAX_PEOPLE && booking.hosts.len() <= intake::MAX_HOSTS + 1);
    assert!(booking.answers.len() <= intake::MAX_ANSWERS);
    let spelled = serde_json::to_value(booking).expect("a booking can be written down");
    each_text(&spelled, &mut |text| {
        assert!(text.chars().count() <= intake::text::MAX_BLOCK_CHARS);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "a control character got through");
    });
}

fn each_text(value: &Value, visit: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(values) => values.iter().for_each(|value| each_text(value, visit)),
        Value::Object(fields) => fields.values().for_each(|value| each_text(value, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// One of the fixtures with one value at any place exchanged for an odd one, or removed.
pub fn spoilt(fixtures: &'static [&'static str]) -> impl Strategy<Value = Value> {
    (0..fixtures.len(), any::<prop::sample::Index>(), odd()).prop_map(|(which, place, odd)| {
        let mut body: Value = serde_json::from_str(fixtures[which]).expect("fixtures are JSON");
        let mut places = Vec::new();
        collect(&body, String::new(), &mut places);
        let pointer = place.get(&places).clone();
        match odd {
            Some(odd) => *body.pointer_mut(&pointer).expect("the place is there") = odd,
            None => remove(&mut body, &pointer),
        }
        body
    })
}

fn remove(body: &mut Value, pointer: &str) {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    if let Some(Value::Object(fields)) = body.pointer_mut(parent) {
        fields.remove(&name.replace("~1", "/").replace("~0", "~"));
    }
}

fn collect(value: &Value, pointer: String, places: &mut Vec<String>) {
    match value {
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| collect(value, format!("{pointer}/{index}"), places));
        }
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            collect(value, format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")), places);
        }),
        _ => {}
    }
    places.push(pointer);
}

fn odd() -> impl Strategy<Value = Option<Value>> {
    let texts = [
        "",
        " ",
        "x",
        "\u{0}\u{1b}[2J",
        "2026-13-40T99:00:00Z",
        "9999-12-31T23:59:59.999Z",
        "=cmd()",
        "a@b",
        "javascript:alert(1)",
        "🏳️‍🌈",
    ];
    prop_oneof![
        Just(None),
        prop::sample::select(texts.to_vec()).prop_map(|text| Some(json!(text))),
        prop::sample::select(vec![
            json!(null),
            json!(true),
            json!(-1),
            json!(1e300),
            json!([]),
            json!({}),
            json!([[]]),
            json!([null, 1, "a@example.org"])
        ])
        .prop_map(Some),
        ".{0,40}".prop_map(|text| Some(json!(text))),
        Just(Some(json!("é".repeat(40_000)))),
        Just(Some(json!(vec!["a@example.org"; 1_200]))),
    ]
}

/// One of the fixtures with bytes exchanged and its end cut off.
pub fn broken(fixtures: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    (0..fixtures.len(), changes, any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(which, changes, end, whole)| {
            let mut body = fixtures[which].as_bytes().to_vec();
            for (place, byte) in changes {
                let place = place.index(body.len());
                body[place] = byte;
            }
            if !whole {
                body.truncate(end.index(body.len()));
            }
            body
        },
    )
}

/// The properties that every booking source shares.
macro_rules! robust {
    ($source:expr, $fixtures:expr) => {
        proptest::proptest! {
            #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]

            /// proves: sec:S30
            #[test]
            fn any_bytes_are_read_or_refused_the_same_way_twice(body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
                $crate::testing::check_any($source, &body);
            }

            /// proves: sec:S30
            #[test]
            fn broken_bodies_are_read_or_refused_the_same_way_twice(body in $crate::testing::broken($fixtures)) {
                $crate::testing::check_any($source, &body);
            }

            /// proves: sec:S24, sec:S30
            #[test]
            fn odd_values_are_read_within_bounds_or_refused(body in $crate::testing::spoilt($fixtures)) {
                $crate::testing::check_any($source, body.to_string().as_bytes());
            }
        }

        /// proves: B1, sec:S24
        #[test]
        fn every_fixture_has_a_delivery_key_of_its_own() {
            let keys: Vec<String> =
                $fixtures.iter().map(|body| $crate::testing::reading($source, body).delivery).collect();
            let again: Vec<String> =
                $fixtures.iter().map(|body| $crate::testing::reading($source, body).delivery).collect();
            assert_eq!(keys, again);
            assert_eq!(keys.iter().collect::<std::collections::BTreeSet<_>>().len(), $fixtures.len());
        }
    };
}
pub(crate) use robust;

/// Every fixture of the folder as a constant named like its file.
macro_rules! fixtures {
    ($($name:ident)*) => {
        mod fixtures {
            $(
                #[expect(non_upper_case_globals, reason = "named like its file")]
                pub const $name: &str = include_str!(concat!("fixtures/", stringify!($name), ".json"));
            )*
        }
        const FIXTURES: &[&str] = &[$(fixtures::$name),*];
        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}
pub(crate) use fixtures;

/// Compares the readings of all fixtures with their snapshots.
macro_rules! snapshots {
    ($source:expr) => {
        /// proves: B1, B3
        #[test]
        fn fixtures_are_read_as_their_snapshots_say() {
            for (name, body) in NAMES.iter().zip(FIXTURES) {
                let picture = $crate::testing::picture(&$crate::testing::reading($source, body));
                insta::with_settings!({ snapshot_path => "snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
                    insta::assert_json_snapshot!(*name, picture);
                });
            }
        }
    };
}
pub(crate) use snapshots;
