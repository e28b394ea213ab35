//! Commands, as the ITS reads them.

/// Bytes of one command.
pub(crate) const BYTES: u32 = 32;

const VALID: u64 = 1 << 63;

/// A command. There is one collection, number 0.
///
/// Ref: IHI0069, 5.3 "ITS commands".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// `MAPD`: a device's table of interrupts, for events of `bits` bits, is at `table`.
    MapDevice { device: u32, bits: u32, table: u64 },
    /// `MAPC`: the collection goes to a redistributor, as `GITS_TYPER.PTA` wants it named.
    MapCollection { target: u64 },
    /// `MAPTI`: an event of a device is an LPI of the collection.
    MapEvent { device: u32, event: u32, lpi: u32 },
    /// `INV`: the configuration of an event's LPI has changed.
    Invalidate { device: u32, event: u32 },
    /// `INVALL`: that of any LPI may have.
    InvalidateAll,
    /// `SYNC`: what was commanded so far takes effect before the next command.
    Sync { target: u64 },
    /// `INT`: as if the device had sent the event.
    Raise { device: u32, event: u32 },
}

impl Command {
    pub(crate) fn words(self) -> [u64; 4] {
        let of = |code: u64, device: u32| code | u64::from(device) << 32;
        match self {
            Self::MapDevice {
                device,
                bits,
                table,
            } => [of(0x08, device), u64::from(bits - 1), VALID | table, 0],
            Self::MapCollection { target } => [0x09, 0, VALID | target << 16, 0],
            Self::MapEvent { device, event, lpi } => [
                of(0x0a, device),
                u64::from(event) | u64::from(lpi) << 32,
                0,
                0,
            ],
            Self::Invalidate { device, event } => [of(0x0c, device), event.into(), 0, 0],
            Self::InvalidateAll => [0x0d, 0, 0, 0],
            Self::Sync { target } => [0x05, 0, target << 16, 0],
            Self::Raise { device, event } => [of(0x03, device), event.into(), 0, 0],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_the_fields_of_the_architecture() {
        let device = Command::MapDevice {
            device: 8,
            bits: 2,
            table: 0x4500_0100,
        };
        assert_eq!(device.words(), [8 << 32 | 8, 1, 1 << 63 | 0x4500_0100, 0]);
        let event = Command::MapEvent {
            device: 8,
            event: 1,
            lpi: 8193,
        };
        assert_eq!(event.words(), [8 << 32 | 0xa, 8193 << 32 | 1, 0, 0]);
        let collection = Command::MapCollection { target: 3 };
        assert_eq!(collection.words(), [9, 0, 1 << 63 | 3 << 16, 0]);
        assert_eq!(Command::Sync { target: 3 }.words(), [5, 0, 3 << 16, 0]);
    }
}
