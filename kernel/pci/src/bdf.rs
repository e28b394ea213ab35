//! Where a function sits: bus, device, function.

use core::fmt;

/// A function's place in the configuration space of segment 0. Shown as `0000:00:01.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bdf {
    bus: u8,
    device: u8,
    function: u8,
}

impl Bdf {
    /// Takes a bus, a device below 32 and a function below 8; `None` for other numbers.
    pub const fn new(bus: u8, device: u8, function: u8) -> Option<Self> {
        if device < 32 && function < 8 {
            Some(Self {
                bus,
                device,
                function,
            })
        } else {
            None
        }
    }

    /// Bus, 0 to 255.
    pub const fn bus(self) -> u8 {
        self.bus
    }

    /// Device on the bus, 0 to 31.
    pub const fn device(self) -> u8 {
        self.device
    }

    /// Function of the device, 0 to 7.
    pub const fn function(self) -> u8 {
        self.function
    }

    /// The requester id: what interrupt maps and an SMMU know the function by.
    ///
    /// Ref: PCI Express Base 6.0, 2.2.6.2 "Transaction ID".
    pub const fn requester_id(self) -> u16 {
        (self.bus as u16) << 8 | (self.device as u16) << 3 | self.function as u16
    }
}

impl fmt::Display for Bdf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "0000:{:02x}:{:02x}.{}",
            self.bus, self.device, self.function
        )
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn a_place_is_shown_as_linux_shows_it() {
        assert_eq!(Bdf::new(0, 1, 0).unwrap().to_string(), "0000:00:01.0");
        assert_eq!(Bdf::new(255, 31, 7).unwrap().to_string(), "0000:ff:1f.7");
    }

    #[test]
    fn a_requester_id_packs_the_three_numbers() {
        assert_eq!(Bdf::new(1, 2, 3).unwrap().requester_id(), 0x113);
        assert_eq!(Bdf::new(0, 32, 0), None);
        assert_eq!(Bdf::new(0, 0, 8), None);
    }
}
