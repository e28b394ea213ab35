//! Messages about ports.
//!
//! Ref: virtio 1.2, 5.3.6.2 "Multiport Device Operation".

use core::str;

/// Bytes of a message without what follows it.
const HEADER: usize = 8;
/// Most bytes of the name of a port.
const MAX_NAME: usize = 64;

const DEVICE_READY: u16 = 0;
const PORT_ADD: u16 = 1;
const PORT_REMOVE: u16 = 2;
const PORT_READY: u16 = 3;
const CONSOLE_PORT: u16 = 4;
const PORT_OPEN: u16 = 6;
const PORT_NAME: u16 = 7;

/// What the driver says.
#[derive(Clone, Copy)]
pub(crate) enum Said {
    /// It knows what ports are.
    DeviceReady,
    /// It uses this port.
    PortReady(u32),
    /// Somebody here listens at this port.
    PortOpen(u32),
}

impl Said {
    pub(crate) fn to_bytes(self) -> [u8; HEADER] {
        let (port, event) = match self {
            Self::DeviceReady => (0, DEVICE_READY),
            Self::PortReady(port) => (port, PORT_READY),
            Self::PortOpen(port) => (port, PORT_OPEN),
        };
        let ([a, b, c, d], [e, f]) = (port.to_le_bytes(), event.to_le_bytes());
        [a, b, c, d, e, f, 1, 0]
    }
}

/// What the device says of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard<'m> {
    Added,
    Removed,
    Console,
    /// Whether somebody on the host listens.
    Open(bool),
    Name(&'m str),
}

impl<'m> Heard<'m> {
    /// Reads a message: the number of the port, and what is said of it. `None` if it means nothing here.
    pub(crate) fn from_bytes(message: &'m [u8]) -> Option<(usize, Self)> {
        let (header, rest) = message.split_first_chunk::<HEADER>()?;
        let [a, b, c, d, e, f, g, h] = *header;
        let port = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
        let value = u16::from_le_bytes([g, h]);
        let heard = match u16::from_le_bytes([e, f]) {
            PORT_ADD => Self::Added,
            PORT_REMOVE => Self::Removed,
            CONSOLE_PORT => Self::Console,
            PORT_OPEN => Self::Open(value != 0),
            PORT_NAME => Self::Name(name(rest)?),
            _ => return None,
        };
        Some((port, heard))
    }
}

/// A name that can be printed and typed.
fn name(bytes: &[u8]) -> Option<&str> {
    // QEMU ends it with a zero.
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    let good = (1..=MAX_NAME).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    str::from_utf8(bytes).ok().filter(|_| good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_they_are_laid_out() {
        let open = [3, 0, 0, 0, 6, 0, 1, 0];
        assert_eq!(Heard::from_bytes(&open), Some((3, Heard::Open(true))));
        let named = *b"\x01\0\0\0\x07\0\x01\0trace\0";
        assert_eq!(Heard::from_bytes(&named), Some((1, Heard::Name("trace"))));
        assert_eq!(Said::PortReady(258).to_bytes(), [2, 1, 0, 0, 3, 0, 1, 0]);
    }

    #[test]
    fn what_means_nothing_is_not_taken() {
        let name = |name: &[u8]| [&[1, 0, 0, 0, 7, 0, 1, 0], name].concat();
        let wrong = [
            Vec::new(),
            vec![1, 0, 0, 0, 1, 0, 1],
            vec![1, 0, 0, 0, 99, 0, 1, 0],
            name(b""),
            name(b"\0"),
            name(b"two words"),
            name(b"a\0b"),
            name(&[0xff, 0xfe]),
            name(&[b'n'; MAX_NAME + 1]),
        ];
        for message in wrong {
            assert_eq!(Heard::from_bytes(&message), None, "{message:?}");
        }
    }

    extern crate alloc;
    use alloc::vec;
    use alloc::vec::Vec;
}
