//! Base address registers: what they decode, how large they are, where they go.

use crate::placement::Placed;
use crate::{Error, Function, Placement, Registers};

/// BARs of an endpoint.
pub const BAR_COUNT: usize = 6;

const COMMAND: u16 = 0x04;
const COMMAND_IO: u16 = 1 << 0;
const COMMAND_MEMORY: u16 = 1 << 1;
const COMMAND_MASTER: u16 = 1 << 2;
const COMMAND_INTX_OFF: u16 = 1 << 10;
const FIRST_BAR: u16 = 0x10;
const BAR_IO: u32 = 1;
const BAR_TYPE: u32 = 0b110;
const BAR_TYPE_64: u32 = 0b100;
const BAR_FLAGS: u32 = 0xf;
/// Who checks an address, and who a size.
const PLACED: &str = "Placement::claim takes none outside the window";
const SIZED: &str = "a size that is no power of two is refused below";

/// CPU addresses of the BARs that a driver asked for, without the shared bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bars {
    asked: [Option<u64>; BAR_COUNT],
    /// Address and size of each memory BAR, where they are known.
    sized: [Option<(u64, u64)>; BAR_COUNT],
}

impl Bars {
    /// Address of BAR `index`; `None` if it was not asked for.
    pub fn address(&self, index: u8) -> Option<u64> {
        self.asked.get(usize::from(index)).copied().flatten()
    }

    /// Index, address and size of each memory BAR. There are none where the VMM placed the function:
    /// a BAR that decodes is not sized.
    pub fn sized(&self) -> impl Iterator<Item = (u8, u64, u64)> {
        let all = (0_u8..).zip(self.sized);
        all.filter_map(|(index, bar)| bar.map(|(address, size)| (index, address, size)))
    }
}

/// Which kind of addresses a BAR takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Io,
    Memory32,
    Memory64,
}

/// A BAR as it was found.
#[derive(Clone, Copy, Debug)]
struct Bar {
    index: u8,
    kind: Kind,
    address: u64,
}

impl Bar {
    fn is_64(self) -> bool {
        self.kind == Kind::Memory64
    }
}

fn register(index: u8) -> u16 {
    FIRST_BAR + 4 * u16::from(index)
}

