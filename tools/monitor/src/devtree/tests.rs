//! Claims about trees made as QEMU makes them.

extern crate std;
use std::string::String;
use std::vec;
use std::vec::Vec;

use super::reader::{Item, Items};
use super::*;
use crate::layout::GuestMemory;
use crate::options::{self, Pools};

/// Builds a tree token by token.
#[derive(Default)]
struct Builder {
    structure: Vec<u8>,
    strings: Vec<u8>,
}

impl Builder {
    fn word(&mut self, word: u32) -> &mut Self {
        self.structure.extend(word.to_be_bytes());
        self
    }

    fn padded(&mut self, bytes: &[u8]) -> &mut Self {
        self.structure.extend(bytes);
        self.structure
            .resize(self.structure.len().next_multiple_of(4), 0);
        self
    }

    fn begin(&mut self, name: &str) -> &mut Self {
        self.word(BEGIN_NODE)
            .padded(&[name.as_bytes(), &[0]].concat())
    }

    fn end(&mut self) -> &mut Self {
        self.word(END_NODE)
    }

    fn property(&mut self, name: &str, value: &[u8]) -> &mut Self {
        let at = cell(self.strings.len());
        self.strings.extend(name.as_bytes());
        self.strings.push(0);
        self.word(PROPERTY)
            .word(cell(value.len()))
            .word(at)
            .padded(value)
    }

    fn tree(&mut self) -> Vec<u8> {
        self.word(END);
        let (structure, strings) = (cell(self.structure.len()), cell(self.strings.len()));
        let total = 56 + structure + strings;
        let header = [
            MAGIC,
            total,
            56,
            56 + structure,
            40,
            17,
            16,
            0,
            strings,
            structure,
        ];
        let mut tree: Vec<u8> = header.iter().flat_map(|word| word.to_be_bytes()).collect();
        tree.extend([0; 16]);
        tree.extend(&self.structure);
        tree.extend(&self.strings);
        tree
    }
}

fn cell(length: usize) -> u32 {
    length.try_into().unwrap()
}

fn reg(base: u64, size: u64) -> Vec<u8> {
    [base.to_be_bytes(), size.to_be_bytes()].concat()
}

/// What differs between machines.
#[derive(Clone, Copy)]
pub(crate) struct Tree<'a> {
    pub(crate) arguments: &'a str,
    pub(crate) memory: u64,
    pub(crate) smmu: bool,
}

impl Default for Tree<'_> {
    fn default() -> Self {
        Self {
            arguments: "",
            memory: 0x1000_0000,
            smmu: true,
        }
    }
}

/// A tree as QEMU makes it, with the nodes that matter.
pub(crate) fn machine(tree: &Tree<'_>) -> Vec<u8> {
    let mut b = Builder::default();
    b.begin("");
    b.begin("memory@40000000")
        .property("reg", &reg(0x4000_0000, tree.memory));
    b.property("device_type", b"memory\0").end();
    b.begin("fw-cfg@9020000")
        .property("reg", &reg(0x0902_0000, 0x18))
        .end();
    if tree.smmu {
        b.begin("smmuv3@9050000")
            .property("phandle", &[0, 0, 0, 4])
            .begin("child")
            .end()
            .end();
    }
    b.begin("pcie@10000000")
        .property("iommu-map", &[0; 16])
        .property("msi-map", &[1; 16]);
    b.property("reg", &reg(0x40_1000_0000, 0x1000_0000)).end();
    b.begin("pl011@9000000")
        .property("reg", &reg(0x0900_0000, 0x1000))
        .end();
    b.begin("chosen")
        .property("bootargs", &[tree.arguments.as_bytes(), &[0]].concat());
    b.property("linux,initrd-start", &[0x48, 0, 0, 0]);
    b.property("linux,initrd-end", &reg(0x4810_0000, 0)[..8])
        .end();
    b.end();
    b.tree()
}

fn with_arguments(arguments: &str) -> Vec<u8> {
    machine(&Tree {
        arguments,
        ..Tree::default()
    })
}

/// Every node and property as lines of text.
fn lines(tree: &[u8]) -> Vec<String> {
    let mut items = Items::new(tree).unwrap();
    let mut lines = vec![];
    while let Some(item) = items.next().unwrap() {
        lines.push(match item {
            Item::Begin(name) => std::format!("+{}", String::from_utf8_lossy(name)),
            Item::End => "-".into(),
            Item::Property(name, value) => {
                std::format!("{}={value:02x?}", String::from_utf8_lossy(name))
            }
        });
    }
    lines
}

