//! What differs between machines: how each is recognised, its quirks.
//!
//! Nearly everything comes from the device tree, or is read back from the devices; a board is for
//! what neither tells. A machine that is no board here still works, by what it says of itself.
#![no_std]
#![forbid(unsafe_code)]

use devtree::{Machine, Uart};

/// A kind of machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Board {
    /// What we call it.
    pub name: &'static str,
    /// First text of `compatible` at the root of its device tree.
    compatible: &'static str,
    /// Its serial port: both machines are `linux,dummy-virt`, and this tells them apart.
    console: Uart,
    /// Whether PCI functions come with their BARs placed and decoding on. Then they are kept:
    /// lkvm's devices break when a BAR is sized while it decodes.
    pub bars_assigned: bool,
}

/// QEMU's `virt`.
pub const QEMU_VIRT: Board = Board {
    name: "qemu-virt",
    compatible: "linux,dummy-virt",
    console: Uart::Pl011,
    bars_assigned: false,
};

/// lkvm (kvmtool).
pub const LKVM: Board = Board {
    name: "lkvm",
    compatible: "linux,dummy-virt",
    console: Uart::Ns16550 { shift: 0, width: 1 },
    bars_assigned: true,
};

/// All boards.
pub const BOARDS: [Board; 2] = [QEMU_VIRT, LKVM];

impl Board {
    /// The board that `machine` is, if it is one.
    pub fn of(machine: &Machine) -> Option<Self> {
        BOARDS.into_iter().find(|board| board.is(machine))
    }

    fn is(&self, machine: &Machine) -> bool {
        let console = machine.console.map(|console| console.uart);
        machine.compatible == self.compatible && console == Some(self.console)
    }
}

#[cfg(test)]
mod tests {
    use devtree::Tree;
    use ipa::IpaSpace;

    use super::*;

    const QEMU_TREE: &[u8] = include_bytes!("../../kernel/devtree/tests/data/qemu-virt.dtb");
    const LKVM_TREE: &[u8] = include_bytes!("../../kernel/devtree/tests/data/lkvm-realm.dtb");

    fn machine(tree: &[u8]) -> Machine {
        let tree = Tree::new(tree).unwrap();
        tree.machine(IpaSpace::plain()).unwrap()
    }

    #[test]
    fn each_board_is_recognised_by_its_tree() {
        assert_eq!(Board::of(&machine(QEMU_TREE)), Some(QEMU_VIRT));
        assert_eq!(Board::of(&machine(LKVM_TREE)), Some(LKVM));
    }

    #[test]
    fn a_machine_without_a_console_or_of_another_name_is_no_board() {
        let mut silent = machine(QEMU_TREE);
        silent.console = None;
        assert_eq!(Board::of(&silent), None);
        let mut other = machine(LKVM_TREE);
        other.compatible.clear();
        assert_eq!(Board::of(&other), None);
    }
}
