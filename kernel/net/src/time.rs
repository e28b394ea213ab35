//! Between our instants and smoltcp's, which count microseconds.

use clock::Instant;

/// `now` for smoltcp, rounded down.
pub(crate) fn to_smoltcp(now: Instant) -> smoltcp::time::Instant {
    let micros = now.as_nanos() / 1000;
    smoltcp::time::Instant::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// Smoltcp's instant as ours; the past before our origin becomes the origin.
pub(crate) fn from_smoltcp(then: smoltcp::time::Instant) -> Instant {
    let micros = u64::try_from(then.total_micros()).unwrap_or(0);
    Instant::from_nanos(micros.saturating_mul(1000))
}

/// `span` for smoltcp, cut at a hundred years so that its sums cannot overflow.
pub(crate) fn span(span: core::time::Duration) -> smoltcp::time::Duration {
    const CENTURY: u64 = 100 * 366 * 24 * 3600 * 1_000_000;
    let micros = u64::try_from(span.as_micros()).unwrap_or(CENTURY);
    smoltcp::time::Duration::from_micros(micros.min(CENTURY))
}