fn join(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

impl<R: Registers> Function<'_, R> {
    /// Gives addresses to the BARs, turns on memory decoding and bus mastering, and says where the
    /// BARs are of which `needs` wants bytes.
    ///
    /// A function that already decodes memory was placed by its VMM: its BARs are kept and never
    /// sized, since sizing a BAR that decodes breaks the device on some hosts. Otherwise decoding
    /// is turned off, every memory BAR is sized, and those without an address get one.
    ///
    /// # Errors
    ///
    /// Any [`Error`] about BARs; the command register is then as it was found.
    pub fn enable(
        &self,
        needs: &[u64; BAR_COUNT],
        placement: &mut Placement,
    ) -> Result<Bars, Error> {
        let found = self
            .read16(COMMAND)
            .any_value("written back, but for our bits");
        let bars = if found & COMMAND_MEMORY != 0 {
            self.keep(needs, placement)?
        } else {
            self.write16(COMMAND, found & !(COMMAND_IO | COMMAND_MEMORY));
            let placed = self.place(needs, placement);
            placed.inspect_err(|_| self.write16(COMMAND, found))?
        };
        let on = (found | COMMAND_MEMORY | COMMAND_MASTER) & !COMMAND_INTX_OFF;
        self.write16(COMMAND, on);
        Ok(bars)
    }

    /// Memory that BARs of a decoding function begin at, as the bus has it.
    pub(crate) fn decoded_addresses(&self) -> [Option<u64>; BAR_COUNT] {
        let mut addresses = [None; BAR_COUNT];
        if !self.read16(COMMAND).has(COMMAND_MEMORY) {
            return addresses;
        }
        let mut skip = false;
        for (index, address) in (0_u8..).zip(addresses.iter_mut()) {
            if core::mem::take(&mut skip) {
                continue;
            }
            let Ok(bar) = self.bar(index) else { continue };
            skip = bar.is_64();
            if bar.kind != Kind::Io && bar.address != 0 {
                *address = Some(bar.address);
            }
        }
        addresses
    }

    fn keep(&self, needs: &[u64; BAR_COUNT], placement: &mut Placement) -> Result<Bars, Error> {
        let mut bars = Bars::default();
        for (index, (need, slot)) in (0_u8..).zip(needs.iter().zip(bars.asked.iter_mut())) {
            if *need == 0 {
                continue;
            }
            let bar = self.bar(index)?;
            if bar.kind == Kind::Io {
                return Err(Error::BarKind { bar: index });
            }
            if bar.address == 0 {
                return Err(Error::Unassigned { bar: index });
            }
            *slot = Some(placement.claim((self.bdf(), index), bar.address, *need)?);
        }
        Ok(bars)
    }

    fn place(&self, needs: &[u64; BAR_COUNT], placement: &mut Placement) -> Result<Bars, Error> {
        let mut bars = Bars::default();
        let mut upper_half = false;
        let slots = bars.asked.iter_mut().zip(bars.sized.iter_mut());
        for (index, (need, (slot, sized))) in (0_u8..).zip(needs.iter().zip(slots)) {
            if core::mem::take(&mut upper_half) {
                if *need != 0 {
                    return Err(Error::BarKind { bar: index });
                }
                continue;
            }
            let bar = self.bar(index)?;
            upper_half = bar.is_64();
            *sized = self.place_one(bar, *need, placement)?;
            *slot = sized.map(|(address, _)| address).filter(|_| *need != 0);
        }
        Ok(bars)
    }

    /// Places one BAR, and says where it is and how large; `None` for one that is not there or takes
    /// I/O ports.
    fn place_one(
        &self,
        bar: Bar,
        need: u64,
        placement: &mut Placement,
    ) -> Result<Option<(u64, u64)>, Error> {
        let index = bar.index;
        if bar.kind == Kind::Io {
            return match need {
                0 => Ok(None),
                _ => Err(Error::BarKind { bar: index }),
            };
        }
        let size = self.size(bar);
        if size == Ok(0) && need == 0 {
            // Nothing keeps what was written to find that out.
            return Ok(None);
        }
        let chosen = size.and_then(|size| {
            let placed = self.choose(bar, size, need, placement)?;
            Ok((placed, size))
        });
        // Each store is an exit: it gets its address at once, or the one back that it had.
        let keeps = chosen
            .as_ref()
            .map_or(bar.address, |(placed, _)| placed.bus);
        self.write_bar(bar, keeps);
        let (placed, size) = chosen?;
        if bar.address == 0 && self.bar(index)?.address != placed.bus {
            return Err(Error::BarStuck { bar: index });
        }
        Ok(Some((placed.cpu, size)))
    }

    /// Where a BAR of `size` bytes is, or goes.
    fn choose(
        &self,
        bar: Bar,
        size: u64,
        need: u64,
        placement: &mut Placement,
    ) -> Result<Placed, Error> {
        let (index, owner) = (bar.index, (self.bdf(), bar.index));
        if size < need {
            return Err(Error::BarSize { bar: index, size });
        }
        if bar.address != 0 {
            let (bus, cpu) = (bar.address, placement.claim(owner, bar.address, size)?);
            return Ok(Placed { bus, cpu });
        }
        if self.bdf().bus() != self.ecam.root_bus() {
            return Err(Error::Unassigned { bar: index });
        }
        placement.place(owner, size, bar.is_64())
    }

    /// Reads what BAR `index` is.
    ///
    /// Ref: PCI Express Base 6.0, 7.5.1.2.1 "Base Address Registers".
    fn bar(&self, index: u8) -> Result<Bar, Error> {
        let low = self.read32(register(index)).any_value(PLACED);
        if low & BAR_IO != 0 {
            let address = u64::from(low & !0b11);
            return Ok(Bar {
                index,
                kind: Kind::Io,
                address,
            });
        }
        match low & BAR_TYPE {
            0 => Ok(Bar {
                index,
                kind: Kind::Memory32,
                address: u64::from(low & !BAR_FLAGS),
            }),
            BAR_TYPE_64 if usize::from(index) + 1 < BAR_COUNT => {
                let high = self.read32(register(index + 1)).any_value(PLACED);
                let address = join(low & !BAR_FLAGS, high);
                Ok(Bar {
                    index,
                    kind: Kind::Memory64,
                    address,
                })
            }
            _ => Err(Error::BarKind { bar: index }),
        }
    }

    /// Finds the size of a BAR that does not decode, in bytes; 0 if there is none. All its bits that can be set
    /// are set then.
    fn size(&self, bar: Bar) -> Result<u64, Error> {
        self.write_bar(bar, u64::MAX);
        let low = self.read32(register(bar.index)).masked(!BAR_FLAGS);
        let mask = if bar.is_64() {
            join(low, self.read32(register(bar.index + 1)).any_value(SIZED))
        } else if low == 0 {
            0
        } else {
            join(low, u32::MAX)
        };
        if mask == 0 {
            return Ok(0);
        }
        let size = (!mask).wrapping_add(1);
        if !size.is_power_of_two() {
            return Err(Error::BarSize {
                bar: bar.index,
                size,
            });
        }
        Ok(size)
    }

    fn write_bar(&self, bar: Bar, value: u64) {
        let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
        self.write32(register(bar.index), u32::from_le_bytes([a, b, c, d]));
        if bar.is_64() {
            self.write32(register(bar.index + 1), u32::from_le_bytes([e, f, g, h]));
        }
    }
}
