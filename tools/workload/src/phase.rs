//! The parts of a run that are counted apart.

/// A part of a run. Its number is that of its mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// From reset to the first mark.
    Boot = 0,
    /// Whatever is not measured: warm-up, connecting, the end.
    Other = 1,
    /// TCP from the guest, one connection.
    Send = 2,
    /// TCP to the guest, one connection.
    Receive = 3,
    /// 64 bytes there and back, one after the other.
    RoundTrip = 4,
    /// Reads of 128 KiB in order, one at a time.
    Read128K = 5,
    /// Reads of 4 KiB anywhere, one at a time.
    Read4KDepth1 = 6,
    /// The same, four at a time.
    Read4KDepth4 = 7,
    /// The same, 32 at a time.
    Read4KDepth32 = 8,
    /// TCP from the guest, 32 connections at once.
    SendMany = 9,
    /// TCP to the guest, 32 connections at once.
    ReceiveMany = 10,
    /// Connections that open and close.
    Connect = 11,
}

/// What one unit of a phase is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A byte of payload.
    Byte,
    /// One round trip, request or connection.
    Operation,
}

impl Phase {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::Boot,
        Self::Other,
        Self::Send,
        Self::Receive,
        Self::RoundTrip,
        Self::Read128K,
        Self::Read4KDepth1,
        Self::Read4KDepth4,
        Self::Read4KDepth32,
        Self::SendMany,
        Self::ReceiveMany,
        Self::Connect,
    ];

    /// Those that are jobs: what `bench.jobs=` can name.
    pub fn jobs() -> impl Iterator<Item = Self> {
        let all = Self::ALL.into_iter();
        all.filter(|phase| !matches!(phase, Self::Boot | Self::Other))
    }

    /// The number of its mark.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The phase with a number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Its word in boot arguments and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Other => "other",
            Self::Send => "send",
            Self::Receive => "receive",
            Self::RoundTrip => "rtt",
            Self::Read128K => "read128k",
            Self::Read4KDepth1 => "read4k-1",
            Self::Read4KDepth4 => "read4k-4",
            Self::Read4KDepth32 => "read4k-32",
            Self::SendMany => "send-32",
            Self::ReceiveMany => "receive-32",
            Self::Connect => "connect",
        }
    }

    /// The phase with a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.name() == name)
    }

    /// What its figures are divided by.
    #[must_use]
    pub const fn unit(self) -> Unit {
        match self {
            Self::Send | Self::Receive | Self::Read128K | Self::SendMany | Self::ReceiveMany => {
                Unit::Byte
            }
            _ => Unit::Operation,
        }
    }

    /// Requests that a disk has at once in this phase.
    #[must_use]
    pub const fn depth(self) -> usize {
        match self {
            Self::Read4KDepth4 => 4,
            Self::Read4KDepth32 => 32,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_lead_back_to_their_phase() {
        for phase in Phase::ALL {
            assert_eq!(Phase::from_number(phase.number()), Some(phase));
            assert_eq!(Phase::from_name(phase.name()), Some(phase));
        }
        assert_eq!(Phase::from_number(12), None);
    }
}