#[test]
fn the_machine_is_read() {
    let tree = with_arguments("monitor.dma=low -- hello");
    let read = Machine::read(&tree).unwrap();
    assert_eq!(read.memory, 0x4000_0000..0x5000_0000);
    assert_eq!(read.config, 0x40_1000_0000);
    assert_eq!(read.initrd, Some(0x4800_0000..0x4810_0000));
    assert_eq!(read.arguments, "monitor.dma=low -- hello");
    assert!(read.smmu);
}

#[test]
fn the_guest_does_not_see_what_could_go_round_the_smmu() {
    let tree = with_arguments("monitor.dma=low -- hello");
    let memory = GuestMemory::new(0x0c00_0000).unwrap();
    let mut out = vec![0xee; 4096];
    let size = rewrite(
        &tree,
        &Guest {
            memory,
            arguments: "hello",
            hvc: false,
            pools: &Pools::default(),
        },
        &mut out,
    )
    .unwrap();
    let seen = lines(&out[..size]);
    let has = |text: &str| seen.iter().any(|line| line.contains(text));
    for gone in ["smmu", "child", "fw-cfg", "iommu-map", "monitor"] {
        assert!(!has(gone), "{gone}");
    }
    for kept in [
        "+pl011@9000000",
        "msi-map=[01",
        "+chosen",
        "linux,initrd-start",
    ] {
        assert!(has(kept), "{kept}");
    }
    let nesting = seen.iter().filter(|l| l.starts_with('+')).count();
    assert_eq!(nesting, seen.iter().filter(|l| *l == "-").count());
    let guest = Machine::read(&out[..size]).unwrap();
    assert_eq!(guest.memory, 0x4400_0000..0x5000_0000);
    assert_eq!(guest.arguments, "hello");
    assert!(!guest.smmu);
}

#[test]
fn a_guest_without_arguments_gets_no_bootargs() {
    let tree = with_arguments("monitor.dma=low");
    let memory = GuestMemory::new(0x0c00_0000).unwrap();
    let mut out = vec![0; 4096];
    let size = rewrite(
        &tree,
        &Guest {
            memory,
            arguments: "",
            hvc: false,
            pools: &Pools::default(),
        },
        &mut out,
    )
    .unwrap();
    assert!(
        !lines(&out[..size])
            .iter()
            .any(|line| line.starts_with("bootargs"))
    );
}

#[test]
fn a_tree_that_does_not_fit_is_an_error() {
    let tree = with_arguments("");
    let memory = GuestMemory::new(0x0c00_0000).unwrap();
    let guest = Guest {
        memory,
        arguments: "hello",
        hvc: false,
        pools: &Pools::default(),
    };
    for room in 0..600 {
        let mut out = vec![0; room];
        if let Ok(size) = rewrite(&tree, &guest, &mut out) {
            assert!(size <= room && room > 400);
        }
    }
}

#[test]
fn broken_trees_are_errors_and_not_panics() {
    let tree = with_arguments("a");
    assert_eq!(Machine::read(&[0; 64]), Err(Error::Magic));
    for length in 0..tree.len() {
        assert!(Machine::read(&tree[..length]).is_err());
    }
    for at in 0..tree.len() {
        for value in [0, 1, 3, 0x7f, 0xff] {
            let mut broken = tree.clone();
            broken[at] = value;
            let _ = Machine::read(&broken);
            let memory = GuestMemory::new(0x0c00_0000).unwrap();
            let mut out = vec![0; 4096];
            let _ = rewrite(
                &broken,
                &Guest {
                    memory,
                    arguments: "x",
                    hvc: false,
                    pools: &Pools::default(),
                },
                &mut out,
            );
        }
    }
}

#[test]
fn a_pool_and_the_function_that_is_bound_to_it_are_in_the_tree() {
    let words = "monitor.pool=0000:00:02.0=2M@0x46000000 monitor.pool=0000:00:01.0=12K -- hello";
    let tree = with_arguments(words);
    let (options, _) = options::parse(words).unwrap();
    let memory = GuestMemory::new(0x0c00_0000).unwrap();
    let pools = Pools::place(&options.pools, 0x4480_0000, memory.top()).unwrap();
    let guest = Guest {
        memory,
        arguments: "hello",
        hvc: false,
        pools: &pools,
    };
    let mut out = vec![0; 8192];
    let size = rewrite(&tree, &guest, &mut out).unwrap();
    let seen = lines(&out[..size]);
    let place = |text: &str| seen.iter().position(|line| line.contains(text)).unwrap();
    assert!(place("+pcie@") < place("+function@10"));
    assert!(place("+function@8") < place("+pl011@"));
    assert!(place("+chosen") < place("+reserved-memory"));
    assert!(place("+reserved-memory") < place("+pool@46000000"));
    place("+pool@4fe00000");
    let nesting = seen.iter().filter(|l| l.starts_with('+')).count();
    assert_eq!(nesting, seen.iter().filter(|l| *l == "-").count());
}
