//! The functions of a bus, and who of them is asked.

use alloc::vec::Vec;

use crate::config::BAR_SIZE;
use crate::function::{Function, Raise};
use crate::liar::Liar;
use crate::memory::Memory;
use crate::place::{Part, Point};
use crate::queue::Voice;

/// Number of the first function's device on the bus; the others follow.
pub const FIRST: u32 = 1;
/// How many devices of each kind there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Network cards.
    pub cards: u8,
    /// Disks.
    pub disks: u8,
    /// Sources of random bytes.
    pub entropy: u8,
    /// Consoles with ports.
    pub ports: u8,
}

impl Count {
    fn units(self) -> impl Iterator<Item = (Part, u8)> {
        let all = [
            (Part::Card, self.cards),
            (Part::Disk, self.disks),
            (Part::Entropy, self.entropy),
            (Part::Ports, self.ports),
        ];
        all.into_iter()
            .flat_map(|(part, count)| (0..count).map(move |unit| (part, unit)))
    }
}

/// The functions, each function 0 of a device of its own.
#[derive(Clone, Debug, Default)]
pub struct Bus {
    functions: Vec<Function>,
}

impl Bus {
    /// As many of each kind as `count` says.
    #[must_use]
    pub fn new(count: Count) -> Self {
        let functions = count.units().map(|(part, unit)| Function::new(part, unit));
        Self {
            functions: functions.collect(),
        }
    }

    /// The same functions, each without what a device need not offer.
    #[must_use]
    pub fn lean(self) -> Self {
        let functions = self.functions.into_iter().map(Function::lean);
        Self {
            functions: functions.collect(),
        }
    }

    /// Whether there is no function.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// Where the rings of all queues are, and how long.
    #[must_use]
    pub fn rings(&self) -> Vec<(u64, u64)> {
        self.functions.iter().flat_map(Function::rings).collect()
    }

    /// The function whose configuration space byte `offset` lies in, and where in it.
    fn at_config(&mut self, offset: u64) -> Option<(&mut Function, u64)> {
        let device = u32::try_from(offset >> 15).ok()?.checked_sub(FIRST)?;
        let first_function = offset & 0x7000 == 0;
        let function = self.functions.get_mut(usize::try_from(device).ok()?);
        Some((function.filter(|_| first_function)?, offset & 0xfff))
    }

    /// The function whose BAR holds `address`, its device number, and where in the BAR.
    fn at_address(&mut self, address: u64) -> Option<(u32, &mut Function, u64)> {
        let numbered = (FIRST..).zip(self.functions.iter_mut());
        numbered.into_iter().find_map(|(number, function)| {
            let offset = address.checked_sub(function.config.bar()?)?;
            (offset < BAR_SIZE).then_some((number, function, offset))
        })
    }

    /// Reads `bytes` bytes of configuration space; `None` if no function of ours is there.
    pub fn read_config(&mut self, offset: u64, bytes: u32, liar: &mut Liar) -> Option<u64> {
        let (function, at) = self.at_config(offset)?;
        let voice: Voice = function.voice();
        Some(function.config.read(at, bytes, liar, voice))
    }

    /// Writes to configuration space; says whether a function of ours is there.
    pub fn write_config(&mut self, offset: u64, bytes: u32, value: u64) -> bool {
        let Some((function, at)) = self.at_config(offset) else {
            return false;
        };
        function.config.write(at, bytes, value);
        true
    }

    /// Reads a register; `None` if no BAR of ours is there.
    pub fn read(&mut self, address: u64, bytes: u32, liar: &mut Liar) -> Option<u64> {
        let (_, function, offset) = self.at_address(address)?;
        Some(function.read(offset, bytes, liar))
    }

    /// Writes a register, and serves the queue whose doorbell it is. `None` if no BAR of ours is
    /// there; otherwise the number of the device, and how it interrupts if it does.
    pub fn write(
        &mut self,
        address: u64,
        (bytes, value): (u32, u64),
        memory: &mut impl Memory,
        liar: &mut Liar,
    ) -> Option<(u32, Option<Raise>)> {
        let (number, function, offset) = self.at_address(address)?;
        let rung = function.write(offset, bytes, value);
        let silence = function.voice().place(Point::Silence);
        let raise = rung.and_then(|_| function.serve(memory, liar));
        let heard = raise.filter(|_| liar.misbehave(silence).is_none());
        Some((number, heard))
    }
}
