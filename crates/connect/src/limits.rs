//! How often a vendor may be called: what it documents, and where its answers tell how much of that is left.

use http::HeaderMap;
use syncline_core::pace::{Allowance, Told};

/// A vendor that limits its calls within seconds or hours, and says how. Daily limits are [`crate::Usage`].
pub trait Limits: Send + Sync {
    /// What a call to this path counts against.
    fn lane(&self, path: &str) -> &'static Lane;

    /// What the headers of an answer tell of this lane, in which its call was.
    fn told(&self, lane: &Lane, headers: &HeaderMap) -> Option<Told>;
}

/// Calls of a connection that are counted together.
#[derive(Debug, PartialEq, Eq)]
pub struct Lane {
    /// Once per vendor.
    pub name: &'static str,
    /// What holds until an answer tells otherwise: the least that the vendor documents for any plan.
    pub allowance: Allowance,
}

/// The number that a header tells.
pub fn number(headers: &HeaderMap, name: &str) -> Option<u32> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}
