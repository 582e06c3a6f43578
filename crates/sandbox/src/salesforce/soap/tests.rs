//! SOAP requests as clients write them.

use proptest::prelude::*;
use serde_json::json;

use super::xml::{Element, parse};
use crate::salesforce::testkit::{Kit, contact};

fn call(kit: &Kit, session: &str, body: &str) -> String {
    let envelope = format!(
        "<?xml version=\"1.0\"?><soapenv:Envelope xmlns:soapenv=\"x\"><soapenv:Header xmlns=\"urn:partner.soap.sforce.com\">\
         <SessionHeader><sessionId>{session}</sessionId></SessionHeader></soapenv:Header>\
         <soapenv:Body xmlns=\"urn:partner.soap.sforce.com\">{body}</soapenv:Body></soapenv:Envelope>"
    );
    let request = http::Request::post("/services/Soap/u/64.0").body(envelope.into()).expect("a valid request");
    kit.raw(request).text
}

fn session(kit: &Kit) -> String {
    let creds = kit.org.credentials("http://org.example");
    let text = |name: &str| creds[name].as_str().unwrap_or_default().to_owned();
    let password = text("password") + &text("security_token");
    let body = format!("<login><username>{}</username><password>{password}</password></login>", text("username"));
    let answer = parse(&call(kit, "", &body)).expect("an envelope");
    answer.find("sessionId").expect("a session").text.clone()
}

#[test]
fn a_lead_is_converted_and_contacts_are_merged() {
    let kit = Kit::new();
    let session = session(&kit);
    let lead = kit.create("Lead", json!({"LastName": "L", "Company": "A & B"}));
    let asked = format!(
        "<convertLead><leadConverts><leadId>{lead}</leadId><convertedStatus>Closed - Converted</convertedStatus>\
         <doNotCreateOpportunity>true</doNotCreateOpportunity></leadConverts></convertLead>"
    );
    let answer = call(&kit, &session, &asked);
    assert!(answer.contains("<success>true</success>"), "{answer}");
    assert_eq!(kit.records("Account")[0]["Name"], "A & B");
    assert!(call(&kit, &session, &asked).contains("<statusCode>CANNOT_UPDATE_CONVERTED_LEAD</statusCode>"));
    let (a, b) = (kit.create("Contact", contact("A")), kit.create("Contact", contact("B")));
    let merge = format!(
        "<merge><request><masterRecord><type>Contact</type><Id>{a}</Id><Title>Dr &amp; so</Title>\
         <fieldsToNull>Email</fieldsToNull></masterRecord><recordToMergeIds>{b}</recordToMergeIds></request></merge>"
    );
    let answer = call(&kit, &session, &merge);
    assert!(answer.contains(&format!("<mergedRecordIds>{b}</mergedRecordIds>")), "{answer}");
    let winner = kit.get(&format!("/sobjects/Contact/{a}")).body;
    assert_eq!((&winner["Title"], &winner["Email"]), (&json!("Dr & so"), &json!(null)));
    assert!(call(&kit, &session, &format!("<undelete><ids>{b}</ids></undelete>")).contains("<success>true</success>"));
    assert_eq!(kit.get(&format!("/sobjects/Contact/{b}")).status, 200);
    assert!(call(&kit, "nobody", &merge).contains("INVALID_SESSION_ID"));
    assert!(call(&kit, &session, "<query/>").contains("not supported"));
}

#[test]
fn elements_are_read_by_their_local_names() {
    let read = parse("<a:x y=\"1\"><!-- no --><b>1 &lt; 2</b><c/><b> 3 </b></a:x>").expect("well-formed");
    assert_eq!((read.name.as_str(), read.all("b").count()), ("x", 2));
    assert_eq!((read.told("b"), read.told("c")), (Some("1 < 2"), None));
    for broken in ["", "<a>", "<a></b>", "</a>", "<!DOCTYPE a><a/>", "<a/><b/>"] {
        assert_eq!(parse(broken), None, "{broken}");
    }
}

proptest! {
    /// Whatever is sent, reading it ends, without a panic.
    #[test]
    fn reading_never_panics(text in "[<>/a-b:!?&; -]{0,60}") {
        let _: Option<Element> = parse(&text);
    }
}
