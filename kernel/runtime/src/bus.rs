//! What is on the PCI bus.

use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use arch::{Devices, Mmio};
use clock::Clock;
use devtree::{AddressRange, Machine, PciHost, WindowKind};
use pci::{Ecam, Function, HostWindow, Identity, MAX_BUSES, Mapper, Placement};
use plan::Arguments;
use realm::{Reason, Refusal};
use trust::PrivateDevice;
use virtio::{Kind, Transport};

use crate::driver::Driver;
use crate::features;
use crate::ground::Ground;

/// Bytes of configuration space that a bus has.
const BUS_SIZE: u64 = 1 << 20;

/// How long all functions together may take to be found.
const ALL: Duration = Duration::from_secs(5);

/// A virtio device that can be started.
pub struct Found {
    /// What it said when it was found.
    pub identity: Identity,
    /// Its place, such as `0000:00:01.0`.
    pub name: Rc<str>,
    /// What drives it, unless it is trusted.
    pub driver: &'static Driver,
    /// The way to it.
    pub transport: Transport,
    /// Its requester id, which it sends messages with.
    pub id: u16,
    /// Number of its wired interrupt.
    pub interrupt: Option<u32>,
    /// Set if it is trusted: it reaches private memory then, and only that.
    pub trusted: Option<PrivateDevice>,
}

/// The virtio devices of a bus.
#[derive(Default)]
pub struct Bus {
    /// Those that can be started.
    pub found: Vec<Found>,
    /// Those that cannot.
    pub refused: Vec<Refusal>,
    /// The hardware below, if there is any.
    pub hardware: Option<Hardware>,
}

/// The way to configuration space, and who has which addresses.
pub struct Hardware {
    ecam: Ecam<Mmio>,
    placement: Placement,
}

impl Hardware {
    /// Opens the device `identity` once more, through `devices`. Its BARs stay where they are.
    ///
    /// # Errors
    ///
    /// As for [`Transport::open`].
    pub fn reopen(
        &mut self,
        identity: Identity,
        devices: &Devices,
        clock: &Rc<dyn Clock>,
    ) -> Result<Transport, virtio::Error> {
        let function = Function::new(&self.ecam, identity);
        Transport::open(&function, &mut self.placement, devices, Rc::clone(clock))
    }
}

/// Lists the virtio devices of the machine that there is a use for.
pub fn find(ground: &Ground, devices: &Devices) -> Bus {
    let Some(host) = &ground.machine.pci else {
        return Bus::default();
    };
    match open(host, devices) {
        Ok(ecam) => find_on(ecam, host, ground, devices),
        Err(error) => {
            log::warn!("pci: {error}");
            Bus::default()
        }
    }
}

fn open(host: &PciHost, devices: &Devices) -> Result<Ecam<Mmio>, pci::Error> {
    // What lies behind the buses that a scan looks at needs no page tables.
    let len = host.ecam.len().min(MAX_BUSES as u64 * BUS_SIZE);
    let registers = devices.map(host.ecam.base(), len)?;
    Ecam::new(registers, host.first_bus, host.last_bus)
}

fn find_on(ecam: Ecam<Mmio>, host: &PciHost, ground: &Ground, devices: &Devices) -> Bus {
    let (machine, clock) = (&ground.machine, ground.shared_clock());
    let scan = pci::scan(&ecam);
    if scan.left_out != 0 {
        let left_out = scan.left_out;
        log::warn!("pci: {left_out} functions and buses were not looked at");
    }
    let mut placement = Placement::new(&windows(host), &reserved(machine, host));
    placement.note_assigned(&ecam, &scan.functions);
    let mut bus = Bus::default();
    let deadline = clock.deadline(ALL);
    for (identity, kind, driver) in wanted(&scan, &ground.arguments) {
        let name = format!("{}", identity.bdf).into();
        if clock.now() > deadline {
            bus.refused.push(Refusal::told(name, kind, Reason::Late));
            continue;
        }
        let function = Function::new(&ecam, *identity);
        match Transport::open(&function, &mut placement, devices, Rc::clone(&clock)) {
            Ok(transport) if !(driver.is_asked_for)(&name, &transport, ground) => {}
            Ok(transport) => bus.found.push(Found {
                name,
                driver,
                transport,
                identity: *identity,
                id: identity.bdf.requester_id(),
                interrupt: interrupt(&function, identity, host),
                trusted: None,
            }),
            Err(error) => bus.refused.push(Refusal::told(name, kind, error)),
        }
    }
    bus.hardware = Some(Hardware { ecam, placement });
    bus
}

/// The virtio functions that there is a use for. Any other is left as it was found: nobody would turn it off
/// again. It is named, with what would make it useful.
fn wanted<'s>(
    scan: &'s pci::Scan,
    arguments: &Arguments,
) -> impl Iterator<Item = (&'s Identity, Kind, &'static Driver)> {
    let kinds = scan.functions.iter();
    let kinds = kinds.filter_map(|identity| Some((identity, Kind::of(identity)?)));
    kinds.filter_map(|(identity, kind)| {
        let place = identity.bdf;
        match features::driver(kind) {
            None => log::info!("{place}: {kind}, there is no driver for it"),
            Some((feature, None)) => log::info!(
                "{place}: {kind}, this image has no driver for it: build its payload with the feature `{feature}`"
            ),
            Some((_, Some(driver))) => match (driver.remedy)(arguments) {
                None => return Some((identity, kind, driver)),
                Some(remedy) => log::info!("{place}: {kind}, {remedy}"),
            },
        }
        None
    })
}

fn interrupt(function: &Function<'_, Mmio>, identity: &Identity, host: &PciHost) -> Option<u32> {
    let pin = function.interrupt_pin()?;
    let wired = host
        .interrupts
        .lookup(identity.bdf.requester_id(), pin as u8)?;
    Some(wired.id)
}

fn windows(host: &PciHost) -> Vec<HostWindow> {
    let memory = host
        .windows
        .iter()
        .filter(|window| window.kind != WindowKind::Io);
    memory
        .map(|window| HostWindow {
            bus: window.pci_base,
            cpu: window.range.base(),
            size: window.range.len(),
        })
        .collect()
}

/// Where no BAR may be.
fn reserved(machine: &Machine, host: &PciHost) -> Vec<Range<u64>> {
    let gic = machine.gic.iter();
    let gic = gic.flat_map(|gic| {
        [gic.distributor]
            .into_iter()
            .chain(gic.its)
            .chain(gic.redistributors.iter().copied())
    });
    let console = machine.console.iter().map(|console| console.range);
    let devices = gic.chain(console).chain([host.ecam]);
    let plain = |range: AddressRange| range.base()..range.top();
    let memory = machine.memory.iter().map(|ram| ram.base().get()..ram.top());
    devices.map(plain).chain(memory).collect()
}
