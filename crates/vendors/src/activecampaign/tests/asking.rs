//! Whom a webhook of an automation names.

use proptest::prelude::*;
use syncline_connect::mirror::Named;
use syncline_core::ids::RecordId;

use crate::activecampaign::hook::named;

/// proves: R9
#[test]
fn the_number_counts_and_else_the_address() {
    let told = |body: &str| named(body.as_bytes());
    let both = "type=subscribe&contact%5Bemail%5D=ada%40example.org&contact%5Bid%5D=42&list=0";
    assert_eq!(told(both), Some(Named::Record(RecordId::new("42"))));
    assert_eq!(told("contact[email]=ada%40example.org"), Some(Named::Email("ada@example.org".to_owned())));
    for nobody in ["", "contact[id]=0", "contact[id]=", "contact[id]=4%2F2", "id=42", "{\"contact\":{\"id\":42}}"] {
        assert_eq!(told(nobody), None, "{nobody}");
    }
}

proptest! {
    #[test]
    fn no_bytes_break_it(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        named(&body);
    }
}
