//! Accesses by PCI function: what each device costs, and not only each window.

use crate::counters::Accesses;
use crate::machine::Machine;
use crate::regions::Region;
use crate::virtio::{Bar, Common, Function};

/// How many functions are told apart: as many as a bus has places. Accesses to more of them show in their window only.
pub const MOST: usize = 32;
/// BARs of one function.
const BARS: usize = 6;
/// No BAR of the devices here is larger, in bytes.
const REACH: u64 = 1 << 20;
/// Offsets of the BARs in configuration space.
const BAR_REGISTERS: core::ops::Range<u64> = 0x10..0x28;

/// A function that the guest gave addresses to.
#[derive(Clone, Copy, Debug)]
struct Known {
    stream: u32,
    bars: [Option<Bar>; BARS],
    accesses: Accesses,
    common: Option<Common>,
}

/// What is at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The function.
    pub stream: u32,
    /// Which of its BARs.
    pub bar: usize,
    /// Offset in the BAR.
    pub offset: u64,
}

/// The functions that are in use.
#[derive(Clone, Debug, Default)]
pub struct Functions {
    list: heapless::Vec<Known, MOST>,
}

impl Functions {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            list: heapless::Vec::new(),
        }
    }

    /// Counts an access at `offset` of `region`, of which the first byte is at `base`.
    pub fn count(&mut self, (region, offset): (Region, u64), base: u64, write: bool) {
        let known = match region {
            Region::PciConfig => self.by_stream(stream(offset)),
            Region::PciPorts => self.by_address(offset, true),
            Region::PciMemory | Region::PciMemory64 => self.by_address(base + offset, false),
            _ => None,
        };
        if let Some(known) = known {
            known.accesses.count(write);
        }
    }

    /// Looks at a function's addresses after a store at `offset` of configuration space.
    pub fn follow<M: Machine>(&mut self, machine: &M, config: u64, offset: u64) {
        if !BAR_REGISTERS.contains(&(offset & 0xfff)) {
            return;
        }
        let stream = stream(offset);
        let function = Function::new(machine, config, stream);
        let mut bars = [None; BARS];
        let mut number = 0;
        while let Some(slot) = bars.get_mut(number) {
            *slot = function
                .bar(number)
                .filter(|bar| bar.address != 0 || bar.ports);
            number += if slot.is_some_and(|bar| bar.wide) {
                2
            } else {
                1
            };
        }
        match self.by_stream(stream) {
            Some(known) => known.bars = bars,
            None => {
                let accesses = Accesses::default();
                // A function more than can be told apart shows in its window only.
                let _ = self.list.push(Known {
                    stream,
                    bars,
                    accesses,
                    common: None,
                });
            }
        }
    }

    /// What is at `address` of the bus, outside of its ports.
    #[must_use]
    pub fn find(&mut self, address: u64) -> Option<Found> {
        let known = self.by_address(address, false)?;
        let bars = known.bars.iter().enumerate();
        let starts = bars.filter_map(|(bar, place)| {
            let offset = address.checked_sub(place.filter(|bar| !bar.ports)?.address)?;
            Some((offset, bar))
        });
        let (offset, bar) = starts.min()?;
        let stream = known.stream;
        Some(Found {
            stream,
            bar,
            offset,
        })
    }

    /// Where function `stream` keeps its common registers; `find` finds out, once.
    pub fn common(&mut self, stream: u32, find: impl FnOnce() -> Option<Common>) -> Option<Common> {
        let known = self.by_stream(stream)?;
        known.common = known.common.or_else(find);
        known.common
    }

    /// Each function that was accessed, with its stream.
    pub fn iter(&self) -> impl Iterator<Item = (u32, Accesses)> {
        self.list.iter().map(|known| (known.stream, known.accesses))
    }

    fn by_stream(&mut self, stream: u32) -> Option<&mut Known> {
        self.list.iter_mut().find(|known| known.stream == stream)
    }

    /// The function whose BAR begins last before `address`.
    fn by_address(&mut self, address: u64, ports: bool) -> Option<&mut Known> {
        let start = |known: &Known| {
            let bars = known.bars.iter().flatten().filter(|bar| bar.ports == ports);
            let starts = bars.map(|bar| bar.address).filter(|&at| at <= address);
            starts.max().filter(|&at| address - at < REACH)
        };
        let nearest = self.list.iter_mut().max_by_key(|known| start(known));
        nearest.filter(|known| start(known).is_some())
    }
}

fn stream(offset: u64) -> u32 {
    u32::try_from(offset >> 12).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(address: u64) -> Option<Bar> {
        Some(Bar {
            address,
            ports: false,
            wide: true,
        })
    }

    #[test]
    fn an_access_is_counted_for_the_function_whose_bar_it_hits() {
        let mut functions = Functions::new();
        for (stream, base) in [(8, 0x80_0000_0000), (16, 0x80_0000_4000)] {
            let bars = [
                bar(base),
                None,
                bar(0x1000_0000 + u64::from(stream) * 0x1000),
                None,
                None,
                None,
            ];
            let accesses = Accesses::default();
            functions
                .list
                .push(Known {
                    stream,
                    bars,
                    accesses,
                    common: None,
                })
                .unwrap();
        }
        let high = Region::PciMemory64.place(true).0;
        functions.count((Region::PciMemory64, 0x3fff), high, true);
        functions.count((Region::PciMemory64, 0x4000), high, false);
        functions.count((Region::PciMemory, 0x1_0000), 0x1000_0000, false);
        functions.count((Region::PciConfig, 0x8004), 0, true);
        functions.count((Region::PciConfig, 0x9_8004), 0, true);
        functions.count((Region::PciMemory64, 0x4000_0000), high, true);
        functions.count((Region::Uart, 0), 0, true);
        let seen: [_; 2] = [functions.list[0].accesses, functions.list[1].accesses];
        assert_eq!(
            seen[0],
            Accesses {
                reads: 0,
                writes: 2
            }
        );
        assert_eq!(
            seen[1],
            Accesses {
                reads: 2,
                writes: 0
            }
        );
    }
}
