//! The good trees, read by two readers. Everything that boot stands on has to be the same.
// UNSAFETY: the reader of `hermit-dtb` takes a pointer.
#![expect(unsafe_code, reason = "`Dtb::from_raw` takes a pointer")]

use devtree::{Machine, PsciMethod, Tree};
use hermit_dtb::Dtb;
use ipa::IpaSpace;

/// A tree, aligned as its words are.
#[repr(C, align(8))]
struct Aligned<const N: usize>([u8; N]);

/// A good tree: its name, its bytes, and the space that it is read in.
struct Good {
    name: &'static str,
    bytes: &'static [u8],
    space: IpaSpace,
}

macro_rules! tree {
    ($name:literal, $space:expr) => {{
        const BYTES: &[u8] = include_bytes!(concat!(
            "../../../kernel/devtree/tests/data/",
            $name,
            ".dtb"
        ));
        static TREE: Aligned<{ BYTES.len() }> = Aligned(*include_bytes!(concat!(
            "../../../kernel/devtree/tests/data/",
            $name,
            ".dtb"
        )));
        Good {
            name: $name,
            bytes: &TREE.0,
            space: $space,
        }
    }};
}

fn good() -> [Good; 3] {
    let realm = IpaSpace::realm(33).expect("a space");
    [
        tree!("qemu-virt", IpaSpace::plain()),
        tree!("qemu-virt-el2", IpaSpace::plain()),
        tree!("lkvm-realm", realm),
    ]
}

/// What the other reader sees.
struct Theirs(Dtb<'static>);

impl Theirs {
    fn new(bytes: &'static [u8]) -> Self {
        // SAFETY: a whole tree of ours, aligned, and for ever.
        Self(unsafe { Dtb::from_raw(bytes.as_ptr()) }.expect("a tree"))
    }

    fn property(&self, node: &str, name: &str) -> Option<&'static [u8]> {
        self.0.get_property(node, name)
    }

    fn text(&self, node: &str, name: &str) -> Option<&'static str> {
        let text = self.property(node, name)?.split(|byte| *byte == 0).next()?;
        std::str::from_utf8(text).ok()
    }

    /// A property as numbers of four bytes.
    fn cells(&self, node: &str, name: &str) -> Vec<u64> {
        let bytes = self.property(node, name).unwrap_or_default();
        let cell = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().expect("four")).into();
        bytes.chunks(4).map(cell).collect()
    }

    /// `reg` as addresses and lengths: two cells each in these trees, as the root says.
    fn reg(&self, node: &str) -> Vec<(u64, u64)> {
        for cells in ["#address-cells", "#size-cells"] {
            assert_eq!(self.cells("/", cells), [2], "{cells}");
        }
        let pair = |c: &[u64]| (c[0] << 32 | c[1], c[2] << 32 | c[3]);
        self.cells(node, "reg").chunks(4).map(pair).collect()
    }

    /// The nodes below the root that are compatible with `wanted`.
    fn compatible(&self, wanted: &str) -> Vec<String> {
        let nodes = self.0.enum_subnodes("/").map(|name| format!("/{name}"));
        nodes
            .filter(|node| {
                let all = self.property(node, "compatible").unwrap_or_default();
                all.split(|byte| *byte == 0)
                    .any(|one| one == wanted.as_bytes())
            })
            .collect()
    }
}

/// Calls `compare` with what both readers say of each tree.
fn each(compare: impl Fn(&str, &Machine, &Theirs)) {
    for good in good() {
        let tree = Tree::new(good.bytes).expect("a tree");
        let ours = tree.machine(good.space).expect("a good tree");
        compare(good.name, &ours, &Theirs::new(good.bytes));
    }
}

#[test]
fn both_readers_see_the_same_memory() {
    each(|name, ours, theirs| {
        let nodes = theirs.0.enum_subnodes("/");
        let memory = nodes.filter(|node| node.starts_with("memory"));
        let theirs: Vec<_> = memory
            .flat_map(|node| theirs.reg(&format!("/{node}")))
            .collect();
        let ours: Vec<_> = ours
            .memory
            .iter()
            .map(|run| (run.base().get(), run.len()))
            .collect();
        assert_eq!(ours, theirs, "{name}");
    });
}

