//! What is written is what comes back.

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use syncline_connect::Records;
use syncline_core::record::{Field, Role, Slot, Std, Value};
use unicode_segmentation::UnicodeSegmentation;

use super::{
    super::{Salesforce, convert},
    org,
};

fn normal(role: Role, std: Std, value: Value) -> Value {
    Salesforce.normalise(role, &std.into(), value)
}

fn text(role: Role, std: Std, typed: &str) -> Value {
    normal(role, std, Value::text(typed))
}

/// proves: fault:M1
#[test]
fn texts_are_cut_between_letters_and_never_inside_one() {
    let long = "é".repeat(300);
    assert_eq!(text(Role::Meeting, Std::Subject, &long), Value::text("é".repeat(255)));
    // A family of four is seven characters and one grapheme: it stays whole or goes.
    let family = "👨‍👩‍👧‍👦";
    assert_eq!(family.chars().count(), 7);
    let subject = format!("{}{family}", "a".repeat(250));
    assert_eq!(text(Role::Meeting, Std::Subject, &subject), Value::text("a".repeat(250)));
    let subject = format!("{}{family}", "a".repeat(248));
    assert_eq!(text(Role::Meeting, Std::Subject, &subject), Value::text(subject));
}

#[test]
fn blanks_are_nothing_and_lines_fit_their_field() {
    for blank in ["", "  ", "\u{0}\u{7f}", "\r\n"] {
        assert_eq!(text(Role::Contact, Std::FirstName, blank), Value::Null);
    }
    assert_eq!(text(Role::Meeting, Std::Subject, " Intro\r\ncall\u{0} "), Value::text("Intro call"));
    assert_eq!(text(Role::Meeting, Std::Description, "a\r\nb\rc\n"), Value::text("a\nb\nc"));
}

#[test]
fn an_address_is_lower_case_and_never_cut() {
    let long = format!("{}@example.org", "A".repeat(90));
    assert_eq!(text(Role::Contact, Std::Email, &long), Value::text(long.to_lowercase()));
}

/// What a person types into a form must not be taken for a reference to another record of the graph.
///
/// proves: sec:S51
#[test]
fn a_typed_reference_is_broken_up() {
    assert_eq!(text(Role::Meeting, Std::Description, "see @{person.id}"), Value::text("see @ {person.id}"));
    assert_eq!(text(Role::Meeting, Std::Description, "@\u{0}{person.id}"), Value::text("@ {person.id}"));
}

#[test]
fn times_numbers_and_ids_have_one_form() {
    let time = |text: &str| Value::Time(text.parse().unwrap());
    assert_eq!(normal(Role::Meeting, Std::Start, time("2026-05-06T10:00:00.987Z")), time("2026-05-06T10:00:00Z"));
    assert_eq!(
        normal(Role::Opportunity, Std::Amount, Value::Decimal("+0012.50".into())),
        Value::Decimal("12.5".into())
    );
    assert_eq!(normal(Role::Opportunity, Std::Amount, Value::Decimal("-0.00".into())), Value::Decimal("0".into()));
    assert_eq!(
        normal(Role::Case, Std::Contact, Value::Id("0034H00002JsInQ".into())),
        Value::Id("0034H00002JsInQQAV".into())
    );
    let native = Field::Native("Birthdate".into());
    assert_eq!(
        Salesforce.normalise(Role::Contact, &native, Value::Date("2000-02-29".parse().unwrap())),
        Value::text("2000-02-29")
    );
}

#[test]
fn busy_and_free_are_translated_and_other_words_kept() {
    for (ours, theirs) in [("busy", "Busy"), ("free", "Free"), ("OutOfOffice", "OutOfOffice")] {
        let field = Std::ShowAs.into();
        assert_eq!(convert::to_json(&field, &Value::text(ours)), Ok(Json::from(theirs)));
        assert_eq!(convert::from_json(&field, &Json::from(theirs)), Some(Value::text(ours)));
    }
}

