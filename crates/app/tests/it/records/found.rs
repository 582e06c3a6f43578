//! What the simulation found, told as short stories; each names the seed.

use jiff::SignedDuration;
use serde_json::json;

use super::desk::{Desk, add, edit, pair, people};

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
