//! Accounts of the CRM and the companies of a tool: both ways, made once, with the people who belong to them.

use jiff::SignedDuration;
use serde_json::{Map, Value, json};
use syncline_core::expr::Expression;
use syncline_engine::records::RecordFlow;
use syncline_sandbox::{FaultKind, FaultRule};

use super::{
    company::{Company, fields},
    deals::{names, one_way, opportunity, pair, seed, stage},
    desk::both_ways,
};

/// Companies, people and deals of Brevo.
fn with_brevo(flows: &mut Vec<RecordFlow>) {
    flows.truncate(1);
    let mut contacts = flows[0].pairs[0].clone();
    let rows = vec![both_ways("Name", "name"), both_ways("Website", "domain")];
    let companies = pair(&contacts, "companies", ["Account", "company"], rows);
    contacts.rows.push(names("AccountId", "linkedCompaniesIds", "companies"));
    let rows = vec![
        one_way("Name", "deal_name"),
        names("ContactId", "linkedContactsIds", "contacts"),
        names("AccountId", "linkedCompaniesIds", "companies"),
    ];
    let deals = pair(&contacts, "deals", ["Opportunity", "deal"], rows);
    flows[0].pairs = vec![companies, contacts, deals];
}

fn account(company: &Company, id: &str) -> Map<String, Value> {
    let mut found = company.org.records("Account");
    found.retain(|account| account["Id"] == json!(id));
    found.remove(0)
}

/// Accounts become companies, made once also where an answer is lost, and their people and opportunities belong to them. A
/// change of either side reaches the other; whoever changes the account changes the company; whom people link besides
/// stays; and idle rounds write nothing.
///
/// proves: R4, R7, R22, V2
#[tokio::test]
async fn accounts_and_companies_of_brevo_stay_in_step() {
    let company = Company::changed(with_brevo).await;
    let engines = seed(&company, "Account", json!({ "Name": "Engines", "Website": "engines.example" }));
    let looms = seed(&company, "Account", json!({ "Name": "Looms" }));
    let ada = json!({ "LastName": "Lovelace", "Email": "ada@example.org", "AccountId": engines });
    let ada = seed(&company, "Contact", ada);
    let bob = seed(&company, "Contact", json!({ "LastName": "Babbage", "Email": "bob@example.org" }));
    seed(&company, "Opportunity", opportunity("Engine", &ada, Some(&engines)));
    let lost = FaultRule::next(FaultKind::LostAnswer).on("POST", "/v3/companies");
    company.brevo.faults().add(lost).expect("a fault");
    company.calm_after_failures().await;
    let shown = |name: &str| {
        let mut found = company.brevo.companies_snapshot();
        found.retain(|one| one["attributes"]["name"] == json!(name));
        assert_eq!(found.len(), 1, "one company for one account: {found:?}");
        found.remove(0)
    };
    let person = |email: &str| company.brevo.contact_with_email(email).expect("it was made");
    let id = |company: &Value| company["id"].as_str().expect("an id").to_owned();
    let made = shown("Engines");
    assert_eq!(made["attributes"]["domain"], json!("engines.example"));
    assert_eq!(made["linkedContactsIds"], json!([person("ada@example.org")]));
    assert_eq!(company.brevo.deals_snapshot()[0]["linkedCompaniesIds"], json!([made["id"]]));
    assert_eq!(shown("Looms")["linkedContactsIds"], json!([]));
    assert_eq!(company.calm().await, 0, "nothing is left to write");

    company.org.edit(&engines, &fields(json!({ "Name": "Analytical Engines" }))).expect("the edit is sound");
    let domain = fields(json!({ "attributes": { "domain": "analytical.example" } }));
    company.brevo.edit_company(&id(&made), &domain).expect("the edit is sound");
    assert_eq!(company.calm().await, 2, "one write each way");
    let both = (&shown("Analytical Engines")["attributes"]["domain"], &account(&company, &engines)["Website"]);
    assert_eq!(both, (&json!("analytical.example"), &json!("analytical.example")));

    // Somebody links another contact with the company that she goes to.
    let guest = super::desk::add(&company.brevo, "guest@example.org", json!({}));
    let besides = fields(json!({ "linkedContactsIds": [guest] }));
    company.brevo.edit_company(&id(&shown("Looms")), &besides).expect("the edit is sound");
    for (contact, account) in [(&ada, json!(looms)), (&bob, json!(engines))] {
        company.org.edit(contact, &fields(json!({ "AccountId": account }))).expect("the edit is sound");
    }
    assert_eq!(company.calm().await, 2, "each is told once");
    assert_eq!(shown("Analytical Engines")["linkedContactsIds"], json!([person("bob@example.org")]));
    let members = shown("Looms")["linkedContactsIds"].clone();
    assert_eq!(members, json!([person("ada@example.org"), guest]), "whom people link besides stays");
    company.org.edit(&ada, &fields(json!({ "AccountId": null }))).expect("the edit is sound");
    assert_eq!(company.calm().await, 1);
    assert_eq!(shown("Looms")["linkedContactsIds"], json!([guest]));

    let before = (company.org.records("Account"), company.brevo.effects());
    company.hands.pass(SignedDuration::from_hours(25));
    assert_eq!(company.calm().await, 0, "nor does the daily reading write anything");
    assert_eq!((company.org.records("Account"), company.brevo.effects()), before);
}