#[test]
fn a_row_becomes_a_record_and_a_hidden_field_stays_unknown() {
    let row = json!({
        "attributes": {"type": "Lead", "url": "/services/data/v64.0/sobjects/Lead/00Q000000000001EAA"},
        "Id": "00Q000000000001EAA", "CreatedDate": "2026-05-06T11:56:44.000+0000", "Email": "ada@example.org", "Phone": null,
        "IsConverted": true, "ConvertedContactId": "0034H00002JsInQQAV", "LastActivityDate": "2026-05-01",
        "Score__c": 12.50, "Big__c": 1e17, "Seen__c": "2026-05-06T11:56:44.000+0000", "MailingAddress": {"city": "Ulm"}
    });
    let native = |name: &str| Field::Native(name.to_owned());
    let fields = [
        Std::Email.into(),
        Std::Phone.into(),
        Std::Mobile.into(),
        Std::Converted.into(),
        Std::ConvertedContact.into(),
        Std::LastActivity.into(),
        Std::CreatedAt.into(),
        native("Score__c"),
        native("Big__c"),
        native("Seen__c"),
        native("MailingAddress"),
    ];
    let record = convert::record(&org(), Role::Lead, &fields, row.as_object().unwrap()).unwrap();
    let shown: Vec<String> = record.fields.iter().map(|(field, value)| format!("{field} = {value:?}")).collect();
    insta::assert_snapshot!(format!("{} {}\n{}", record.role.as_str(), record.id, shown.join("\n")), @r#"
    lead 00Q000000000001EAA
    email = Text("ada@example.org")
    phone = Null
    converted = Bool(true)
    converted_contact = Id(RecordId("0034H00002JsInQQAV"))
    created_at = Time(2026-05-06T11:56:44Z)
    last_activity = Date(2026-05-01)
    @Big__c = Decimal("100000000000000000")
    @Score__c = Decimal("12.5")
    @Seen__c = Time(2026-05-06T11:56:44Z)
    "#);
}

#[test]
fn fields_are_known_by_both_names() {
    let org = org();
    for field in
        [Field::Std(Std::Key), Field::Std(Std::Owner), Field::Std(Std::Mobile), Field::Native("Score__c".into())]
    {
        let name = convert::api_name(&org, Role::Contact, &field).unwrap();
        assert_eq!(convert::field_named(&org, Role::Contact, name.as_str()), field);
    }
    for bad in ["Account.Name", "x y", "a'b"] {
        assert!(convert::api_name(&org, Role::Contact, &Field::Native(bad.into())).is_err());
    }
    assert!(convert::api_name(&org, Role::Contact, &Std::Company.into()).is_err());
    assert!(convert::api_name(&org, Role::User, &Std::Key.into()).is_err());
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        "[+-]?[0-9]{1,19}(\\.[0-9]{0,9})?".prop_map(Value::Decimal),
        any::<String>().prop_map(Value::Text),
        "[ a-z@{}é\u{301}\u{200d}👧\r\n]{0,300}".prop_map(Value::Text),
        "20[0-9]{2}-0[1-9]-[0-2][1-8]T1[0-9]:00:00.000\\+0000".prop_map(Value::Text),
        (0i64..4_000_000_000, 0i32..1_000_000_000)
            .prop_map(|(seconds, nanos)| Value::Time(jiff::Timestamp::new(seconds, nanos).unwrap())),
        (2000i16..2100, 1i8..=12, 1i8..=28).prop_map(|(y, m, d)| Value::Date(jiff::civil::date(y, m, d))),
        "[0-9A-Za-z]{15}".prop_map(|id| Value::Id(id.as_str().into())),
        Just(Value::Slot(Slot::Person)),
    ]
}

fn any_field() -> impl Strategy<Value = (Role, Field)> {
    let role = prop::sample::select(vec![
        Role::Account,
        Role::Contact,
        Role::Lead,
        Role::Case,
        Role::Opportunity,
        Role::Meeting,
    ]);
    role.prop_flat_map(|role| {
        let known: Vec<Field> = convert::spec(role).fields.iter().map(|known| known.field.into()).collect();
        (Just(role), prop_oneof![prop::sample::select(known), Just(Field::Native("Any__c".into()))])
    })
}

proptest! {
    #[test]
    fn normal_values_stay_as_they_are((role, field) in any_field(), value in any_value()) {
        let once = Salesforce.normalise(role, &field, value);
        prop_assert_eq!(Salesforce.normalise(role, &field, once.clone()), once);
    }

    /// The image of what we wrote equals what we would read back.
    ///
    /// proves: fault:M4
    #[test]
    fn a_normal_value_survives_the_wire((role, field) in any_field(), value in any_value()) {
        let normal = Salesforce.normalise(role, &field, value);
        let Ok(json) = convert::to_json(&field, &normal) else {
            prop_assert!(matches!(normal, Value::Slot(_)));
            return Ok(());
        };
        // Salesforce answers times in a form of its own.
        let answered = match (&normal, &json) {
            (Value::Time(time), _) => Json::from(time.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string()),
            (_, json) => json.clone(),
        };
        if let Some(read) = convert::from_json(&field, &answered) {
            prop_assert_eq!(Salesforce.normalise(role, &field, read.clone()), read.clone());
            prop_assert_eq!(read, normal);
        }
    }

    #[test]
    fn a_text_fits_and_ends_between_graphemes(typed in any::<String>(), std in prop::sample::select(vec![Std::FirstName, Std::Location])) {
        let role = if std == Std::FirstName { Role::Contact } else { Role::Meeting };
        let max_chars = convert::spec(role).field(std).unwrap().max_chars;
        if let Value::Text(kept) = text(role, std, &typed) {
            prop_assert!(kept.chars().count() <= max_chars);
            prop_assert_eq!(kept.trim(), kept.as_str());
            prop_assert!(kept.graphemes(true).count() > 0);
        }
    }
}
