//! Mappings and further records in whole bookings: made, kept in step, filled where empty, and told once.

use super::{
    story::{INVITEE, booked, cancelled, replacing},
    world::{Desk, World},
};
use crate::{
    booking::{
        mapping::{Mapping, RecordField, RecordTemplate, Target, When},
        settings::{BookingSettings, CaseSettings},
    },
    expr::Expression,
    ids::{ObjectName, RecordId},
    record::{Field, Fields, Record, Role, Slot, Std, Value},
    step::Write,
};

fn native(name: &str) -> Field {
    Field::Native(name.to_owned())
}

fn map(on: Target, name: &str, value: &str, when: When) -> Mapping {
    let value = Expression::compile(value).unwrap();
    Mapping { on, name: name.to_owned(), field: native(name), value, when }
}

fn log() -> RecordTemplate {
    let field = |name: &str, value: &str| RecordField {
        name: name.to_owned(),
        value: Expression::compile(value).unwrap(),
        when: When::Always,
    };
    RecordTemplate {
        name: "log".to_owned(),
        object: ObjectName::from("Log__c"),
        when: Some(Expression::condition("not booking.is_cancelled").unwrap()),
        fields: vec![
            field("Event__c", "{{ meeting.id }}"),
            field("Contact__c", "{{ person.id }}"),
            field("Moved__c", "{{ booking.reschedules }}"),
            field("Status__c", "{{ booking.status }}"),
        ],
    }
}

pub fn settings() -> BookingSettings {
    BookingSettings {
        case: Some(CaseSettings { status: "New".to_owned(), origin: None }),
        mappings: vec![
            map(Target::Contact, "Source__c", "web", When::IfEmpty),
            map(Target::Contact, "First__c", "{{ booking.start|day }}", When::Never),
            map(Target::Contact, "Last__c", "{{ booking.start|day }}", When::Always),
            map(Target::Meeting, "Moved__c", "{{ booking.reschedules }}", When::Always),
            map(Target::Meeting, "Reason__c", "{{ booking.cancel_reason }}", When::Always),
            map(Target::Case, "Event__c", "{{ meeting.id }}", When::Always),
            map(Target::Account, "Moves__c", "{{ booking.reschedules }}", When::Always),
            map(Target::Meeting, "Broken__c", "{{ 1 / 0 }}", When::Always),
        ],
        records: vec![log()],
        ..BookingSettings::default()
    }
}

fn value<'a>(desk: &'a Desk, slot: Slot, name: &str) -> Option<&'a Value> {
    desk.record(slot).fields.get(&native(name))
}

/// Without what by its nature depends on the first look: values that are written only once, and conditions.
pub fn steady() -> BookingSettings {
    let mut settings = settings();
    settings.mappings.retain(|mapping| mapping.when != When::Never);
    settings.records.iter_mut().for_each(|record| record.when = None);
    settings
}

/// proves: B12, B13
#[test]
fn a_booking_fills_fields_and_makes_a_further_record() {
    let mut desk = Desk::new(World::default(), settings());
    let first = desk.work(&[booked("a", 0, 60)]);
    let log = log().slot();
    assert_eq!(value(&desk, Slot::Person, "Source__c"), Some(&Value::text("web")));
    assert_eq!(value(&desk, log, "Event__c"), Some(&Value::Id(desk.links[&Slot::Meeting].id.clone())));
    assert_eq!(value(&desk, log, "Contact__c"), Some(&Value::Id(desk.links[&Slot::Person].id.clone())));
    assert_eq!(desk.links[&log].object, Some(ObjectName::from("Log__c")));
    let step = first.plan.steps.iter().find(|step| step.slot == log).expect("the record is planned");
    assert_eq!((step.role, step.object.as_ref()), (Role::Custom, Some(&ObjectName::from("Log__c"))));
    let dropped: Vec<&str> =
        first.notes.iter().filter(|note| note.code == "field_dropped").map(|note| note.text.as_str()).collect();
    assert_eq!(dropped.len(), 2, "{dropped:?}");
    assert!(dropped.iter().any(|text| text.contains("Broken__c")), "{dropped:?}");
    assert!(dropped.iter().any(|text| text.contains("is made after it")), "{dropped:?}");
    assert_eq!(desk.work(&[booked("a", 0, 60)]).plan.steps, [], "nothing is written twice");

    // Moved: the same records, brought up to date.
    let moved = [booked("a", 0, 60), replacing(booked("b", 10, 120), "a")];
    desk.work(&moved);
    assert_eq!(desk.count(Role::Custom), 1);
    for slot in [Slot::Meeting, log] {
        assert_eq!(value(&desk, slot, "Moved__c"), Some(&Value::Decimal("1".into())), "{slot}");
    }
    // Called off: the condition holds no more, yet what was made is kept true.
    let mut all = moved.to_vec();
    all.push(cancelled("b", 20));
    desk.work(&all);
    assert_eq!(value(&desk, log, "Status__c"), Some(&Value::text("cancelled")));
    assert_eq!(desk.work(&all).plan.steps, []);
}

