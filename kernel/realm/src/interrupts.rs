//! How devices interrupt, and how often they did.

use core::fmt;

/// What was taken so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Interrupts of devices.
    pub devices: u64,
    /// Those of them that came as messages.
    pub messages: u64,
    /// Alarms of the timer.
    pub alarms: u64,
    /// Bells that other processors rang.
    pub bells: u64,
    /// Interrupts that nobody expects.
    pub unexpected: u64,
    /// Times that a source was masked because of a storm.
    pub storms: u64,
}

/// How many devices interrupt by what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Means {
    /// By messages: MSI-X, through an ITS.
    pub messages: usize,
    /// By their wire: INTx.
    pub wires: usize,
    /// Not at all.
    pub polled: usize,
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            messages,
            wires,
            polled,
        } = self;
        write!(
            f,
            "devices by MSI-X {messages}, INTx {wires}, polled {polled}"
        )
    }
}
