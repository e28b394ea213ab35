//! The interrupt controller, GICv3: a few wired interrupts and one timer.
//!
//! The CPU interface is that of `arm-gic`. Distributor and redistributor are ours, because the
//! host emulates them: every wait on them has a deadline here, and every access is counted.

use core::time::Duration;

use arm_gic::InterruptGroup;
use arm_gic::gicv3::{GicCpuInterface, SgiTarget, SgiTargetGroup};
use clock::Clock;
use pci::Registers;
use untrusted::Untrusted;

use crate::cpu;

pub use arm_gic::IntId;

// Distributor registers, and those of a redistributor's second frame at the same offsets.
const CTLR: u64 = 0x0;
const TYPER: u64 = 0x4;
const IGROUPR: u64 = 0x80;
const ISENABLER: u64 = 0x100;
const ICENABLER: u64 = 0x180;
const IPRIORITYR: u64 = 0x400;
const ICFGR: u64 = 0xc00;
/// What one CPU rings another with.
pub const BELL: IntId = IntId::sgi(0);
const IROUTER: u64 = 0x6000;
// Registers of a redistributor's first frame.
const GICR_TYPER: u64 = 0x8;
const GICR_WAKER: u64 = 0x14;
/// From a redistributor's first frame to its second, which has the registers of its interrupts.
const PRIVATE_FRAME: u64 = 0x1_0000;
/// Bytes of a redistributor; twice that where it has virtual LPIs.
const REDISTRIBUTOR: u64 = 0x2_0000;

const CTLR_ENABLE_GROUP_1: u32 = 1 << 1;
const CTLR_AFFINITY_ROUTING: u32 = 1 << 4;
const CTLR_WRITE_PENDING: u32 = 1 << 31;
/// Of the distributor.
const TYPER_LPIS: u32 = 1 << 17;
const TYPER_VLPIS: u32 = 1 << 1;
const TYPER_LAST: u32 = 1 << 4;
const WRITTEN_BACK: &str = "written back, but for our bit";
const WAKER_SLEEP: u32 = 1 << 1;
const WAKER_CHILDREN_ASLEEP: u32 = 1 << 2;

/// Any one priority does: nothing preempts anything.
const PRIORITY: u8 = 0xa0;
/// Lets every priority through that a hypervisor implements.
const PRIORITY_MASK: u8 = 0xf0;
/// Most redistributors of a region that are looked at: the host says how long it is.
const MAX_REDISTRIBUTORS: usize = 512;
/// How long the host may take to carry out a write.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why the interrupt controller is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// No redistributor in the region says that it is this CPU's.
    NoRedistributor,
    /// The distributor did not finish a write in time.
    DistributorBusy,
    /// The redistributor did not wake up in time.
    RedistributorAsleep,
    /// The interrupt is none that this controller has.
    NoSuchInterrupt {
        /// Its number.
        id: u32,
    },
}

impl Error {
    /// The same in words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoRedistributor => "no redistributor for this CPU",
            Self::DistributorBusy => "the distributor did not finish a write in time",
            Self::RedistributorAsleep => "the redistributor did not wake up in time",
            Self::NoSuchInterrupt { .. } => "it has no such interrupt",
        }
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoSuchInterrupt { id } => write!(f, "there is no interrupt {id}"),
            error => f.write_str(error.text()),
        }
    }
}

/// The interrupt controller.
///
/// Ref: IHI0069 (GICv3), chapter 12 "Programmers' model".
pub struct Gic<R> {
    distributor: R,
    redistributors: R,
    /// Offset of this CPU's redistributor.
    own: u64,
    /// First interrupt that the distributor does not have.
    end: u32,
}

