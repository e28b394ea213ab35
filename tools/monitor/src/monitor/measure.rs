//! The realm initial measurement, over what was loaded.

use core::ops::Range;

use measure::{Algorithm, Entries, RealmParams, RecParams, Rim, Rmm, start_level, vmm};

use super::Monitor;
use crate::granules::granules;
use crate::layout::{GRANULE_BYTES, GUEST_ENTRY, GUEST_RAM, GUEST_TREE};
use crate::machine::Machine;
use crate::options::{Hash, Ram};

impl<M: Machine> Monitor<M> {
    /// Measures the realm as RMM 1.0 does when a VMM gives it RAM, then `image`, then `initrd`, then the
    /// pages of its device `tree`, then its first processor.
    ///
    /// `measure::vmm::monitor` does the same on the host.
    pub(super) fn measure(
        &mut self,
        image: &Range<u64>,
        initrd: Option<&Range<u64>>,
        tree: &Range<u64>,
    ) {
        let params = self.params();
        let mut rim = Rim::create(&params, Rmm::V1_0);
        let ram = match self.options.ram {
            Ram::All => GUEST_RAM..self.memory.top(),
            Ram::Image => image.clone(),
        };
        for entry in Entries::new(ram.start, ram.end, start_level(params.ipa_bits)) {
            rim.init_ripas(entry.base, entry.top);
        }
        for address in [Some(image), initrd, Some(tree)]
            .into_iter()
            .flatten()
            .flat_map(granules)
        {
            let mut page = [0; GRANULE_BYTES];
            self.machine.read(address, &mut page);
            rim.data(address, &page);
        }
        rim.rec(&RecParams::entry(GUEST_ENTRY, GUEST_TREE));
        self.realm.measurements.set_initial(*rim.value().padded());
    }

    fn params(&self) -> RealmParams {
        let (breakpoints, watchpoints) = vmm::MONITOR_DEBUG;
        RealmParams {
            flags: if self.options.device.stream.is_some() {
                RealmParams::DEVICES
            } else {
                0
            },
            ipa_bits: u8::try_from(self.space.width()).unwrap_or(u8::MAX),
            sve_vl: 0,
            breakpoints,
            watchpoints,
            pmu_counters: 0,
            algorithm: match self.options.hash {
                Hash::Sha256 => Algorithm::Sha256,
                Hash::Sha512 => Algorithm::Sha512,
            },
        }
    }
}
