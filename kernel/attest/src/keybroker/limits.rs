//! How much a broker may cost.

use core::time::Duration;

/// How much a broker may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest time to make a connection.
    pub connect: Duration,
    /// The longest time from a request to the end of its answer.
    pub answer: Duration,
    /// The longest body of an answer, in bytes.
    pub body: usize,
}

impl Default for Limits {
    /// Ten seconds for a connection, twenty for an answer, of at most 16 KiB.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(20),
            body: 16 * 1024,
        }
    }
}
