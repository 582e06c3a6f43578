//! Fields that go away, fields whose own times decide, fields of a parent, and updates that go by imports.

use jiff::SignedDuration;
use serde_json::{Value, json};
use syncline_core::{
    Clock,
    expr::Expression,
    merge::{Direction, Policy, RuleDraft, Side},
};
use syncline_engine::records::RoundEnd;
use syncline_sandbox::{hubspot::HubSpotProperty, salesforce::SchemaChange};

use super::{
    company::{Company, fields},
    desk::{Desk, add, both_ways, edit, pair, people},
};

/// A field that is deleted in the CRM is left out with a word about it, and everything else goes on at once.
///
/// proves: R14, R2
#[tokio::test]
async fn a_field_that_goes_away_stops_nothing() {
    let company = Company::changed(|flows| {
        flows.truncate(1);
        flows[0].pairs[0].rows.push(both_ways("Department", "CITY"));
    })
    .await;
    let contact = json!({ "LastName": "Lovelace", "Email": "ada@example.org", "Department": "Horses" });
    let id = company.org.seed("Contact", &fields(contact)).expect("the contact is sound");
    let flow = &company.engine.setup().records[0];
    company.calm().await;
    assert_eq!(people(&company.brevo)["ada@example.org"]["CITY"], json!("Horses"));
    let gone = SchemaChange::RemoveField { object: "Contact".to_owned(), field: "Department".to_owned() };
    company.org.change_schema(&gone).expect("sound");
    company.org.edit(&id, &fields(json!({ "FirstName": "Ada" }))).expect("the edit is sound");
    company.hands.pass(SignedDuration::from_mins(3));
    match company.engine.records_round(flow, false).await.expect("the database answers") {
        RoundEnd::Done(_) => {}
        end => panic!("{end:?}"),
    }
    company.calm().await;
    assert_eq!(people(&company.brevo)["ada@example.org"]["FIRSTNAME"], json!("Ada"));
    assert_eq!(people(&company.brevo)["ada@example.org"]["CITY"], json!("Horses"), "nothing is emptied by it");
}

/// Records that we made bear our key, so that a thousand changes of them go by one import and not by ten batches.
///
/// proves: P2
#[tokio::test]
async fn many_updates_go_by_an_import() {
    let desk = Desk::new(vec![pair()]).await;
    let ids: Vec<u64> = (0..1_050).map(|n| add(&desk.left, &format!("p{n}@example.org"), json!({}))).collect();
    desk.activate().await;
    desk.calm().await;
    let calls = || {
        let counts = desk.right.call_counts();
        let of = |what: &str| counts.iter().filter(|(call, _)| call.contains(what)).map(|(_, n)| *n).sum::<u64>();
        (of("contacts/import"), of("contacts/batch"))
    };
    let before = calls();
    for id in ids {
        edit(&desk.left, id, &json!({ "CITY": "London" }));
    }
    desk.calm().await;
    assert!(people(&desk.right).values().all(|row| row["CITY"] == json!("London")));
    let after = calls();
    assert_eq!((after.0 - before.0, after.1 - before.1), (1, 0), "{:?}", desk.right.call_counts());
}

/// A tool that takes new contacts for later makes them of what was so far; what somebody changes in the CRM before that follows,
/// and nothing is held back because a contact was seen before the tool said that it was made.
///
/// proves: V2, R11
#[tokio::test]
async fn what_changes_while_an_import_is_under_way_follows() {
    let company = Company::changed(|flows| {
        flows.remove(2);
        flows.remove(0);
        flows[0].left.every = SignedDuration::from_secs(1);
        flows[0].right.every = SignedDuration::from_secs(1);
    })
    .await;
    let ids: Vec<String> = (0..12).map(|n| company.seed("Contact", &format!("p{n:02}@example.org"))).collect();
    let flow = &company.engine.setup().records[0];
    let look = async || match company.engine.records_round(flow, false).await.expect("the database answers") {
        RoundEnd::Done(_) => company.engine.records_status(flow).await.expect("it answers").counts.open_steps,
        end => panic!("{end:?}"),
    };
    assert!(look().await > 0, "the tool takes them for later");
    company.org.edit(&ids[3], &fields(json!({ "FirstName": "Ada" }))).expect("the edit is sound");
    for _ in 0..3 {
        company.hands.pass(SignedDuration::from_secs(3));
        assert!(look().await > 0, "nothing is known of them yet");
    }
    company.calm().await;
    let contact = company.campaign.contact(company.campaign_id("p03@example.org")).expect("it is there");
    assert_eq!(contact["firstName"], json!("Ada"));
    let holds = company.engine.world().store.holds(&flow.workspace, &flow.id, None, 50).await.expect("it answers");
    assert!(holds.is_empty(), "{holds:?}");
}

