//! What an org lacks is said in words, with what to do about it.

use serde_json::{Value as Json, json};
use syncline_connect::{
    ErrorKind, Object, Records,
    records::{Finding, Remark, Uses},
};
use syncline_core::{
    ids::ObjectName,
    record::{Role, Std},
};

use super::{
    super::{Salesforce, check, convert, manifest::read_only, wire::Describe},
    org,
    world::{Seen, Turn, World, json, now, raw},
};

const OBJECTS: [&str; 6] = ["Event", "Contact", "Account", "Lead", "Case", "Opportunity"];

fn key_field() -> Json {
    json!({"name": "Syncline_Uid__c", "createable": true, "updateable": true, "length": 64, "externalId": true, "idLookup": true, "unique": true})
}

/// An object as the manifest knows it, with our key.
fn object(name: &str) -> Json {
    let roles = [Role::Meeting, Role::Contact, Role::Account, Role::Lead, Role::Case, Role::Opportunity];
    let role = roles.into_iter().find(|role| convert::spec(*role).object == name).unwrap();
    let known = convert::spec(role).fields.iter().filter(|known| known.field != Std::Key);
    let mut fields: Vec<Json> = known
        .map(|known| {
            let writable = !read_only(role, known.field);
            json!({"name": known.name, "createable": writable, "updateable": writable, "length": known.max_chars})
        })
        .collect();
    fields.push(key_field());
    json!({"name": name, "createable": true, "updateable": true, "fields": fields})
}

fn findings(world: &World) -> Vec<Finding> {
    now(Salesforce.check(&world.cx())).unwrap().value
}

