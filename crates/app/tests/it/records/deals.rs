//! Opportunities as deals that belong to somebody: to the person and the company of the opportunity, once those are in step.

use jiff::SignedDuration;
use serde_json::{Map, Value, json};
use syncline_core::{
    expr::Expression,
    merge::{Direction, PairDraft, RuleDraft},
};
use syncline_engine::records::RecordFlow;
use syncline_sandbox::{Fault, FaultKind, FaultRule, hubspot::HubSpotProperty};

use super::{
    company::{Company, fields},
    desk::both_ways,
};
use crate::lab::postgres_database;

pub fn one_way(left: &str, right: &str) -> RuleDraft {
    RuleDraft { direction: Direction::ToRight, ..both_ways(left, right) }
}

/// A field by which a record names another, which has its counterpart in this pair.
pub fn names(left: &str, right: &str, pair: &str) -> RuleDraft {
    let mut row = one_way(left, right);
    row.right.counterpart_in = vec![pair.to_owned()];
    row
}

pub fn stage(left: &str, right: &str, options: &[(&str, &str)]) -> RuleDraft {
    let mut row = one_way(left, right);
    row.right.options = options.iter().map(|(left, right)| ((*left).to_owned(), (*right).to_owned())).collect();
    row
}

pub fn pair(like: &PairDraft, name: &str, kinds: [&str; 2], rows: Vec<RuleDraft>) -> PairDraft {
    let mut pair = PairDraft { name: name.to_owned(), rows, ..like.clone() };
    [pair.left.kind, pair.right.kind] = kinds.map(str::to_owned);
    pair
}

/// Companies, people and deals of HubSpot, and nothing else.
fn with_hubspot(flows: &mut Vec<RecordFlow>) {
    flows.drain(..2);
    let contacts = flows[0].pairs[0].clone();
    let mut closes = one_way("CloseDate", "closedate");
    closes.right.convert = Some(Expression::conversion("{{ value }}T00:00:00Z").expect("it is sound"));
    let rows = vec![
        one_way("Name", "dealname"),
        one_way("Amount", "amount"),
        stage("StageName", "dealstage", &[("Prospecting", "appointmentscheduled"), ("Closed Won", "closedwon")]),
        closes,
        names("ContactId", "associations.contacts", "contacts"),
        names("AccountId", "associations.companies", "companies"),
    ];
    let deals = pair(&contacts, "deals", ["Opportunity", "deals"], rows);
    let companies = pair(&contacts, "companies", ["Account", "companies"], vec![one_way("Name", "name")]);
    flows[0].pairs = vec![companies, contacts, deals];
}

/// People and deals of Brevo.
fn with_brevo(flows: &mut Vec<RecordFlow>) {
    flows.truncate(1);
    let contacts = flows[0].pairs[0].clone();
    let mut closes = one_way("CloseDate", "close_date");
    closes.right.convert = Some(Expression::conversion("{{ value }}T00:00:00Z").expect("it is sound"));
    let rows = vec![
        one_way("Name", "deal_name"),
        one_way("Amount", "amount"),
        stage("StageName", "deal_stage", &[("Prospecting", NEW), ("Closed Won", WON)]),
        closes,
        names("ContactId", "linkedContactsIds", "contacts"),
    ];
    let deals = pair(&contacts, "deals", ["Opportunity", "deal"], rows);
    flows[0].pairs = vec![contacts, deals];
}

/// Stages of the imitation account's pipeline.
const NEW: &str = "9e577ff7-8e42-4ab3-be26-2b5e01b42518";
const WON: &str = "1c2b3a4d-8e42-4ab3-be26-2b5e01b4251b";

fn add_keys(company: &Company) {
    let key = HubSpotProperty { unique: true, ..HubSpotProperty::text("syncline_key") };
    for kind in ["companies", "deals"] {
        company.hub.add_property(kind, &key).expect("a property");
    }
}

pub fn seed(company: &Company, object: &str, record: Value) -> String {
    company.org.seed(object, &fields(record)).expect("the record is sound")
}

