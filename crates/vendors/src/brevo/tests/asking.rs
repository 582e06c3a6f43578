//! Whom a webhook of an automation names.

use proptest::prelude::*;
use syncline_connect::mirror::Named;

use crate::brevo::hook::named;

/// proves: R9
#[test]
fn only_the_address_counts() {
    let told = |body: &str| named(body.as_bytes());
    let ada = Some(Named::Email("ada@example.org".to_owned()));
    assert_eq!(told(r#"{"event":"list_addition","email":" ada@example.org ","id":7,"list_id":[3]}"#), ada);
    for nobody in ["", "[]", r#"{"id":7}"#, r#"{"email":""}"#, r#"{"email":7}"#] {
        assert_eq!(told(nobody), None, "{nobody}");
    }
}

proptest! {
    #[test]
    fn no_bytes_break_it(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        named(&body);
    }
}
