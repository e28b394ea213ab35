//! Times as they are printed.

use core::time::Duration;

/// Whole milliseconds. Numbers of 128 bits, as `Duration` has them, cost two kilobytes to print.
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
