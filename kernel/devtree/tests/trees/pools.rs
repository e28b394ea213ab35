//! Restricted pools: who is bound to which, and what is wrong with the others.

use devtree::{Binding, Machine, PoolPlace, PoolReason};
use dtoolkit::model::DeviceTreeNode;

use crate::{LKVM, QEMU, changed, child, set, set_cells};

/// A node of reserved memory with these properties, and phandle 77.
fn pool(name: &str, more: &[(&str, &[u32])]) -> DeviceTreeNode {
    let mut node = DeviceTreeNode::new(name).unwrap();
    set(&mut node, "compatible", b"restricted-dma-pool\0");
    set_cells(&mut node, "phandle", &[77]);
    more.iter()
        .for_each(|(name, values)| set_cells(&mut node, name, values));
    node
}

fn reserve(root: &mut DeviceTreeNode, nodes: Vec<DeviceTreeNode>) {
    let mut parent = DeviceTreeNode::new("reserved-memory").unwrap();
    set_cells(&mut parent, "#address-cells", &[2]);
    set_cells(&mut parent, "#size-cells", &[2]);
    nodes.into_iter().for_each(|node| parent.add_child(node));
    root.add_child(parent);
}

/// Binds a function of the first bus to these phandles.
fn bind(root: &mut DeviceTreeNode, bridge: &str, function: u32, region: &[u32]) {
    let mut device = DeviceTreeNode::new(format!("device@{function:x}")).unwrap();
    set_cells(&mut device, "reg", &[function << 8, 0, 0, 0, 0]);
    set_cells(&mut device, "memory-region", region);
    child(root, bridge).add_child(device);
}

const HOST: &str = "pcie@10000000";
const REG: (&str, &[u32]) = ("reg", &[0, 0x4200_0000, 0, 0x20_0000]);

/// QEMU's tree with this pool, and function 8 bound to it.
fn with(node: DeviceTreeNode) -> Machine {
    let machine = changed(QEMU, |root| {
        reserve(root, vec![node]);
        bind(root, HOST, 8, &[77]);
    });
    machine.unwrap()
}

/// What is wrong with this pool.
fn fault(more: &[(&str, &[u32])]) -> (&'static str, PoolReason) {
    let machine = with(pool("pool@42000000", more));
    let error = machine
        .restricted
        .iter()
        .next()
        .unwrap()
        .place
        .clone()
        .unwrap_err();
    assert_eq!(error.node.to_string(), "pool@42000000");
    (error.property, error.reason)
}

#[test]
fn a_pool_is_its_own_range_and_not_reserved_twice() {
    let machine = with(pool("pool@42000000", &[REG]));
    assert!(machine.reserved.is_empty());
    assert_eq!(machine.restricted.binding(8), Some(Ok(0)));
    assert_eq!(machine.restricted.binding(16), None);
    let pool = machine.restricted.iter().next().unwrap();
    let Ok(PoolPlace::At(range)) = &pool.place else {
        panic!("{pool:?}");
    };
    assert_eq!((range.base(), range.len()), (0x4200_0000, 0x20_0000));
}

#[test]
fn what_the_bridge_names_is_for_functions_that_name_nothing() {
    let machine = changed(QEMU, |root| {
        let mut other = pool("other", &[("size", &[0, 0x4000])]);
        set_cells(&mut other, "phandle", &[78]);
        let mut plain = DeviceTreeNode::new("plain").unwrap();
        set_cells(&mut plain, "phandle", &[79]);
        set_cells(&mut plain, "reg", &[0, 0x4300_0000, 0, 0x1000]);
        reserve(root, vec![pool("pool", &[REG]), plain, other]);
        set_cells(child(root, HOST), "memory-region", &[77]);
        bind(root, HOST, 8, &[78]);
        bind(root, HOST, 16, &[79]);
        bind(root, HOST, 24, &[79, 78]);
    })
    .unwrap();
    let bindings = [8, 16, 24, 32].map(|function| machine.restricted.binding(function));
    assert_eq!(
        bindings,
        [Some(Ok(1)), Some(Ok(0)), Some(Ok(1)), Some(Ok(0))]
    );
    assert_eq!(machine.reserved.len(), 1);
}

#[test]
fn the_tree_of_lkvm_can_have_pools_too() {
    let machine = changed(LKVM, |root| {
        reserve(
            root,
            vec![pool("pool", &[("reg", &[0, 0x8800_0000, 0, 0x20_0000])])],
        );
        bind(root, "pci", 0, &[77]);
    })
    .unwrap();
    assert_eq!(machine.restricted.binding(0), Some(Ok(0)));
    assert_eq!(machine.restricted.binding(8), None);
}