/// Makes a contact the primary one of an opportunity, as people do: what the opportunity itself says cannot be edited.
fn make_primary(company: &Company, opportunity: &str, contact: &str) {
    let role = json!({ "OpportunityId": opportunity, "ContactId": contact, "IsPrimary": true });
    seed(company, "OpportunityContactRole", role);
}

pub fn opportunity(name: &str, contact: &str, account: Option<&str>) -> Value {
    json!({ "Name": name, "Amount": 1500.5, "StageName": "Prospecting", "CloseDate": "2026-09-30",
            "ContactId": contact, "AccountId": account })
}

/// The names of the people and companies that a deal of HubSpot belongs to and that are there.
fn belongs_to(company: &Company, deal: &str) -> Vec<String> {
    let all = company.hub.snapshot();
    let of = |kind: &str| all.get(kind).into_iter().flatten();
    let mut deals = of("deals").filter(|one| one.properties.get("dealname").is_some_and(|name| name == deal));
    let (found, more) = (deals.next().expect("the deal is there"), deals.next());
    assert!(more.is_none(), "{deal} is there twice");
    let name = |link: &syncline_sandbox::hubspot::HubSpotLink| {
        let record = of(&link.object).find(|record| record.id == link.id)?;
        let property = if link.object == "contacts" { "email" } else { "name" };
        Some(record.properties.get(property).cloned().unwrap_or_default())
    };
    let mut names: Vec<String> = found.links.iter().filter_map(name).collect();
    names.sort();
    names
}

/// Deals are made once, at once with whom they belong to where those can be made in the same round; one whose person is not
/// in step is there all the same, and is tied when the person comes, by one write. Whom people associate besides stays.
async fn deals_belong_to_somebody(company: Company) {
    add_keys(&company);
    let account = seed(&company, "Account", json!({ "Name": "Engines" }));
    let ada = seed(&company, "Contact", json!({ "LastName": "Lovelace", "Email": "ada@example.org" }));
    let grace = seed(&company, "Contact", json!({ "LastName": "Hopper" }));
    let engine = seed(&company, "Opportunity", opportunity("Engine", &ada, Some(&account)));
    seed(&company, "Opportunity", opportunity("Compiler", &grace, None));
    assert_eq!(company.calm().await, 4, "a company, a person and two deals, each written once");
    assert_eq!(belongs_to(&company, "Engine"), ["Engines", "ada@example.org"]);
    assert!(belongs_to(&company, "Compiler").is_empty(), "nobody is known whom it could belong to");

    company.org.edit(&grace, &fields(json!({ "Email": "grace@example.org" }))).expect("the edit is sound");
    assert_eq!(company.calm().await, 2, "the person, and whom the deal belongs to");
    assert_eq!(belongs_to(&company, "Compiler"), ["grace@example.org"]);

    let all = company.hub.snapshot();
    let deal =
        all["deals"].iter().find(|deal| deal.properties["dealname"] == "Engine").expect("it is there").id.clone();
    let person = company.hub.create("contacts", &[("email", "byron@example.org")]).expect("a person");
    company.hub.associate(("deals", &deal), ("contacts", &person), None).expect("both are there");
    make_primary(&company, &engine, &grace);
    company.org.edit(&engine, &fields(json!({ "Amount": 2000 }))).expect("the edit is sound");
    assert_eq!(company.calm().await, 1, "the amount and the person by one write");
    assert_eq!(belongs_to(&company, "Engine"), ["Engines", "byron@example.org", "grace@example.org"]);
    assert_eq!(company.calm().await, 0, "nothing is left to write");
}

/// proves: R7, R22
#[tokio::test]
async fn deals_belong_to_the_person_and_company_of_their_opportunity() {
    deals_belong_to_somebody(Company::changed(with_hubspot).await).await;
}

/// proves: R7, R22
#[tokio::test]
async fn deals_belong_to_somebody_on_postgresql_as_well() {
    let base = std::env::var("SYNCLINE_TEST_POSTGRES").expect("run ./test, which starts PostgreSQL");
    let url = postgres_database(&base, "deals");
    deals_belong_to_somebody(Company::on(&url, with_hubspot).await).await;
}

