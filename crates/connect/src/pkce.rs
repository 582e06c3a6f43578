//! The two secrets of an authorisation flow: the PKCE verifier (RFC 7636) and the `state`. Chance is handed in.
//!
//! Nothing is kept here: whoever starts a flow stores the verifier and the *hash* of the state, each for one use.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use syncline_core::Entropy;

use crate::Secret;

/// Random bytes in a verifier: 256 bits give the 43 characters that RFC 7636 §4.1 recommends.
const VERIFIER_BYTES: usize = 32;

/// Random bytes in a state: 192 bits, above the 128 that the OAuth security practice asks for (RFC 9700 §4.7).
const STATE_BYTES: usize = 24;

/// The only challenge method that we offer; `plain` protects nothing.
pub const METHOD: &str = "S256";

/// A new verifier; one for every flow.
pub fn verifier(entropy: &dyn Entropy) -> Secret {
    Secret::new(random_text::<VERIFIER_BYTES>(entropy))
}

/// What is sent ahead of the verifier: BASE64URL(SHA256(verifier)).
pub fn challenge(verifier: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose().as_bytes()))
}

/// A new state; one for every flow. It travels in addresses, so it holds nothing but chance.
pub fn state(entropy: &dyn Entropy) -> String {
    random_text::<STATE_BYTES>(entropy)
}

/// What is stored of a state: a reader of the store cannot finish someone's flow.
pub fn state_hash(state: &str) -> String {
    hex::encode(Sha256::digest(state.as_bytes()))
}

/// Whether a state that came back belongs to a stored hash, compared in constant time.
pub fn state_matches(stored_hash: &str, given: &str) -> bool {
    stored_hash.as_bytes().ct_eq(state_hash(given).as_bytes()).into()
}

fn random_text<const N: usize>(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests;
