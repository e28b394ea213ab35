//! Registers of the serial ports that a device tree may have us print on: PL011 and 16550.
//!
//! The host makes them: what they say is how many bytes they take, and nothing else is believed of it.
#![no_std]
#![forbid(unsafe_code)]

use devtree::Uart;
use pci::Registers;
use untrusted::Untrusted;

/// Bytes that both kinds take at once when their buffer is empty. Asking before each byte would be an
/// exit more for each.
pub const DEPTH: u8 = 16;

// PL011. Ref: DDI0183, chapter 3.
const PL011_DATA: u64 = 0x00;
const PL011_FLAGS: u64 = 0x18;
const PL011_FULL: u32 = 1 << 5;
const PL011_EMPTY: u32 = 1 << 7;
const PL011_LINE_CONTROL: u64 = 0x2c;
/// Eight bits, buffers on.
const PL011_LINE: u32 = 0x70;
// 16550.
const NS16550_DATA: u64 = 0;
const NS16550_FIFO_CONTROL: u64 = 2;
const NS16550_FIFO_ON: u8 = 1;
const NS16550_LINE_STATUS: u64 = 5;
const NS16550_EMPTY: u8 = 1 << 5;

/// A serial port that sends.
#[derive(Clone, Copy, Debug)]
pub struct Serial<R> {
    kind: Uart,
    registers: R,
}

impl<R: Registers> Serial<R> {
    /// The port of `kind` whose registers are `registers`.
    pub const fn new(kind: Uart, registers: R) -> Self {
        Self { kind, registers }
    }

    /// Turns its buffer on.
    pub fn enable_buffer(&self) {
        match self.kind {
            Uart::Pl011 => self.registers.write32(PL011_LINE_CONTROL, PL011_LINE),
            Uart::Ns16550 { shift, width } => {
                self.write(NS16550_FIFO_CONTROL << shift, width, NS16550_FIFO_ON);
            }
        }
    }

    /// Asks how many bytes fit: 0 to [`DEPTH`].
    pub fn ask_room(&self) -> u8 {
        match self.kind {
            Uart::Pl011 => {
                let flags = self.registers.read32(PL011_FLAGS);
                if flags.has(PL011_EMPTY) {
                    DEPTH
                } else {
                    u8::from(!flags.has(PL011_FULL))
                }
            }
            Uart::Ns16550 { shift, width } => {
                let status = self.read_as_wide(NS16550_LINE_STATUS << shift, width);
                if status.has(NS16550_EMPTY) { DEPTH } else { 0 }
            }
        }
    }

    /// Sends a byte; one for which there is no room is lost.
    pub fn send(&self, byte: u8) {
        match self.kind {
            Uart::Pl011 => self.registers.write32(PL011_DATA, byte.into()),
            Uart::Ns16550 { shift, width } => self.write(NS16550_DATA << shift, width, byte),
        }
    }

    /// Writes a register of a 16550, in an access as wide as the device tree wants it.
    fn write(&self, at: u64, width: u8, value: u8) {
        match width {
            4 => self.registers.write32(at, value.into()),
            2 => self.registers.write16(at, value.into()),
            _ => self.registers.write8(at, value),
        }
    }

    /// Reads a register of a 16550, in an access as wide as the device tree wants it.
    fn read_as_wide(&self, at: u64, width: u8) -> Untrusted<u8> {
        match width {
            4 => self.registers.read32(at).map(|word| word.to_le_bytes()[0]),
            2 => self.registers.read16(at).map(|word| word.to_le_bytes()[0]),
            _ => self.registers.read8(at),
        }
    }
}
