//! Bytes that are no tree, or one that somebody broke.

use devtree::{Error, Tree};
use testkit::fuzz;
use testkit::random::Seeded;

use crate::{LKVM, QEMU, QEMU_EL2, lkvm, realm};

#[test]
fn bytes_that_are_no_tree_are_told_from_a_tree_that_is_broken() {
    assert_eq!(Tree::new(b"").unwrap_err(), Error::NotATree);
    assert_eq!(Tree::new(&[0; 64]).unwrap_err(), Error::NotATree);
    let (claimed, limit) = (LKVM.len(), LKVM.len() - 1);
    let short = Tree::new(&LKVM[..limit]).unwrap_err();
    assert_eq!(short, Error::Size { claimed, limit });
    let mut bytes = LKVM.to_vec();
    bytes[4..8].copy_from_slice(&[0xff; 4]);
    let (claimed, limit) = (u32::MAX as usize, devtree::MAX_SIZE);
    assert_eq!(
        Tree::new(&bytes).unwrap_err(),
        Error::Size { claimed, limit }
    );
    let mut bytes = LKVM.to_vec();
    bytes[8..12].copy_from_slice(&[0x7f, 0, 0, 0]);
    assert!(matches!(Tree::new(&bytes), Err(Error::Malformed(_))));
}

#[test]
fn bytes_behind_the_end_do_not_matter() {
    let padded = [LKVM, &[0xaa; 100]].concat();
    assert_eq!(Tree::new(&padded).unwrap().machine(realm()), Ok(lkvm()));
    let header = LKVM.first_chunk().unwrap();
    assert_eq!(Tree::size(header), Ok(LKVM.len()));
}

#[test]
fn ten_thousand_mutated_trees_neither_panic_nor_break_a_promise() {
    for (seed, base) in [(1, QEMU), (2, QEMU_EL2), (3, LKVM)] {
        let mut random = Seeded::new(seed);
        for _ in 0..10_000 / 3 {
            fuzz::device_tree(&random.mutated(base));
        }
    }
}
