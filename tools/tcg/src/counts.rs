//! What the plugin wrote: counts of each phase.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use workload::phase::Phase;

/// What one side of a machine did: the guest, or the monitor under it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// Instructions.
    pub instructions: u64,
    /// Loads of device registers.
    pub mmio_loads: u64,
    /// Stores to device registers.
    pub mmio_stores: u64,
}

/// Bytes of one page of physical memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes loaded.
    pub loads: u64,
    /// Bytes stored.
    pub stores: u64,
}

/// A device register, by its physical address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Register {
    /// Loads.
    pub loads: u64,
    /// Stores.
    pub stores: u64,
    /// Instructions of the guest before the first store.
    pub instructions_before: u64,
    /// Accesses to device registers before the first store, since the guest's first instruction.
    pub mmio_before: u64,
}

/// What was counted in one phase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How often it began.
    pub entries: u64,
    /// Time on the host's clock.
    pub time: Duration,
    /// Instructions of the guest's blocks that touch the window, if there was one.
    pub touching: u64,
    /// Each CPU that ran: the guest, and the monitor.
    pub cpus: Vec<(Side, Side)>,
    /// Pages by address.
    pub pages: BTreeMap<u64, Traffic>,
    /// Device registers by address.
    pub registers: BTreeMap<u64, Register>,
}

impl Counts {
    /// The guest, all CPUs together.
    #[must_use]
    pub fn guest(&self) -> Side {
        sum(self.cpus.iter().map(|(guest, _)| *guest))
    }

    /// The monitor, all CPUs together.
    #[must_use]
    pub fn monitor(&self) -> Side {
        sum(self.cpus.iter().map(|(_, monitor)| *monitor))
    }

    /// Bytes loaded from and stored to `window`.
    #[must_use]
    pub fn window(&self, window: &std::ops::Range<u64>) -> Traffic {
        let pages = self.pages.range(window.clone());
        pages.fold(Traffic::default(), |sum, (_, page)| Traffic {
            loads: sum.loads + page.loads,
            stores: sum.stores + page.stores,
        })
    }
}

fn sum(sides: impl Iterator<Item = Side>) -> Side {
    sides.fold(Side::default(), |sum, side| Side {
        instructions: sum.instructions + side.instructions,
        mmio_loads: sum.mmio_loads + side.mmio_loads,
        mmio_stores: sum.mmio_stores + side.mmio_stores,
    })
}

impl Side {
    /// Loads and stores of device registers.
    #[must_use]
    pub const fn mmio(self) -> u64 {
        self.mmio_loads + self.mmio_stores
    }
}

/// A function under its callers, or one of its blocks, in a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its number.
    pub id: u64,
    /// The number of its caller.
    pub parent: u64,
    /// Where it begins.
    pub entry: u64,
    /// Instructions; only blocks have some.
    pub instructions: u64,
    /// A block, and not a function.
    pub block: bool,
}

/// Everything that the plugin wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// By phase.
    pub phases: BTreeMap<Phase, Counts>,
    /// The tree of calls, if a profile was asked for.
    pub calls: Vec<Call>,
    /// Blocks of the guest that ran, if they were asked for: where each begins, and its instructions.
    pub ran: Vec<(u64, u64)>,
}

trait AsNumber {
    fn number(&self) -> Option<u64>;
}

impl AsNumber for str {
    fn number(&self) -> Option<u64> {
        match self.strip_prefix("0x") {
            Some(hexadecimal) => u64::from_str_radix(hexadecimal, 16).ok(),
            None => self.parse().ok(),
        }
    }
}