impl<R: Registers> Gic<R> {
    /// Sets the controller up with every interrupt disabled, and opens the CPU interface.
    ///
    /// # Errors
    ///
    /// [`Error`] says what the host did not do.
    pub fn new(distributor: R, redistributors: R, clock: &dyn Clock) -> Result<Self, Error> {
        let own = redistributor_of(cpu::affinity(), &redistributors);
        let own = own.ok_or(Error::NoRedistributor)?;
        let lines = distributor.read32(TYPER).masked(0x1f);
        let end = (32 * (lines + 1)).min(1020);
        let gic = Self {
            distributor,
            redistributors,
            own,
            end,
        };
        gic.open_distributor(clock)?;
        gic.wake_redistributor(own, clock)?;
        open_cpu_interface();
        Ok(gic)
    }

    /// Lets the CPU with `affinity` be rung, and get its own interrupt `alarm`.
    ///
    /// # Errors
    ///
    /// [`Error`] says what the host did not do.
    pub fn prepare(&self, affinity: u64, alarm: IntId, clock: &dyn Clock) -> Result<(), Error> {
        let at = redistributor_of(affinity, &self.redistributors);
        let at = at.ok_or(Error::NoRedistributor)?;
        self.wake_redistributor(at, clock)?;
        for interrupt in [BELL, alarm] {
            self.enable_at(&self.redistributors, at + PRIVATE_FRAME, interrupt);
        }
        Ok(())
    }

    fn open_distributor(&self, clock: &dyn Clock) -> Result<(), Error> {
        self.distributor
            .write32(CTLR, CTLR_AFFINITY_ROUTING | CTLR_ENABLE_GROUP_1);
        let mut done = || !self.distributor.read32(CTLR).has(CTLR_WRITE_PENDING);
        if clock.wait(PATIENCE, &mut done) {
            Ok(())
        } else {
            Err(Error::DistributorBusy)
        }
    }

    fn wake_redistributor(&self, redistributor: u64, clock: &dyn Clock) -> Result<(), Error> {
        let at = redistributor + GICR_WAKER;
        let waker = self.redistributors.read32(at).masked(!WAKER_SLEEP);
        self.redistributors.write32(at, waker);
        let mut awake = || !self.redistributors.read32(at).has(WAKER_CHILDREN_ASLEEP);
        if clock.wait(PATIENCE, &mut awake) {
            Ok(())
        } else {
            Err(Error::RedistributorAsleep)
        }
    }

    /// Enables a level-triggered interrupt and routes it to this CPU.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchInterrupt`].
    pub fn enable(&self, interrupt: IntId) -> Result<(), Error> {
        let (registers, base) = self.bank(interrupt)?;
        self.enable_at(registers, base, interrupt);
        Ok(())
    }

    /// Enables an interrupt whose registers are at `base` of `registers`.
    fn enable_at(&self, registers: &R, base: u64, interrupt: IntId) {
        let id = interrupt.raw_value();
        let (word, bit) = (u64::from(id / 32) * 4, 1 << (id % 32));
        let group = base + IGROUPR + word;
        let others = registers.read32(group).any_value(WRITTEN_BACK);
        registers.write32(group, others | bit);
        registers.write8(base + IPRIORITYR + u64::from(id), PRIORITY);
        // Those of CPUs among each other are edges for good.
        if !interrupt.is_sgi() {
            let trigger = base + ICFGR + u64::from(id / 16) * 4;
            let edges = registers.read32(trigger).masked(!(2 << (id % 16 * 2)));
            registers.write32(trigger, edges);
        }
        if interrupt.is_spi() {
            let [low, high] = halves(cpu::affinity());
            registers.write32(IROUTER + u64::from(id) * 8, low);
            registers.write32(IROUTER + u64::from(id) * 8 + 4, high);
        }
        registers.write32(base + ISENABLER + word, bit);
    }

    /// Disables an interrupt: it stays pending, and is not signalled.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchInterrupt`].
    pub fn disable(&self, interrupt: IntId) -> Result<(), Error> {
        let (registers, base) = self.bank(interrupt)?;
        let id = interrupt.raw_value();
        registers.write32(base + ICENABLER + u64::from(id / 32) * 4, 1 << (id % 32));
        Ok(())
    }

