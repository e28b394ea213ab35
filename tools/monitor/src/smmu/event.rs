//! What the SMMU stopped.

/// A record of the event queue.
///
/// Ref: Arm IHI 0070 F.b, 7.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Type of the record; 0x10 is a translation fault.
    pub kind: u8,
    /// Bus, device and function.
    pub stream: u32,
    /// Whether the device wanted to write.
    pub write: bool,
    /// The address that the device used.
    pub address: u64,
}

impl Event {
    /// Decodes the first three words of a record; `None` if there is no record.
    #[must_use]
    pub const fn decode(words: [u64; 3]) -> Option<Self> {
        let [head, second, address] = words;
        let kind = (head & 0xff) as u8;
        if kind == 0 {
            return None;
        }
        const READ: u64 = 1 << 35;
        Some(Self {
            kind,
            stream: (head >> 32) as u32,
            write: second & READ == 0,
            address,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_who_and_where() {
        let event = Event::decode([0x10_0000_0010, 1 << 35 | 2 << 40, 0x1_0044_0000_0000]);
        let expected = Event {
            kind: 0x10,
            stream: 16,
            write: false,
            address: 0x1_0044_0000_0000,
        };
        assert_eq!(event, Some(expected));
        assert_eq!(Event::decode([0x8_0000_0000, 0, 0]), None);
        assert!(Event::decode([0x10, 0, 0]).is_some_and(|event| event.write));
    }
}
