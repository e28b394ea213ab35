//! Virtio devices as PCI functions, in the two styles that there are.

use std::cell::RefCell;
use std::rc::Rc;

use pci::Bdf;

use super::{FakeVirtio, Map, Personality};
use crate::fake_pci::{ConfigSpace, FakePci};
use crate::shared_memory::SharedMemory;

/// Vendor of virtio functions.
const VENDOR: u16 = 0x1af4;
/// First address that lkvm gives out.
const LKVM_MEMORY: u64 = 0x5000_0000;
/// First I/O port that lkvm gives out.
const LKVM_PORTS: u64 = 0x6200;

/// Whose PCI is imitated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// BARs without addresses; parts in a 64-bit BAR 4, a doorbell for each queue; the queue size
    /// can be changed.
    Qemu,
    /// BARs assigned, packed into one page and decoding; one doorbell for all queues; the queue
    /// size cannot be changed; sizing a BAR that decodes breaks the VMM.
    Lkvm,
}

impl Style {
    fn map(self) -> Map {
        match self {
            Self::Qemu => Map {
                bar: 4,
                common: 0,
                isr: 0x1000,
                device: 0x2000,
                notify: 0x3000,
                end: 0x3000,
                multiplier: 4,
            },
            Self::Lkvm => Map {
                bar: 1,
                common: 0,
                notify: 0x38,
                isr: 0x3c,
                device: 0x40,
                end: 0x100,
                multiplier: 0,
            },
        }
    }
}

/// Plugs a device with `personality` into slot `device` of bus 0.
pub fn plug(
    pci: &FakePci,
    style: Style,
    device: u8,
    memory: SharedMemory,
    queue_size: u16,
    personality: Rc<RefCell<dyn Personality>>,
) -> Rc<FakeVirtio> {
    let (kind, class) = (personality.borrow().kind(), personality.borrow().class());
    let map = style.map();
    let model = FakeVirtio::new(style, map, memory, queue_size, personality);
    let model = Rc::new(model);
    let config = ConfigSpace::endpoint(VENDOR, 0x1040 + kind, class);
    let config = match style {
        Style::Qemu => qemu(config, map),
        Style::Lkvm => lkvm(config, map, device),
    };
    let bdf = Bdf::new(0, device, 0).expect("below 32");
    pci.plug(bdf, config, Rc::<FakeVirtio>::clone(&model));
    model
}

fn qemu(config: ConfigSpace, map: Map) -> ConfigSpace {
    let mut config = config.bar(1, 0, 0x1000, 0).bar(4, 0b1100, 0x4000, 0);
    config.capability(0x11, &[3, 0, 1, 0, 0, 0, 1, 8, 0, 0]);
    part(&mut config, 1, map.bar, map.common, 0x1000, None);
    part(&mut config, 3, map.bar, map.isr, 0x1000, None);
    part(&mut config, 4, map.bar, map.device, 0x1000, None);
    part(
        &mut config,
        2,
        map.bar,
        map.notify,
        0x1000,
        Some(map.multiplier),
    );
    config
}

fn lkvm(config: ConfigSpace, map: Map, device: u8) -> ConfigSpace {
    let (memory, ports) = (
        LKVM_MEMORY + 0x800 * u64::from(device),
        LKVM_PORTS + 0x100 * u64::from(device),
    );
    let mut config = config
        .bar(0, 1, 0x100, ports)
        .bar(1, 0, 0x100, memory)
        .bar(2, 0, 0x400, memory + 0x400)
        .decoding();
    config.capability(0x11, &[32, 0, 2, 0, 0, 0, 2, 2, 0, 0]);
    part(&mut config, 1, map.bar, map.common, 0x38, None);
    part(&mut config, 2, map.bar, map.notify, 4, Some(map.multiplier));
    part(&mut config, 3, map.bar, map.isr, 4, None);
    part(
        &mut config,
        4,
        map.bar,
        map.device,
        map.end - map.device,
        None,
    );
    part(&mut config, 5, 0, 0, 4, None);
    config
}

/// Appends the capability of a part.
fn part(
    config: &mut ConfigSpace,
    kind: u8,
    bar: u8,
    offset: u64,
    len: u64,
    multiplier: Option<u32>,
) {
    let cap_len = if multiplier.is_some() { 20 } else { 16 };
    let mut body = vec![cap_len, kind, bar, 0, 0, 0];
    body.extend_from_slice(&(offset as u32).to_le_bytes());
    body.extend_from_slice(&(len as u32).to_le_bytes());
    body.extend(multiplier.into_iter().flat_map(u32::to_le_bytes));
    config.capability(0x09, &body);
}