/// Accounts, people and deals of ActiveCampaign.
fn with_activecampaign(flows: &mut Vec<RecordFlow>) {
    flows.drain(2..);
    flows.drain(..1);
    let mut contacts = flows[0].pairs[0].clone();
    let rows = vec![both_ways("Name", "name"), both_ways("Website", "accountUrl")];
    let accounts = pair(&contacts, "accounts", ["Account", "account"], rows);
    contacts.rows.push(names("AccountId", "account", "accounts"));
    let mut currency = one_way("Name", "currency");
    currency.right.convert = Some(Expression::conversion("eur").expect("it is sound"));
    let rows = vec![
        one_way("Name", "title"),
        currency,
        stage("StageName", "stage", &[("Prospecting", "2"), ("Closed Won", "3")]),
        names("ContactId", "contact", "contacts"),
        names("AccountId", "account", "accounts"),
    ];
    let deals = pair(&contacts, "deals", ["Opportunity", "deal"], rows);
    flows[0].pairs = vec![accounts, contacts, deals];
}

/// The same with accounts of ActiveCampaign, of which no two bear one name: a second one of a name is held back with the
/// reason, and goes by itself once it has another. People belong to one account and go over with their contact.
///
/// proves: R4, R7, R21, R22, V2
#[tokio::test]
async fn accounts_of_activecampaign_stay_in_step() {
    let company = Company::changed(with_activecampaign).await;
    let engines = seed(&company, "Account", json!({ "Name": "Engines", "Website": "https://engines.example" }));
    let looms = seed(&company, "Account", json!({ "Name": "Looms" }));
    let ada = json!({ "LastName": "Lovelace", "Email": "ada@example.org", "AccountId": engines });
    let ada = seed(&company, "Contact", ada);
    let bob = seed(&company, "Contact", json!({ "LastName": "Babbage", "Email": "bob@example.org" }));
    seed(&company, "Opportunity", opportunity("Engine", &ada, Some(&engines)));
    let lost = FaultRule::next(FaultKind::LostAnswer).on("POST", "/api/3/accounts");
    company.campaign.faults().add(lost).expect("a fault");
    company.calm_after_failures().await;
    let number = |name: &str| -> u64 {
        let mut found = company.campaign.accounts_snapshot();
        found.retain(|one| one["name"] == json!(name));
        assert_eq!(found.len(), 1, "one account for one account: {found:?}");
        found[0]["id"].as_str().expect("a number").parse().expect("a number")
    };
    let of = |email: &str| company.campaign.account_of(company.campaign_id(email));
    let made = number("Engines");
    assert_eq!((of("ada@example.org"), of("bob@example.org")), (Some(made), None));
    assert_eq!(company.campaign.deals_snapshot()[0]["account"], json!(made.to_string()));
    assert_eq!(company.calm().await, 0, "nothing is left to write");

    company.org.edit(&engines, &fields(json!({ "Name": "Analytical Engines" }))).expect("the edit is sound");
    let website = fields(json!({ "accountUrl": "https://analytical.example" }));
    company.campaign.edit_account(made, &website).expect("the edit is sound");
    assert_eq!(company.calm().await, 2, "one write each way");
    assert_eq!(number("Analytical Engines"), made);
    assert_eq!(account(&company, &engines)["Website"], json!("https://analytical.example"));

    for (contact, account) in [(&ada, &looms), (&bob, &engines)] {
        company.org.edit(contact, &fields(json!({ "AccountId": account }))).expect("the edit is sound");
    }
    assert_eq!(company.calm().await, 2, "each is told once");
    assert_eq!((of("ada@example.org"), of("bob@example.org")), (Some(number("Looms")), Some(made)));

    let twin = seed(&company, "Account", json!({ "Name": "Looms" }));
    assert_eq!(company.calm().await, 0);
    let flow = &company.engine.setup().records[0];
    let store = &company.engine.world().store;
    let holds = store.holds(&flow.workspace, &flow.id, None, 50).await.expect("it answers");
    assert!(holds.len() == 1 && holds[0].hold.reason.contains("another account bears this name"), "{holds:?}");
    company.org.edit(&twin, &fields(json!({ "Name": "Other Looms" }))).expect("the edit is sound");
    assert_eq!(company.calm().await, 1);
    number("Other Looms");

    let before = (company.org.records("Account"), company.campaign.effects());
    company.hands.pass(SignedDuration::from_hours(25));
    assert_eq!(company.calm().await, 0, "nor does the daily reading write anything");
    assert_eq!((company.org.records("Account"), company.campaign.effects()), before);
}
