//! What an org lacks is said in words, with what to do about it.

use serde_json::{Value as Json, json};
use syncline_connect::{ErrorKind, Records, records::Finding};
use syncline_core::record::{Role, Std};

use super::{
    super::{Salesforce, check, convert, manifest::read_only, wire::Describe},
    org,
    world::{Turn, World, json, now, raw},
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

#[test]
fn an_org_that_is_set_up_has_no_findings() {
    let world = World::with(OBJECTS.map(|name| json(200, object(name))));
    let answered = now(Salesforce.check(&world.cx())).unwrap();
    assert_eq!((answered.value, answered.calls), (vec![], 6));
    let seen = world.seen();
    let lines: Vec<&str> = seen.iter().map(|seen| seen.line.rsplit("/sobjects/").next().unwrap()).collect();
    assert_eq!(lines, OBJECTS.map(|name| format!("{name}/describe")));
    assert!(seen[0].line.starts_with("GET https://acme.my.salesforce.com/services/data/v64.0/"));
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
        let findings = check::findings_of(&org(), role, Some(&described));
        assert_eq!(findings.len(), 1, "{}", shown(&findings));
        assert!(findings[0].problem.contains("Syncline_Uid__c"));
    }
}
