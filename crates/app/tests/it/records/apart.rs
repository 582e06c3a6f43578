//! What an account is spared: its share of the day's calls is kept for others, and a disconnected one is left alone until a
//! person connects it again.

use jiff::SignedDuration;
use serde_json::json;
use syncline_engine::records::RoundEnd;
use syncline_sandbox::SalesforceConfig;

use super::{
    company::{Company, fields},
    desk::{Desk, add, edit, pair, people},
};

/// Half of the org's calls of the day are kept for others: records rest when the other half is used up, whoever used it,
/// and go on by themselves once the day has turned. Nothing is lost.
///
/// proves: R19, R22
#[tokio::test]
async fn a_share_of_the_days_calls_is_kept_for_others() {
    const LIMIT: u64 = 200;
    const ROUND_CALLS_MAX: u64 = 6;
    let config = SalesforceConfig { daily_call_limit: LIMIT, ..SalesforceConfig::default() };
    let company = Company::with(config, 0.5).await;
    let flow = &company.engine.setup().records[0];
    let mut rested = false;
    for n in 0..200 {
        let row = json!({ "LastName": format!("Last{n}"), "Email": format!("p{n}@example.org") });
        company.org.seed("Contact", row.as_object().expect("an object")).expect("a contact");
        match company.engine.records_round(flow, false).await.expect("the database answers") {
            RoundEnd::Resting { connection } => {
                assert_eq!(connection.as_str(), "crm");
                rested = true;
                break;
            }
            RoundEnd::Done(_) => {}
            end => panic!("{end:?}"),
        }
        company.hands.pass(SignedDuration::from_mins(3));
    }
    assert!(rested, "half of the calls are never used up");
    let used = company.org.calls().total;
    // It is looked at between rounds: the last one may go beyond.
    assert!(used <= LIMIT / 2 + ROUND_CALLS_MAX, "{used} of {LIMIT}");
    let before = company.brevo.calls();
    for _ in 0..3 {
        let end = company.engine.records_round(flow, false).await.expect("the database answers");
        assert!(matches!(end, RoundEnd::Resting { .. }), "{end:?}");
        company.hands.pass(SignedDuration::from_mins(3));
    }
    assert_eq!((company.org.calls().total, company.brevo.calls()), (used, before), "neither side is asked");
    company.hands.pass(SignedDuration::from_hours(25));
    let end = company.engine.records_round(flow, false).await.expect("the database answers");
    assert!(matches!(end, RoundEnd::Done(_)), "{end:?}");
}

/// What changed is shown again for minutes. After a look of many calls a side rests for longer, so that two thousand changes
/// are not read anew every two minutes; a later edit still arrives.
///
/// proves: R19, R22
#[tokio::test]
async fn many_changes_are_not_read_over_and_over() {
    const PEOPLE: usize = 2_100;
    const PAGES: u64 = PEOPLE as u64 / 100;
    let company = Company::changed(|flows| *flows = flows.drain(1..2).collect()).await;
    let flow = &company.engine.setup().records[0];
    for n in 0..PEOPLE {
        company.seed("Contact", &format!("p{n}@example.org"));
    }
    company.calm().await;
    let ids: Vec<u64> = (0..PEOPLE).map(|n| company.campaign_id(&format!("p{n}@example.org"))).collect();
    for id in &ids {
        company.campaign.edit(*id, &fields(json!({ "firstName": "Ada" }))).expect("the edit is sound");
    }
    let before = company.campaign.calls();
    for _ in 0..15 {
        let end = company.engine.records_round(flow, false).await.expect("the database answers");
        assert!(matches!(end, RoundEnd::Done(_)), "{end:?}");
        company.hands.pass(SignedDuration::from_mins(2));
    }
    let looks = (company.campaign.calls() - before) / PAGES;
    assert!(looks <= 3, "{looks} times all of them");
    company.campaign.edit(ids[7], &fields(json!({ "firstName": "Augusta" }))).expect("the edit is sound");
    company.calm().await;
    assert_eq!(company.contact("p7@example.org")["FirstName"], json!("Augusta"));
}

/// An account that a person disconnects is neither read nor written from then on, and the other side is left alone as well;
/// once it is connected again, what was changed meanwhile on both sides arrives.
///
/// proves: R23
#[tokio::test]
async fn a_disconnected_account_is_left_alone_and_nothing_is_lost() {
    let desk = Desk::new(vec![pair()]).await;
    let left = add(&desk.left, "ada@example.org", json!({ "CITY": "London" }));
    let right = add(&desk.right, "ada@example.org", json!({ "CITY": "London" }));
    desk.activate().await;
    desk.calm().await;
    let tool = &desk.engine.setup().connections[1];
    desk.engine.disconnect(tool).await.expect("the database answers");
    edit(&desk.left, left, &json!({ "CITY": "Paris" }));
    edit(&desk.right, right, &json!({ "LASTNAME": "Lovelace" }));
    let before = (desk.left.calls(), desk.right.calls());
    for _ in 0..5 {
        let end = desk.engine.records_round(desk.flow(), false).await.expect("the database answers");
        assert!(matches!(&end, RoundEnd::Resting { connection } if *connection == tool.id), "{end:?}");
        desk.hands.pass(SignedDuration::from_hours(7));
    }
    assert_eq!((desk.left.calls(), desk.right.calls()), before, "neither account is asked");
    assert_eq!(people(&desk.right)["ada@example.org"]["CITY"], json!("London"));
    desk.engine.reconnect(tool).await.expect("the key is still good");
    desk.calm().await;
    for account in [&desk.left, &desk.right] {
        let row = &people(account)["ada@example.org"];
        assert_eq!((&row["CITY"], &row["LASTNAME"]), (&json!("Paris"), &json!("Lovelace")));
    }
}