fn shown(findings: &[Finding]) -> String {
    let line = |finding: &Finding| {
        format!("{} {}\n  -> {}", if finding.blocking { "blocks:" } else { "note:" }, finding.problem, finding.fix)
    };
    findings.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn attendee() -> Json {
    json!({"name": "EventRelation", "createable": true, "updateable": true, "fields": []})
}

fn rows(at: usize, rows: Json) -> Json {
    let body = json!({"totalSize": rows.as_array().unwrap().len(), "done": true, "records": rows});
    json!({"body": body, "httpHeaders": {}, "httpStatusCode": 200, "referenceId": format!("q{at}")})
}

fn denied(at: usize, code: &str) -> Json {
    json!({"body": [{"errorCode": code, "message": "m"}], "httpHeaders": {}, "httpStatusCode": 400, "referenceId": format!("q{at}")})
}

fn a_user() -> Json {
    json!([{"Id": "005000000000001AAA", "Email": "rosa@example.org", "IsActive": true}])
}

/// The answers after the descriptions, of an org with nothing to note.
fn quiet() -> Vec<Turn> {
    let related = json!({"relatedLists": [{"name": "Attachments", "sobject": "Attachment"}, {"name": "EventRelations", "sobject": "EventRelation"}]});
    vec![
        json(200, json!({"compositeResponse": [rows(0, json!([])), rows(1, json!([])), rows(2, a_user())]})),
        json(200, json!({"layouts": [related], "recordTypeMappings": [], "recordTypeSelectorRequired": [false]})),
        json(
            200,
            json!({"DailyApiRequests": {"Max": 15000, "Remaining": 14998}, "DataStorageMB": {"Max": 5, "Remaining": 5}}),
        ),
        json(200, json!({"totalSize": 0, "done": true, "records": []})),
    ]
}

/// The answers to all descriptions, the first six as given.
fn described(six: impl IntoIterator<Item = Turn>) -> Vec<Turn> {
    six.into_iter().chain([json(200, attendee())]).collect()
}

fn all_good() -> Vec<Turn> {
    let mut turns = described(OBJECTS.map(|name| json(200, object(name))));
    turns.extend(quiet());
    turns
}

fn examined(world: &World) -> String {
    let remarks = now(Salesforce.examine(&world.cx(), &Uses::default())).unwrap().value;
    let line = |remark: &Remark| match remark {
        Remark::Good(text) => format!("good: {text}"),
        Remark::Note(text) => format!("note: {text}"),
        Remark::Lacks(finding) => shown(std::slice::from_ref(finding)),
    };
    remarks.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_org_that_is_set_up_has_no_findings() {
    let world = World::with(all_good());
    let answered = now(Salesforce.check(&world.cx())).unwrap();
    assert_eq!((answered.value, answered.calls), (vec![], 11));
    let seen = world.seen();
    let line = |seen: &Seen| seen.line.rsplit("/services/data/v64.0/").next().unwrap().to_owned();
    let lines: Vec<String> = seen.iter().map(line).collect();
    assert_eq!(lines[..6], OBJECTS.map(|name| format!("sobjects/{name}/describe")));
    insta::assert_snapshot!(lines[6..].join("\n"), @r"
    sobjects/EventRelation/describe
    composite
    sobjects/Event/describe/layouts
    limits
    tooling/query?q=SELECT%20ValidationName%2C%20EntityDefinition.QualifiedApiName%20FROM%20ValidationRule%20WHERE%20Active%20%3D%20true%20ORDER%20BY%20Id
    ");
    assert!(seen[0].line.starts_with("GET https://acme.my.salesforce.com/services/data/v64.0/"));
}

/// proves: O5
#[test]
fn what_is_in_order_is_said_too() {
    insta::assert_snapshot!(examined(&World::with(all_good())), @r"
    good: Event can be written, and made only once by Syncline_Uid__c
    note: an event has one person: guests are invited and it does not stand on their timelines; to change that, tick Allow Users to Relate Multiple Contacts to Tasks and Events (Setup > Activity Settings)
    good: Contact can be written, and made only once by Syncline_Uid__c
    good: Account can be written, and made only once by Syncline_Uid__c
    good: Lead can be written, and made only once by Syncline_Uid__c
    good: Case can be written, and made only once by Syncline_Uid__c
    good: Opportunity can be written, and made only once by Syncline_Uid__c
    good: no duplicate rule is active for the objects that are written
    good: no assignment rule is active
    good: hosts can be recognised as users by their e-mail addresses
    good: the event's page shows who attends
    good: 14998 of 15000 API calls of the last 24 hours are left
    good: no validation rule is active for the objects that are written
    ");
}

/// proves: O5 (what each rule of the org will do)
#[test]
fn rules_layouts_and_limits_are_told_with_what_follows() {
    let setup = [
        rows(
            0,
            json!([
                {"MasterLabel": "Same e-mail", "SobjectType": "Contact"}, {"MasterLabel": "Same name", "SobjectType": "Contact"},
                {"MasterLabel": "Leads", "SobjectType": "Lead"}, {"MasterLabel": "Things", "SobjectType": "Thing__c"}
            ]),
        ),
        rows(
            1,
            json!([
                {"Id": "01Q000000000001EAA", "Name": "Web leads", "SobjectType": "Lead", "Active": true},
                {"Id": "01Q000000000002EAA", "Name": "Old", "SobjectType": "Case", "Active": false}
            ]),
        ),
        denied(2, "INVALID_TYPE"),
    ];
    let record_types = json!([
        {"available": true, "recordTypeId": "012000000000001AAA"}, {"available": false, "recordTypeId": "012000000000002AAA"},
        {"available": true, "recordTypeId": "012000000000003AAA"}
    ]);
    let answers = || {
        let mut event = object("Event");
        event["fields"]
            .as_array_mut()
            .unwrap()
            .push(json!({"name": "EventWhoIds", "createable": true, "updateable": true}));
        let mut six = OBJECTS.map(|name| json(200, object(name)));
        six[0] = json(200, event);
        let rest = vec![
            json(200, json!({"compositeResponse": setup.clone()})),
            json(200, json!({"layouts": null, "recordTypeMappings": record_types})),
            json(200, json!({"relatedLists": [{"name": "EventRelations", "sobject": "EventRelation"}]})),
            json(200, json!({"relatedLists": []})),
            json(200, json!({"DailyApiRequests": {"Max": 15000, "Remaining": 7}})),
            json(
                200,
                json!({"totalSize": 2, "done": true, "records": [
                    {"ValidationName": "Phone_needed", "EntityDefinition": {"QualifiedApiName": "Contact"}},
                    {"ValidationName": "Other", "EntityDefinition": {"QualifiedApiName": "Quote"}}
                ]}),
            ),
        ];
        described(six).into_iter().chain(rest).collect::<Vec<_>>()
    };
    let about_rules = |settings: &[(&str, &str)]| {
        let world = settings.iter().fold(World::with(answers()), |world, (name, value)| world.set(name, value));
        examined(&world)
            .lines()
            .filter(|line| !line.contains("can be written"))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    insta::assert_snapshot!(about_rules(&[]), @r"
    good: an event may be related to several people: it stands on the timeline of up to 50 contacts or of one lead; whoever else attends is invited
    note: active duplicate rules: Contact (Same e-mail, Same name), Lead (Leads); with `duplicate_rules = stop` each of them stops the record, also one that only alerts
    note: active assignment rules: Lead (Web leads); with `assignment_rules = off` they are left out, and owners are as the settings name them
    note: users could not be read, so hosts are not recognised: the permission View All Users, or sharing, mends that
    note: 1 of the event's 2 page layouts do not show who attends
      -> add the related list Attendees (Setup > Object Manager > Event > Page Layouts > Related Lists)
    note: only 7 of 15000 API calls of the last 24 hours are left
      -> see who else calls (Setup > System Overview > API Usage); waiting bookings are written when the count allows it
    note: active validation rules: Contact (Phone_needed); a record that does not meet them waits for a person
    ");
    let rules = [("duplicate_rules", "save"), ("assignment_rules", "01Q000000000002")];
    let other = about_rules(&rules);
    assert!(other.contains("`duplicate_rules = save` the ones that only alert are overruled"), "{other}");
    assert!(other.contains("good: the assignment rule Old chooses the owner of each Case that is made"), "{other}");
    let other = about_rules(&[("assignment_rules", "01Q000000000009EAA")]);
    assert!(other.contains("blocks: the org has no assignment rule 01Q000000000009EAA"), "{other}");
    let other = about_rules(&[("assignment_rules", "on")]);
    assert!(
        other.contains("good: active assignment rules choose the owners of what is made: Lead (Web leads)"),
        "{other}"
    );
}

/// proves: O5 (a user who may see little is no error)
#[test]
fn what_the_user_may_not_see_of_the_set_up_is_said_and_stops_nothing() {
    let mut turns = described(OBJECTS.map(|name| json(200, object(name))));
    let refused = |status, code: &str| json(status, json!([{"errorCode": code, "message": "m"}]));
    turns.extend([
        json(200, json!({"compositeResponse": [denied(0, "INVALID_TYPE"), denied(1, "INVALID_TYPE"), denied(2, "INVALID_TYPE")]})),
        refused(404, "NOT_FOUND"),
        refused(403, "INSUFFICIENT_ACCESS"),
        refused(400, "INVALID_TYPE"),
    ]);
    let said = examined(&World::with(turns));
    let notes: Vec<&str> = said.lines().filter(|line| line.contains("could not be")).collect();
    insta::assert_snapshot!(notes.join("\n"), @r"
    note: duplicate rules could not be looked at: the user lacks View Setup and Configuration (Setup > Duplicate Rules shows them)
    note: assignment rules could not be looked at
    note: users could not be read, so hosts are not recognised: the permission View All Users, or sharing, mends that
    note: the event's page layouts could not be looked at
    note: the org's limits could not be looked at
    note: validation rules could not be looked at: only users with View Setup and Configuration may (Setup > Object Manager > the object > Validation Rules)
    ");
    assert!(!said.contains("blocks:"), "{said}");
}

/// proves: O5
#[test]
fn an_api_that_is_switched_off_is_a_finding_and_not_an_error() {
    for code in ["API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED"] {
        let world = World::with([json(403, json!([{"errorCode": code, "message": "m"}]))]);
        let answered = now(Salesforce.check(&world.cx())).unwrap();
        assert_eq!(answered.calls, 1);
        assert!(answered.value[0].blocking && answered.value[0].fix.contains("API Enabled"));
    }
}

/// proves: O5, B16
#[test]
fn further_objects_and_required_fields_are_looked_at() {
    let demanded = |name: &str| json!({"name": name, "createable": true, "updateable": true, "nillable": false, "defaultedOnCreate": false});
    let mut contact = object("Contact");
    contact["fields"].as_array_mut().unwrap().push(demanded("Region__c"));
    let mut six = OBJECTS.map(|name| json(200, object(name)));
    six[1] = json(200, contact);
    let visit = json!({"name": "Visit__c", "createable": true, "updateable": true, "fields": [demanded("Contact__c"), key_field()]});
    let mut turns: Vec<Turn> = six.into_iter().collect();
    let no_attendees = json(404, json!([{"errorCode": "NOT_FOUND", "message": "m"}]));
    turns.extend([no_attendees, json(200, visit), json(404, json!([{"errorCode": "NOT_FOUND", "message": "m"}]))]);
    turns.extend(quiet());
    let world = World::with(turns).set("custom_objects", "Visit__c, Gone__c");
    insta::assert_snapshot!(shown(&findings(&world)), @r"
    note: Contact cannot be made without a value for Region__c
      -> let a mapping fill it, give it a default value, or make it optional (Setup > Object Manager > Contact > Fields)
    note: the user may not add people to events (EventRelation)
      -> grant the permission Edit Events in the user's permission set
    note: Visit__c cannot be made without a value for Contact__c
      -> let a mapping fill it, give it a default value, or make it optional (Setup > Object Manager > Visit__c > Fields)
    blocks: the user cannot see the object Gone__c
      -> grant Read, Create and Edit on Gone__c in the user's permission set
    ");
    let world = World::with([]).set("custom_objects", "Visit__c, x y");
    assert_eq!(now(Salesforce.check(&world.cx())).unwrap_err().kind, ErrorKind::Configuration);
}

/// What a mapping fills whenever the record is made is nothing to mend.
///
/// proves: O5, B13
#[test]
fn a_required_field_that_a_mapping_fills_is_no_finding() {
    let demanded = |name: &str| json!({"name": name, "createable": true, "updateable": true, "nillable": false, "defaultedOnCreate": false});
    let mut contact = object("Contact");
    contact["fields"].as_array_mut().unwrap().extend([demanded("Region__c"), demanded("Branch__c")]);
    let contact: Describe = serde_json::from_value(contact).unwrap();
    let found = |filled: Vec<(Object, String)>| {
        let uses = Uses { filled, ..Uses::default() };
        shown(&check::findings_of(&org(), &uses, Role::Contact, "Contact", Some(&contact)))
    };
    let of = |on: Object, name: &str| (on, name.to_owned());
    assert!(found(Vec::new()).contains("without a value for Region__c, Branch__c"));
    assert!(found(vec![of(Object::Of(Role::Lead), "Region__c")]).contains("Region__c, Branch__c"), "of another object");
    let half = found(vec![of(Object::Of(Role::Contact), "region__c")]);
    assert!(half.contains("without a value for Branch__c") && !half.contains("Region__c"), "{half}");
    let named = Object::Named(ObjectName::new("Contact"));
    assert_eq!(found(vec![of(Object::Of(Role::Contact), "Region__c"), of(named, "Branch__c")]), "");
}

#[test]
fn every_lack_is_named_with_its_fix() {
    let mut event = object("Event");
    let key = event["fields"].as_array_mut().unwrap().pop().unwrap();
    let mut contact = object("Contact");
    let contact_key = contact["fields"].as_array_mut().unwrap().last_mut().unwrap();
    (contact_key["unique"], contact_key["externalId"], contact_key["length"]) = (json!(false), json!(false), json!(20));
    assert_eq!(key["name"], "Syncline_Uid__c");
    let mut account = object("Account");
    account["createable"] = json!(false);
    account["fields"].as_array_mut().unwrap().retain(|field| field["name"] != "Website");
    let turns: [Turn; 6] = [
        json(200, event),
        json(200, contact),
        json(200, account),
        json(200, object("Lead")),
        json(404, json!([{"errorCode": "NOT_FOUND", "message": "m"}])),
        json(200, object("Opportunity")),
    ];
    let turns = described(turns).into_iter().chain(quiet());
    let world = World::with(turns).set("status_field", "Standing__c");
    insta::assert_snapshot!(shown(&findings(&world)), @r"
    blocks: Event has no field Syncline_Uid__c, or the user cannot see it
      -> create Syncline_Uid__c on Activity as Text(64), Unique (case-sensitive), External ID, and grant Edit on it
    blocks: the status field Standing__c of Event is missing or cannot be written
      -> create Standing__c as a custom field of Activity and grant Edit on it, or change the setting `status_field`
    blocks: the field Syncline_Uid__c of Contact is not marked External ID, not marked Unique, not long enough
      -> make Syncline_Uid__c on Contact a Text(64), Unique (case-sensitive), External ID, and grant Edit on it
    blocks: the user may not create and edit records of Account
      -> grant Create and Edit on Account in the user's permission set
    note: fields of Account that the user cannot see or write: Website
      -> grant Edit on these fields in the user's permission set, or leave them out of the mapping
    note: the user cannot see the object Case
      -> grant Read, Create and Edit on Case in the user's permission set
    ");
}

#[test]
fn a_check_that_got_no_answer_is_an_error_and_not_a_clean_bill() {
    for turn in [
        Turn::Lost,
        raw(500, ""),
        raw(200, "{}"),
        json(401, json!([{"errorCode": "INVALID_SESSION_ID", "message": "m"}])),
    ] {
        let error = now(Salesforce.check(&World::with([turn]).cx())).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Protocol | ErrorKind::Unauthorised));
    }
}

/// The manifest's names and lengths are those of genuine descriptions, where these lie beside the project.
#[test]
fn the_manifest_agrees_with_genuine_descriptions() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/specs/salesforce/describe");
    for role in [Role::Meeting, Role::Contact, Role::Account, Role::Lead, Role::Case, Role::Opportunity] {
        let spec = convert::spec(role);
        let Ok(text) = std::fs::read_to_string(format!("{folder}/{}.cumulusci.json", spec.object)) else {
            assert!(
                std::env::var_os("CI").is_none(),
                "the shared descriptions are missing: ../shared/specs/salesforce/describe"
            );
            eprintln!("left out: the shared descriptions are not here");
            return;
        };
        let described: Describe = serde_json::from_str(&text).unwrap();
        for known in spec.fields.iter().filter(|known| known.field != Std::Key) {
            let field = described.fields.iter().find(|field| field.name == known.name);
            let field = field.unwrap_or_else(|| panic!("{} has no {}", spec.object, known.name));
            if known.max_chars > 0 {
                assert_eq!(field.length, known.max_chars, "{}.{}", spec.object, known.name);
            }
            if !read_only(role, known.field) {
                assert!(field.createable, "{}.{}", spec.object, known.name);
            }
        }
        // Of what we need such an org lacks the key alone.
        let findings = check::findings_of(&org(), &Uses::default(), role, spec.object, Some(&described));
        assert_eq!(findings.len(), 1, "{}", shown(&findings));
        assert!(findings[0].problem.contains("Syncline_Uid__c"));
    }
}