    /// The registers of all redistributors and where this CPU's begin, for whoever uses its LPIs;
    /// `None` if there are no LPIs.
    pub fn lpis(&self) -> Option<(&R, u64)> {
        let has = self.distributor.read32(TYPER).has(TYPER_LPIS);
        has.then_some((&self.redistributors, self.own))
    }

    /// Where the registers of an interrupt are.
    fn bank(&self, interrupt: IntId) -> Result<(&R, u64), Error> {
        let id = interrupt.raw_value();
        if interrupt.is_spi() && id < self.end {
            Ok((&self.distributor, 0))
        } else if interrupt.is_ppi() {
            Ok((&self.redistributors, self.own + PRIVATE_FRAME))
        } else {
            Err(Error::NoSuchInterrupt { id })
        }
    }

    /// Takes the next pending interrupt, to be given to [`Self::end`].
    pub fn acknowledge_next(&self) -> Option<Untrusted<IntId>> {
        acknowledge_next()
    }

    /// Ends an interrupt that was taken; it may come again.
    pub fn end(&self, interrupt: IntId) {
        end(interrupt);
    }
}

/// Opens the interface of this CPU to interrupts that the controller sends it.
pub fn open_cpu_interface() {
    GicCpuInterface::enable_system_register_el1();
    GicCpuInterface::set_priority_mask(PRIORITY_MASK);
    GicCpuInterface::enable_group1(true);
}

/// Takes the next interrupt that is pending for this CPU, to be given to [`end`].
pub fn acknowledge_next() -> Option<Untrusted<IntId>> {
    let special = IntId::SPECIAL_SECURE.raw_value()..=IntId::SPECIAL_NONE.raw_value();
    GicCpuInterface::get_and_acknowledge_interrupt(InterruptGroup::Group1)
        .filter(|id| !special.contains(&id.raw_value()))
        .map(Untrusted::from_host)
}

/// Ends an interrupt of this CPU that was taken; it may come again.
pub fn end(interrupt: IntId) {
    GicCpuInterface::end_interrupt(interrupt, InterruptGroup::Group1);
}

/// Rings the CPU with `affinity`: it wakes and sees what was stored before. In a realm this is an exit.
pub fn ring(affinity: u64) {
    cpu::publish();
    let [core, affinity1, affinity2, _, affinity3, ..] = affinity.to_le_bytes();
    let target = SgiTarget::List {
        affinity3,
        affinity2,
        affinity1,
        target_list: 1 << (core % 16),
    };
    // It is an interrupt of that kind.
    let _ = GicCpuInterface::send_sgi(BELL, target, SgiTargetGroup::CurrentGroup1);
}

/// A CPU's affinity, as `IROUTER` has it in two halves.
const fn halves(affinity: u64) -> [u32; 2] {
    let [a, b, c, _, high, ..] = affinity.to_le_bytes();
    [u32::from_le_bytes([a, b, c, 0]), high as u32]
}

/// Offset of the redistributor of the CPU with `affinity` in the region.
fn redistributor_of<R: Registers>(affinity: u64, region: &R) -> Option<u64> {
    let [low, high] = halves(affinity);
    let wanted = low | high << 24;
    let mut at = 0;
    for _ in 0..MAX_REDISTRIBUTORS {
        if at + REDISTRIBUTOR > region.len() {
            return None;
        }
        let kind = region.read32(at + GICR_TYPER);
        if region.read32(at + GICR_TYPER + 4).is(wanted) {
            return Some(at);
        }
        if kind.has(TYPER_LAST) {
            return None;
        }
        at += if kind.has(TYPER_VLPIS) {
            2 * REDISTRIBUTOR
        } else {
            REDISTRIBUTOR
        };
    }
    None
}
