//! Sealing: what must not be readable in the database file (raw bodies, tokens) is encrypted with its workspace's own
//! data key, and each data key with the master key. No SQL here, save in [`rotation`].

mod keys;
pub(crate) mod rotation;

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use syncline_core::{Entropy, ids::WorkspaceId};

pub use self::keys::MasterKey;
pub(crate) use self::keys::{DataKey, DataKeys, MasterKeys};
use crate::error::{Error, Result};

/// The form of sealed text: this byte, the nonce, then ciphertext with its tag.
const FORM: u8 = 1;
/// XChaCha20's nonce: long enough to be drawn at random for every message.
const NONCE_BYTES: usize = 24;
/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;
/// Version of the data keys' use; part of what is authenticated.
const KEY_VERSION: &str = "1";

/// Where a sealed text belongs. It opens nowhere else: not in another workspace, row or column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) workspace: &'a WorkspaceId,
    /// What names the row inside the workspace.
    pub(crate) row: &'a [&'a str],
    pub(crate) column: &'a str,
}

impl Place<'_> {
    /// The authenticated form: each part behind its length, so that parts cannot run together.
    fn bytes(&self) -> Vec<u8> {
        let parts =
            [self.workspace.as_str()].into_iter().chain(self.row.iter().copied()).chain([self.column, KEY_VERSION]);
        let mut bytes = Vec::with_capacity(128);
        for part in parts {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(part.as_bytes());
        }
        bytes
    }
}

/// Encrypts for one place.
pub(crate) fn seal(key: &[u8; KEY_BYTES], entropy: &dyn Entropy, place: &Place<'_>, open: &[u8]) -> Result<Vec<u8>> {
    let mut nonce = [0; NONCE_BYTES];
    entropy.fill(&mut nonce);
    let sealed = XChaCha20Poly1305::new(key.into())
        .encrypt(&nonce.into(), Payload { msg: open, aad: &place.bytes() })
        .map_err(|_| Error::Other("a text is too long to be sealed".to_owned()))?;
    let mut out = Vec::with_capacity(1 + NONCE_BYTES + sealed.len());
    out.push(FORM);
    out.extend(nonce);
    out.extend(sealed);
    Ok(out)
}

/// Decrypts what was sealed for this place.
pub(crate) fn open(key: &[u8; KEY_BYTES], place: &Place<'_>, sealed: &[u8]) -> Result<Vec<u8>> {
    let broken = || Error::corrupt(format!("a sealed {} does not open", place.column));
    let (form, rest) = sealed.split_first().ok_or_else(broken)?;
    let (nonce, text) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(broken)?;
    if *form != FORM {
        return Err(broken());
    }
    XChaCha20Poly1305::new(key.into())
        .decrypt(nonce.into(), Payload { msg: text, aad: &place.bytes() })
        .map_err(|_| broken())
}
