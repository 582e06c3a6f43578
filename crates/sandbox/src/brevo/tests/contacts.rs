//! Contacts: who is meant, what is taken in, what is left out without a word.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Kit, map};
use crate::{
    FaultKind, FaultRule,
    brevo::{AttributeKind, BrevoConfig, BrevoRates},
    journal::{Actor, EffectKind},
};

#[test]
fn a_contact_is_created_read_changed_and_deleted() {
    let kit = Kit::new();
    let id = kit.create(json!({"email": "Ada@Example.org", "ext_id": "u-1", "listIds": [2],
        "attributes": {"FIRSTNAME": "Ada", "SMS": "+49 170 1234567", "STAGE": "Customer"}}));
    for path in [
        "/contacts/ada%40example.org",
        "/contacts/1",
        "/contacts/u-1?identifierType=ext_id",
        "/contacts/00491701234567?identifierType=phone_id",
        "/contacts/491701234567",
    ] {
        assert_eq!(kit.get(path).body["id"], id, "{path}");
    }
    let got = kit.get("/contacts/1").body;
    insta::assert_json_snapshot!(got, @r#"
    {
      "id": 1,
      "emailBlacklisted": false,
      "smsBlacklisted": false,
      "createdAt": "2026-05-04T09:00:00.000Z",
      "modifiedAt": "2026-05-04T09:00:00.000Z",
      "listIds": [
        2
      ],
      "listUnsubscribed": [],
      "attributes": {
        "FIRSTNAME": "Ada",
        "STAGE": 2,
        "EXT_ID": "u-1",
        "SMS": "491701234567"
      },
      "email": "ada@example.org",
      "statistics": {}
    }
    "#);
    kit.hands.pass(60);
    let body = json!({"attributes": {"EMAIL": "ada@new.example", "FIRSTNAME": ""}, "unlinkListIds": [2]});
    assert_eq!(kit.ask("PUT", "/contacts/1?identifierType=contact_id", body).status, 204);
    let now = kit.contact(id);
    assert_eq!((&now["email"], &now["listIds"]), (&json!("ada@new.example"), &json!([])));
    assert_eq!(now["attributes"].get("FIRSTNAME"), None);
    assert_eq!(kit.get("/contacts/ada%40example.org").status, 404);
    assert_eq!(kit.ask("PUT", "/contacts/1", json!({"email": "ada@third.example"})).status, 204);
    assert_eq!(kit.contact(id)["email"], "ada@new.example", "the member `email` is not known to an update");
    assert_eq!(kit.ask("DELETE", "/contacts/u-1?identifierType=ext_id", Value::Null).status, 204);
    let got = kit.ask("DELETE", "/contacts/u-1?identifierType=ext_id", Value::Null);
    assert_eq!(
        (got.status, got.body),
        (404, json!({"code": "document_not_found", "message": "Contact does not exist"}))
    );
    let kinds: Vec<EffectKind> = kit.account.effects_since(0).iter().map(|effect| effect.kind).collect();
    assert_eq!(kinds, [EffectKind::Created, EffectKind::Updated, EffectKind::Updated, EffectKind::Deleted]);
    assert_eq!(kit.account.effects_since(3)[0].actor, Actor::Key("Syncline".into()));
}

/// The body is one that was quoted in public; the code of the second changed in 2026.
#[test]
fn an_identifier_belongs_to_one_contact() {
    let kit = Kit::new();
    kit.create(json!({"email": "a@example.org"}));
    let got = kit.ask("POST", "/contacts", json!({"email": "A@example.org"}));
    assert_eq!(got.status, 400);
    assert_eq!(
        got.body,
        json!({"code": "duplicate_parameter",
            "message": "Unable to create contact, email is already associated with another Contact",
            "metadata": {"duplicate_identifiers": ["email"]}})
    );
    // An upsert by ext_id is about the ext_id: the address is another contact's.
    let upsert = json!({"email": "a@example.org", "ext_id": "u-9", "updateEnabled": true});
    assert_eq!(kit.ask("POST", "/contacts", upsert).body["code"], "duplicate_parameter");
    let other = kit.create(json!({"email": "b@example.org", "ext_id": "u-2"}));
    let taken = json!({"attributes": {"EMAIL": "a@example.org"}});
    let got = kit.ask("PUT", "/contacts/u-2?identifierType=ext_id", taken.clone());
    assert_eq!((got.status, &got.body["code"]), (400, &json!("invalid_parameter")));
    assert_eq!(got.body["metadata"]["duplicate_identifiers"], json!(["email"]));
    assert_eq!(kit.contact(other)["email"], "b@example.org");
    let older = Kit::with(BrevoConfig {
        duplicate_on_update: "duplicate_parameter",
        rates: BrevoRates::NONE,
        ..BrevoConfig::default()
    });
    older.create(json!({"email": "a@example.org"}));
    older.create(json!({"email": "b@example.org"}));
    assert_eq!(older.ask("PUT", "/contacts/2", taken).body["code"], "duplicate_parameter");
}

#[test]
fn an_upsert_updates_whom_it_finds() {
    let kit = Kit::new();
    let id = kit.create(json!({"email": "a@example.org", "ext_id": "u-1"}));
    let upsert = json!({"ext_id": "u-1", "email": "new@example.org", "attributes": {"CITY": "Bonn"},
                        "updateEnabled": true});
    assert_eq!(kit.ask("POST", "/contacts", upsert).status, 204);
    assert_eq!(
        (&kit.contact(id)["email"], &kit.contact(id)["attributes"]["CITY"]),
        (&json!("new@example.org"), &json!("Bonn"))
    );
    assert_eq!(kit.ask("POST", "/contacts", json!({"attributes": {"CITY": "Bonn"}})).body["code"], "missing_parameter");
    assert_eq!(kit.ask("POST", "/contacts", json!({"email": "nobody"})).body["code"], "invalid_parameter");
    let got = kit.ask("POST", "/contacts", json!({"email": "x@example.org", "attributes": {"SMS": "12"}}));
    assert_eq!(got.status, 400);
    assert_eq!(kit.ask("POST", "/contacts", json!({"email": "x@example.org", "listIds": [99]})).status, 400);
}

#[test]
fn what_does_not_fit_is_left_out_without_a_word() {
    let kit = Kit::new();
    let id = kit.create(json!({"email": "a@example.org", "attributes": {
        "firstname": "lower case is another name", "NO_SUCH": 1, "CITY": 7, "BIRTHDAY": "04.05.1990",
        "REVENUE": "12.5", "VIP": "yes", "STAGE": "Nobody", "TOPICS": ["News", "Nothing"]}}));
    assert_eq!(kit.contact(id)["attributes"], json!({}));
    let fits = json!({"CITY": "Bonn", "BIRTHDAY": "1990-05-04", "REVENUE": 12.5, "VIP": true, "STAGE": 3,
                      "TOPICS": ["News", "Events"]});
    assert_eq!(kit.ask("PUT", "/contacts/1", json!({"attributes": fits})).status, 204);
    assert_eq!(kit.contact(id)["attributes"].as_object().unwrap().len(), 6);
    kit.account.set_attribute("SCORE", AttributeKind::Calculated("COUNT[..]".into()));
    kit.ask("PUT", "/contacts/1", json!({"attributes": {"SCORE": 5, "BIRTHDAY": "1990-02-30", "CITY": null}}));
    let now = kit.contact(id);
    assert_eq!((now["attributes"].get("SCORE"), now["attributes"].get("CITY")), (None, None));
    assert_eq!(now["attributes"]["BIRTHDAY"], "1990-05-04");
}

#[test]
fn any_update_moves_modified_at_and_only_the_order_of_creation_counts() {
    let kit = Kit::new();
    for n in 0..5 {
        kit.create(json!({"email": format!("c{n}@example.org")}));
        kit.hands.pass(1);
    }
    let since = "2026-05-04T09:00:05.000Z";
    kit.hands.pass(10);
    kit.ask("PUT", "/contacts/4", json!({}));
    kit.hands.pass(1);
    kit.ask("PUT", "/contacts/2", json!({"attributes": {"CITY": "Bonn"}}));
    let ids = |path: &str| -> Vec<u64> {
        let got = kit.get(path);
        assert_eq!(got.status, 200, "{path}: {}", got.body);
        got.body["contacts"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(ids(&format!("/contacts?modifiedSince={since}&sort=asc")), [2, 4]);
    assert_eq!(ids("/contacts?modifiedSince=2026-05-04T11%3A00%3A15.500%2B02%3A00"), [2]);
    assert_eq!(ids("/contacts"), [5, 4, 3, 2, 1]);
    assert_eq!(ids("/contacts?createdSince=2026-05-04T09:00:03.000Z&sort=asc"), [5]);
    assert_eq!(ids("/contacts?filter=equals(CITY,%22Bonn%22)"), [2]);
    assert_eq!(ids("/contacts?sort=asc&limit=2&offset=2"), [3, 4]);
    assert_eq!(ids("/contacts?ids=4&ids=2&ids=99"), [4, 2]);
    let many: String = (1..=21).map(|id| format!("ids={id}&")).collect();
    assert_eq!(kit.get(&format!("/contacts?{many}")).body["code"], "out_of_range");
    // A contact that goes shifts what the next page holds.
    kit.account.delete(1).unwrap();
    assert_eq!(ids("/contacts?sort=asc&limit=2&offset=2"), [4, 5]);
    assert_eq!(kit.get("/contacts?limit=1").body["count"], 4);
    assert_eq!(kit.get("/contacts?limit=1001").body["code"], "out_of_range");
    assert_eq!(kit.get("/contacts?modifiedSince=yesterday").status, 400);
}

#[test]
fn a_batch_answers_nothing_about_its_rows() {
    let kit = Kit::new();
    kit.create(json!({"email": "a@example.org"}));
    kit.create(json!({"email": "b@example.org", "attributes": {"SMS": "+491701111111"}}));
    let rows = json!({"contacts": [
        {"id": 1, "ext_id": "u-1", "attributes": {"CITY": "Bonn", "BIRTHDAY": "no day"}},
        {"email": "nobody@example.org", "attributes": {"CITY": "Bonn"}},
        {"sms": "00491701111111", "attributes": {"CITY": "Ulm", "EMAIL": "a@example.org"}},
    ]});
    assert_eq!(kit.ask("POST", "/contacts/batch", rows).status, 204);
    assert_eq!(kit.contact(1)["attributes"], json!({"CITY": "Bonn", "EXT_ID": "u-1"}));
    assert_eq!(kit.contact(2)["attributes"].get("CITY"), None, "its new address is taken");
    let two = json!({"contacts": [{"id": 1, "email": "a@example.org"}]});
    assert_eq!(kit.ask("POST", "/contacts/batch", two).status, 400);
    let many: Vec<Value> = (0..101).map(|_| json!({"id": 1})).collect();
    assert_eq!(kit.ask("POST", "/contacts/batch", json!({"contacts": many})).body["code"], "out_of_range");
}

#[test]
fn consent_is_two_flags_and_a_set_of_lists() {
    let kit = Kit::new();
    let id = kit.create(json!({"email": "a@example.org", "listIds": [2]}));
    assert!(kit.account.unsubscribe_from(id, 2) && !kit.account.unsubscribe_from(id, 2));
    assert_eq!((&kit.contact(id)["listIds"], &kit.contact(id)["listUnsubscribed"]), (&json!([]), &json!([2])));
    assert!(kit.account.unsubscribe(id));
    assert_eq!(kit.contact(id)["emailBlacklisted"], true);
    // Whoever names the list again has subscribed the contact again: the reason never to do so in passing.
    kit.ask("PUT", "/contacts/1", json!({"listIds": [2]}));
    assert_eq!((&kit.contact(id)["listIds"], &kit.contact(id)["listUnsubscribed"]), (&json!([2]), &json!([])));
    assert_eq!(kit.contact(id)["emailBlacklisted"], true);
    assert!(kit.account.set_blacklisted(id, Some(false), Some(true)));
    assert_eq!(kit.account.effects_since(0).last().unwrap().actor, Actor::Person);
}

#[test]
fn people_are_held_to_the_same_rules() {
    let kit = Kit::new();
    let id = kit.account.add_contact(&map(json!({"email": "a@example.org"}))).unwrap();
    kit.account.add_contact(&map(json!({"email": "b@example.org"}))).unwrap();
    assert!(kit.account.add_contact(&map(json!({"email": "b@example.org"}))).is_err());
    assert!(kit.account.edit(id, &map(json!({"EMAIL": "b@example.org"}))).is_err());
    kit.account.edit(id, &map(json!({"EMAIL": "c@example.org", "CITY": "Bonn"}))).unwrap();
    assert_eq!(kit.account.contact_with_email("c@example.org"), Some(id));
    assert!(kit.account.edit(99, &map(json!({}))).is_err());
    assert_eq!(kit.account.calls(), 0);
    kit.create(json!({"email": "owner@sandbox.example"}));
    let got = kit.ask("DELETE", "/contacts/owner%40sandbox.example", Value::Null);
    assert_eq!((got.status, &got.body["code"]), (405, &json!("method_not_allowed")));
    assert_eq!(kit.account.call_counts()["DELETE contacts/{id}"], 1);
}

/// proves: fault:N3
#[test]
fn faults_speak_the_words_of_the_account() {
    let kit = Kit::new();
    let faults = kit.account.faults();
    faults.add(FaultRule::next(FaultKind::Status).status(425).on("PUT", "/v3/contacts"));
    faults.add(FaultRule::next(FaultKind::LostAnswer).on("POST", "/v3/contacts"));
    kit.reply("POST", "/contacts", &json!({"email": "a@example.org"}));
    assert_eq!(kit.account.contacts_snapshot().len(), 1, "applied, though nobody heard of it");
    assert_eq!(kit.ask("PUT", "/contacts/1", json!({})).status, 425);
    faults.add(FaultRule::next(FaultKind::Unauthorized));
    let got = kit.get("/contacts");
    assert_eq!((got.status, got.body), (401, json!({"code": "unauthorized", "message": "Key not found"})));
    faults.add(FaultRule::next(FaultKind::Limited));
    let got = kit.get("/contacts");
    assert_eq!((got.status, got.headers.get("retry-after")), (429, None));
}

proptest! {
    /// Whatever is written, each identifier leads to at most one contact, and to the one that shows it.
    #[test]
    fn indexes_and_contacts_agree(steps in prop::collection::vec((0u8..4, 0u8..6, 0u8..6), 1..60)) {
        let kit = Kit::new();
        for (what, who, whom) in steps {
            let mail = |n: u8| format!("c{n}@example.org");
            let phone = |n: u8| format!("+49170000000{n}");
            match what {
                0 => drop(kit.ask("POST", "/contacts", json!({"email": mail(who), "updateEnabled": true,
                          "attributes": {"SMS": phone(whom)}}))),
                1 => drop(kit.ask("PUT", &format!("/contacts/{}", mail(who).replace('@', "%40")),
                          json!({"attributes": {"EMAIL": mail(whom)}}))),
                2 => drop(kit.ask("DELETE", &format!("/contacts/{}", mail(who).replace('@', "%40")), Value::Null)),
                _ => drop(kit.ask("PUT", &format!("/contacts/{}", mail(who).replace('@', "%40")),
                          json!({"attributes": {"SMS": ""}}))),
            }
        }
        let all = kit.account.contacts_snapshot();
        let mut mails: Vec<&str> = all.iter().map(|row| row["email"].as_str().unwrap()).collect();
        let phones: Vec<&str> = all.iter().filter_map(|row| row["attributes"]["SMS"].as_str()).collect();
        for row in &all {
            let mail = row["email"].as_str().unwrap();
            prop_assert_eq!(kit.account.contact_with_email(mail), row["id"].as_u64());
            if let Some(phone) = row["attributes"]["SMS"].as_str() {
                let path = format!("/contacts/{phone}?identifierType=phone_id");
                prop_assert_eq!(&kit.get(&path).body["id"], &row["id"]);
            }
        }
        let found = (0..6).filter(|n| kit.account.contact_with_email(&format!("c{n}@example.org")).is_some()).count();
        prop_assert_eq!(found, all.len());
        mails.sort_unstable();
        mails.dedup();
        prop_assert_eq!(mails.len(), all.len());
        prop_assert_eq!(phones.iter().collect::<std::collections::BTreeSet<_>>().len(), phones.len());
    }
}
