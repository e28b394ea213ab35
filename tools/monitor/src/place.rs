//! Places of devices on the bus.

use core::fmt;

/// A device's place on the bus in the usual form.
pub struct Place(pub u32);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stream = self.0;
        write!(
            f,
            "0000:{:02x}:{:02x}.{}",
            stream >> 8,
            stream >> 3 & 31,
            stream & 7
        )
    }
}
