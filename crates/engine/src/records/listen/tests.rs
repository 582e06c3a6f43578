//! How often an account is asked anew. What is heard is shown with the whole engine, in the executable's tests.

use std::time::Duration;

use super::{STEADY, failures_after};

/// An exchange that ends soon counts, though something was heard in it: an account that says a word and hangs up is asked
/// more and more seldom.
#[test]
fn only_a_steady_exchange_makes_up_for_failures() {
    let almost = STEADY - Duration::from_millis(1);
    assert_eq!(
        [None, Some(Duration::ZERO), Some(almost), Some(STEADY)].map(|heard| failures_after(5, heard)),
        [6, 6, 6, 1]
    );
    assert_eq!(failures_after(u32::MAX, None), u32::MAX);
}