/// The person of a deal loses its counterpart and takes over that of somebody who is merged into it: the deal belongs to that
/// one, although nobody touched the opportunity.
///
/// proves: R7, R16
#[tokio::test]
async fn a_deal_follows_its_person_to_another_counterpart() {
    let company = Company::changed(with_hubspot).await;
    add_keys(&company);
    let ada = seed(&company, "Contact", json!({ "LastName": "Lovelace", "Email": "ada@example.org" }));
    let grace = seed(&company, "Contact", json!({ "LastName": "Hopper", "Email": "grace@example.org" }));
    seed(&company, "Opportunity", opportunity("Engine", &grace, None));
    company.calm().await;
    assert_eq!(belongs_to(&company, "Engine"), ["grace@example.org"]);
    let all = company.hub.snapshot();
    let there = |email: &str| all["contacts"].iter().find(|one| one.properties["email"] == email).expect("it is there");

    company.hub.archive("contacts", &there("grace@example.org").id).expect("it is deleted");
    company.hands.pass(SignedDuration::from_hours(25));
    company.calm().await;
    company.org.merge(&grace, &[&ada], &Map::new()).expect("they are merged");
    let written = company.calm().await;
    assert_eq!(belongs_to(&company, "Engine"), ["grace@example.org"]);
    assert_eq!(written, 2, "the counterpart is told who it is now, and the deal whose it is");
    assert_eq!(company.hub.snapshot()["contacts"].len(), 1, "nobody is made anew");
    assert_eq!(company.calm().await, 0, "nothing is left to write");
}

/// The same in Brevo, which refuses to part a deal from a contact that is gone.
///
/// proves: R7, R16
#[tokio::test]
async fn a_deal_of_brevo_follows_its_person_to_another_counterpart() {
    let company = Company::changed(with_brevo).await;
    let ada = seed(&company, "Contact", json!({ "LastName": "Lovelace", "Email": "ada@example.org" }));
    let grace = seed(&company, "Contact", json!({ "LastName": "Hopper", "Email": "grace@example.org" }));
    seed(&company, "Opportunity", opportunity("Engine", &grace, None));
    company.calm().await;
    let (goes, stays) = ["grace@example.org", "ada@example.org"]
        .map(|email| company.brevo.contact_with_email(email).expect("it was made"))
        .into();
    let people = || company.brevo.deals_snapshot()[0]["linkedContactsIds"].clone();
    assert_eq!(people(), json!([goes]));

    company.brevo.delete(goes).expect("it is deleted");
    company.hands.pass(SignedDuration::from_hours(25));
    company.calm().await;
    company.org.merge(&grace, &[&ada], &Map::new()).expect("they are merged");
    let written = company.calm().await;
    assert_eq!(people(), json!([stays]));
    assert_eq!(written, 2, "the counterpart is told who it is now, and the deal whose it is");
    assert_eq!(company.calm().await, 0, "nothing is left to write");
}

/// An opportunity goes to somebody who has no counterpart, and nothing else of it changes: the deal goes to them once they
/// have one, although the opportunity was seen long before. (Seed 582 of the simulation.)
///
/// proves: R7
#[tokio::test]
async fn a_deal_that_was_handed_over_waits_for_its_new_person() {
    let company = Company::changed(with_hubspot).await;
    add_keys(&company);
    let ada = seed(&company, "Contact", json!({ "LastName": "Lovelace", "Email": "ada@example.org" }));
    let grace = seed(&company, "Contact", json!({ "LastName": "Hopper" }));
    let engine = seed(&company, "Opportunity", opportunity("Engine", &ada, None));
    company.calm().await;
    make_primary(&company, &engine, &grace);
    company.hands.pass(SignedDuration::from_hours(25));
    assert_eq!(company.calm().await, 0, "nobody is known whom it could go to");
    assert_eq!(belongs_to(&company, "Engine"), ["ada@example.org"]);
    company.org.edit(&grace, &fields(json!({ "Email": "grace@example.org" }))).expect("the edit is sound");
    assert_eq!(company.calm().await, 2, "the person, and whom the deal belongs to");
    assert_eq!(belongs_to(&company, "Engine"), ["grace@example.org"]);
}