/// With `newest`, the field's own time decides where its vendor tells it: a later change of another field does not make an
/// older value the newer one.
///
/// proves: R12
#[tokio::test]
async fn the_newer_field_wins_and_not_the_newer_record() {
    let company = Company::changed(|flows| {
        flows.remove(2);
        flows.remove(0);
        let newest = RuleDraft { policy: Policy::Newest(Side::Right), ..both_ways("Department", "field:1") };
        flows[0].pairs[0].rows.push(newest);
    })
    .await;
    let contact = json!({ "LastName": "Lovelace", "Email": "ada@example.org", "Department": "Law" });
    let id = company.org.seed("Contact", &fields(contact)).expect("the contact is sound");
    company.calm().await;
    let there = company.campaign_id("ada@example.org");
    let change = |value: Value| company.campaign.edit(there, &fields(value)).expect("the edit is sound");
    change(json!({ "fieldValues": [{ "field": "1", "value": "Old" }] }));
    company.hands.pass(SignedDuration::from_mins(5));
    company.org.edit(&id, &fields(json!({ "Department": "New" }))).expect("the edit is sound");
    company.hands.pass(SignedDuration::from_mins(5));
    change(json!({ "firstName": "Ada" }));
    company.calm().await;
    let contact = company.contact("ada@example.org");
    assert_eq!((&contact["Department"], &contact["FirstName"]), (&json!("New"), &json!("Ada")));
}

/// A field of the contact's account reaches the tool, and so does its change, which moves no time of the contact: the daily
/// reading finds it. It is never written back.
///
/// proves: R7
#[tokio::test]
async fn a_field_of_the_account_reaches_the_tool() {
    let company = Company::changed(|flows| {
        flows.truncate(1);
        let account = RuleDraft { direction: Direction::ToRight, ..both_ways("Account.Name", "CITY") };
        flows[0].pairs[0].rows.push(account);
    })
    .await;
    let account = company.org.seed("Account", &fields(json!({ "Name": "Engines" }))).expect("the account is sound");
    let contact = json!({ "LastName": "Lovelace", "Email": "ada@example.org", "AccountId": account });
    company.org.seed("Contact", &fields(contact)).expect("the contact is sound");
    let other = json!({ "LastName": "Babbage", "Email": "babbage@example.org" });
    company.org.seed("Contact", &fields(other)).expect("the contact is sound");
    company.calm().await;
    assert_eq!(people(&company.brevo)["ada@example.org"]["CITY"], json!("Engines"));
    company.org.edit(&account, &fields(json!({ "Name": "Analytical Engines" }))).expect("the edit is sound");
    let brevo = company.brevo.contact_with_email("babbage@example.org").expect("it is there");
    edit(&company.brevo, brevo, &json!({ "CITY": "Paris" }));
    company.hands.pass(SignedDuration::from_hours(25));
    company.calm().await;
    assert_eq!(people(&company.brevo)["ada@example.org"]["CITY"], json!("Analytical Engines"));
    assert_eq!(company.live("Account"), 1);
    assert_eq!(company.calm().await, 0, "nothing is left to write");
}