impl Record {
    /// Reads the plugin's file.
    ///
    /// # Errors
    /// A line is not one of the plugin's.
    pub fn parse(text: &str) -> Result<Self> {
        let mut record = Self::default();
        let mut phase = Phase::Boot;
        for line in text.lines() {
            let (word, rest) = line.split_once(' ').context("an empty line")?;
            let numbers: Option<Vec<u64>> = rest.split(' ').map(AsNumber::number).collect();
            let numbers = numbers.with_context(|| format!("`{line}`"))?;
            match (word, numbers.as_slice()) {
                ("api", _) => {}
                ("phase", &[number, entries, nanos]) => {
                    let number = u8::try_from(number).unwrap_or(u8::MAX);
                    phase = Phase::from_number(number).context("an unknown phase")?;
                    let counts = record.phases.entry(phase).or_default();
                    counts.entries = entries;
                    counts.time = Duration::from_nanos(nanos);
                }
                ("call" | "block", &[id, parent, entry, instructions]) => record.calls.push(Call {
                    id,
                    parent,
                    entry,
                    instructions,
                    block: word == "block",
                }),
                ("ran", &[start, instructions]) => record.ran.push((start, instructions)),
                (word, numbers) => {
                    let counts = record.phases.entry(phase).or_default();
                    counts
                        .take(word, numbers)
                        .with_context(|| format!("`{line}`"))?;
                }
            }
        }
        Ok(record)
    }

    /// The counts of a phase; zeros if it did not run.
    #[must_use]
    pub fn phase(&self, phase: Phase) -> Counts {
        self.phases.get(&phase).cloned().unwrap_or_default()
    }
}

impl Counts {
    fn take(&mut self, word: &str, numbers: &[u64]) -> Result<()> {
        match (word, numbers) {
            ("cpu", &[_, a, b, c, d, e, f]) => {
                let side = |instructions, mmio_loads, mmio_stores| Side {
                    instructions,
                    mmio_loads,
                    mmio_stores,
                };
                self.cpus.push((side(a, b, c), side(d, e, f)));
            }
            ("window", &[instructions]) => self.touching = instructions,
            ("page", &[address, loads, stores]) => {
                let page = self.pages.entry(address).or_default();
                page.loads += loads;
                page.stores += stores;
            }
            ("register", &[address, loads, stores, before, mmio]) => {
                let register = self.registers.entry(address).or_default();
                register.loads += loads;
                register.stores += stores;
                register.instructions_before = before;
                register.mmio_before = mmio;
            }
            _ => bail!("is no line of the plugin"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "api 1 0 1\nphase 0 1 500\ncpu 0 100 1 2 0 0 0\nphase 2 1 9\n\
        cpu 0 50 0 1 7 3 4\nregister 0x10000050 0 2 90 3\npage 0x40000000 8 16\n\
        page 0x40001000 1 1\ncall 1 0 0x40200000 5\nran 0x40200000 7\n";

    #[test]
    fn each_phase_has_its_own_counts() {
        let record = Record::parse(TEXT).unwrap();
        let send = record.phase(Phase::Send);
        assert_eq!(send.guest().instructions, 50);
        assert_eq!(send.monitor().mmio(), 7);
        assert_eq!(send.registers[&0x1000_0050].instructions_before, 90);
        assert_eq!(record.phase(Phase::Boot).guest().instructions, 100);
        assert_eq!(record.phase(Phase::Receive), Counts::default());
        assert_eq!(record.calls.len(), 1);
        assert_eq!(record.ran, [(0x4020_0000, 7)]);
    }

    #[test]
    fn a_window_is_the_pages_in_it() {
        let send = Record::parse(TEXT).unwrap().phase(Phase::Send);
        let whole = send.window(&(0x4000_0000..0x4000_2000));
        assert_eq!((whole.loads, whole.stores), (9, 17));
        assert_eq!(send.window(&(0x4000_1000..0x4000_2000)).stores, 1);
    }

    #[test]
    fn a_line_of_nobody_is_an_error() {
        assert!(Record::parse("phase 2 1 9\nhello 1\n").is_err());
        assert!(Record::parse("phase 99 1 9\n").is_err());
        assert!(Record::parse("page zero 1 9\n").is_err());
    }
}
