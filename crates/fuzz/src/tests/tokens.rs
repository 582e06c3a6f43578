//! What a token endpoint may do to a running engine: refuse the grant, or rotate it and lose the answer.

use jiff::SignedDuration;
use syncline_engine::GrantKind;
use syncline_store::ConnectionStatus;

use super::house::{House, TokenFault, crm, workspace};

/// Bookings that wait while the account is lost.
const BOOKINGS: usize = 12;

/// Hours for which nobody connects the account again.
const HOURS: usize = 6;

async fn status(house: &House) -> ConnectionStatus {
    let row = house.store.connection(&workspace(), &crm()).await.expect("the database answers");
    row.expect("the connection has its row").status
}

/// Works through the hours, looking every ten minutes.
async fn wait(house: &House) {
    for _ in 0..HOURS * 6 {
        house.work().await;
        house.clock.advance(SignedDuration::from_mins(10));
    }
}

/// Bookings come in, the account is lost, hours pass, a person connects it again: everything is there, once.
async fn lost_and_found(house: &House, fault: TokenFault, token_calls_max: usize) {
    house.connect().await;
    for number in 0..BOOKINGS {
        house.book(number, &format!("Person {number}")).await;
    }
    house.line.fail_tokens(Some(fault));
    house.work().await;
    if fault == TokenFault::AnswerLost {
        // The endpoint is well again, but knows another token by now.
        house.line.fail_tokens(None);
    }
    wait(house).await;
    assert_eq!(status(house).await, ConnectionStatus::NeedsReconnect);
    assert!(house.line.token_calls() <= token_calls_max, "{} token calls", house.line.token_calls());
    let counts = house.store.counts(&workspace()).await.expect("the database answers");
    assert_eq!((counts.done, counts.messages_parked), (0, 0), "nothing is done, and nothing is lost");

    house.line.fail_tokens(None);
    house.connect().await;
    wait(house).await;
    assert_eq!(status(house).await, ConnectionStatus::Connected);
    let counts = house.store.counts(&workspace()).await.expect("the database answers");
    assert_eq!((counts.done, counts.parked, counts.due), (BOOKINGS as u64, 0, 0));
    assert_eq!(house.line.org.records("Contact").len(), BOOKINGS);
    assert_eq!(house.line.org.records("Event").len(), BOOKINGS);
}

/// proves: sec:S18
#[tokio::test]
async fn a_refused_grant_is_not_asked_for_again() {
    let house = House::new(GrantKind::Browser, |_| ()).await;
    lost_and_found(&house, TokenFault::Refused, 1).await;
}

/// proves: sec:S17
#[tokio::test]
async fn a_rotated_token_whose_answer_was_lost_costs_a_reconnect_and_no_booking() {
    let house = House::new(GrantKind::Browser, |config| config.rotate_refresh_tokens = true).await;
    lost_and_found(&house, TokenFault::AnswerLost, 2).await;
}