/// Whatever answer is lost, of a deal or of whom it belongs to: there is one deal, and it belongs to them.
///
/// proves: R7, V2
#[tokio::test]
async fn a_lost_answer_makes_no_second_deal() {
    for path in ["/crm/v3/objects/deals/batch/upsert", "/crm/v4/associations/deals/contacts/"] {
        for kind in [FaultKind::LostAnswer, FaultKind::LostRequest] {
            let company = Company::changed(with_hubspot).await;
            add_keys(&company);
            let ada = seed(&company, "Contact", json!({ "LastName": "Lovelace", "Email": "ada@example.org" }));
            seed(&company, "Opportunity", opportunity("Engine", &ada, None));
            let fault = Fault { kind, status: 0, delay_ms: 0 };
            let rule = FaultRule { fault, method: None, path: Some(path.to_owned()), after: 0, times: Some(1) };
            company.hub.faults().add(rule);
            company.calm_after_failures().await;
            assert_eq!(belongs_to(&company, "Engine"), ["ada@example.org"], "{path} {kind:?}");
            assert_eq!(company.calm().await, 0, "nothing is left to write");
        }
    }
}

/// What a mapping says of whom deals belong to is checked against both accounts.
///
/// proves: R2, R7
#[tokio::test]
async fn a_wrong_relation_is_named_by_the_check() {
    let company = Company::changed(with_hubspot).await;
    let mut flow = company.engine.setup().records[0].clone();
    flow.pairs[2].rows[2] = stage("StageName", "dealstage", &[("Prospecting", "nowhere"), ("Closed Won", "closedwon")]);
    flow.pairs[2].rows.push(names("OwnerId", "associations.contacts", "contacts"));
    flow.pairs[2].rows.push(names("Name", "description", "companies"));
    let checked = company.engine.records_check(&flow).await.expect("the database answers").expect("both answer");
    let (refused, warned) = (checked.refused.join("\n"), checked.warnings.join("\n"));
    assert!(warned.contains("Prospecting (as nowhere)"), "{warned}");
    assert!(refused.contains("OwnerId names User, and the pair contacts is of Contact"), "{refused}");
    assert!(refused.contains("Name names no record"), "{refused}");
    assert!(refused.contains("description names no record"), "{refused}");
}

/// The company of a person is carried over as well: it is a relation like any other.
///
/// proves: R7
#[tokio::test]
async fn people_belong_to_their_company() {
    let company = Company::changed(|flows| {
        with_hubspot(flows);
        flows[0].pairs[1].rows.push(names("AccountId", "associations.companies", "companies"));
        flows[0].pairs.truncate(2);
    })
    .await;
    add_keys(&company);
    let account = seed(&company, "Account", json!({ "Name": "Engines" }));
    let contact = json!({ "LastName": "Lovelace", "Email": "ada@example.org", "AccountId": account });
    seed(&company, "Contact", contact);
    assert_eq!(company.calm().await, 2, "each of them is written once");
    let all = company.hub.snapshot();
    let ada = all["contacts"].iter().find(|one| one.properties["email"] == "ada@example.org").expect("she is there");
    let companies: Vec<&str> = ada.links.iter().map(|link| link.id.as_str()).collect();
    assert_eq!(companies, [all["companies"][0].id.as_str()]);
    company.hands.pass(SignedDuration::from_hours(25));
    assert_eq!(company.calm().await, 0, "nor does the daily reading write anything");
}

