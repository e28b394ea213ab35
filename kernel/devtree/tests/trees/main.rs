//! Trees of QEMU and of lkvm, whole and changed.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and so do its fixtures"
)]

mod bytes;
mod cost;
mod devices;
mod memory;
mod pools;
mod whole;

use devtree::{Error, Interrupt, Machine, Tree, Trigger};
use dtoolkit::fdt::Fdt;
use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};
use ipa::IpaSpace;

const QEMU: &[u8] = include_bytes!("../data/qemu-virt.dtb");
const QEMU_EL2: &[u8] = include_bytes!("../data/qemu-virt-el2.dtb");
const LKVM: &[u8] = include_bytes!("../data/lkvm-realm.dtb");

fn realm() -> IpaSpace {
    IpaSpace::realm(33).unwrap()
}

fn qemu() -> Machine {
    let tree = Tree::new(QEMU).unwrap();
    tree.machine(IpaSpace::plain()).unwrap()
}

fn lkvm() -> Machine {
    Tree::new(LKVM).unwrap().machine(realm()).unwrap()
}

/// What is made of `base` after `change`.
fn changed(base: &[u8], change: impl FnOnce(&mut DeviceTreeNode)) -> Result<Machine, Error> {
    let mut tree = DeviceTree::from_fdt(&Fdt::new(base).unwrap());
    change(&mut tree.root);
    let bytes = tree.to_dtb();
    Tree::new(&bytes).unwrap().machine(IpaSpace::plain())
}

fn set(node: &mut DeviceTreeNode, name: &str, value: &[u8]) {
    node.add_property(DeviceTreeProperty::new(name, value).unwrap());
}

fn cells(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|cell| cell.to_be_bytes()).collect()
}

fn set_cells(node: &mut DeviceTreeNode, name: &str, values: &[u32]) {
    set(node, name, &cells(values));
}

fn child<'a>(root: &'a mut DeviceTreeNode, name: &str) -> &'a mut DeviceTreeNode {
    root.child_mut(name).unwrap()
}

fn memory_node(name: &str, reg: &[u32]) -> DeviceTreeNode {
    let mut node = DeviceTreeNode::new(name).unwrap();
    set(&mut node, "device_type", b"memory\0");
    set_cells(&mut node, "reg", reg);
    node
}

fn ram(machine: &Machine) -> Vec<(u64, u64)> {
    let ends = |range: &ipa::GranuleRange| (range.base().get(), range.top());
    machine.memory.iter().map(ends).collect()
}

const fn level(id: u32) -> Interrupt {
    let trigger = Trigger::LevelHigh;
    Interrupt { id, trigger }
}