/// A booking that was cancelled before its record was made makes none.
#[test]
fn the_condition_decides_whether_a_record_is_made() {
    let mut desk = Desk::new(World::default(), settings());
    desk.work(&[booked("a", 0, 60), cancelled("a", 10)]);
    assert!(desk.links.contains_key(&Slot::Meeting));
    assert_eq!(desk.count(Role::Custom), 0);
}

/// What is to be filled where it is empty is looked up once the record is there, until something was written.
///
/// proves: B12, B13
#[test]
fn a_further_record_is_filled_where_it_is_empty() {
    let field = |name: &str, value: &str| RecordField {
        name: name.to_owned(),
        value: Expression::compile(value).unwrap(),
        when: When::IfEmpty,
    };
    let reason = field("Reason__c", "{{ booking.cancel_reason }}");
    let log = RecordTemplate { when: None, fields: vec![reason], ..log() };
    let settings = BookingSettings { records: vec![log.clone()], ..BookingSettings::default() };
    let called_off = [booked("a", 0, 60), cancelled("a", 10)];
    for (edit, wanted) in [(None, "ill"), (Some("a person's words"), "a person's words")] {
        let mut desk = Desk::new(World::default(), settings.clone());
        desk.work(&called_off[..1]);
        assert_eq!(value(&desk, log.slot(), "Reason__c"), None, "there is nothing to write yet");
        if let Some(text) = edit {
            let id = desk.links[&log.slot()].id.clone();
            desk.world.records.get_mut(&id).unwrap().fields.insert(native("Reason__c"), Value::text(text));
        }
        desk.work(&called_off);
        assert_eq!(value(&desk, log.slot(), "Reason__c"), Some(&Value::text(wanted)));
        assert_eq!(desk.work(&called_off).plan.steps, [], "what was written is left alone");
    }
}

/// proves: B13
#[test]
fn somebody_who_is_there_is_written_to_as_configured() {
    let ada = |source: Value| Record {
        role: Role::Contact,
        id: RecordId::from("contact-1"),
        fields: Fields::from([
            (Std::Email.into(), Value::text(INVITEE)),
            (Std::LastName.into(), Value::text("Lovelace")),
            (native("Source__c"), source),
            (native("First__c"), Value::Null),
            (native("Last__c"), Value::text("long ago")),
        ]),
    };
    for (source, wanted) in [(Value::text("fair"), "fair"), (Value::Null, "web")] {
        let mut desk = Desk::new(World::with(&[ada(source.clone())]), settings());
        desk.work(&[booked("a", 0, 60)]);
        assert_eq!(value(&desk, Slot::Person, "Source__c"), Some(&Value::text(wanted)));
        assert_eq!(value(&desk, Slot::Person, "First__c"), Some(&Value::Null), "only when it is made");
        assert!(matches!(value(&desk, Slot::Person, "Last__c"), Some(Value::Date(_))), "whatever stood there");

        // The next booking knows the person from the first one, and asks what stands in the fields all the same.
        let mut next =
            Desk { shared: desk.shared.clone(), chain: "bk_2".into(), ..Desk::new(desk.world.clone(), settings()) };
        let again = next.work(&[booked("z", 0, 60)]);
        let touched = again.plan.steps.iter().any(
            |step| matches!(&step.write, Write::Patch { fields, .. } if fields.contains_key(&native("Source__c"))),
        );
        assert!(!touched, "what is there is left alone");
    }
}

