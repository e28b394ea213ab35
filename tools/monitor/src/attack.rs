//! Devices that the monitor is itself, and what they say.
//!
//! Without the option `models` there are none, and QEMU's devices are the guest's.

use hostile::bus::{Bus, Count};
use hostile::memory::{Memory, Unreachable};
use hostile::{Liar, Part};

use crate::granules::Granules;
use crate::layout::{Half, Space};
use crate::machine::Machine;
use crate::syndrome::Width;

/// The first interrupt that a pin of the bus is wired to.
///
/// Ref: QEMU `hw/arm/virt.c`, `a15irqmap`: PCIe has shared interrupts 3 to 6.
const FIRST_PIN: u32 = 32 + 3;
const PINS: u32 = 4;
const GICD: u64 = 0x0800_0000;
const GICD_ISPENDR: u64 = 0x200;

/// Devices of our own, and who speaks for them.
#[derive(Clone, Debug, Default)]
pub struct Attack {
    /// The devices.
    pub bus: Bus,
    /// Who speaks.
    pub liar: Liar,
    /// The first address that the guest told a device and the device may not reach.
    pub refused: Option<u64>,
}

impl Attack {
    /// `count` devices, for which `liar` speaks.
    #[must_use]
    pub fn new(count: Count, liar: Liar) -> Self {
        Self {
            bus: Bus::new(count),
            liar,
            refused: None,
        }
    }

    /// Whether the window itself was changed behind the guest's back, so that what a device is told
    /// need not be what the guest wrote.
    #[must_use]
    pub fn scribbled(&self) -> bool {
        self.liar.told_by(Part::Window) != 0
    }
}

/// Guest memory as a device of ours reaches it: shared pages, by the addresses that the guest uses.
pub struct Reach<'a, M> {
    /// The machine.
    pub machine: &'a M,
    /// Which pages are shared.
    pub granules: &'a Granules<'static>,
    /// The halves of the address space.
    pub space: Space,
    /// Whether the halves are kept apart; without, everything can be reached.
    pub enforce: bool,
    /// Where to note what was refused.
    pub refused: &'a mut Option<u64>,
}

impl<M: Machine> Reach<'_, M> {
    fn place(&mut self, address: u64, len: usize) -> Result<u64, Unreachable> {
        let end = |start: u64| start.checked_add(len as u64);
        let found = match self.space.half(address) {
            Half::Shared(at) => Some(at),
            Half::Protected(at) if !self.enforce => Some(at),
            _ => None,
        };
        let found = found.filter(|&at| {
            let range = end(at).map(|end| at..end);
            range.is_some_and(|range| {
                let inside = self.granules.memory().covers(&range);
                inside && (!self.enforce || self.granules.is_shared(&range))
            })
        });
        found.ok_or_else(|| {
            self.refused.get_or_insert(address);
            Unreachable
        })
    }
}

impl<M: Machine> Memory for Reach<'_, M> {
    fn read(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), Unreachable> {
        if bytes.is_empty() {
            return Ok(());
        }
        let at = self.place(address, bytes.len())?;
        self.machine.read(at, bytes);
        Ok(())
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Unreachable> {
        if bytes.is_empty() {
            return Ok(());
        }
        let at = self.place(address, bytes.len())?;
        self.machine.write(at, bytes);
        Ok(())
    }
}

/// The number of the interrupt that pin A of device `device` is wired to.
#[must_use]
pub const fn interrupt(device: u32) -> u32 {
    FIRST_PIN + device % PINS
}

/// Makes interrupt `number` pending; one that the distributor does not have stays away.
pub fn raise<M: Machine>(machine: &M, number: u32) {
    let register = GICD + GICD_ISPENDR + 4 * u64::from(number / 32);
    let bit = 1 << (number % 32);
    // A machine without a distributor has no interrupts.
    let _ = machine.store(register, Width::Word, bit);
}