/// Opportunities become deals of Brevo, which belong to their person: made once, also where an answer is lost, followed, and
/// never written back. Idle rounds write nothing.
///
/// proves: R7, R22, V2
#[tokio::test]
async fn opportunities_become_deals_of_brevo() {
    let company = Company::changed(with_brevo).await;
    let ada = seed(&company, "Contact", json!({ "LastName": "Lovelace", "Email": "ada@example.org" }));
    let grace = seed(&company, "Contact", json!({ "LastName": "Hopper" }));
    let engine = seed(&company, "Opportunity", opportunity("Engine", &ada, None));
    seed(&company, "Opportunity", opportunity("Compiler", &grace, None));
    let lost = Fault { kind: FaultKind::LostAnswer, status: 0, delay_ms: 0 };
    let path = Some("/v3/crm/deals".to_owned());
    let method = Some("POST".to_owned());
    company.brevo.faults().add(FaultRule { fault: lost, method, path, after: 0, times: Some(1) });
    company.calm_after_failures().await;
    let deal = |name: &str| {
        let mut found = company.brevo.deals_snapshot();
        found.retain(|deal| deal["attributes"]["deal_name"] == json!(name));
        assert_eq!(found.len(), 1, "one deal for one opportunity: {found:?}");
        found.remove(0)
    };
    let person = |email: &str| json!([company.brevo.contact_with_email(email).expect("it was made")]);
    let made = deal("Engine");
    assert_eq!((&made["attributes"]["amount"], &made["attributes"]["deal_stage"]), (&json!(1500.5), &json!(NEW)));
    assert_eq!(made["attributes"]["close_date"], json!("2026-09-30T00:00:00.000Z"));
    assert_eq!(made["linkedContactsIds"], person("ada@example.org"));
    assert_eq!(deal("Compiler")["linkedContactsIds"], json!([]), "whom it belongs to is not in step");

    company.org.edit(&grace, &fields(json!({ "Email": "grace@example.org" }))).expect("the edit is sound");
    assert_eq!(company.calm().await, 2, "the person, and whom the deal belongs to");
    assert_eq!(deal("Compiler")["linkedContactsIds"], person("grace@example.org"));

    let won = json!({ "StageName": "Closed Won", "Amount": 2000 });
    make_primary(&company, &engine, &grace);
    company.org.edit(&engine, &fields(won)).expect("the edit is sound");
    assert_eq!(company.calm().await, 1);
    let made = deal("Engine");
    assert_eq!((&made["attributes"]["amount"], &made["attributes"]["deal_stage"]), (&json!(2000), &json!(WON)));
    assert_eq!(made["linkedContactsIds"], person("grace@example.org"), "and to nobody else");
    assert_eq!(company.calm().await, 0, "nothing is left to write");
    company.hands.pass(SignedDuration::from_hours(25));
    assert_eq!(company.calm().await, 0, "nor does the daily reading write anything");
}

/// A stage that the pipeline does not have, and a field that deals do not have, are named before anything is written.
///
/// proves: R2, R7
#[tokio::test]
async fn a_stage_that_no_pipeline_has_is_named_by_the_check() {
    let company = Company::changed(with_brevo).await;
    let mut flow = company.engine.setup().records[0].clone();
    flow.pairs[1].rows[2] = stage("StageName", "deal_stage", &[("Prospecting", "nowhere"), ("Closed Won", WON)]);
    flow.pairs[1].rows.push(one_way("Description", "deal_story"));
    let checked = company.engine.records_check(&flow).await.expect("the database answers").expect("both answer");
    let (refused, warned) = (checked.refused.join("\n"), checked.warnings.join("\n"));
    assert!(refused.contains("field deal_story on the right: deal has no such field"), "{refused}");
    assert!(warned.contains("these options have no counterpart from StageName to deal_stage"), "{warned}");
    assert!(warned.contains("Prospecting (as nowhere)"), "{warned}");
    assert!(warned.contains(&format!("{WON} Won of Sales Pipeline")), "the stages that there are: {warned}");
}

