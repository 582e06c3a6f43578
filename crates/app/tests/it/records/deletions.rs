//! Deletions: how many at once are believed.

use jiff::SignedDuration;
use serde_json::json;
use syncline_engine::records::RoundEnd;
use syncline_store::FlowStanding;

use super::desk::{Desk, add, edit, pair};

const STOPPED: RoundEnd = RoundEnd::NotActive(FlowStanding::Stopped);

/// proves: R16
#[tokio::test]
async fn the_round_that_stops_writes_nothing() {
    let desk = Desk::new(vec![pair()]).await;
    for n in 0..120 {
        add(&desk.left, &format!("p{n}@example.org"), json!({ "CITY": "Paris" }));
    }
    desk.activate().await;
    desk.calm().await;
    let before = desk.left.effects();
    for n in 0..120 {
        let id = desk.right.contact_with_email(&format!("p{n}@example.org")).expect("it was made");
        match n {
            0..100 => desk.right.delete(id).expect("it is there"),
            _ => edit(&desk.right, id, &json!({ "CITY": "London" })),
        }
    }
    desk.hands.pass(SignedDuration::from_hours(25));
    let end = desk.engine.records_round(desk.flow(), false).await.expect("the database answers");
    assert_eq!(end, STOPPED);
    assert_eq!(desk.left.effects(), before, "{:?}", desk.told().await);
}
