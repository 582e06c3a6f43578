//! The two effects that a pure program still needs from outside, as traits that the caller hands in.

use jiff::Timestamp;

/// What time it is.
pub trait Clock: Send + Sync {
    /// The present moment, in UTC.
    fn now(&self) -> Timestamp;
}

/// Where random bytes come from: the operating system in production, a seed in tests and simulation.
pub trait Entropy: Send + Sync {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);
}
