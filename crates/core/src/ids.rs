//! Names of things, each its own type so that one cannot stand where another belongs.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text inside.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text_id!(
    /// One customer's isolated world; every row and every query carries it.
    WorkspaceId
);
text_id!(
    /// One authorised account at a vendor, by its configured name.
    ConnectionId
);
text_id!(
    /// One configured flow between connections, by its configured name.
    IntegrationId
);
text_id!(
    /// All messages about one booking, reschedules included: `bk_` and 32 hexadecimal digits.
    ChainId
);
text_id!(
    /// A source's own name for one booking (or one seat of it): a node of a chain.
    BookingKey
);
text_id!(
    /// A vendor's own name of an object, as an admin wrote it in the settings.
    ObjectName
);
text_id!(
    /// A vendor's own id of a record.
    RecordId
);
text_id!(
    /// The unique key that we choose for a record before it exists, so that writing it twice makes one record.
    ExternalKey
);
text_id!(
    /// The lookup key of a person or account that bookings share: `person:ada@example.org`, `account:example.org`.
    SharedKey
);

/// Hex digits of an [`ExternalKey`]: 128 bits, enough that two keys of one workspace never meet.
const KEY_HEX_DIGITS: usize = 32;

/// Hex digits of sixteen bits.
const SHORT_HEX_DIGITS: usize = 4;

impl ChainId {
    /// The chain that begins with this booking of this source. Derived, not drawn, so that a message which is read
    /// again after a crash begins the same chain.
    pub fn beginning_with(workspace: &WorkspaceId, source: &ConnectionId, booking: &BookingKey) -> Self {
        Self(format!("bk_{}", digest_hex(&["chain", workspace.as_str(), source.as_str(), booking.as_str()])))
    }
}

impl ExternalKey {
    /// A key derived from what the record stands for; the same parts always give the same key.
    pub fn derive(parts: &[&str]) -> Self {
        Self(format!("sy_{}", digest_hex(parts)))
    }
}

/// Sixteen bits of the SHA-256 of the parts: few enough that two may meet, which is then to be refused.
pub(crate) fn short_digest(parts: &[&str]) -> u16 {
    u16::from_str_radix(&digest_hex(parts)[..SHORT_HEX_DIGITS], 16).expect("a digest is hexadecimal digits")
}

/// The first 128 bits of the SHA-256 of the parts, each preceded by its length so that parts cannot run together.
fn digest_hex(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let mut digits = [0; KEY_HEX_DIGITS];
    hex::encode_to_slice(&hasher.finalize()[..KEY_HEX_DIGITS / 2], &mut digits).expect("two digits are one byte");
    digits.into_iter().map(char::from).collect()
}
