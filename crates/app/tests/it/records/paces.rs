//! Calls at the pace that the accounts allow.

use serde_json::json;
use syncline_core::Clock;
use syncline_engine::records::RecordFlow;
use syncline_sandbox::{activecampaign::CALLS_PER_SECOND, brevo::BrevoRates, hubspot::HubSpotRates};

use super::{
    company::{Company, fields},
    deals::{one_way, pair},
    desk::people,
};

/// A first load of some thousand people into three tools, each with the limits that its vendor documents, is never told that
/// it calls too often, though no time passes but that which it waits for its turn: what is allowed is learned from the
/// answers before it is used up.
///
/// proves: R19, V4
#[tokio::test]
async fn a_first_load_meets_no_limit() {
    const PEOPLE: usize = 2_000;
    let company = Company::new().await;
    company.brevo.set_rates(BrevoRates::GENERAL);
    company.campaign.set_calls_per_second(CALLS_PER_SECOND);
    // Less than any plan has, so that only the headers can have told of it.
    company.hub.set_rates(HubSpotRates { private_per_ten_seconds: 12, ..HubSpotRates::default() });
    for n in 0..PEOPLE {
        let contact = json!({ "LastName": format!("Last{n}"), "Email": format!("p{n}@example.org") });
        company.org.seed("Contact", &fields(contact)).expect("the contact is sound");
    }
    company.calm().await;
    assert_eq!(people(&company.brevo).len(), PEOPLE);
    assert_eq!(company.campaign.contacts_snapshot().len(), PEOPLE);
    assert_eq!(company.hub_emails().iter().filter(|email| email.starts_with('p')).count(), PEOPLE);
    assert_eq!(company.too_many(), 0);
}

/// Companies, and nothing else.
fn with_companies(flows: &mut Vec<RecordFlow>) {
    flows.truncate(1);
    let companies = pair(&flows[0].pairs[0], "companies", ["Account", "company"], vec![one_way("Name", "name")]);
    flows[0].pairs = vec![companies];
}

/// What an account takes in an hour is not waited for in memory: what is beyond it is put back at once, goes by itself in the
/// hours after, and the account never refuses a call.
///
/// proves: R19, V4
#[tokio::test]
async fn nobody_waits_for_the_next_hour() {
    const COMPANIES: usize = 40;
    let company = Company::changed(with_companies).await;
    company.brevo.set_rates(BrevoRates { others_per_hour: 20, ..BrevoRates::NONE });
    for n in 0..COMPANIES {
        company.org.seed("Account", &fields(json!({ "Name": format!("Engines {n}") }))).expect("the account is sound");
    }
    let began = company.hands.now();
    company.engine.records_round(&company.engine.setup().records[0], false).await.expect("the database answers");
    assert_eq!(company.hands.now(), began, "no time is waited away");
    let made = company.brevo.companies_snapshot().len();
    assert!((1..20).contains(&made), "{made} of what one hour takes");
    company.calm().await;
    assert_eq!(company.brevo.companies_snapshot().len(), COMPANIES);
    assert_eq!(company.too_many(), 0);
}
