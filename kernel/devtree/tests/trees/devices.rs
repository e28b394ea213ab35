//! The console, the controller, the timer, the PCI host.

use devtree::{Error, Uart};

use crate::{LKVM, QEMU, changed, child, set, set_cells};

#[test]
fn options_behind_a_colon_are_not_part_of_the_path() {
    for path in ["/pl011@9000000:115200n8", "/pl011@9000000"] {
        let machine = changed(QEMU, |root| {
            let path = format!("{path}\0");
            set(child(root, "chosen"), "stdout-path", path.as_bytes());
        });
        assert!(machine.unwrap().console.is_some(), "{path}");
    }
}

#[test]
fn a_console_that_is_not_there_or_not_known_is_none() {
    for path in [&b"/nothing\0"[..], b"serial7\0", b"/pl031@9010000\0", b"\0"] {
        let machine = changed(QEMU, |root| {
            set(child(root, "chosen"), "stdout-path", path);
        });
        assert_eq!(machine.unwrap().console, None);
    }
}

#[test]
fn a_16550_may_have_wide_registers_but_no_accesses_that_are_wider() {
    let with = |shift: u32, width: u32| {
        changed(LKVM, |root| {
            let uart = child(root, "U6_16550A@1000000");
            set_cells(uart, "reg-shift", &[shift]);
            set_cells(uart, "reg-io-width", &[width]);
            set_cells(uart, "reg", &[0, 0x0100_0000, 0, 0x40]);
        })
    };
    let uart = with(2, 4).unwrap().console.unwrap().uart;
    assert_eq!(uart, Uart::Ns16550 { shift: 2, width: 4 });
    assert!(matches!(with(0, 4), Err(Error::Value { value: 4, .. })));
    assert!(matches!(with(4, 1), Err(Error::Value { value: 4, .. })));
    assert!(matches!(with(2, 8), Err(Error::Value { value: 8, .. })));
}

#[test]
fn a_range_smaller_than_its_device_is_refused() {
    let machine = changed(LKVM, |root| {
        set_cells(
            child(root, "U6_16550A@1000000"),
            "reg",
            &[0, 0x0100_0000, 0, 7],
        );
    });
    assert!(matches!(
        machine,
        Err(Error::TooSmall {
            at: "console",
            needed: 8,
            ..
        })
    ));
}

#[test]
fn devices_that_lie_in_ram_or_in_each_other_are_refused() {
    let moved = |name: &str, reg: &[u32]| changed(QEMU, |r| set_cells(child(r, name), "reg", reg));
    let console = moved("pl011@9000000", &[0, 0x43ff_f000, 0, 0x1000]).unwrap_err();
    assert_eq!(
        console.to_string(),
        "device tree: console at 0x43fff000-0x43ffffff overlaps memory"
    );
    let ecam = moved("pcie@10000000", &[0, 0x3f00_0000, 0, 0x1000_0000]);
    assert!(matches!(
        ecam,
        Err(Error::Overlap {
            other: "memory",
            ..
        })
    ));
    let console = moved("pl011@9000000", &[0, 0x0800_0000, 0, 0x1000]);
    assert!(matches!(
        console,
        Err(Error::Overlap {
            other: "interrupt controller",
            ..
        })
    ));
}

#[test]
fn a_node_that_is_disabled_is_not_there() {
    let machine = changed(QEMU, |root| {
        set(child(root, "pcie@10000000"), "status", b"disabled\0");
        set(child(root, "timer"), "status", b"okay\0");
    })
    .unwrap();
    assert_eq!(machine.pci, None);
    assert!(machine.timer.is_some());
}

