//! RAM, what is set apart of it, and what was chosen for us.

use devtree::{Error, Tree};
use dtoolkit::fdt::Fdt;
use dtoolkit::model::{DeviceTree, DeviceTreeNode};

use crate::{LKVM, QEMU, changed, child, memory_node, ram, realm, set, set_cells};

#[test]
fn ram_may_have_holes_and_come_in_any_order() {
    let machine = changed(QEMU, |root| {
        root.add_child(memory_node(
            "memory@80000000",
            &[0, 0xa000_0000, 0, 0x10_0000],
        ));
        let two = [0, 0x6000_0000, 0, 0x1000, 0, 0x4400_0000, 0, 0x2000];
        root.add_child(memory_node("memory@60000000", &two));
    });
    assert_eq!(
        ram(&machine.unwrap()),
        [
            (0x4000_0000, 0x4400_2000),
            (0x6000_0000, 0x6000_1000),
            (0xa000_0000, 0xa010_0000)
        ]
    );
}

#[test]
fn a_hole_that_is_filled_later_joins_its_neighbours() {
    let machine = changed(QEMU, |root| {
        root.add_child(memory_node(
            "memory@50000000",
            &[0, 0x4600_0000, 0, 0x200_0000],
        ));
        root.add_child(memory_node(
            "memory@44000000",
            &[0, 0x4400_0000, 0, 0x200_0000],
        ));
    });
    assert_eq!(ram(&machine.unwrap()), [(0x4000_0000, 0x4800_0000)]);
}

#[test]
fn granules_that_are_only_partly_ram_are_left_out() {
    let machine = changed(QEMU, |root| {
        root.add_child(memory_node("memory@a0000000", &[0, 0xa000_0001, 0, 0x2fff]));
        root.add_child(memory_node("memory@b0000000", &[0, 0xb000_0000, 0, 0xfff]));
        root.add_child(memory_node("memory@c0000000", &[0, 0xc000_0000, 0, 0]));
    });
    assert_eq!(ram(&machine.unwrap())[1..], [(0xa000_1000, 0xa000_3000)]);
}

#[test]
fn ram_that_overlaps_wraps_or_leaves_the_protected_half_is_refused() {
    let with = |reg: &[u32]| changed(QEMU, |root| root.add_child(memory_node("memory@1", reg)));
    let overlap = with(&[0, 0x43ff_f000, 0, 0x2000]);
    assert!(matches!(overlap, Err(Error::Overlap { at: "memory", .. })));
    let wraps = with(&[0xffff_ffff, 0xffff_f000, 0, 0x2000]);
    assert!(matches!(wraps, Err(Error::Range { at: "memory", .. })));
    let high = with(&[0x1_0000, 0, 0, 0x1000]);
    assert!(matches!(high, Err(Error::Range { at: "memory", .. })));
    let odd = with(&[0, 0x5000_0000, 0]);
    assert!(matches!(odd, Err(Error::Length { at: "memory", .. })));
}

#[test]
fn ram_in_the_shared_half_of_a_realm_is_refused() {
    let mut tree = DeviceTree::from_fdt(&Fdt::new(LKVM).unwrap());
    set_cells(child(&mut tree.root, "memory"), "reg", &[1, 0, 0, 0x1000]);
    let bytes = tree.to_dtb();
    let machine = Tree::new(&bytes).unwrap().machine(realm());
    assert!(matches!(machine, Err(Error::Range { at: "memory", .. })));
}

#[test]
fn more_ranges_of_ram_than_we_keep_are_an_error() {
    let machine = changed(QEMU, |root| {
        let each = (0..17).flat_map(|i| [0, 0x8000_0000 + i * 0x10_0000, 0, 0x1000]);
        root.add_child(memory_node("memory@80000000", &each.collect::<Vec<_>>()));
    });
    let (at, limit) = ("memory", 16);
    assert_eq!(machine, Err(Error::TooMany { at, limit }));
}

#[test]
fn boot_arguments_are_bounded_text_without_control_characters() {
    let with = |text: &[u8]| {
        changed(QEMU, |root| set(child(root, "chosen"), "bootargs", text))
            .map(|machine| machine.boot_arguments.len())
    };
    let long = |len: usize| [vec![b'x'; len], vec![0]].concat();
    assert_eq!(with(&long(2048)), Ok(2048));
    let (at, property) = ("chosen", "bootargs");
    let refused = Err(Error::Text { at, property });
    for text in [
        &long(2049)[..],
        b"no end",
        b"two\0\0",
        b"\x1b[2J\0",
        b"\xff\0",
        b"",
    ] {
        assert_eq!(with(text), refused, "{text:?}");
    }
}

#[test]
fn an_initial_ram_disk_lies_in_ram() {
    let with = |start: u32, end: u32| {
        changed(QEMU, |root| {
            set_cells(child(root, "chosen"), "linux,initrd-start", &[start]);
            set_cells(child(root, "chosen"), "linux,initrd-end", &[0, end]);
        })
    };
    let initrd = with(0x4100_0000, 0x4100_0123).unwrap().initrd.unwrap();
    assert_eq!((initrd.base(), initrd.len()), (0x4100_0000, 0x123));
    assert!(matches!(
        with(0x4100_0000, 0x4500_0000),
        Err(Error::NotInMemory { .. })
    ));
    assert!(matches!(
        with(0x4100_0000, 0x4000_0000),
        Err(Error::Range { .. })
    ));
    let half = changed(QEMU, |root| {
        set_cells(child(root, "chosen"), "linux,initrd-start", &[0x4100_0000]);
    });
    assert!(matches!(
        half,
        Err(Error::NoProperty {
            property: "linux,initrd-end",
            ..
        })
    ));
}

#[test]
fn reserved_memory_is_listed() {
    let machine = changed(QEMU, |root| {
        let mut parent = DeviceTreeNode::new("reserved-memory").unwrap();
        set_cells(&mut parent, "#address-cells", &[2]);
        set_cells(&mut parent, "#size-cells", &[2]);
        let mut node = DeviceTreeNode::new("firmware@42000000").unwrap();
        set_cells(&mut node, "reg", &[0, 0x4200_0000, 0, 0x20_0000]);
        parent.add_child(node);
        root.add_child(parent);
    })
    .unwrap();
    assert_eq!(machine.reserved[0].base(), 0x4200_0000);
}
