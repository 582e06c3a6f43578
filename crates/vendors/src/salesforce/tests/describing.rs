//! Descriptions say in our terms what a mapping may write.

use serde_json::{Value as Json, json};
use syncline_connect::{ErrorKind, Object, Records};
use syncline_core::{
    description::{FieldDescription, FieldKind, ObjectDescription},
    record::Role,
};

use super::{
    super::{Salesforce, describe, wire::Describe},
    world::{Turn, World, json, now},
};

fn event(fields: Json) -> Turn {
    json(200, json!({"name": "Event", "label": "Termin", "createable": true, "updateable": true, "fields": fields}))
}

fn shown(name: &str, field: &FieldDescription) -> String {
    format!(
        "{name}: {:?} length {:?} digits {}/{} create {} update {} required {} restricted {} values {:?} refers to {:?}",
        field.kind,
        field.length,
        field.precision,
        field.scale,
        field.createable,
        field.updateable,
        field.required,
        field.restricted,
        field.values,
        field.refers_to
    )
}

/// proves: B13
#[test]
fn each_field_is_told_with_what_it_takes() {
    let fields = json!([
        {"name": "Subject", "type": "combobox", "length": 255, "createable": true, "updateable": true, "nillable": true},
        {"name": "Needed__c", "type": "double", "length": 0, "precision": 18, "scale": 2, "createable": true, "updateable": true, "nillable": false, "defaultedOnCreate": false},
        {"name": "Ticked__c", "type": "boolean", "createable": true, "updateable": true, "nillable": false, "defaultedOnCreate": true},
        {"name": "Standing__c", "type": "picklist", "length": 255, "createable": true, "updateable": true, "nillable": true, "restrictedPicklist": true,
            "picklistValues": [{"active": true, "value": "Booked"}, {"active": false, "value": "Old"}]},
        {"name": "WhoId", "type": "reference", "length": 18, "createable": true, "updateable": true, "nillable": true, "referenceTo": ["Contact", "Lead"]},
        {"name": "IsChild", "type": "boolean", "createable": false, "updateable": false, "nillable": false},
        {"name": "Place__c", "type": "location", "createable": false, "updateable": false, "nillable": true}
    ]);
    let many = json!([{"name": "EventWhoIds", "type": "junctionidlist", "createable": true, "updateable": true, "nillable": true}]);
    let gone = json(404, json!([{"errorCode": "NOT_FOUND", "message": "m"}]));
    let world = World::with([event(fields), gone, event(many)]);
    let objects = [Object::Of(Role::Meeting), Object::Named("Visit__c".into()), Object::Of(Role::Attendee)];
    let answered = now(Salesforce.describe(&world.cx(), &objects)).unwrap();
    assert_eq!(answered.calls, 3);
    let [Some(first), None, Some(third)] = answered.value.as_slice() else { panic!("{:?}", answered.value) };
    assert_eq!((first.name.as_str(), first.label.as_str(), first.relates_many), ("Event", "Termin", false));
    assert!(third.relates_many);
    let lines: Vec<String> = first.fields.iter().map(|(name, field)| shown(name, field)).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    IsChild: Boolean length None digits 0/0 create false update false required false restricted false values [] refers to []
    Needed__c: Number length None digits 18/2 create true update true required true restricted false values [] refers to []
    Place__c: Other length None digits 0/0 create false update false required false restricted false values [] refers to []
    Standing__c: Picklist length Some(255) digits 0/0 create true update true required false restricted true values ["Booked"] refers to []
    Subject: Text length Some(255) digits 0/0 create true update true required false restricted false values [] refers to []
    Ticked__c: Boolean length None digits 0/0 create true update true required false restricted false values [] refers to []
    WhoId: Reference length None digits 0/0 create true update true required false restricted false values [] refers to ["Contact", "Lead"]
    "#);
    let lines: Vec<String> = world.seen().into_iter().map(|seen| seen.line).collect();
    assert!(
        lines[1].ends_with("/sobjects/Visit__c/describe") && lines[2].ends_with("/sobjects/EventRelation/describe")
    );
}

#[test]
fn an_object_without_a_sound_name_is_not_asked_for() {
    for object in [Object::Of(Role::Custom), Object::Named("Visit__c/../Account".into()), Object::Named("".into())] {
        let error = now(Salesforce.describe(&World::with([]).cx(), &[object])).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Configuration);
    }
}

/// A description that Salesforce really gave is read whole, where the recordings lie beside the project.
#[test]
fn genuine_descriptions_are_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/specs/salesforce/describe");
    let read = |name: &str| -> Option<ObjectDescription> {
        let text = std::fs::read_to_string(format!("{folder}/{name}.cumulusci.json")).ok()?;
        let described: Describe = serde_json::from_str(&text).unwrap();
        Some(describe::read(name, &described))
    };
    let (Some(contact), Some(event)) = (read("Contact"), read("Event")) else {
        assert!(std::env::var_os("CI").is_none(), "the descriptions are missing: ../shared/specs/salesforce/describe");
        eprintln!("left out: the shared descriptions are not here");
        return;
    };
    let name = &contact.fields["LastName"];
    assert_eq!((name.kind, name.length, name.required), (FieldKind::Text, Some(80), true));
    assert!(!contact.fields["FirstName"].required && contact.fields["Email"].kind == FieldKind::Email);
    let shows = &event.fields["ShowAs"];
    assert!(shows.restricted && shows.values.contains(&"Free".to_owned()));
    assert!(event.fields["WhoId"].refers_to.contains(&"Lead".to_owned()));
}
