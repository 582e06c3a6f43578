//! Which records take part, for contacts and leads by themselves; and how long what changed is gathered.

use jiff::SignedDuration;
use serde_json::{Value, json};
use syncline_core::{expr::Expression, merge::Select};
use syncline_engine::records::{Gather, RecordFlow, RoundEnd};

use syncline_sandbox::salesforce::SchemaChange;

use super::company::{Company, fields};

/// Only the integration with ActiveCampaign.
fn alone(flows: &mut Vec<RecordFlow>) -> &mut RecordFlow {
    flows.remove(2);
    flows.remove(0);
    &mut flows[0]
}

fn select(flow: &mut RecordFlow, pair: usize, criteria: &str) {
    let criteria = Expression::criteria(criteria).expect("the criteria are sound");
    flow.pairs[pair].left.read = criteria.reads().iter().map(|read| read.field.clone()).collect();
    flow.pairs[pair].select = Select::Where(criteria);
}

impl Company {
    fn add(&self, object: &str, email: &str, more: Value) -> String {
        let mut record = fields(json!({ "LastName": "Lovelace", "Email": email }));
        if object == "Lead" {
            record.insert("Company".to_owned(), json!("Engines"));
        }
        record.extend(fields(more));
        self.org.seed(object, &record).expect("the record is sound")
    }

    /// The addresses in the tool.
    fn there(&self) -> Vec<String> {
        let text = |contact: &Value| contact["email"].as_str().unwrap_or_default().to_owned();
        let mut all: Vec<String> = self.campaign.contacts_snapshot().iter().map(text).collect();
        all.sort();
        all
    }
}

/// All contacts take part and no lead: what one pair says has no bearing on the other. A lead that is in the tool as well is
/// left alone.
///
/// proves: R5
#[tokio::test]
async fn all_of_one_kind_and_none_of_the_other() {
    let company = Company::changed(|flows| alone(flows).pairs[1].select = Select::None).await;
    company.add("Contact", "contact@example.org", json!({}));
    company.add("Lead", "lead@example.org", json!({}));
    company.add("Lead", "known@example.org", json!({ "FirstName": "Ada" }));
    let known = company.campaign_contact("known@example.org", &[]);
    company.calm().await;
    assert_eq!(company.there(), ["contact@example.org", "known@example.org"]);
    let contact = company.campaign.contact(known).expect("it is there");
    assert_eq!(contact["firstName"], json!(""), "a lead takes no part");
}

/// New from now on: what was there when the integration was activated stays out, whatever becomes of it.
///
/// proves: R5
#[tokio::test]
async fn only_what_is_made_from_now_on() {
    let company = Company::changed(|flows| alone(flows).pairs[0].select = Select::New).await;
    // The clock of the tests stands at the activation.
    company.hands.pass(SignedDuration::from_hours(-2));
    let old = company.add("Contact", "old@example.org", json!({}));
    company.hands.pass(SignedDuration::from_hours(3));
    company.add("Contact", "new@example.org", json!({}));
    company.calm().await;
    assert_eq!(company.there(), ["new@example.org"]);
    company.org.edit(&old, &fields(json!({ "FirstName": "Old" }))).expect("the edit is sound");
    company.calm().await;
    assert_eq!(company.there(), ["new@example.org"]);
}

/// Flagged in the CRM: a check box that people, or a flow of the CRM, set. Who loses the flag is no longer kept in step, and
/// goes on when it is set again.
///
/// proves: R5
#[tokio::test]
async fn what_is_flagged_in_the_crm() {
    let company = Company::changed(|flows| select(alone(flows), 0, "record.Newsletter__c")).await;
    let field = json!({ "object": "Contact", "name": "Newsletter__c", "label": "Newsletter", "type": "boolean" });
    let field = serde_json::from_value(field).expect("a field");
    company.org.change_schema(&SchemaChange::AddField { field }).expect("a change of the schema");
    let flow = &company.engine.setup().records[0];
    company.engine.records_check(flow).await.expect("the database answers").expect("both answer");
    let flagged = company.add("Contact", "flagged@example.org", json!({ "Newsletter__c": true }));
    company.add("Contact", "other@example.org", json!({}));
    company.calm().await;
    assert_eq!(company.there(), ["flagged@example.org"]);
    let first_name = |company: &Company| {
        let id = company.campaign_id("flagged@example.org");
        company.campaign.contact(id).expect("it is there")["firstName"].clone()
    };
    let edit = |change: Value| company.org.edit(&flagged, &fields(change)).expect("the edit is sound");
    edit(json!({ "FirstName": "Ada" }));
    company.calm().await;
    assert_eq!(first_name(&company), json!("Ada"));
    edit(json!({ "FirstName": "Augusta", "Newsletter__c": false }));
    company.calm().await;
    assert_eq!(first_name(&company), json!("Ada"), "it is flagged no longer");
    edit(json!({ "Newsletter__c": true }));
    company.calm().await;
    assert_eq!(first_name(&company), json!("Augusta"));
}

