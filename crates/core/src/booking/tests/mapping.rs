//! Mappings: what fits is written in the field's kind, what does not drops its own field and says so.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::{cases, fold::fold, story};
use crate::{
    booking::{
        check::{Descriptions, check, filled},
        mapping::{Mapped, Mapping, Present, RecordField, RecordTemplate, Target, When, apply},
        message::MessageKind,
        scope::{Surroundings, sample, scope},
        settings::{BookingSettings, GuestPolicy, PersonMode},
    },
    description::{FieldDescription, FieldKind, ObjectDescription},
    expr::{Datum, Expression, Scope},
    fit::{fit, value_of},
    ids::ObjectName,
    record::{Field, Fields, Role, Value},
};

/// What the doctor need not ask for: a mapping fills it, whichever booking makes the record.
///
/// proves: O5
#[test]
fn only_what_all_settings_fill_is_filled() {
    let on = |on: Target, name: &str| Mapping { on, ..mapping(name, "x", When::Never) };
    let settings = |mappings: Vec<Mapping>| BookingSettings { mappings, ..BookingSettings::default() };
    let one = settings(vec![on(Target::Contact, "A"), on(Target::Contact, "B"), on(Target::Account, "C")]);
    let other = settings(vec![on(Target::Contact, "B"), on(Target::Lead, "D"), on(Target::Case, "E")]);
    let of = |role: Role, name: &str| (role, name.to_owned());
    assert_eq!(filled([&one]), [of(Role::Account, "C"), of(Role::Contact, "A"), of(Role::Contact, "B")]);
    assert_eq!(filled([&one, &other]), [of(Role::Contact, "B")], "neither makes a lead or a case");
    let leads = BookingSettings { person: PersonMode::Lead, create_account: false, ..other.clone() };
    assert_eq!(filled([&one, &leads]), [of(Role::Account, "C"), of(Role::Contact, "B"), of(Role::Lead, "D")]);
    // Guests become contacts as well, by mappings of their own.
    let guests = BookingSettings { guests: GuestPolicy::Create, ..one.clone() };
    assert_eq!(filled([&guests]), [of(Role::Account, "C")]);
    assert_eq!(filled([]), []);
}

pub fn field(kind: FieldKind) -> FieldDescription {
    FieldDescription {
        precision: 18,
        scale: 2,
        restricted: true,
        values: vec!["Hot".to_owned(), "Cold".to_owned()],
        ..FieldDescription::plain("", kind)
    }
}

fn described(fields: &[(&str, FieldDescription)]) -> ObjectDescription {
    ObjectDescription {
        name: "Contact".to_owned(),
        label: "Contact".to_owned(),
        createable: true,
        updateable: true,
        relates_many: false,
        fields: fields.iter().map(|(name, field)| ((*name).to_owned(), field.clone())).collect(),
    }
}

pub fn sample_scope() -> Scope {
    let state = fold(&[story::message("sample", 0, MessageKind::Booked, Some(sample()))]);
    scope(&state.view().unwrap(), &Surroundings::default())
}

fn mapping(name: &str, value: &str, when: When) -> Mapping {
    Mapping {
        on: Target::Contact,
        name: name.to_owned(),
        field: Field::Native(name.to_owned()),
        value: Expression::compile(value).unwrap(),
        when,
    }
}

fn applied(mappings: &[Mapping], object: &ObjectDescription, present: Present<'_>) -> Mapped {
    apply(mappings.iter().map(Into::into), &sample_scope(), Some(object), "contact", present)
}

fn everything() -> ObjectDescription {
    let short = FieldDescription { length: Some(12), ..field(FieldKind::Text) };
    let small = FieldDescription { precision: 3, scale: 0, ..field(FieldKind::Number) };
    described(&[
        ("Text", short.clone()),
        ("Area", field(FieldKind::TextArea)),
        ("Number", field(FieldKind::Number)),
        ("Small", small),
        ("Flag", field(FieldKind::Boolean)),
        ("Date", field(FieldKind::Date)),
        ("Time", field(FieldKind::DateTime)),
        ("Pick", field(FieldKind::Picklist)),
        ("Picks", field(FieldKind::MultiPicklist)),
        ("Ref", field(FieldKind::Reference)),
        ("Mail", field(FieldKind::Email)),
        ("Phone", FieldDescription { length: Some(5), ..field(FieldKind::Phone) }),
        ("Other", field(FieldKind::Other)),
        ("Frozen", FieldDescription { updateable: false, ..short.clone() }),
        ("Locked", FieldDescription { createable: false, updateable: false, ..short }),
    ])
}

