//! The machine as a whole.

use heapless::{String, Vec};
use ipa::{GranuleRange, IpaSpace};

use crate::error::Failed;
use crate::node::Node;
use crate::{
    AddressRange, Console, Error, Gic, MAX_BOOT_ARGUMENTS, MAX_MEMORY_RANGES, MAX_RESERVED,
    PciHost, PsciMethod, RestrictedPools, Timer, Tree, chosen, gic, memory, reserved,
};

/// Most bytes of a `compatible` text that we keep.
const MAX_COMPATIBLE: usize = 64;

/// Most ranges of devices: those of the controller, the console, configuration space, windows.
const MAX_DEVICE_RANGES: usize = 16;

/// The fields of `MPIDR_EL1` that tell processors apart.
const AFFINITY: u64 = 0xff_00ff_ffff;

/// Most processors that we keep; more are counted.
pub const MAX_PROCESSORS: usize = 8;

/// What the tree says of the machine, checked: no two parts overlap, and all of it lies in the
/// protected half. It takes some 8 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// What the machine says it is; empty if it does not.
    pub compatible: String<MAX_COMPATIBLE>,
    /// RAM by address, not empty, neighbours merged.
    pub memory: Vec<GranuleRange, MAX_MEMORY_RANGES>,
    /// Parts of RAM, or not, that are not ours to use as we like. Restricted pools are not among them.
    pub reserved: Vec<AddressRange, MAX_RESERVED>,
    /// Processors.
    pub cpus: usize,
    /// The affinities of the first of them, as PSCI names them.
    pub processors: Vec<u64, MAX_PROCESSORS>,
    /// How PSCI is called.
    pub psci: Option<PsciMethod>,
    /// The serial port to print on.
    pub console: Option<Console>,
    /// The interrupt controller, if it is one that we know.
    pub gic: Option<Gic>,
    /// The interrupts of the timer.
    pub timer: Option<Timer>,
    /// The PCI host.
    pub pci: Option<PciHost>,
    /// Restricted pools, and the PCI functions that are bound to them.
    pub restricted: RestrictedPools,
    /// Boot arguments. Text of whoever started us.
    pub boot_arguments: String<MAX_BOOT_ARGUMENTS>,
    /// The initial RAM disk, inside RAM.
    pub initrd: Option<AddressRange>,
}

impl Tree<'_> {
    /// Looks for the console only: what comes later can then say what is wrong with the tree.
    ///
    /// # Errors
    ///
    /// An [`Error`] about the console. That there is none, or one of a kind that we do not know,
    /// is no error.
    pub fn console(&self, space: IpaSpace) -> Result<Option<Console>, Error> {
        Console::parse(self, space).map_err(|failed| self.tokens.error(failed))
    }

    /// Reads and checks all of it. `space` is what the RMM says; [`IpaSpace::plain`] outside a
    /// realm.
    ///
    /// # Errors
    ///
    /// An [`Error`] that says what is wrong, and where.
    pub fn machine(&self, space: IpaSpace) -> Result<Machine, Error> {
        let parts = self.parts(space);
        let machine = parts.map_err(|failed| self.tokens.error(failed))?;
        machine.check()?;
        Ok(machine)
    }

    fn parts(&self, space: IpaSpace) -> Result<Machine, Failed> {
        let gic_node = self.gic()?;
        let reference = gic_node.map(gic::Reference::parse).transpose()?.flatten();
        let pci_node = self.pci()?;
        Ok(Machine {
            compatible: compatible(self),
            memory: memory::memory(self, space)?,
            reserved: reserved::reserved(self, space)?,
            cpus: cpus(self)?.count(),
            processors: processors(self)?,
            psci: PsciMethod::parse(self)?,
            console: Console::parse(self, space)?,
            gic: gic_node.map(|node| Gic::parse(node, space)).transpose()?,
            timer: Timer::parse(self)?,
            pci: pci_node
                .map(|node| PciHost::parse(self, node, reference, space))
                .transpose()?,
            restricted: RestrictedPools::parse(self, pci_node, space)?,
            boot_arguments: chosen::boot_arguments(self)?,
            initrd: chosen::initrd(self, space)?,
        })
    }
}

impl Machine {
    /// Whether all of `range` is RAM.
    pub fn is_memory(&self, range: AddressRange) -> bool {
        let holds =
            |ram: &GranuleRange| ram.base().get() <= range.base() && range.top() <= ram.top();
        self.memory.iter().any(holds)
    }

    /// Checks what the parts cannot see of each other.
    fn check(&self) -> Result<(), Error> {
        if let Some(range) = self.initrd.filter(|range| !self.is_memory(*range)) {
            return Err(Error::NotInMemory {
                at: "initrd",
                range,
            });
        }
        let mut devices = Vec::<(&str, AddressRange), MAX_DEVICE_RANGES>::new();
        for (at, range) in self.device_ranges() {
            if self.touches_memory(range) {
                let other = "memory";
                return Err(Error::Overlap { at, range, other });
            }
            if let Some((other, _)) = devices.iter().find(|(_, r)| range.overlaps(*r)) {
                return Err(Error::Overlap { at, range, other });
            }
            let limit = MAX_DEVICE_RANGES;
            devices
                .push((at, range))
                .map_err(|_| Error::TooMany { at, limit })?;
        }
        Ok(())
    }

    fn touches_memory(&self, range: AddressRange) -> bool {
        let touches =
            |ram: &GranuleRange| ram.base().get() < range.top() && range.base() < ram.top();
        self.memory.iter().any(touches)
    }

    /// What devices occupy, each with what it is called.
    fn device_ranges(&self) -> impl Iterator<Item = (&'static str, AddressRange)> {
        let gic = self.gic.iter().flat_map(Gic::ranges);
        let console = self.console.iter().map(|console| console.range);
        let ecam = self.pci.iter().map(|host| host.ecam);
        let windows = self.pci.iter().flat_map(|host| &host.windows);
        let named = |at| move |range| (at, range);
        gic.map(named("interrupt controller"))
            .chain(console.map(named("console")))
            .chain(ecam.map(named("PCI configuration space")))
            .chain(windows.map(|window| ("PCI window", window.range)))
    }
}

/// The first text of the root's `compatible`, as far as it is one that we can keep.
fn compatible(tree: &Tree<'_>) -> String<MAX_COMPATIBLE> {
    let bytes = tree.root().bytes("compatible").unwrap_or_default();
    let first = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let text = core::str::from_utf8(first).unwrap_or_default();
    if text.chars().any(char::is_control) {
        return String::new();
    }
    String::try_from(text).unwrap_or_default()
}

/// The processors' nodes.
fn cpus<'a>(tree: &'a Tree<'a>) -> Result<impl Iterator<Item = Node<'a>>, Failed> {
    let parent = tree.cpus()?;
    let children = parent.map(|parent| parent.children("cpu")).transpose()?;
    let is_cpu = |node: &Node<'_>| node.bytes("device_type") == Some(b"cpu\0");
    Ok(children.into_iter().flatten().filter(is_cpu))
}

/// Their affinities. No two processors have the same one.
fn processors(tree: &Tree<'_>) -> Result<Vec<u64, MAX_PROCESSORS>, Failed> {
    let mut found = Vec::new();
    for node in cpus(tree)?.take(MAX_PROCESSORS) {
        let (affinity, _) = node.raw_reg()?.next().ok_or_else(|| node.length("reg"))?;
        if affinity & !AFFINITY != 0 || found.contains(&affinity) {
            return Err(node.value("reg", affinity));
        }
        // There is room: as many are taken as fit.
        let _ = found.push(affinity);
    }
    Ok(found)
}
