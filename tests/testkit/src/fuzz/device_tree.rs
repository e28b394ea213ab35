//! Any bytes as a device tree.

use devtree::{AddressRange, Machine, Tree};
use ipa::IpaSpace;

/// Reads `bytes` as a device tree and checks what every [`Machine`] promises.
pub fn device_tree(bytes: &[u8]) {
    let Ok(tree) = Tree::new(bytes) else {
        return;
    };
    let narrow = IpaSpace::realm(33).expect("33 bits can be mapped");
    for space in [narrow, IpaSpace::plain()] {
        match tree.machine(space) {
            Ok(machine) => check(&machine, space),
            Err(error) => assert!(error.to_string().starts_with("device tree: ")),
        }
        if let Ok(Some(console)) = tree.console(space) {
            check_range(console.range, space);
        }
    }
}

fn check(machine: &Machine, space: IpaSpace) {
    assert!(!machine.memory.is_empty());
    for pair in machine.memory.windows(2) {
        assert!(pair[0].top() < pair[1].base().get(), "{pair:?}");
    }
    let ram = |range: AddressRange| {
        let touches =
            |ram: &ipa::GranuleRange| ram.base().get() < range.top() && range.base() < ram.top();
        machine.memory.iter().any(touches)
    };
    for range in devices(machine) {
        check_range(range, space);
        assert!(!ram(range), "{range} is not memory");
    }
    for range in &machine.reserved {
        check_range(*range, space);
    }
    let control = |c: char| c.is_control();
    assert!(!machine.boot_arguments.contains(control));
    assert!(
        machine
            .initrd
            .is_none_or(|initrd| machine.is_memory(initrd))
    );
    check_interrupts(machine);
}

fn check_range(range: AddressRange, space: IpaSpace) {
    assert!(range.len() != 0);
    assert!(range.base().checked_add(range.len()).is_some());
    assert!(range.top() <= space.protected_limit());
}

fn devices(machine: &Machine) -> Vec<AddressRange> {
    let mut ranges = Vec::new();
    ranges.extend(machine.console.iter().map(|console| console.range));
    if let Some(gic) = &machine.gic {
        ranges.push(gic.distributor);
        ranges.extend(&gic.redistributors);
        ranges.extend(gic.its);
    }
    if let Some(host) = &machine.pci {
        assert!(host.first_bus <= host.last_bus);
        ranges.push(host.ecam);
        ranges.extend(host.windows.iter().map(|window| window.range));
    }
    for (i, one) in ranges.iter().enumerate() {
        let others = &ranges[i + 1..];
        assert!(others.iter().all(|other| !one.overlaps(*other)));
    }
    ranges
}

fn check_interrupts(machine: &Machine) {
    if let Some(timer) = &machine.timer {
        assert!((16..32).contains(&timer.physical.id));
        assert!((16..32).contains(&timer.virtual_timer.id));
    }
    if let Some(host) = &machine.pci {
        for function in (0..=u16::MAX).step_by(8) {
            let interrupt = host.interrupts.lookup(function, 1);
            assert!(interrupt.is_none_or(|interrupt| (16..1020).contains(&interrupt.id)));
        }
    }
}
