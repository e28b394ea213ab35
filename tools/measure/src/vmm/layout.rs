//! Where things are, and the steps that build the realm.

use core::fmt;

use super::Blob;
use crate::{Digest, Entries, PAGE, RealmParams, RecParams, Rim, Rmm, start_level};

/// In which order the steps are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// All RAM becomes RIPAS RAM first, then all content ascending by address, then the REC.
    #[default]
    RamFirst,
    /// The kernel's content, then RIPAS RAM for the rest of its `image_size`, then the other content.
    /// Other RAM stays empty. So did the older lkvm branches (eac5, v2).
    KernelTail,
}

/// Where a monitor puts what it loads.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    /// The measured part of the realm's parameters.
    pub params: RealmParams,
    /// First address of RAM.
    pub ram_base: u64,
    /// First address behind RAM.
    pub ram_top: u64,
    /// The kernel.
    pub image: Blob<'a>,
    /// First address behind the kernel's `image_size`.
    pub image_top: u64,
    /// The initial file system.
    pub initrd: Option<Blob<'a>>,
    /// The device tree.
    pub dtb: Option<Blob<'a>>,
    /// The first REC.
    pub rec: RecParams,
    /// The order of the steps.
    pub order: Order,
}

/// One step that builds a realm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `REALM_CREATE`.
    Create(RealmParams),
    /// `RTT_INIT_RIPAS` of one table entry.
    Ripas {
        /// First address.
        base: u64,
        /// First address behind it.
        top: u64,
    },
    /// `DATA_CREATE` of one page, measured.
    Data {
        /// Its address.
        ipa: u64,
    },
    /// `REC_CREATE` of the runnable REC.
    Rec {
        /// First instruction.
        pc: u64,
        /// Its `x0`.
        x0: u64,
    },
}

/// A step that counted, and the RIM behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The step.
    pub step: Step,
    /// The RIM behind it.
    pub rim: Digest,
}

impl fmt::Display for Event {
    /// Writes type, address and the new value in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Step::Create(params) => write!(
                f,
                "create flags={:#x} s2sz={} sve_vl={} bps={} wps={} pmu={} hash={}",
                params.flags,
                params.ipa_bits,
                params.sve_vl,
                params.breakpoints,
                params.watchpoints,
                params.pmu_counters,
                params.algorithm.name()
            )?,
            Step::Ripas { base, top } => write!(f, "ripas  {base:#012x}..{top:#012x}")?,
            Step::Data { ipa } => write!(f, "data   {ipa:#012x}")?,
            Step::Rec { pc, x0 } => write!(f, "rec    pc={pc:#x} x0={x0:#x}")?,
        }
        write!(f, " -> {}", self.rim)
    }
}

impl Layout<'_> {
    /// Takes the steps, tells `listen` of each that counts, and gives the RIM of the active realm.
    pub fn measure(&self, rmm: Rmm, listen: &mut dyn FnMut(Event)) -> Digest {
        let mut build = Build {
            rim: Rim::create(&self.params, rmm),
            start_level: start_level(self.params.ipa_bits),
            listen,
        };
        build.tell(Step::Create(self.params));
        match self.order {
            Order::RamFirst => {
                build.ripas(self.ram_base, self.ram_top);
                build.data(&self.image);
            }
            Order::KernelTail => {
                build.data(&self.image);
                build.ripas(self.image.top(), self.image_top);
            }
        }
        for blob in [self.initrd, self.dtb].iter().flatten() {
            build.data(blob);
        }
        build.rec(&self.rec);
        build.rim.value()
    }
}

/// A realm in the making.
struct Build<'l> {
    rim: Rim,
    start_level: u8,
    listen: &'l mut dyn FnMut(Event),
}

impl Build<'_> {
    fn tell(&mut self, step: Step) {
        let rim = self.rim.value();
        (self.listen)(Event { step, rim });
    }

    fn ripas(&mut self, base: u64, top: u64) {
        for entry in Entries::new(base, top, self.start_level) {
            if self.rim.init_ripas(entry.base, entry.top) {
                let (base, top) = (entry.base, entry.top);
                self.tell(Step::Ripas { base, top });
            }
        }
    }

    fn data(&mut self, blob: &Blob<'_>) {
        for page in blob.pages() {
            if page.skip == 0 {
                self.rim.data(page.ipa, page.bytes);
            } else {
                let mut content = [0; PAGE];
                let target = content.iter_mut().skip(page.skip);
                target.zip(page.bytes).for_each(|(to, from)| *to = *from);
                self.rim.data(page.ipa, &content);
            }
            self.tell(Step::Data { ipa: page.ipa });
        }
    }

    fn rec(&mut self, params: &RecParams) {
        self.rim.rec(params);
        let [x0, ..] = params.gprs;
        self.tell(Step::Rec { pc: params.pc, x0 });
    }
}