#[test]
fn configuration_space_covers_its_buses() {
    let with = |range: &[u32]| {
        changed(LKVM, |root| {
            set_cells(child(root, "pci"), "bus-range", range)
        })
        .map(|machine| machine.pci.map(|host| host.last_bus))
    };
    assert_eq!(with(&[0, 255]), Ok(Some(255)));
    assert!(matches!(
        with(&[0, 256]),
        Err(Error::Value { value: 256, .. })
    ));
    assert!(matches!(with(&[3, 2]), Err(Error::Value { value: 2, .. })));
    assert!(matches!(with(&[0]), Err(Error::Length { .. })));
    let small = changed(LKVM, |root| {
        set_cells(child(root, "pci"), "bus-range", &[0, 1]);
        set_cells(child(root, "pci"), "reg", &[0, 0x4000_0000, 0, 0x10_0000]);
    });
    assert!(matches!(small, Err(Error::TooSmall { .. })));
}

#[test]
fn windows_are_of_a_kind_that_can_hold_their_addresses() {
    let with = |ranges: &[u32]| {
        changed(LKVM, |root| set_cells(child(root, "pci"), "ranges", ranges))
            .map(|machine| machine.pci.map_or(0, |host| host.windows.len()))
    };
    assert_eq!(
        with(&[0x4200_0000, 0, 0x5000_0000, 0, 0x5000_0000, 0, 0x1000]),
        Ok(1)
    );
    let config = with(&[0, 0, 0x5000_0000, 0, 0x5000_0000, 0, 0x1000]);
    assert!(matches!(config, Err(Error::Value { .. })));
    let beyond = with(&[0x0200_0000, 0, 0xffff_f000, 0, 0x5000_0000, 0, 0x2000]);
    assert!(matches!(
        beyond,
        Err(Error::Range {
            at: "PCI window",
            ..
        })
    ));
    let short = with(&[0x0200_0000, 0, 0x5000_0000, 0, 0x5000_0000, 0]);
    assert!(matches!(short, Err(Error::Length { .. })));
    let unreachable = with(&[0x0300_0000, 0x1_0000, 0, 0x1_0000, 0, 0, 0x1000]);
    assert_eq!(unreachable, Ok(0), "above 48 bits it is left out");
}

#[test]
fn an_interrupt_map_leads_to_the_controller_and_nowhere_else() {
    let with = |map: &[u32]| changed(LKVM, |r| set_cells(child(r, "pci"), "interrupt-map", map));
    let elsewhere = with(&[0, 0, 0, 1, 9, 0, 0, 0, 4, 4]);
    assert!(matches!(elsewhere, Err(Error::Value { value: 9, .. })));
    let mut entry = [0, 0, 0, 1, 1, 0, 0, 0, 4, 4];
    assert!(matches!(with(&entry[..9]), Err(Error::Length { .. })));
    entry[8] = 988;
    assert!(matches!(with(&entry), Err(Error::Value { value: 988, .. })));
    (entry[8], entry[9]) = (4, 3);
    assert!(matches!(with(&entry), Err(Error::Value { value: 3, .. })));
    (entry[7], entry[9]) = (2, 4);
    assert!(matches!(with(&entry), Err(Error::Value { value: 2, .. })));
    entry[7] = 0;
    let many = entry.repeat(129);
    assert!(matches!(
        with(&many),
        Err(Error::TooMany { limit: 128, .. })
    ));
    assert!(with(&many[..1280]).is_ok());
}

#[test]
fn a_timer_with_a_shared_interrupt_is_refused() {
    let timer = changed(QEMU, |root| {
        let interrupts = [1, 13, 4, 1, 14, 4, 0, 11, 4];
        set_cells(child(root, "timer"), "interrupts", &interrupts);
    });
    assert!(matches!(
        timer,
        Err(Error::Value {
            at: "timer",
            value: 43,
            ..
        })
    ));
}

#[test]
fn psci_is_called_by_smc_or_by_hvc() {
    let psci = changed(QEMU, |root| set(child(root, "psci"), "method", b"svc\0"));
    let (at, property) = ("psci", "method");
    assert_eq!(psci, Err(Error::Text { at, property }));
}