#[test]
fn both_readers_count_the_same_processors() {
    each(|name, ours, theirs| {
        let nodes = theirs.0.enum_subnodes("/cpus");
        let cpus = nodes.filter(|node| node.starts_with("cpu@")).count();
        assert_eq!(ours.cpus, cpus, "{name}");
    });
}

#[test]
fn both_readers_see_the_same_boot_arguments() {
    each(|name, ours, theirs| {
        let arguments = theirs.text("/chosen", "bootargs").unwrap_or_default();
        assert_eq!(ours.boot_arguments.as_str(), arguments, "{name}");
    });
}

#[test]
fn both_readers_see_the_same_call_for_power() {
    each(|name, ours, theirs| {
        let method = theirs.text("/psci", "method").map(|method| match method {
            "smc" => PsciMethod::Smc,
            _ => PsciMethod::Hvc,
        });
        assert_eq!(ours.psci, method, "{name}");
    });
}

#[test]
fn both_readers_see_the_same_interrupt_controller() {
    each(|name, ours, theirs| {
        let nodes = theirs.compatible("arm,gic-v3");
        let gic = ours.gic.as_ref().expect("a GIC");
        let ours: Vec<_> = [gic.distributor]
            .iter()
            .chain(&gic.redistributors)
            .map(|run| (run.base(), run.len()))
            .collect();
        let reg = theirs.reg(&nodes[0]);
        assert_eq!(ours, reg[..ours.len()], "{name}");
    });
}

#[test]
fn both_readers_see_the_same_timers() {
    each(|name, ours, theirs| {
        let nodes = theirs.compatible("arm,armv8-timer");
        let cells = theirs.cells(&nodes[0], "interrupts");
        let timer = ours.timer.as_ref().expect("timers");
        // Each has three cells: kind 1 (private to a processor), number, flags.
        let private = |at: usize| (cells[3 * at], u64::from(PRIVATE) + cells[3 * at + 1]);
        assert_eq!(private(1), (1, timer.physical.id.into()), "{name}");
        assert_eq!(private(2), (1, timer.virtual_timer.id.into()), "{name}");
    });
}

/// The first interrupt that is private to a processor.
const PRIVATE: u32 = 16;

#[test]
fn both_readers_see_the_same_pci_bridge() {
    each(|name, ours, theirs| {
        let nodes = theirs.compatible("pci-host-ecam-generic");
        let pci = ours.pci.as_ref().expect("a bridge");
        let node = nodes.first().expect("a bridge");
        assert_eq!(
            theirs.reg(node),
            [(pci.ecam.base(), pci.ecam.len())],
            "{name}"
        );
        let buses = [pci.first_bus, pci.last_bus].map(u64::from);
        assert_eq!(theirs.cells(node, "bus-range"), buses, "{name}");
        // Three cells of a PCI address, two of ours, two of the length.
        let ranges = theirs.cells(node, "ranges");
        let window = |c: &[u64]| (c[1] << 32 | c[2], c[3] << 32 | c[4], c[5] << 32 | c[6]);
        let theirs: Vec<_> = ranges.chunks(7).map(window).collect();
        let ours: Vec<_> = pci
            .windows
            .iter()
            .map(|window| (window.pci_base, window.range.base(), window.range.len()))
            .collect();
        assert_eq!(ours, theirs, "{name}");
    });
}

#[test]
fn both_readers_see_the_same_console() {
    each(|name, ours, theirs| {
        let console = ours.console.as_ref().expect("a console").range;
        let uarts = ["arm,pl011", "ns16550a"]
            .map(|kind| theirs.compatible(kind))
            .concat();
        let path = theirs.text("/chosen", "stdout-path");
        let node = path.map(str::to_owned).filter(|path| path.starts_with('/'));
        let node = node.or_else(|| uarts.first().cloned()).expect("a UART");
        assert_eq!(theirs.reg(&node)[0].0, console.base(), "{name}");
    });
}
