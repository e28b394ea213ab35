//! What a tree can cost at most, counted in tokens and not in time.

use devtree::{Error, MAX_SIZE, MAX_TOKENS, Tree};
use ipa::IpaSpace;

use crate::cells;

/// How often all of a tree is looked at, at most: the check, the search for the nodes that matter, those
/// of memory and of the console, and some twenty properties of each of those nodes.
const WALKS: usize = 32;

const BEGIN: [u8; 4] = [0, 0, 0, 1];
const END: [u8; 4] = [0, 0, 0, 2];
const FILLER: [u8; 4] = [0, 0, 0, 4];
const NAMES: &[u8] = b"status\0reg\0compatible\0memory-region\0phandle\0stdout-path\0";

/// A structure block that is written token by token.
struct Writer(Vec<u8>);

impl Writer {
    fn new() -> Self {
        Self(Vec::new()).begin("")
    }

    fn begin(mut self, name: &str) -> Self {
        self.0.extend(BEGIN);
        self.0.extend(name.as_bytes());
        self.0.push(0);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    fn end(mut self) -> Self {
        self.0.extend(END);
        self
    }

    fn property(mut self, name: &str, value: &[u8]) -> Self {
        let names = core::str::from_utf8(NAMES).unwrap();
        let at = u32::try_from(names.find(&format!("{name}\0")).unwrap()).unwrap();
        let len = u32::try_from(value.len()).unwrap();
        self.0.extend(cells(&[3, len, at]));
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    fn repeated(self, count: usize, each: impl Fn(Self) -> Self) -> Self {
        (0..count).fold(self, |writer, _| each(writer))
    }

    fn tree(self) -> Vec<u8> {
        let mut structure = self.end().0;
        structure.extend([0, 0, 0, 9]);
        let size = u32::try_from(structure.len()).unwrap();
        let names = u32::try_from(NAMES.len()).unwrap();
        let total = 56 + size + names;
        let mut bytes = cells(&[
            0xd00d_feed,
            total,
            56,
            56 + size,
            40,
            17,
            16,
            0,
            names,
            size,
        ]);
        bytes.extend([0; 16]);
        bytes.extend(structure);
        bytes.extend(NAMES);
        assert!(bytes.len() <= MAX_SIZE);
        bytes
    }
}

/// Reads all that boot reads of a tree; gives how many tokens that took.
fn cost(bytes: &[u8]) -> usize {
    let Ok(tree) = Tree::new(bytes) else {
        // The check ends at the bound.
        return MAX_TOKENS + 1;
    };
    let space = IpaSpace::realm(33).unwrap();
    let _ = tree.console(space);
    let _ = tree.psci();
    let _ = tree.machine(space);
    tree.tokens_read()
}

fn refused_as_too_large(bytes: &[u8]) -> bool {
    let (at, limit) = ("nodes and properties", MAX_TOKENS);
    Tree::new(bytes).err() == Some(Error::TooMany { at, limit })
}

/// 8,000 functions with a pool each below the host, and 8,000 reserved nodes.
fn pools() -> Vec<u8> {
    let reserved = |writer: Writer| {
        let writer = writer.begin("pool");
        let writer = writer.property("compatible", b"restricted-dma-pool\0");
        writer.end()
    };
    let function = |writer: Writer| {
        let writer = writer.begin("f");
        writer.property("memory-region", &[0, 0, 0, 7]).end()
    };
    let writer = Writer::new().begin("reserved-memory");
    let writer = writer.repeated(8000, reserved).end().begin("pcie");
    let writer = writer.property("compatible", b"pci-host-ecam-generic\0");
    writer.repeated(8000, function).end().tree()
}

#[test]
fn thousands_of_pools_and_functions_cost_a_few_walks() {
    let bytes = pools();
    assert!(!refused_as_too_large(&bytes));
    assert!(cost(&bytes) <= WALKS * MAX_TOKENS);
}

#[test]
fn no_shape_of_a_tree_costs_more_than_a_few_walks() {
    let many = MAX_TOKENS - 100;
    let fill = |mut writer: Writer| {
        writer.0.extend(FILLER);
        writer
    };
    let in_head = |name: &str, with: &str, value: &[u8]| {
        // All properties are those of one node that boot asks for much.
        let writer = Writer::new().begin(name);
        writer
            .repeated(many, |writer| writer.property("phandle", &[]))
            .property(with, value)
            .end()
            .tree()
    };
    let host = b"pci-host-ecam-generic\0";
    let trees = [
        in_head("chosen", "stdout-path", b"/x\0"),
        in_head("pcie", "compatible", host),
        in_head("intc", "compatible", b"arm,gic-v3\0"),
        in_head("reserved-memory", "reg", &[]),
        // Many small nodes, side by side, and inside one another.
        Writer::new()
            .begin("chosen")
            .property("stdout-path", b"/x\0")
            .end()
            .repeated(many / 2, |writer| writer.begin("n").end())
            .tree(),
        Writer::new()
            .repeated(many / 2, |writer| writer.begin("n"))
            .repeated(many / 2, Writer::end)
            .tree(),
        Writer::new()
            .begin("cpus")
            .repeated(many, fill)
            .end()
            .tree(),
    ];
    for (index, bytes) in trees.iter().enumerate() {
        assert!(!refused_as_too_large(bytes), "tree {index}");
        let cost = cost(bytes);
        assert!(cost <= WALKS * MAX_TOKENS, "tree {index}: {cost} tokens");
    }
}

#[test]
fn a_tree_of_two_mib_is_refused_at_the_bound_whatever_it_is_made_of() {
    let shapes: [fn(Writer) -> Writer; 3] = [
        |writer| writer.begin("n").end(),
        |writer| writer.property("reg", &[]),
        |mut writer| {
            writer.0.extend(FILLER);
            writer
        },
    ];
    for shape in shapes {
        let bytes = Writer::new().repeated(MAX_SIZE / 13, shape).tree();
        assert!(refused_as_too_large(&bytes));
    }
    let deep = Writer::new().repeated(100_000, |writer| writer.begin("n"));
    assert!(refused_as_too_large(
        &deep.repeated(100_000, Writer::end).tree()
    ));
}

#[test]
fn a_name_without_an_end_is_compared_and_not_searched() {
    // 60,000 properties whose names all begin at the start of one MiB without a zero: whoever looked
    // for the end of each would read 60 GB.
    let writer = Writer::new().repeated(60_000, |writer| writer.property("status", &[]));
    let mut bytes = writer.tree();
    let strings = bytes.len() - NAMES.len();
    bytes.truncate(strings);
    bytes.resize(strings + (1 << 20), b'x');
    let total = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    bytes[4..8].copy_from_slice(&total);
    bytes[32..36].copy_from_slice(&(1_u32 << 20).to_be_bytes());
    assert!(cost(&bytes) <= WALKS * MAX_TOKENS);
}