/// The invitee's account is written to as well, whether this booking made it or it was there, whoever belongs to it and
/// however it was found.
///
/// proves: B13
#[test]
fn an_account_that_is_there_is_written_to_as_configured() {
    let account = |source: Value| {
        let fields =
            [(Std::Name.into(), Value::text("A")), (native("Source__c"), source), (native("First__c"), Value::Null)];
        Record { role: Role::Account, id: "account-1".into(), fields: Fields::from(fields) }
    };
    let person = |role: Role| {
        let mut fields = vec![(Std::Email, Value::text(INVITEE)), (Std::LastName, Value::text("L"))];
        match role {
            Role::Lead => fields.push((Std::Company, Value::text("A"))),
            _ => fields.push((Std::Account, Value::Id("account-1".into()))),
        }
        super::converge::record(role, 1, &fields)
    };
    let mappings = vec![
        map(Target::Account, "Source__c", "web", When::IfEmpty),
        map(Target::Account, "First__c", "x", When::Never),
        map(Target::Account, "Moves__c", "{{ booking.reschedules }}", When::Always),
    ];
    let settings = BookingSettings { mappings, ..BookingSettings::default() };
    let moved = [booked("a", 0, 60), replacing(booked("b", 10, 120), "a")];
    for (there, source, wanted) in [
        (vec![account(Value::text("fair")), person(Role::Contact)], "fair", &Value::Null),
        (vec![account(Value::Null), person(Role::Contact)], "web", &Value::Null),
        (vec![], "web", &Value::text("x")),
    ] {
        let mut desk = Desk::new(World::with(&there), settings.clone());
        for (known, moves) in [(1, "0"), (2, "1")] {
            desk.work(&moved[..known]);
            assert_eq!(value(&desk, Slot::Account, "Source__c"), Some(&Value::text(source)));
            assert_eq!(value(&desk, Slot::Account, "Moves__c"), Some(&Value::Decimal(moves.into())));
            assert_eq!(value(&desk, Slot::Account, "First__c"), Some(wanted), "only when it is made");
        }
        assert_eq!(desk.work(&moved).plan.steps, []);
        assert_eq!(desk.count(Role::Account), 1);
        assert_eq!(
            desk.shared.keys().filter(|key| key.as_str().starts_with("account")).count(),
            usize::from(there.is_empty())
        );
    }
}

/// What the CRM refuses of mapped fields is left out, and nothing else; the journal says so.
///
/// proves: B13
#[test]
fn a_refused_field_is_left_out_alone() {
    let mut desk = Desk::new(World::default(), settings());
    let said = [booked("a", 0, 60)];
    let planned = desk.decide(&said, None);
    let log = log().slot();
    let given = [native("Source__c"), Std::LastName.into(), native("Moved__c")];
    let of = |slot: Slot| planned.dispensable(&settings(), slot, &given, "not this");
    assert_eq!(of(Slot::Person).fields.into_keys().collect::<Vec<_>>(), [(Slot::Person, native("Source__c"))]);
    assert_eq!(of(log).fields.into_keys().collect::<Vec<_>>(), [(log, native("Moved__c"))]);
    assert!(of(Slot::Case).is_empty(), "what nobody mapped cannot be left out");
    desk.refused = of(Slot::Person);
    desk.refused.extend(of(log));
    let decision = desk.work(&said);
    assert_eq!(value(&desk, Slot::Person, "Source__c"), None);
    assert!(value(&desk, Slot::Person, "Last__c").is_some());
    assert_eq!((value(&desk, log, "Moved__c"), value(&desk, log, "Status__c")), (None, Some(&Value::text("active"))));
    let told = decision.notes.iter().filter(|note| note.code == "field_dropped" && note.text.contains("not this"));
    assert_eq!(told.count(), 2);
}

/// An edit of a mapped field is overwritten when the booking gives another value, and survives until then.
#[test]
fn always_means_whatever_stands_there() {
    let mut desk = Desk::new(World::default(), settings());
    desk.work(&[booked("a", 0, 60)]);
    let id = desk.links[&Slot::Meeting].id.clone();
    let edit = |desk: &mut Desk| {
        let record = desk.world.records.get_mut(&id).unwrap();
        record.fields.insert(native("Moved__c"), Value::Decimal("9".into()));
    };
    edit(&mut desk);
    assert_eq!(desk.work(&[booked("a", 0, 60)]).plan.steps, []);
    desk.work(&[booked("a", 0, 60), replacing(booked("b", 10, 120), "a")]);
    assert_eq!(value(&desk, Slot::Meeting, "Moved__c"), Some(&Value::Decimal("1".into())));
}

/// A refused plan leaves the person known, and what it was to write of the person still to be written.
///
/// proves: B12, V2
#[test]
fn a_field_of_somebody_who_is_there_is_written_after_a_refusal() {
    let known = [(Std::Email, Value::text(INVITEE)), (Std::LastName, Value::text("L"))];
    let mut desk = Desk::new(World::with(&[super::converge::record(Role::Contact, 1, &known)]), settings());
    let refused = desk.decide(&[booked("a", 0, 60)], None);
    desk.links = refused.relied_on(&desk.links);
    assert_eq!(desk.links.keys().collect::<Vec<_>>(), [&Slot::Person]);
    desk.work(&[booked("a", 0, 60)]);
    assert_eq!(value(&desk, Slot::Person, "Source__c"), Some(&Value::text("web")));
    assert!(value(&desk, Slot::Person, "Last__c").is_some());
    assert_eq!(desk.work(&[booked("a", 0, 60)]).plan.steps, vec![]);
}
