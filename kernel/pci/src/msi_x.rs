//! MSI-X: interrupts as messages, by a table in one of the function's BARs.

use alloc::boxed::Box;
use alloc::rc::Rc;

use crate::{BAR_COUNT, Capability, Function, Registers};

/// Id of the capability.
const MSI_X: u8 = 0x11;

const CONTROL_ENABLE: u16 = 1 << 15;
const CONTROL_MASK_ALL: u16 = 1 << 14;
const CONTROL_SIZE: u16 = 0x7ff;
/// Bytes of an entry: address, data, control.
const ENTRY: u64 = 16;
const DATA: u64 = 8;
const VECTOR_CONTROL: u64 = 12;

/// What a function sends for one of its vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it writes.
    pub address: u64,
    /// What it writes there.
    pub data: u32,
}

/// Where a function says that its table is; the BAR is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MsiXTable {
    /// The control register as it was found, without the bits that are ours.
    control: u16,
    /// Where that register is.
    register: u16,
    /// Index of the BAR, below 6.
    pub bar: u8,
    offset: u32,
    vectors: u16,
}

impl MsiXTable {
    /// First byte of the BAR behind the table.
    pub fn end(&self) -> u64 {
        u64::from(self.offset) + u64::from(self.vectors) * ENTRY
    }
}

/// MSI-X of one function, off until [`MsiX::enable`].
pub struct MsiX {
    /// Configuration space of the bus, and where the control register is in it.
    config: Box<dyn Registers>,
    register: u64,
    table: Rc<dyn Registers>,
    at: MsiXTable,
}

impl<R: Registers> Function<'_, R> {
    /// Turns MSI-X off if the function has it and it is on: until somebody enables it, the wired
    /// interrupt is used.
    ///
    /// Ref: PCI Express Base 6.0, 7.7.2.2 "Message Control Register for MSI-X".
    pub fn disable_msi_x(&self, capabilities: &[Capability]) {
        for found in capabilities.iter().filter(|c| c.id == MSI_X) {
            let (register, control) = control(*found);
            if control & CONTROL_ENABLE != 0 {
                self.write16(register, control & !CONTROL_ENABLE);
            }
        }
    }

    /// Looks where the table of vectors is. `None` if the function has no MSI-X that makes sense.
    ///
    /// Ref: PCI Express Base 6.0, 7.7.2 "MSI-X Capability and Table Structure".
    pub fn msi_x_table(&self, capabilities: &[Capability]) -> Option<MsiXTable> {
        let found = capabilities.iter().find(|c| c.id == MSI_X)?;
        // The capability has 12 bytes.
        found.at.checked_add(11)?;
        let (register, control) = control(*found);
        let place = self
            .read32(u16::from(found.at) + 4)
            .any_value("the end of the table is checked against its BAR");
        let table = MsiXTable {
            control: control & !(CONTROL_ENABLE | CONTROL_MASK_ALL),
            register,
            bar: (place & 7) as u8,
            offset: place & !7,
            vectors: (control & CONTROL_SIZE) + 1,
        };
        (usize::from(table.bar) < BAR_COUNT).then_some(table)
    }

    /// MSI-X with the table in `bar`, the mapped BAR that it lies in. `None` if it is shorter than
    /// that.
    pub fn msi_x(&self, at: MsiXTable, bar: Rc<dyn Registers>) -> Option<MsiX>
    where
        R: Clone + 'static,
    {
        (at.end() <= bar.len()).then(|| MsiX {
            config: Box::new(self.ecam.registers().clone()),
            register: self.ecam.at(self.bdf(), at.register),
            table: bar,
            at,
        })
    }
}

/// Where the control register of the capability is, and what it was when the list was read.
fn control(Capability { at, head, .. }: Capability) -> (u16, u16) {
    let [_, _, low, high] = head;
    (u16::from(at) + 2, u16::from_le_bytes([low, high]))
}

impl MsiX {
    /// Vectors that the function has, 1 to 2048.
    pub const fn vectors(&self) -> u16 {
        self.at.vectors
    }

    /// Turns MSI-X on, with vectors 0 onwards sending `messages`; more than there are vectors are
    /// left out. Vectors without a message stay masked, as they are after a reset. Wired interrupts
    /// are off meanwhile.
    pub fn enable(&self, messages: &[Message]) {
        // Entries are written while nothing can be sent.
        self.control(CONTROL_ENABLE | CONTROL_MASK_ALL);
        for (vector, message) in (0..self.vectors()).zip(messages) {
            self.write(vector, *message);
        }
        self.control(CONTROL_ENABLE);
    }

    /// Turns MSI-X off: the function uses its wired interrupt.
    pub fn disable(&self) {
        self.control(0);
    }

    /// Sets our bits of the control register; the others are what they were.
    fn control(&self, ours: u16) {
        self.config.write16(self.register, self.at.control | ours);
    }

    fn write(&self, vector: u16, message: Message) {
        let Some(entry) = self.entry(vector) else {
            return;
        };
        let [a, b, c, d, e, f, g, h] = message.address.to_le_bytes();
        self.table.write32(entry, u32::from_le_bytes([a, b, c, d]));
        self.table
            .write32(entry + 4, u32::from_le_bytes([e, f, g, h]));
        self.table.write32(entry + DATA, message.data);
        self.table.write32(entry + VECTOR_CONTROL, 0);
    }

    fn entry(&self, vector: u16) -> Option<u64> {
        let entry = u64::from(self.at.offset) + u64::from(vector) * ENTRY;
        (vector < self.vectors()).then_some(entry)
    }
}