/// Criteria read whatever the CRM shows, mapped or not, and differ between contacts and leads.
///
/// proves: R5
#[tokio::test]
async fn what_meets_the_criteria() {
    let company = Company::changed(|flows| {
        let flow = alone(flows);
        select(flow, 0, "record.Department == 'Sales' && record.Email != ''");
        select(flow, 1, "record.LeadSource == 'Web'");
    })
    .await;
    let near = company.add("Contact", "near@example.org", json!({ "Department": "Law" }));
    company.add("Contact", "sales@example.org", json!({ "Department": "Sales" }));
    company.add("Lead", "web@example.org", json!({ "LeadSource": "Web" }));
    company.add("Lead", "fair@example.org", json!({ "LeadSource": "Other" }));
    company.calm().await;
    assert_eq!(company.there(), ["sales@example.org", "web@example.org"]);
    company.org.edit(&near, &fields(json!({ "Department": "Sales" }))).expect("the edit is sound");
    company.calm().await;
    assert_eq!(company.there(), ["near@example.org", "sales@example.org", "web@example.org"]);
}

impl Company {
    /// One round, a minute later.
    async fn minute(&self) -> usize {
        self.hands.pass(SignedDuration::from_mins(1));
        match self.engine.records_round(&self.engine.setup().records[0], false).await.expect("the database answers") {
            RoundEnd::Done(round) => round.created + round.updated + round.deleted,
            end => panic!("{end:?}"),
        }
    }
}

/// Towards the CRM every ten minutes or at a hundred records, whichever comes first.
///
/// proves: R6
#[tokio::test]
async fn the_crm_is_told_in_batches() {
    let company = Company::changed(|flows| {
        let flow = alone(flows);
        flow.to_left = Some(Gather { every: SignedDuration::from_mins(10), at: Some(100) });
        flow.left.every = SignedDuration::from_mins(1);
        flow.right.every = SignedDuration::from_mins(1);
    })
    .await;
    for n in 0..120 {
        company.add("Contact", &format!("p{n:03}@example.org"), json!({}));
    }
    company.calm().await;
    let edit = |numbers: std::ops::Range<usize>, name: &str| {
        for n in numbers {
            let id = company.campaign_id(&format!("p{n:03}@example.org"));
            company.campaign.edit(id, &fields(json!({ "firstName": name }))).expect("the edit is sound");
        }
    };
    edit(0..3, "Ada");
    let mut waited = 0;
    while company.minute().await == 0 {
        waited += 1;
        assert!(waited <= 12, "it is never told");
        edit(3..4, &format!("Ada {waited}"));
    }
    assert!((9..=11).contains(&waited), "the oldest change waited {waited} minutes");
    for n in 0..4 {
        assert_ne!(company.contact(&format!("p{n:03}@example.org"))["FirstName"], json!(null), "all go together");
    }
    company.calm().await;
    assert_eq!(company.calm().await, 0, "what was written has been read back as well");
    edit(0..99, "Augusta");
    assert_eq!(company.minute().await, 0, "99 wait");
    edit(99..110, "Augusta");
    assert_eq!(company.minute().await, 110, "a hundred do not");
}

/// Towards the tool once an hour, while the CRM is told at once.
///
/// proves: R6
#[tokio::test]
async fn the_tool_is_told_by_the_hour() {
    let company = Company::changed(|flows| {
        let flow = alone(flows);
        flow.to_right = Some(Gather { every: SignedDuration::from_hours(1), at: None });
        flow.left.every = SignedDuration::from_mins(1);
        flow.right.every = SignedDuration::from_mins(1);
    })
    .await;
    let ids: Vec<String> = (0..2).map(|n| company.add("Contact", &format!("p{n}@example.org"), json!({}))).collect();
    company.calm().await;
    company.org.edit(&ids[0], &fields(json!({ "FirstName": "Ada" }))).expect("the edit is sound");
    let other = company.campaign_id("p1@example.org");
    company.campaign.edit(other, &fields(json!({ "firstName": "Charles" }))).expect("the edit is sound");
    assert_eq!(company.minute().await, 1, "the CRM is told at once");
    assert_eq!(company.contact("p1@example.org")["FirstName"], json!("Charles"));
    let mut waited = 1;
    while company.minute().await == 0 {
        waited += 1;
        assert!(waited <= 65, "it is never told");
    }
    assert!((58..=62).contains(&waited), "it waited {waited} minutes");
    let contact = company.campaign.contact(company.campaign_id("p0@example.org")).expect("it is there");
    assert_eq!(contact["firstName"], json!("Ada"));
}
