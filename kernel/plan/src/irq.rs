//! How devices interrupt: what the boot argument `irq=` allows.

/// Ways for a device to interrupt that may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Irq {
    /// Messages (MSI-X) where they work, else the wire, else polling.
    #[default]
    Auto,
    /// Messages, else polling.
    Messages,
    /// The wire (INTx), else polling.
    Wire,
    /// Polling.
    Poll,
}

impl Irq {
    /// What [`Irq::parse`] takes.
    pub const EXPECTED: &str = "auto, msix, intx or poll";

    /// Reads the value of `irq=`; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(Self::Auto),
            "msix" => Some(Self::Messages),
            "intx" => Some(Self::Wire),
            "poll" => Some(Self::Poll),
            _ => None,
        }
    }

    /// Whether messages may be used.
    pub const fn messages(self) -> bool {
        matches!(self, Self::Auto | Self::Messages)
    }

    /// Whether wires may be used.
    pub const fn wires(self) -> bool {
        matches!(self, Self::Auto | Self::Wire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_allows_what_its_name_says_and_polling_is_left() {
        let allows = |text| Irq::parse(text).map(|irq| (irq.messages(), irq.wires()));
        assert_eq!(allows("auto"), Some((true, true)));
        assert_eq!(allows("msix"), Some((true, false)));
        assert_eq!(allows("intx"), Some((false, true)));
        assert_eq!(allows("poll"), Some((false, false)));
        assert_eq!(allows(""), None);
        assert_eq!(Irq::default(), Irq::Auto);
    }
}