/// Opportunities of the CRM become deals, with name, amount, stage and closing day; they follow the CRM, and nothing that is
/// done to a deal comes back.
///
/// proves: R7
#[tokio::test]
async fn opportunities_become_deals() {
    let company = Company::changed(|flows| {
        flows.drain(..2);
        let one_way = |left: &str, right: &str| RuleDraft { direction: Direction::ToRight, ..both_ways(left, right) };
        let mut stage = one_way("StageName", "dealstage");
        let options = [("Prospecting", "appointmentscheduled"), ("Closed Won", "closedwon")];
        stage.right.options = options.map(|(left, right)| (left.to_owned(), right.to_owned())).into();
        let mut closes = one_way("CloseDate", "closedate");
        closes.right.convert = Some(Expression::conversion("{{ value }}T00:00:00Z").expect("it is sound"));
        let mut deals = flows[0].pairs[0].clone();
        deals.name = "deals".to_owned();
        (deals.left.kind, deals.right.kind) = ("Opportunity".to_owned(), "deals".to_owned());
        deals.rows = vec![one_way("Name", "dealname"), one_way("Amount", "amount"), stage, closes];
        flows[0].pairs = vec![deals];
    })
    .await;
    let key = HubSpotProperty { unique: true, ..HubSpotProperty::text("syncline_key") };
    company.hub.add_property("deals", &key).expect("a property");
    let flow = &company.engine.setup().records[0];
    company.engine.records_check(flow).await.expect("the database answers").expect("both answer");
    let opportunity =
        json!({ "Name": "Engine", "Amount": 1500.5, "StageName": "Prospecting", "CloseDate": "2026-09-30" });
    let id = company.org.seed("Opportunity", &fields(opportunity)).expect("the opportunity is sound");
    company.calm().await;
    let deal = || {
        let all = company.hub.snapshot();
        let deals: Vec<_> = all.get("deals").into_iter().flatten().collect();
        assert_eq!(deals.len(), 1, "one deal for one opportunity");
        let field = |name: &str| deals[0].properties.get(name).cloned().unwrap_or_default();
        [field("dealname"), field("amount"), field("dealstage"), field("closedate")]
    };
    let [name, amount, stage, closes] = deal();
    assert_eq!((name.as_str(), amount.as_str(), stage.as_str()), ("Engine", "1500.5", "appointmentscheduled"));
    assert!(closes.starts_with("2026-09-30"), "{closes}");
    company.org.edit(&id, &fields(json!({ "StageName": "Closed Won", "Amount": 2000 }))).expect("the edit is sound");
    company.calm().await;
    let [_, amount, stage, _] = deal();
    assert_eq!((amount.as_str(), stage.as_str()), ("2000", "closedwon"));
    assert_eq!(company.calm().await, 0, "nothing is left to write");
}

/// What somebody takes back within the second in which we wrote it reaches the other side, on vendors whose clocks count
/// whole seconds: it looks like what was read before that write.
///
/// proves: V1, V2
#[tokio::test]
async fn what_is_taken_back_within_a_second_is_not_passed_over() {
    let company = Company::changed(|flows| {
        flows.remove(2);
        flows.remove(0);
        flows[0].left.every = SignedDuration::from_millis(100);
        flows[0].right.every = SignedDuration::from_millis(100);
    })
    .await;
    let id = company.seed("Contact", "ada@example.org");
    company.calm().await;
    let there = company.campaign_id("ada@example.org");
    let flow = &company.engine.setup().records[0];
    let look = async || {
        company.hands.pass(SignedDuration::from_millis(150));
        match company.engine.records_round(flow, false).await.expect("the database answers") {
            RoundEnd::Done(_) => {}
            end => panic!("{end:?}"),
        }
    };
    let in_crm = |name: &str| company.org.edit(&id, &fields(json!({ "FirstName": name }))).expect("sound");
    let in_tool = |name: &str| company.campaign.edit(there, &fields(json!({ "firstName": name }))).expect("sound");
    let both = || {
        let there = company.campaign.contact(there).expect("it is there");
        (company.contact("ada@example.org")["FirstName"].clone(), there["firstName"].clone())
    };
    let is = |name: &str| (json!(name), json!(name));
    let start_second = || {
        company
            .hands
            .pass(SignedDuration::from_nanos(1_000_000_000 - i64::from(company.hands.now().subsec_nanosecond())))
    };
    start_second();
    in_crm("Ada");
    look().await;
    assert_eq!(both(), is("Ada"));
    in_tool("Augusta");
    look().await;
    assert_eq!(both(), is("Augusta"));
    in_crm("Ada");
    look().await;
    company.calm().await;
    assert_eq!(both(), is("Ada"));
    start_second();
    in_tool("Byron");
    look().await;
    assert_eq!(both(), is("Byron"));
    in_crm("Lovelace");
    look().await;
    assert_eq!(both(), is("Lovelace"));
    in_tool("Byron");
    look().await;
    company.calm().await;
    assert_eq!(both(), is("Byron"));
}
