//! Trees of QEMU and of lkvm as they are.

use devtree::{Console, Error, PsciMethod, Tree, Trigger, Uart, WindowKind};
use dtoolkit::fdt::Fdt;
use dtoolkit::model::DeviceTree;
use ipa::IpaSpace;

use crate::{LKVM, QEMU_EL2, level, lkvm, qemu, ram, realm};

#[test]
fn qemu_is_read_as_it_is() {
    let machine = qemu();
    assert_eq!(machine.compatible, "linux,dummy-virt");
    assert_eq!(ram(&machine), [(0x4000_0000, 0x4400_0000)]);
    assert_eq!((machine.cpus, machine.psci), (1, Some(PsciMethod::Hvc)));
    assert_eq!(machine.boot_arguments, "");
    let Console {
        uart,
        range,
        interrupt,
    } = machine.console.unwrap();
    assert_eq!((uart, interrupt), (Uart::Pl011, Some(level(33))));
    assert_eq!((range.base(), range.len()), (0x0900_0000, 0x1000));
    let gic = machine.gic.unwrap();
    assert_eq!(gic.distributor.base(), 0x0800_0000);
    assert_eq!(gic.redistributors[0].base(), 0x080a_0000);
    assert_eq!(gic.its.unwrap().base(), 0x0808_0000);
    let timer = machine.timer.unwrap();
    assert_eq!(
        (timer.physical, timer.virtual_timer),
        (level(30), level(27))
    );
}

#[test]
fn the_pci_host_of_qemu_has_three_windows_and_swizzled_interrupts() {
    let host = qemu().pci.unwrap();
    assert_eq!(host.ecam.base(), 0x40_1000_0000);
    assert_eq!((host.first_bus, host.last_bus), (0, 255));
    assert!(host.dma_coherent);
    let windows: Vec<_> = host
        .windows
        .iter()
        .map(|w| (w.kind, w.pci_base, w.range.base(), w.range.len()))
        .collect();
    assert_eq!(
        windows,
        [
            (WindowKind::Io, 0, 0x3eff_0000, 0x1_0000),
            (WindowKind::Memory32, 0x1000_0000, 0x1000_0000, 0x2eff_0000),
            (
                WindowKind::Memory64,
                0x80_0000_0000,
                0x80_0000_0000,
                0x80_0000_0000
            ),
        ]
    );
    for device in 0..32u16 {
        for pin in 1..=4u8 {
            let spi = 3 + (u32::from(device) + u32::from(pin) - 1) % 4;
            let found = host.interrupts.lookup(device << 3, pin);
            assert_eq!(found, Some(level(32 + spi)), "device {device} pin {pin}");
        }
    }
    assert_eq!(host.interrupts.lookup(0, 0), None);
}

#[test]
fn qemu_with_el2_calls_psci_by_smc_and_has_two_cpus() {
    let tree = Tree::new(QEMU_EL2).unwrap();
    let machine = tree.machine(IpaSpace::realm(41).unwrap()).unwrap();
    assert_eq!((machine.cpus, machine.psci), (2, Some(PsciMethod::Smc)));
    assert_eq!(machine.processors, [0, 1]);
    assert_eq!(ram(&machine), [(0x4000_0000, 0x6000_0000)]);
}

#[test]
fn lkvm_is_read_as_it_is() {
    let machine = lkvm();
    assert_eq!(ram(&machine), [(0x8000_0000, 0x9000_0000)]);
    assert_eq!((machine.cpus, machine.psci), (1, Some(PsciMethod::Smc)));
    assert_eq!(machine.boot_arguments, " console=ttyS0 root=/dev/vda rw ");
    let console = machine.console.unwrap();
    let plain = Uart::Ns16550 { shift: 0, width: 1 };
    assert_eq!((console.uart, console.range.base()), (plain, 0x0100_0000));
    assert_eq!(console.interrupt, Some(level(32)));
    let gic = machine.gic.unwrap();
    assert_eq!(gic.distributor.base(), 0x3fff_0000);
    assert_eq!(gic.redistributors[0].base(), 0x3ffd_0000);
    assert_eq!(gic.its.unwrap().base(), 0x3ffb_0000);
}

#[test]
fn the_timer_of_lkvm_is_active_low() {
    let timer = lkvm().timer.unwrap();
    assert_eq!((timer.physical.id, timer.virtual_timer.id), (30, 27));
    assert_eq!(timer.physical.trigger, Trigger::LevelLow);
    assert_eq!(timer.virtual_timer.trigger, Trigger::LevelLow);
}

#[test]
fn the_pci_host_of_lkvm_has_one_bus_and_an_interrupt_for_each_device() {
    let host = lkvm().pci.unwrap();
    assert_eq!((host.ecam.base(), host.last_bus), (0x4000_0000, 0));
    assert_eq!(host.windows[0].kind, WindowKind::Io);
    assert_eq!((host.windows[0].range.base(), host.windows.len()), (0, 2));
    assert_eq!(host.interrupts.lookup(0, 1), Some(level(36)));
    assert_eq!(host.interrupts.lookup(1 << 3, 1), Some(level(37)));
    assert_eq!(host.interrupts.lookup(1 << 3 | 7, 1), Some(level(37)));
    assert_eq!(host.interrupts.lookup(1 << 3, 2), None);
    assert_eq!(host.interrupts.lookup(2 << 3, 1), None);
}

#[test]
fn the_console_can_be_found_without_the_rest() {
    let mut tree = DeviceTree::from_fdt(&Fdt::new(LKVM).unwrap());
    tree.root.remove_child("memory");
    let bytes = tree.to_dtb();
    let tree = Tree::new(&bytes).unwrap();
    assert_eq!(tree.machine(realm()), Err(Error::NoNode { at: "memory" }));
    let console = tree.console(realm()).unwrap().unwrap();
    assert_eq!(console.range.base(), 0x0100_0000);
}
