//! What the simulation found, told as short stories; each names the seed.

use jiff::SignedDuration;
use serde_json::json;
use syncline_core::merge::WhenDeleted;

use syncline_engine::records::RoundEnd;
use syncline_sandbox::{FaultKind, FaultRule, salesforce::SchemaChange};

use super::{
    company::{Company, fields},
    desk::{Desk, add, edit, pair, people},
};

/// Two people's addresses move up by one place at once: the second is refused as long as the first one bears the address
/// that it is to have, and is written as soon as that is free, without anybody asking for it. (Seed 18 of the records.)
///
/// proves: R15, R21
#[tokio::test]
async fn an_address_is_written_once_it_is_free() {
    let desk = Desk::new(vec![pair()]).await;
    // The one that waits comes first.
    let second = add(&desk.left, "b@example.org", json!({ "FIRSTNAME": "Second" }));
    let first = add(&desk.left, "a@example.org", json!({ "FIRSTNAME": "First" }));
    desk.activate().await;
    desk.calm().await;
    edit(&desk.left, first, &json!({ "EMAIL": "c@example.org" }));
    edit(&desk.left, second, &json!({ "EMAIL": "a@example.org" }));
    for _ in 0..4 {
        desk.calm().await;
    }
    assert_eq!(people(&desk.right), people(&desk.left));
    assert!(desk.holds().await.is_empty(), "{:?}", desk.holds().await);
}

/// A field that goes away takes nothing with it: what changed while it was not read is carried over once it is back.
/// (Seed 12 of the records.)
///
/// proves: R2, R14
#[tokio::test]
async fn a_field_that_comes_back_is_read_anew() {
    use syncline_sandbox::brevo::AttributeKind;
    let desk = Desk::new(vec![pair()]).await;
    add(&desk.left, "a@example.org", json!({ "FIRSTNAME": "Ada" }));
    desk.activate().await;
    desk.calm().await;
    let right = desk.right.contact_with_email("a@example.org").expect("it was made");
    desk.left.remove_attribute("CITY");
    desk.hands.pass(SignedDuration::from_hours(7));
    desk.calm().await;
    edit(&desk.right, right, &json!({ "CITY": "London" }));
    desk.calm().await;
    desk.left.set_attribute("CITY", AttributeKind::Text);
    desk.hands.pass(SignedDuration::from_hours(2));
    desk.calm().await;
    assert_eq!(people(&desk.left)["a@example.org"]["CITY"], json!("London"));
}

/// Two integrations over one CRM hear of the same new person, and what the second knows of the CRM is an hour old: the person is
/// made there once, and all are in step. (Seeds 215 and 1956 of the records.)
///
/// proves: R5, R10
#[tokio::test]
async fn two_integrations_make_one_person_once() {
    let company = Company::changed(|flows| {
        flows.remove(1);
        for flow in flows.iter_mut() {
            flow.pairs.truncate(1);
            flow.pairs[0].left.create = true;
        }
        flows[1].left.every = SignedDuration::from_hours(1);
    })
    .await;
    company.org.seed("Contact", &fields(json!({ "LastName": "Byron", "Email": "byron@example.org" }))).expect("sound");
    company.calm().await;
    let [with_brevo, with_hub] = company.engine.setup().records.as_slice() else { panic!("two integrations") };
    let round = async |flow| match company.engine.records_round(flow, false).await.expect("the database answers") {
        RoundEnd::Done(round) => round,
        end => panic!("{end:?}"),
    };
    // From here on the CRM is not due to be read for the second one.
    company.hands.pass(SignedDuration::from_hours(2));
    round(with_hub).await;
    add(&company.brevo, "ada@example.org", json!({ "FIRSTNAME": "Ada", "LASTNAME": "Lovelace" }));
    let ada = [("email", "ada@example.org"), ("lastname", "Lovelace"), ("jobtitle", "Countess")];
    company.hub.create("contacts", &ada).expect("a free address");
    company.hands.pass(SignedDuration::from_mins(5));
    assert_eq!(round(with_brevo).await.created, 1);
    assert_eq!(round(with_hub).await.created, 0, "she is there by now");
    company.calm().await;
    assert_eq!(company.contact("ada@example.org")["Title"], json!("Countess"));
    assert_eq!(people(&company.brevo)["ada@example.org"]["JOB_TITLE"], json!("Countess"));
}

