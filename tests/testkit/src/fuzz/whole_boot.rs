//! A whole boot on the host: what each step finds is what the next one works with.
//!
//! A good tree with some bytes changed, an RMM that is asked for its RAM and says what it likes, boot
//! arguments, the layout of memory, and then functions and devices that do what the rest says.

use std::ops::Range;

use devtree::{Machine, Tree};
use ipa::{GRANULE_SIZE, GranuleRange, IpaSpace};
use plan::{Arguments, Layout, free_runs, parse_size};
use rsi::{Rsi, SetFlags};

use super::input::Input;
use super::rsi_answers::Answers;
use super::{pci_config, used_ring};

/// The tree of a realm under lkvm.
const TREE: &[u8] = include_bytes!("../../../../kernel/devtree/tests/data/lkvm-realm.dtb");
/// Most bytes of the tree that are changed.
const CHANGES: u8 = 16;
/// Granules of RAM that are asked for, so that a run stays short.
const GRANULES: u64 = 64;
/// Where an image and its tree lie.
const IMAGE: Range<u64> = 0x8020_0000..0x8060_0000;
const MOST_RESERVE: u64 = 16 << 20;

/// Boots on what `bytes` say, as far as it goes.
pub fn whole_boot(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let tree = changed_tree(&mut input);
    let answers = input.bytes(32);
    let Some(machine) = find(&tree) else {
        return;
    };
    let arguments = Arguments::parse(&machine.boot_arguments);
    let wanted = arguments.get("bounce").map(parse_size).transpose();
    if !claim(&machine, &answers) {
        return;
    }
    if let Ok(wanted) = wanted {
        lay_out(&machine, wanted);
    }
    // The devices are the same whatever the tree says: where they are is a matter of the fakes.
    let rest = input.bytes(usize::MAX);
    pci_config(&rest);
    used_ring(&rest);
}

fn changed_tree(input: &mut Input<'_>) -> Vec<u8> {
    let mut tree = TREE.to_vec();
    for _ in 0..input.byte() % CHANGES {
        let at = usize::from(input.half()) % tree.len();
        tree[at] = input.byte();
    }
    tree
}

fn find(tree: &[u8]) -> Option<Machine> {
    let space = IpaSpace::realm(33).expect("33 bits can be mapped");
    Tree::new(tree).ok()?.machine(space).ok()
}

/// Asks for the first RAM; says whether the RMM gave it.
fn claim(machine: &Machine, answers: &[u8]) -> bool {
    let answers = Answers::new(answers, true);
    let rsi = Rsi::negotiate(&answers).expect("the first answer is honest");
    let space = IpaSpace::realm(33).expect("33 bits can be mapped");
    machine.memory.iter().all(|run| {
        let base = run.base().get();
        let top = run.top().min(base + GRANULES * GRANULE_SIZE);
        let range = GranuleRange::new(space, base, top).expect("a part of a run");
        rsi.set_ram(range, SetFlags::NoChangeDestroyed).is_ok()
    })
}

/// Divides the memory, and checks that nothing is given away twice or was never there.
fn lay_out(machine: &Machine, wanted: Option<u64>) {
    let memory: Vec<_> = machine
        .memory
        .iter()
        .map(|run| run.base().get()..run.top())
        .collect();
    let reserved = machine.reserved.iter().chain(&machine.initrd);
    let mut taken: Vec<_> = reserved.map(|run| run.base()..run.top()).collect();
    taken.push(IMAGE);
    let free = free_runs(&memory, &taken);
    let Ok(layout) = Layout::new(&free, wanted, MOST_RESERVE) else {
        return;
    };
    let mut given = layout.private;
    given.push(layout.reserve);
    for (at, run) in given.iter().enumerate() {
        assert!(
            memory
                .iter()
                .any(|ram| ram.start <= run.start && run.end <= ram.end)
        );
        let apart = |other: &Range<u64>| other.end <= run.start || run.end <= other.start;
        assert!(
            taken.iter().all(|hole| hole.is_empty() || apart(hole)),
            "{run:x?} is in use"
        );
        assert!(given[at + 1..].iter().all(apart), "{run:x?} is given twice");
    }
}