/// People and deals of ActiveCampaign.
fn with_activecampaign(flows: &mut Vec<RecordFlow>) {
    flows.drain(2..);
    flows.drain(..1);
    let contacts = flows[0].pairs[0].clone();
    let mut currency = one_way("Name", "currency");
    currency.right.convert = Some(Expression::conversion("eur").expect("it is sound"));
    let rows = vec![
        one_way("Name", "title"),
        one_way("Amount", "value"),
        currency,
        stage("StageName", "stage", &[("Prospecting", "2"), ("Closed Won", "3")]),
        one_way("CloseDate", "field:1"),
        names("ContactId", "contact", "contacts"),
    ];
    let deals = pair(&contacts, "deals", ["Opportunity", "deal"], rows);
    flows[0].pairs = vec![contacts, deals];
}

/// A deal of ActiveCampaign has to have a contact: one whose person is not in step is held back with the reason and what to
/// do, and goes by itself once the person is tied. A lost answer makes no second one; idle rounds write nothing.
///
/// proves: R7, R22, V2
#[tokio::test]
async fn a_deal_that_needs_its_person_waits_for_them() {
    let company = Company::changed(with_activecampaign).await;
    let ada = seed(&company, "Contact", json!({ "LastName": "Lovelace", "Email": "ada@example.org" }));
    let grace = seed(&company, "Contact", json!({ "LastName": "Hopper" }));
    let engine = seed(&company, "Opportunity", opportunity("Engine", &ada, None));
    seed(&company, "Opportunity", opportunity("Compiler", &grace, None));
    let lost = Fault { kind: FaultKind::LostAnswer, status: 0, delay_ms: 0 };
    let (path, method) = (Some("/api/3/deals".to_owned()), Some("POST".to_owned()));
    company.campaign.faults().add(FaultRule { fault: lost, method, path, after: 0, times: Some(1) });
    company.calm_after_failures().await;
    let deals = || company.campaign.deals_snapshot();
    assert_eq!(deals().len(), 1, "one waits for its person: {:?}", deals());
    let deal = |title: &str| deals().into_iter().find(|deal| deal["title"] == json!(title)).expect("it is there");
    let made = deal("Engine");
    let person = |email: &str| json!(company.campaign_id(email).to_string());
    assert_eq!((&made["value"], &made["currency"], &made["stage"]), (&json!("150050"), &json!("eur"), &json!("2")));
    assert_eq!(made["contact"], person("ada@example.org"));
    let number = made["id"].as_str().expect("a number").parse().expect("a number");
    assert_eq!(company.campaign.deal_values(number), [json!({ "customFieldId": 1, "fieldValue": "2026-09-30" })]);
    let flow = &company.engine.setup().records[0];
    let store = &company.engine.world().store;
    let holds = store.holds(&flow.workspace, &flow.id, None, 50).await.expect("it answers");
    let said: Vec<String> = holds.iter().map(|held| format!("{}; {}", held.hold.reason, held.hold.fix)).collect();
    let reason = format!("contact must have a value, and {grace}, which it belongs to, has no counterpart in contacts");
    assert!(said.len() == 1 && said[0].starts_with(&reason), "{said:?}");
    assert!(said[0].contains("this goes by itself once it has one"), "{said:?}");

    company.org.edit(&grace, &fields(json!({ "Email": "grace@example.org" }))).expect("the edit is sound");
    assert_eq!(company.calm().await, 2, "the person and then the deal, each by one write");
    assert_eq!(deal("Compiler")["contact"], person("grace@example.org"));
    assert!(store.holds(&flow.workspace, &flow.id, None, 50).await.expect("it answers").is_empty());

    let won = json!({ "StageName": "Closed Won", "CloseDate": "2026-10-15" });
    make_primary(&company, &engine, &grace);
    company.org.edit(&engine, &fields(won)).expect("the edit is sound");
    assert_eq!(company.calm().await, 1, "stage, day and person by one write");
    let made = deal("Engine");
    assert_eq!((&made["stage"], &made["contact"]), (&json!("3"), &person("grace@example.org")));
    assert_eq!(company.campaign.deal_values(number), [json!({ "customFieldId": 1, "fieldValue": "2026-10-15" })]);
    company.hands.pass(SignedDuration::from_hours(25));
    assert_eq!(company.calm().await, 0, "nothing is left to write");
    assert_eq!(deals().len(), 2);
}