/// While one side cannot be read for the first time, a round ends before anybody is decided about.
///
/// proves: R5
#[tokio::test]
async fn nobody_is_made_while_a_side_cannot_be_read() {
    let desk = Desk::new(vec![pair()]).await;
    for account in [&desk.left, &desk.right] {
        add(account, "ada@example.org", json!({ "FIRSTNAME": "Ada" }));
    }
    desk.activate().await;
    for _ in 0..2 {
        desk.right.faults().add(FaultRule::next(FaultKind::LostRequest).on("GET", "/v3/contacts"));
        let end = desk.engine.records_round(desk.flow(), false).await.expect("the database answers");
        assert!(!matches!(&end, RoundEnd::Done(round) if round.decided > 0), "{end:?}");
        assert_eq!((desk.left.effects(), desk.right.effects()), (1, 1), "nobody is made");
        desk.hands.pass(SignedDuration::from_mins(30));
    }
    let done = desk.calm().await;
    assert_eq!((done.adopted, done.created), (1, 0));
}

/// A first reading that is longer than one round decides nothing in between: whoever seems to be missing stands on its last
/// page. (Seed 1361 of the records.)
///
/// proves: R5
#[tokio::test]
async fn nobody_is_made_in_the_middle_of_a_first_reading() {
    // More pages of a hundred than a round reads.
    const PEOPLE: usize = 2_100;
    let company = Company::changed(|flows| *flows = flows.drain(1..2).collect()).await;
    for n in 0..PEOPLE {
        let contact = json!({ "email": format!("p{n}@example.org"), "firstName": "Ada", "lastName": "Lovelace" });
        company.campaign.add_contact(&fields(contact)).expect("a free address");
    }
    company.seed("Contact", &format!("p{}@example.org", PEOPLE - 1));
    let flow = &company.engine.setup().records[0];
    match company.engine.records_round(flow, false).await.expect("the database answers") {
        RoundEnd::Done(round) => assert_eq!((round.more, round.decided), (true, 0), "{round:?}"),
        end => panic!("{end:?}"),
    }
    company.calm().await;
    assert_eq!(company.campaign.contacts_snapshot().len(), PEOPLE);
}

/// A contact is deleted while a mapped field cannot be read: whether the counterpart says something that was never carried
/// over is not known, so it stays until it is. (Seed 750 of the records.)
///
/// proves: R14, R16
#[tokio::test]
async fn nothing_is_deleted_while_a_field_is_hidden() {
    let company = Company::changed(|flows| {
        flows.truncate(1);
        flows[0].pairs[0].rows.push(super::desk::both_ways("Department", "CITY"));
        flows[0].pairs[0].right.deleted = WhenDeleted::Delete;
    })
    .await;
    let seed = |name: &str| {
        let contact = json!({ "LastName": name, "Email": format!("{name}@example.org"), "Department": "Horses" });
        company.org.seed("Contact", &fields(contact)).expect("the contact is sound")
    };
    let (ada, _) = (seed("ada"), seed("byron"));
    company.calm().await;
    let rename = |field: &str, to: &str| {
        let (object, field, to) = ("Contact".to_owned(), field.to_owned(), to.to_owned());
        company.org.change_schema(&SchemaChange::RenameField { object, field, to }).expect("the field is there");
    };
    rename("Department", "Away__c");
    company.calm().await;
    company.org.delete(&ada).expect("she is there");
    company.calm().await;
    assert_eq!(people(&company.brevo).len(), 2, "she stays as long as the field cannot be read");
    rename("Away__c", "Department");
    company.hands.pass(SignedDuration::from_hours(7));
    company.calm().await;
    assert_eq!(people(&company.brevo).keys().collect::<Vec<_>>(), ["byron@example.org"]);
}
