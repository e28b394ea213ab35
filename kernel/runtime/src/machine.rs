//! What a realm asks of the machine that it was booted on.

use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;

use arch::counter::Counter;
use bounce::Region;
use realm::{Counters, Cpus, DeviceCounters, Machine, Refusal, Work};

use crate::driver::Running;
use crate::interrupts::Interrupts;
use crate::{cpus, messages};

/// The machine, once its devices run.
pub struct Booted {
    /// Memory that devices reach.
    pub regions: Vec<Rc<Region>>,
    /// The devices.
    pub running: Running,
    /// The interrupt controller, if it is used.
    pub interrupts: Option<Rc<Interrupts>>,
    /// Affinities of all processors.
    pub processors: Vec<u64>,
    /// The CPU's counter.
    pub clock: Counter,
}

impl Machine for Booted {
    fn counters(&self) -> Counters {
        let pools = self.regions.iter().flat_map(|region| region.counters());
        let pools = pools.filter(|(name, _)| &**name != messages::POOL);
        let private = self.running.private_counters();
        let is_private = |name: &str| private.iter().any(|(known, _)| **known == *name);
        // What it bounced while it was the host's, and has no part in any more.
        let pools = pools.map(|(name, bounce)| match is_private(&name) {
            true => DeviceCounters {
                name: format!("{name} (shared)").into(),
                work: Work::Other,
                bounce,
            },
            false => DeviceCounters {
                work: self.running.work(&name),
                name,
                bounce,
            },
        });
        let trusted = private.iter().map(|(name, bounce)| DeviceCounters {
            work: self.running.work(name),
            name: Rc::clone(name),
            bounce: *bounce,
        });
        let devices = pools.chain(trusted);
        let interrupts = self.interrupts.as_ref();
        Counters {
            devices: devices.collect(),
            accesses: arch::accesses(),
            interrupts: interrupts
                .map(|interrupts| interrupts.taken())
                .unwrap_or_default(),
            means: interrupts
                .map(|interrupts| interrupts.means())
                .unwrap_or_default(),
            shared: self.regions.iter().map(|region| region.len()).sum(),
        }
    }

    fn refusals(&self) -> &[Refusal] {
        &self.running.refused
    }

    fn start_cpus(&self) -> Cpus {
        cpus::start_all(&self.processors, self.interrupts.as_deref(), self.clock)
    }
}
