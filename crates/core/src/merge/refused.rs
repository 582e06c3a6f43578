//! How a value that a vendor refused is known again.

use sha2::{Digest, Sha256};

use super::{Side, rule::RuleKey};
use crate::record::Value;

/// Tells a value that is sent to a side apart from any other.
pub fn payload_digest(side: Side, key: RuleKey, target: &Value) -> u64 {
    let mut hasher = Sha256::new();
    hasher.update(side.as_str());
    hasher.update(key.0.to_be_bytes());
    hasher.update(spelled(target).as_bytes());
    let digest = hasher.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

/// A value in letters, each kind with its own first one, so that stored digests outlive any change of the code.
fn spelled(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(value) => format!("b{value}"),
        Value::Decimal(number) => format!("n{number}"),
        Value::Text(text) => format!("t{text}"),
        Value::Date(date) => format!("d{date}"),
        Value::Time(time) => format!("p{}", time.as_microsecond()),
        Value::Id(id) => format!("i{id}"),
        Value::Slot(slot) => format!("s{slot}"),
    }
}
