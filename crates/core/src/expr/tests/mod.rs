//! The language: what it gives, what it refuses and in which words, and that nothing makes it panic, hang or grow.

mod hostile;
mod language;
mod reference;

use super::*;
use crate::booking::{
    chain::ChainState,
    message::{Booking, BookingMessage, MessageKind},
    scope::{Surroundings, sample, scope},
};

/// The state of a booking of which one message came.
pub fn booked(booking: Booking) -> ChainState {
    let mut state = ChainState::default();
    state.absorb(&BookingMessage {
        booking: "sample".into(),
        kind: MessageKind::Booked,
        at: "2026-05-01T08:00:00Z".parse().unwrap(),
        group: None,
        replaces: None,
        replaced_by: None,
        booked: Some(Box::new(booking)),
    });
    state
}

/// The names of the sample booking, with a contact that was found.
pub fn sample_scope() -> Scope {
    use crate::{
        booking::scope::Known,
        ids::{ChainId, RecordId},
        record::{Field, Fields, Record, Role, Slot, Std, Value},
    };
    let state = booked(sample());
    let contact = Record {
        role: Role::Contact,
        id: RecordId::from("contact-1"),
        fields: Fields::from([
            (Std::Email.into(), Value::text("ada@example.org")),
            (Field::Native("Industry".to_owned()), Value::text("Machinery")),
        ]),
    };
    let of = |role, value: Value| Known::of(role, &value, None);
    let around = Surroundings {
        chain: Some(&ChainId::from("bk_0123456789abcdef0123456789abcdef")),
        source: Some("calendly"),
        raw: Some("{}"),
        language: None,
        owner: Some(&RecordId::from("user-1")),
        person: Known::of(Role::Contact, &Value::Id(contact.id.clone()), Some(&contact)),
        account: of(Role::Account, Value::Id(RecordId::from("account-1"))),
        case: of(Role::Case, Value::Slot(Slot::Case)),
        opportunity: of(Role::Opportunity, Value::Slot(Slot::Opportunity)),
        meeting: of(Role::Meeting, Value::Slot(Slot::Meeting)),
    };
    let view = state.view().unwrap();
    let mut scope = scope(&view, &around);
    if let Datum::List(guests) = scope.get("guests").clone() {
        scope.set("guest", guests[0].clone());
    }
    scope
}

fn value(source: &str) -> Datum {
    let expression = Expression::compile(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    expression.evaluate(&sample_scope()).unwrap_or_else(|error| panic!("{source}: {error}"))
}

fn text(source: &str) -> String {
    Expression::compile(source).unwrap_or_else(|error| panic!("{source}: {error}")).render(&sample_scope()).unwrap()
}

fn refused(source: &str) -> String {
    Expression::compile(source).expect_err(source).to_string()
}

fn fails(source: &str) -> String {
    let expression = Expression::compile(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    expression.evaluate(&sample_scope()).expect_err(source).to_string()
}
