//! Webhooks.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Kit, PRIVATE, kit};
use crate::hubspot::{HubSpotDelivery, hooks::signature_v3};

const APP: u64 = 18_221_010;
const URL: &str = "https://hooks.example/in?a=%40b";

fn events(sent: &HubSpotDelivery) -> Vec<Value> {
    serde_json::from_slice(&sent.webhook.body).unwrap()
}

fn watching(types: &[(&str, Option<&str>)]) -> Kit {
    let kit = kit();
    for (kind, property) in types {
        kit.account.subscribe(APP, URL, kind, *property).unwrap();
    }
    kit
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["subscriptionType"].as_str().unwrap()).collect()
}

#[test]
fn events_are_thin_and_say_who_did_it() {
    let kit =
        watching(&[("contact.creation", None), ("contact.propertyChange", Some("city")), ("contact.deletion", None)]);
    let id = kit.make("contacts", json!({"email": "a@example.org", "city": "Bonn", "zip": "53111"}));
    kit.account.edit("contacts", &id, &[("city", "Berlin"), ("zip", "")]).unwrap();
    kit.make("companies", json!({"name": "nobody asked"}));
    let [sent] = <[_; 1]>::try_from(kit.account.take_deliveries()).unwrap();
    let told = events(&sent);
    assert_eq!(kinds(&told), ["contact.creation", "contact.propertyChange", "contact.propertyChange"]);
    assert_eq!(
        (&told[0]["changeFlag"], &told[0]["objectId"], &told[0]["appId"]),
        (&json!("NEW"), &json!(id.parse::<u64>().unwrap()), &json!(APP))
    );
    assert_eq!((&told[0]["changeSource"], &told[0]["sourceId"]), (&json!("INTEGRATION"), &json!("18221011")));
    assert_eq!((&told[2]["propertyValue"], &told[2]["sourceId"]), (&json!("Berlin"), &json!("userId:5095")));
    assert_eq!((sent.attempt, &told[0]["attemptNumber"]), (0, &json!(0)));
    assert!(kit.account.take_deliveries().is_empty());
    kit.account.archive("contacts", &id).unwrap();
    assert_eq!(kinds(&events(&kit.account.take_deliveries()[0])), ["contact.deletion"]);
}

#[test]
fn a_delivery_is_signed_in_both_ways() {
    let kit = watching(&[("contact.creation", None)]);
    kit.make("contacts", json!({"email": "a@example.org"}));
    let sent = &kit.account.take_deliveries()[0];
    let header = |name: &str| sent.webhook.headers.iter().find(|(key, _)| *key == name).unwrap().1.clone();
    let at: i64 = header("x-hubspot-request-timestamp").parse().unwrap();
    let body = std::str::from_utf8(&sent.webhook.body).unwrap();
    // Signed is the address as it is meant, not as it is written.
    let plain = signature_v3("sandbox-client-secret-0123456789", "https://hooks.example/in?a=@b", body, at);
    assert_eq!(header("x-hubspot-signature-v3"), plain);
    assert_eq!((header("x-hubspot-signature-version"), header("x-hubspot-signature").len()), ("v1".into(), 64));
}

/// The example of HubSpot's documents for the first signature, as its own client's tests have it, gives the digest there.
#[test]
fn the_old_signature_is_the_documented_one() {
    use sha2::{Digest, Sha256};
    let body = r#"[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM","changeFlag":"NEW","appId":54321}]"#;
    let digest = Sha256::digest(format!("yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy{body}").as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de");
}

#[test]
fn merges_and_erasures_are_told_with_all_ids() {
    let kit = watching(&[
        ("contact.merge", None),
        ("contact.privacyDeletion", None),
        ("contact.deletion", None),
        ("contact.associationChange", None),
    ]);
    let one = kit.make("contacts", json!({"email": "a@example.org"}));
    let two = kit.make("contacts", json!({"email": "b@example.org"}));
    let survivor = kit.account.merge("contacts", &one, &two).unwrap();
    kit.account.erase("contacts", &survivor).unwrap();
    let told = events(&kit.account.take_deliveries()[0]);
    assert_eq!(kinds(&told), ["contact.merge", "contact.privacyDeletion", "contact.deletion"]);
    let number = |id: &str| json!(id.parse::<u64>().unwrap());
    assert_eq!(
        (&told[0]["primaryObjectId"], &told[0]["mergedObjectIds"], &told[0]["newObjectId"]),
        (&number(&one), &json!([number(&two)]), &number(&survivor))
    );
}

#[test]
fn deliveries_hold_a_hundred_events_and_come_again_unless_refused_for_good() {
    let kit = watching(&[("contact.creation", None)]);
    for n in 0..150 {
        kit.account.create("contacts", &[("email", &format!("p{n}@example.org"))]).unwrap();
    }
    let sent = kit.account.take_deliveries();
    assert_eq!(sent.iter().map(|one| events(one).len()).collect::<Vec<_>>(), [100, 50]);
    kit.account.report(&sent[0], Some(401), None);
    kit.account.report(&sent[1], Some(429), Some(Duration::from_secs(5)));
    assert!(kit.account.take_deliveries().is_empty());
    kit.hands.pass(SignedDuration::from_secs(5));
    let [mut again] = <[_; 1]>::try_from(kit.account.take_deliveries()).unwrap();
    assert_eq!((again.attempt, &events(&again)[0]["attemptNumber"]), (1, &json!(1)));
    let mut tries = 1;
    loop {
        kit.account.report(&again, None, None);
        kit.hands.pass(SignedDuration::from_hours(8));
        match <[_; 1]>::try_from(kit.account.take_deliveries()) {
            Ok([next]) => again = next,
            Err(_) => break,
        }
        tries += 1;
    }
    assert_eq!(tries, 10);
}

#[test]
fn subscriptions_are_set_by_the_public_app_and_not_by_a_private_one() {
    let kit = kit();
    let base = format!("/webhooks/v3/{APP}");
    let settings = json!({"targetUrl": URL, "throttling": {"maxConcurrentRequests": 10}});
    let done = kit.good("PUT", &format!("{base}/settings"), settings);
    assert_eq!((&done["targetUrl"], &done["throttling"]["maxConcurrentRequests"]), (&json!(URL), &json!(10)));
    let new = |kind: &str, property: Value| {
        kit.call(
            "POST",
            &format!("{base}/subscriptions"),
            json!({"eventType": kind, "propertyName": property, "active": true}),
        )
    };
    let (status, made) = new("contact.propertyChange", json!("email"));
    assert_eq!((status, &made["propertyName"], &made["active"]), (201, &json!("email"), &json!(true)));
    assert_eq!(new("contact.propertyChange", Value::Null).0, 400);
    assert_eq!(new("contact.dancing", Value::Null).0, 400);
    let id = made["id"].as_str().unwrap();
    kit.make("contacts", json!({"email": "a@example.org"}));
    assert_eq!(kit.account.take_deliveries().len(), 1);
    kit.good("PATCH", &format!("{base}/subscriptions/{id}"), json!({"active": false}));
    kit.make("contacts", json!({"email": "b@example.org"}));
    assert!(kit.account.take_deliveries().is_empty());
    let developer = format!("{base}/subscriptions?hapikey=sandbox-developer-key-0123456789");
    let response = kit.send("nonsense", "GET", &developer, &Value::Null).response;
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(
        kit.send(PRIVATE, "GET", "/webhooks/v3/18221011/settings", &Value::Null).response.status().as_u16(),
        404
    );
}
