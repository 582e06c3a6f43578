//! What PKCE and state must be.

use std::sync::atomic::{AtomicU8, Ordering};

use proptest::prelude::*;

use super::*;

/// Counts up: every byte differs from the one before.
struct Counting(AtomicU8);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// proves: sec:S2
#[test]
fn the_challenge_is_that_of_rfc_7636_appendix_b() {
    let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    assert_eq!(challenge(&verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

/// proves: sec:S2
#[test]
fn each_flow_has_its_own_verifier_of_allowed_form_that_is_never_printed() {
    let entropy = Counting(AtomicU8::new(0));
    let (one, two) = (verifier(&entropy), verifier(&entropy));
    assert_ne!(one.expose(), two.expose());
    for verifier in [&one, &two] {
        assert_eq!(verifier.expose().len(), 43);
        assert!(verifier.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)));
        assert_eq!(format!("{verifier} {verifier:?}"), "*** ***");
    }
}

/// proves: sec:S1 (the length and the comparison of the state; single use and binding belong to the server)
#[test]
fn a_state_has_at_least_128_random_bits_and_only_its_hash_is_stored() {
    let entropy = Counting(AtomicU8::new(7));
    let one = state(&entropy);
    let bits = URL_SAFE_NO_PAD.decode(&one).unwrap().len() * 8;
    assert!(bits >= 128, "{bits} bits");
    let stored = state_hash(&one);
    assert!(!stored.contains(&one));
    assert!(state_matches(&stored, &one));
    assert!(!state_matches(&stored, &state(&entropy)));
    assert!(!state_matches("", &one));
}

proptest! {
    #[test]
    fn a_state_matches_nothing_but_itself(one in ".{0,40}", two in ".{0,40}") {
        prop_assert_eq!(state_matches(&state_hash(&one), &two), one == two);
    }
}
