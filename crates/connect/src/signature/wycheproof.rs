//! HMAC-SHA256 as every signature here uses it, against Project Wycheproof's vectors (`testdata/README.md` at the root
//! says whose they are): edge cases of keys and messages, and tags that were tampered with.

use serde_json::Value;
use subtle::ConstantTimeEq;

use super::mac;

/// proves: sec:S20, sec:S22
#[test]
fn every_vector_gives_its_verdict() {
    let vectors: Value = serde_json::from_str(include_str!("../../../../testdata/hmac_sha256.json")).expect("JSON");
    let (mut right, mut wrong) = (0, 0);
    for vector in vectors.as_array().expect("a list") {
        let bytes = |at: usize| hex::decode(vector[at].as_str().expect("a text")).expect("hexadecimal");
        let (key, message, tag) = (bytes(0), bytes(1), bytes(2));
        let whole = mac(&key, &[&message]);
        // Half of the vectors are cut to 128 bits. What we verify is never cut.
        let valid = bool::from(whole[..tag.len()].ct_eq(&tag));
        assert_eq!(valid, vector[3].as_bool().expect("a verdict"), "{vector}");
        let (half, rest) = message.split_at(message.len() / 2);
        assert_eq!(mac(&key, &[half, b"", rest]), whole, "the parts of a message do not change its tag");
        *(if valid { &mut right } else { &mut wrong }) += 1;
    }
    assert_eq!((right, wrong), (66, 108));
}