#[test]
fn a_wish_has_a_size_an_alignment_and_runs() {
    let runs = [0, 0x4100_0000, 0, 0x10_0000, 0, 0x4300_0000, 0, 0x10_0000];
    let machine = with(pool(
        "pool",
        &[
            ("size", &[0, 0x3000]),
            ("alignment", &[0, 0x20_0000]),
            ("alloc-ranges", &runs),
        ],
    ));
    let Ok(PoolPlace::Wanted {
        size,
        alignment,
        within,
    }) = &machine.restricted.iter().next().unwrap().place
    else {
        panic!("it has no place");
    };
    assert_eq!((*size, *alignment, within.len()), (0x3000, 0x20_0000, 2));
    assert_eq!(
        (within[1].base(), within[1].len()),
        (0x4300_0000, 0x10_0000)
    );
}

#[test]
fn a_pool_that_cannot_be_one_is_refused_with_node_property_and_reason() {
    let none: &[u32] = &[];
    for (more, property, reason) in [
        (
            &[REG, ("no-map", none)][..],
            "no-map",
            PoolReason::NotMapped,
        ),
        (&[REG, ("reusable", none)], "reusable", PoolReason::Reusable),
        (&[], "size", PoolReason::NoSize),
        (&[("size", &[0, 0])], "size", PoolReason::Value { value: 0 }),
        (
            &[("size", &[0, 0x1800])],
            "size",
            PoolReason::Value { value: 0x1800 },
        ),
        (&[("size", &[1])], "size", PoolReason::Length { len: 4 }),
        (
            &[("size", &[0, 0x1000]), ("alignment", &[0, 0x3000])],
            "alignment",
            PoolReason::Value { value: 0x3000 },
        ),
        (
            &[("size", &[0, 0x1000]), ("alloc-ranges", &[0, 0, 0])],
            "alloc-ranges",
            PoolReason::Length { len: 12 },
        ),
        (&[("reg", none)], "reg", PoolReason::Length { len: 0 }),
        (
            &[(
                "reg",
                &[0, 0x4200_0000, 0, 0x1000, 0, 0x4300_0000, 0, 0x1000],
            )],
            "reg",
            PoolReason::Length { len: 32 },
        ),
        (
            &[("reg", &[0, 0x4200_0800, 0, 0x1000])],
            "reg",
            PoolReason::NotGranules {
                base: 0x4200_0800,
                len: 0x1000,
            },
        ),
        (
            &[("reg", &[0, 0x4200_0000, 0, 0x1800])],
            "reg",
            PoolReason::NotGranules {
                base: 0x4200_0000,
                len: 0x1800,
            },
        ),
        (
            &[("reg", &[0, 0x4200_0000, 0, 0])],
            "reg",
            PoolReason::Range {
                base: 0x4200_0000,
                len: 0,
            },
        ),
        (
            &[("reg", &[u32::MAX, 0xffff_f000, 0, 0x2000])],
            "reg",
            PoolReason::Range {
                base: u64::MAX - 0xfff,
                len: 0x2000,
            },
        ),
    ] {
        assert_eq!(fault(more), (property, reason), "{more:?}");
    }
}

/// What is wrong with how a function names its pools.
fn binding(region: &[u32]) -> Binding {
    let machine = changed(QEMU, |root| {
        let mut other = pool("other", &[("size", &[0, 0x4000])]);
        set_cells(&mut other, "phandle", &[78]);
        reserve(root, vec![pool("pool", &[REG]), other]);
        bind(root, HOST, 8, region);
    });
    machine.unwrap().restricted.binding(8).unwrap()
}

#[test]
fn a_device_that_names_two_pools_or_none_that_is_there_is_refused() {
    for (region, reason) in [
        (&[77, 78][..], PoolReason::Two),
        (&[77, 77], PoolReason::Two),
        (&[5], PoolReason::NoNode { phandle: 5 }),
        (&[77, 5], PoolReason::NoNode { phandle: 5 }),
    ] {
        let error = binding(region).unwrap_err();
        assert_eq!((error.property, error.reason), ("memory-region", reason));
        assert_eq!(error.node.to_string(), "device@8");
    }
    assert_eq!(binding(&[78]), Ok(1));
}

#[test]
fn a_name_that_cannot_be_shown_is_shown_in_part() {
    let long = "pool,that-has_a.very+long@name0123456789";
    let machine = with(pool(long, &[REG]));
    let name = machine.restricted.iter().next().unwrap().node;
    assert_eq!(name.to_string(), long[..32]);
}