/// What was written from a message stays when the message is no longer kept, and the note says why nothing new came.
///
/// proves: B27
#[test]
fn a_message_that_is_kept_no_longer_clears_nothing() {
    let state = fold(&[story::message("sample", 0, MessageKind::Booked, Some(sample()))]);
    let wishes = [mapping("Area", "{{ booking.raw }}", When::Always)];
    let with = |raw: Option<&str>, present: Present<'_>| {
        let scope = scope(&state.view().unwrap(), &Surroundings { raw, ..Surroundings::default() });
        apply(wishes.iter().map(Into::into), &scope, Some(&everything()), "log", present)
    };
    let area = |text: &str| Fields::from([(Field::Native("Area".to_owned()), Value::text(text))]);
    assert_eq!(with(Some("{\"uid\": 1}"), Present::New), Mapped { fields: area("{\"uid\": 1}"), notes: Vec::new() });
    let image = area("{\"uid\": 1}");
    let [new, there] = [Present::New, Present::There { now: None, image: &image }].map(|present| with(None, present));
    assert_eq!((&new.fields, &new), (&Fields::new(), &there), "neither cleared nor written");
    assert_snapshot!(new.notes[0].text, @"the field Area of the log was left out: the message that the booking came with is no longer kept; keep messages for longer (keep_bodies_days)");
}

