//! One function: its registers, its capabilities, its BARs.

use alloc::vec::Vec;

use untrusted::Untrusted;

use crate::{Bdf, Ecam, Error, Identity, Registers};

/// Most capabilities of a function: as many as fit behind the header at 4 bytes each.
const MAX_CAPABILITIES: usize = 48;

const STATUS: u16 = 0x06;
const STATUS_CAPABILITIES: u16 = 1 << 4;
const CAPABILITIES: u16 = 0x34;
const FIRST_CAPABILITY: u8 = 0x40;
const INTERRUPT_PIN: u16 = 0x3d;

/// An entry of the capability list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// Which capability: 0x05 MSI, 0x09 vendor, 0x11 MSI-X.
    pub id: u8,
    /// Offset of its first byte, at least 0x40, a multiple of 4.
    pub at: u8,
    /// What its first four bytes are, read once: id, next, and two bytes of its own.
    pub head: [u8; 4],
}

/// A wired interrupt: the number that the bridge's interrupt map knows it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin {
    /// INTA, 1.
    A = 1,
    /// INTB, 2.
    B = 2,
    /// INTC, 3.
    C = 3,
    /// INTD, 4.
    D = 4,
}

/// One function of a bus.
#[derive(Debug)]
pub struct Function<'e, R> {
    pub(crate) ecam: &'e Ecam<R>,
    identity: Identity,
}

impl<R> Clone for Function<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Function<'_, R> {}

impl<'e, R: Registers> Function<'e, R> {
    /// Takes a function that a scan of `ecam` found.
    pub fn new(ecam: &'e Ecam<R>, identity: Identity) -> Self {
        Self { ecam, identity }
    }

    /// What the function said when it was found.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Where it is.
    pub fn bdf(&self) -> Bdf {
        self.identity.bdf
    }

    /// Reads a byte of the first 4096 of its configuration space.
    pub fn read8(&self, register: u16) -> Untrusted<u8> {
        self.ecam.read8(self.bdf(), register)
    }

    /// Reads the halfword at `register`, rounded down to a multiple of 2.
    pub fn read16(&self, register: u16) -> Untrusted<u16> {
        self.ecam.read16(self.bdf(), register)
    }

    /// Reads the word at `register`, rounded down to a multiple of 4.
    pub fn read32(&self, register: u16) -> Untrusted<u32> {
        self.ecam.read32(self.bdf(), register)
    }

    pub(crate) fn write16(&self, register: u16, value: u16) {
        self.ecam.write16(self.bdf(), register, value);
    }

    pub(crate) fn write32(&self, register: u16, value: u32) {
        self.ecam.write32(self.bdf(), register, value);
    }

    /// The wired interrupt of the function; `None` if it says it has none, or nonsense.
    pub fn interrupt_pin(&self) -> Option<Pin> {
        self.read8(INTERRUPT_PIN).accept(|pin| match pin {
            1 => Some(Pin::A),
            2 => Some(Pin::B),
            3 => Some(Pin::C),
            4 => Some(Pin::D),
            _ => None,
        })
    }

    /// Lists the capabilities. The walk visits at most 48 entries.
    ///
    /// # Errors
    ///
    /// [`Error::Capabilities`] if an entry is unaligned, lies in the header, or the list does not
    /// end.
    ///
    /// Ref: PCI Express Base 6.0, 7.5.1.1.11 "Capabilities Pointer".
    pub fn capabilities(&self) -> Result<Vec<Capability>, Error> {
        const CHECKED_BELOW: &str = "each offset is checked before it is used, and an id is a name";
        let mut list = Vec::new();
        if !self.read16(STATUS).has(STATUS_CAPABILITIES) {
            return Ok(list);
        }
        let mut at = self.read8(CAPABILITIES).any_value(CHECKED_BELOW);
        while at != 0 {
            let repeated = list.iter().any(|seen: &Capability| seen.at == at);
            let misplaced = at < FIRST_CAPABILITY || !at.is_multiple_of(4);
            if misplaced || repeated || list.len() >= MAX_CAPABILITIES {
                return Err(Error::Capabilities { at });
            }
            // The whole word: whoever knows the capability needs the rest, and each read is an exit.
            let entry = self.read32(u16::from(at)).any_value(CHECKED_BELOW);
            let head = entry.to_le_bytes();
            let [id, next, ..] = head;
            list.push(Capability { id, at, head });
            at = next;
        }
        Ok(list)
    }
}
