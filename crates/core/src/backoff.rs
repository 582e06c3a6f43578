//! How long to wait before a failed call is tried again. Pure: chance is handed in, and nothing here waits.

use jiff::SignedDuration;

#[cfg(test)]
mod tests;

/// The most that is waited before the second try. Short, because most failures of a busy vendor (a locked row, a
/// worker that restarts) are over within seconds.
pub const DELAY_BASE: SignedDuration = SignedDuration::from_secs(2);

/// The most that is ever waited between two tries on our own account. Long enough that a vendor that is down is left
/// in peace, short enough that a booking arrives within the quarter of an hour after it is back.
pub const DELAY_MAX: SignedDuration = SignedDuration::from_mins(15);

/// The least that is waited. Full jitter may draw zero, and a try in the same instant would meet the same failure.
pub const DELAY_MIN: SignedDuration = SignedDuration::from_millis(100);

/// The longest `Retry-After` that is obeyed as it stands. Daily limits start afresh within a day; a vendor that asks
/// for more is asked again after it, so that a mistyped header cannot silence a connection for good.
pub const RETRY_AFTER_MAX: SignedDuration = SignedDuration::from_hours(24);

/// Exponential growth with full jitter: a random length between [`DELAY_MIN`] and the ceiling of this attempt.
/// `attempt` counts the tries that failed, the first being 1; `random` is drawn evenly from all of `u64`. Spreading
/// over the whole span, rather than around its end, keeps clients that failed together from coming back together.
pub fn next_delay(attempt: u32, random: u64) -> SignedDuration {
    let ceiling = ceiling(attempt).as_millis();
    let least = DELAY_MIN.as_millis();
    let span = u128::try_from(ceiling - least).expect("the ceiling is never below the least delay");
    // Scaling the whole 64 bits down keeps every length equally likely, which a remainder would not.
    let drawn = ((span + 1) * u128::from(random)) >> u64::BITS;
    let millis = least + i128::try_from(drawn).expect("drawn is at most the span");
    SignedDuration::from_millis(i64::try_from(millis).expect("the longest delay fits in 64 bits of milliseconds"))
}

/// The most that may be waited after so many failed tries.
pub fn ceiling(attempt: u32) -> SignedDuration {
    let doublings = attempt.saturating_sub(1).min(i32::BITS - 2);
    DELAY_BASE.checked_mul(1 << doublings).map_or(DELAY_MAX, |delay| delay.min(DELAY_MAX))
}

/// A vendor's `Retry-After`, kept within what is sensible: never in the past, never beyond [`RETRY_AFTER_MAX`].
pub fn capped(after: SignedDuration) -> SignedDuration {
    after.clamp(DELAY_MIN, RETRY_AFTER_MAX)
}