/// proves: B13
#[test]
fn each_kind_takes_what_it_can_hold() {
    let given = |name: &str, value: &str| {
        let mapped = applied(&[mapping(name, value, When::Always)], &everything(), Present::New);
        match (mapped.fields.into_values().next(), mapped.notes.first()) {
            (Some(value), None) => format!("{value:?}"),
            (Some(value), Some(note)) => format!("{value:?} [{}]", note.text),
            (None, Some(note)) => note.text.clone(),
            (None, None) => "nothing".to_owned(),
        }
    };
    assert_snapshot!(given("Text", "{{ booking.title }}"), @r#"Text("Introduction") [the field Text of the contact was cut to the length that it can hold]"#);
    assert_snapshot!(given("Area", "a\n{{ booking.minutes }}"), @r#"Text("a\n45")"#);
    assert_snapshot!(given("Text", "{{ answer(\"Never asked\") }}"), @"nothing");
    assert_snapshot!(given("Number", "{{ answer(\"Team size\")|number / 3 }}"), @r#"Decimal("8.33")"#);
    assert_snapshot!(given("Number", "{{ answer(\"Team size\") }}"), @"the field Number of the contact was left out: its value is no number; take the number out of it with |number");
    assert_snapshot!(given("Small", "12345"), @"the field Small of the contact was left out: its value has more than 3 digits before the point; choose a larger field");
    assert_snapshot!(given("Flag", "{{ booking.minutes > 30 }}"), @"Bool(true)");
    assert_snapshot!(given("Flag", "perhaps"), @r#"the field Flag of the contact was left out: its value is neither true nor false; compare it, as {{ answer("Newsletter") == "Yes, please" }}"#);
    assert_snapshot!(given("Date", "{{ booking.start }}"), @"Date(2026-05-05)");
    assert_snapshot!(given("Date", "tomorrow"), @"the field Date of the contact was left out: its value is no date; map a date, as {{ booking.start|day }} or 2026-05-31");
    assert_snapshot!(given("Time", "{{ booking.start|day }}"), @"the field Time of the contact was left out: its value is no point in time; map one, as {{ booking.start }} or 2026-05-31T09:00:00Z");
    assert_snapshot!(given("Pick", "hot"), @r#"Text("Hot")"#);
    assert_snapshot!(given("Pick", "Lukewarm"), @r#"the field Pick of the contact was left out: its value is none of the picklist's active ones (Hot, Cold); add it to the picklist, or map it, as {{ {"Yes": "Hot"}[answer("Interested")] }}"#);
    assert_snapshot!(given("Picks", "{{ [\"Cold\", \"Hot\", \"Cold\"] }}"), @r#"Text("Cold;Hot")"#);
    assert_snapshot!(given("Ref", "{{ invitee.name }}"), @"the field Ref of the contact was left out: its value is no record; map a record, as {{ person.id }}, or the id of one");
    assert_snapshot!(given("Mail", "{{ invitee.email|upper }}"), @r#"Text("ada@example.org")"#);
    assert_snapshot!(given("Mail", "{{ invitee.name }}"), @"the field Mail of the contact was left out: its value is no e-mail address; map an address, as {{ invitee.email }}");
    assert_snapshot!(given("Phone", "{{ invitee.phone }}"), @"the field Phone of the contact was left out: its value is longer than 5 characters, and cut short it would be wrong; map it into a text field as well");
    assert_snapshot!(given("Other", "x"), @"the field Other of the contact was left out: fields of its kind are not written; take it out of the mapping");
    assert_snapshot!(given("Locked", "x"), @"the field Locked of the contact was left out: it cannot be set by the user that Syncline works as; allow it in the CRM's field permissions, or take it out of the mapping");
    assert_snapshot!(given("text", "x"), @"the field text of the contact was left out: Contact has no such field; it is spelled Text");
    assert_snapshot!(given("Gone", "x"), @"the field Gone of the contact was left out: Contact has no such field; create it in the CRM, let Syncline's user see it, or take it out of the mapping");
    assert_snapshot!(given("Text", "{{ 1 / (booking.minutes - 45) }}"), @"the field Text of the contact was left out: line 1, column 4: nothing can be divided by 0; change the value in the mapping");
}

/// proves: B13
#[test]
fn an_existing_record_is_written_to_as_configured() {
    let mappings = [
        mapping("Text", "new", When::Never),
        mapping("Area", "new", When::IfEmpty),
        mapping("Number", "1", When::IfEmpty),
        mapping("Flag", "true", When::Always),
        mapping("Mail", "{{ answer(\"Never asked\") }}", When::Always),
        mapping("Phone", "{{ answer(\"Never asked\") }}", When::Always),
        mapping("Frozen", "new", When::Always),
    ];
    let native = |name: &str| Field::Native(name.to_owned());
    let now = Fields::from([
        (native("Area"), Value::text(" ")),
        (native("Number"), Value::Decimal("7".into())),
        (native("Mail"), Value::text("a@example.org")),
        (native("Phone"), Value::text("1")),
    ]);
    let image = Fields::from([(native("Phone"), Value::text("1"))]);
    let there = Present::There { now: Some(&now), image: &image };
    let mapped = applied(&mappings, &everything(), there);
    let wanted = Fields::from([
        (native("Area"), Value::text("new")),
        (native("Flag"), Value::Bool(true)),
        // What we wrote is taken back; what somebody else wrote is not.
        (native("Phone"), Value::Null),
    ]);
    assert_eq!(mapped.fields, wanted);
    assert_eq!(mapped.notes.len(), 1, "only the field that cannot be changed is named");
    let unseen = Present::There { now: None, image: &image };
    assert!(!applied(&mappings, &everything(), unseen).fields.contains_key(&native("Area")), "unknown is not empty");
    let new = applied(&mappings, &everything(), Present::New);
    assert_eq!(new.fields.len(), 5, "{:?}", new.fields);
}

struct Org(BTreeMap<&'static str, ObjectDescription>);

impl Descriptions for Org {
    fn of_role(&self, role: Role) -> Option<Option<&ObjectDescription>> {
        (role == Role::Contact).then(|| self.0.get("Contact"))
    }

    fn named(&self, name: &ObjectName) -> Option<Option<&ObjectDescription>> {
        Some(self.0.get(name.as_str()))
    }
}

/// proves: B13, B12
#[test]
fn what_no_booking_could_make_right_is_found_on_save() {
    let required = FieldDescription { required: true, ..field(FieldKind::Reference) };
    let mut log = described(&[("Contact__c", required), ("Raw__c", field(FieldKind::TextArea))]);
    log.name = "Log__c".to_owned();
    let org = Org(BTreeMap::from([("Contact", everything()), ("Log__c", log)]));
    let mappings = [
        mapping("Text", "{{ booking.title }}", When::Always),
        mapping("Text", "twice", When::Always),
        mapping("text", "{{ booking.title }}", When::Always),
        mapping("Pick", "Lukewarm", When::IfEmpty),
        mapping("Pick", "{{ answer(\"Interest\") }}", When::IfEmpty),
        mapping("Frozen", "x", When::Always),
        mapping("Frozen", "x", When::Never),
        mapping("Locked", "x", When::Always),
        mapping("Other", "x", When::Always),
    ];
    let record = |name: &str, object: &str, fields: &[(&str, &str)]| RecordTemplate {
        name: name.to_owned(),
        object: ObjectName::from(object),
        when: None,
        fields: fields
            .iter()
            .map(|(name, value)| RecordField {
                name: (*name).to_owned(),
                value: Expression::compile(value).unwrap(),
                when: When::Always,
            })
            .collect(),
    };
    let records = [
        record("log", "Log__c", &[("Raw__c", "{{ booking.raw }}")]),
        record("log", "Log__c", &[("Raw__c", "{{ booking.raw }}"), ("Contact__c", "{{ person.id }}")]),
        record("gone", "Gone__c", &[]),
    ];
    let found: Vec<String> = check(&mappings, &records, &org).iter().map(ToString::to_string).collect();
    assert_snapshot!(found.join("\n"), @r#"
    contact.Text: it is mapped twice; leave one of the two; for example: {{ answer("Company") }}
    contact.text: it is mapped twice; leave one of the two; for example: {{ answer("Company") }}
    contact.text: Contact has no such field; it is spelled Text; for example: {{ answer("Company") }}
    contact.Pick: its value is none of the picklist's active ones (Hot, Cold); add it to the picklist, or map it, as {{ {"Yes": "Hot"}[answer("Interested")] }}; for example: Hot
    contact.Pick: it is mapped twice; leave one of the two; for example: {{ answer("Company") }}
    contact.Frozen: it can only be set when the record is made; say so: when = "never"; for example: {{ answer("Company") }}
    contact.Frozen: it is mapped twice; leave one of the two; for example: {{ answer("Company") }}
    contact.Locked: it cannot be written at all; allow it in the CRM's field permissions, or take it out of the mapping; for example: {{ answer("Company") }}
    contact.Other: fields of its kind are not written; take it out of the mapping; for example: {{ answer("Company") }}
    log.Contact__c: no Log__c can be made without it, and it is not mapped; map it; for example: {{ person.id }}
    log: another further record has this name, or one that is too much like it; choose another name; for example: name = "booking_log"
    gone: the CRM has no object Gone__c, or Syncline's user may not see it; correct the name, or let the user see the object; for example: object = "Booking_Log__c"
    "#);
    let sound = [mapping("Text", "{{ booking.title }}", When::Always), mapping("Pick", "Hot", When::IfEmpty)];
    assert_eq!(check(&sound, &records[1..2], &org), []);
}

/// A field that a value reads must be there as well; a person has it as contact or as lead.
///
/// proves: B13
#[test]
fn a_field_that_is_only_read_is_looked_for() {
    struct Both(ObjectDescription, ObjectDescription);
    impl Descriptions for Both {
        fn of_role(&self, role: Role) -> Option<Option<&ObjectDescription>> {
            match role {
                Role::Contact => Some(Some(&self.0)),
                Role::Lead => Some(Some(&self.1)),
                _ => None,
            }
        }
        fn named(&self, _: &ObjectName) -> Option<Option<&ObjectDescription>> {
            None
        }
    }
    let text = || field(FieldKind::Text);
    let mut lead = described(&[("Interest__c", text())]);
    lead.name = "Lead".to_owned();
    let org = Both(described(&[("Text", text()), ("Level__c", text())]), lead);
    let found = |value: &str| check(&[mapping("Text", value, When::Always)], &[], &org);
    assert_eq!(
        found(
            "{{ person.fields.Level__c }} {{ person.fields.Interest__c }} {{ account.fields.Any__c }} {{ person.id }}"
        ),
        []
    );
    let problems: Vec<String> =
        found("{{ person.fields.Gone__c }}{{ person.fields.Gone__c }}").iter().map(ToString::to_string).collect();
    assert_snapshot!(problems.join("\n"), @r#"contact.Text: it reads person.fields.Gone__c, but Contact has no such field; create it in the CRM, let Syncline's user see it, or take it out of the mapping; for example: {{ answer("Company") }}"#);
}

/// A further record keeps its place whichever others come and go. proves: B12
#[test]
fn a_record_template_has_its_place_by_its_name() {
    let template = |name: &str| RecordTemplate {
        name: name.to_owned(),
        object: ObjectName::from("Log__c"),
        when: Some(Expression::condition("booking.minutes > 30").unwrap()),
        fields: Vec::new(),
    };
    assert_eq!(template("log").slot(), template("log").slot());
    assert_ne!(template("log").slot(), template("other").slot());
    let mut notes = Vec::new();
    assert!(template("log").applies(&sample_scope(), &mut notes));
    assert!(notes.is_empty());
    let broken = RecordTemplate { when: Some(Expression::condition("1 / 0").unwrap()), ..template("log") };
    assert!(!broken.applies(&sample_scope(), &mut notes));
    assert_eq!(notes[0].code, "record_left_out");
}

fn datum() -> impl Strategy<Value = Datum> {
    let text = prop_oneof![
        any::<String>().prop_map(Datum::from),
        prop::sample::select(vec![
            "Hot",
            "cold",
            "Hot;Cold",
            "a@example.org",
            "2026-05-05",
            "2026-05-05T14:00:00Z",
            "true",
            "0",
            "12.345",
            "-99999999999999999999999999",
            "003000000000001AAA",
            "👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧",
            "",
        ])
        .prop_map(Datum::from),
    ];
    let leaf = prop_oneof![
        Just(Datum::Null),
        any::<bool>().prop_map(Datum::Bool),
        (any::<i64>(), 0..28u32).prop_map(|(number, scale)| Datum::Number(Decimal::new(number, scale))),
        text,
        (-100_000_000_000i64..100_000_000_000).prop_map(|at| Datum::Time(jiff::Timestamp::from_second(at).unwrap())),
        Just(Datum::Date(jiff::civil::date(2026, 5, 5))),
        Just(Datum::Record(crate::expr::Reference::Slot(crate::record::Slot::Meeting))),
        Just(Datum::Record(crate::expr::Reference::Id("contact-1".into()))),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Datum::list),
            prop::collection::btree_map("[a-c]", inner, 0..3).prop_map(Datum::map),
        ]
    })
}

fn any_field() -> impl Strategy<Value = FieldDescription> {
    use FieldKind as Kind;
    let kinds = vec![
        Kind::Text,
        Kind::TextArea,
        Kind::Number,
        Kind::Boolean,
        Kind::Date,
        Kind::DateTime,
        Kind::Picklist,
        Kind::MultiPicklist,
        Kind::Reference,
        Kind::Email,
        Kind::Phone,
        Kind::Url,
        Kind::Other,
    ];
    (prop::sample::select(kinds), prop::option::of(0..30u32), 0..20u32, 0..30u32, any::<[bool; 3]>()).prop_map(
        |(kind, length, precision, scale, [restricted, createable, updateable])| FieldDescription {
            length,
            precision,
            scale,
            restricted,
            createable,
            updateable,
            ..field(kind)
        },
    )
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// What fits keeps to the field's limits, and fits again as it is. proves: B13
    #[test]
    fn what_fits_fits_for_good(value in datum(), field in any_field()) {
        let Ok(fitted) = fit(&value, &field, &TimeZone::UTC) else { return Ok(()) };
        if let (Value::Text(text), Some(length)) = (&fitted.value, field.length)
            && field.kind != FieldKind::MultiPicklist && !field.values.contains(text)
        {
            prop_assert!(text.chars().count() <= usize::try_from(length).unwrap());
        }
        if let (Value::Text(text), true, FieldKind::Picklist) = (&fitted.value, field.restricted, field.kind) {
            prop_assert!(field.values.contains(text));
        }
        let again = fit(&value_of(&fitted.value), &field, &TimeZone::UTC).map(|again| (again.value, again.cut));
        prop_assert_eq!(again, Ok((fitted.value, false)));
    }

    /// One field that does not fit leaves the others as they were without it. proves: B13
    #[test]
    fn a_field_that_does_not_fit_drops_only_itself(fields in prop::collection::vec(any_field(), 1..6), values in prop::collection::vec(prop::sample::select(vec!["{{ booking.start }}", "Hot", "12", "{{ 1 / 0 }}", "{{ answer(\"Company\") }}", "true", "{{ guests }}", "{{ booking.description }}"]), 6), there in any::<bool>()) {
        let names: Vec<String> = (0..fields.len()).map(|at| format!("F{at}")).collect();
        let described = described(&names.iter().map(String::as_str).zip(fields).collect::<Vec<_>>());
        let mappings: Vec<Mapping> =
            names.iter().zip(&values).map(|(name, value)| mapping(name, value, When::Always)).collect();
        let image = Fields::new();
        let present = if there { Present::There { now: None, image: &image } } else { Present::New };
        let together = applied(&mappings, &described, present);
        let mut one_by_one = Mapped::default();
        for one in &mappings {
            let alone = applied(std::slice::from_ref(one), &described, present);
            one_by_one.fields.extend(alone.fields);
            one_by_one.notes.extend(alone.notes);
        }
        prop_assert_eq!(&together, &one_by_one);
        for note in &together.notes {
            prop_assert!(["field_dropped", "field_cut"].contains(&note.code));
        }
    }
}
