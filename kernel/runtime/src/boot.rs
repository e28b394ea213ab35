//! Boot: each step needs a value that only the step before it can make.

use alloc::rc::Rc;

use arch::counter::Counter;
use bounce::Region;
use clock::Instant;
use net::Stack;
use plan::Irq;

use crate::bus;
use crate::ground::Ground;
use crate::interrupts::Interrupts;
use crate::platform::Platform;
use crate::ram::Ram;
use crate::random::Generator;
use crate::realm::{Parts, Realm};
use crate::{Error, devices, diagnosis, executor, heap, messages, power, println, trace};

/// Takes over from the first instructions.
pub fn start(device_tree: u64, ticks: u64) -> ! {
    let started = Counter::new()
        .ok_or(Error::NoCounter)
        .and_then(|clock| boot(device_tree, clock, clock.instant(ticks)));
    match started {
        Ok((realm, platform)) => executor::run(realm, &platform),
        Err(error) => {
            let diagnosis = diagnosis::of_boot(&error);
            println!("{diagnosis}\ndoctor: {}", diagnosis.json());
            power::end(Err(&format_args!("boot: {error}")))
        }
    }
}

fn boot(at: u64, clock: Counter, entry: Instant) -> Result<(Realm, Platform), Error> {
    let ground = Ground::find(at, clock, entry)?;
    let ram = ground.open_ram()?;
    let random = Generator::new();
    let facts = ground.facts(&random);
    log::info!("airlock {} in {facts}", env!("CARGO_PKG_VERSION"));
    let mapper = ground.devices();
    let bus = bus::find(&ground.machine, &mapper, &ground.shared_clock());
    let interrupts = Interrupts::open(&ground.machine, &mapper, clock, irq(&ground)?).map(Rc::new);
    let interrupts = interrupts.as_ref();
    let ids = bus.found.iter().map(|found| u32::from(found.id) + 1).max();
    let its = interrupts
        .zip(ids)
        .and_then(|(interrupts, ids)| interrupts.find_its(&ground.machine, &mapper, ids));
    let tables = its.as_ref().map_or(0, messages::Found::bytes);
    let region = share(&ground, ram, &bus.found, tables)?;
    if let (Some(interrupts), Some(its)) = (interrupts, its) {
        // Devices go first: without the tables they have wires.
        if devices::total_bytes(&bus.found, tables) <= region.len() as u64 {
            interrupts.use_its(its, &region, ground.space);
        } else {
            log::warn!("its: not used: bounce= leaves no room for its tables");
        }
    }
    let environment = ground.environment();
    let running = devices::start(bus, &region, environment, &random, interrupts.map(|i| &**i));
    let stack = devices::start_network(&running, &ground.arguments, &random, clock)?;
    log::debug!("heap: {:?}", heap::usage());
    let parts = Parts {
        facts,
        arguments: ground.arguments,
        clock,
        entry,
        random,
        region,
        disks: running.disks(),
        running: Rc::new(running),
        network: stack.as_ref().map(Stack::network),
        interrupts: interrupts.cloned(),
        attestation: ground.attestation,
    };
    let platform = Platform::new(&parts, stack);
    Ok((Realm::new(parts), platform))
}

/// The ways to interrupt that the boot arguments allow.
fn irq(ground: &Ground) -> Result<Irq, Error> {
    let wrong = Error::Argument {
        key: "irq",
        expected: Irq::EXPECTED,
    };
    let irq = ground.arguments.get("irq");
    irq.map_or(Ok(Irq::default()), |text| Irq::parse(text).ok_or(wrong))
}

/// Shares as much as was asked for, or as the devices and the `tables` of the ITS need.
fn share(
    ground: &Ground,
    ram: Ram,
    found: &[bus::Found],
    tables: u64,
) -> Result<Rc<Region>, Error> {
    let size = match ground.wanted()? {
        Some(_) => ram.reserve(),
        None => devices::region_bytes(found, tables),
    };
    let low = ground.arguments.get("dma") == Some("low");
    let window = ram.share(size, ground.rmm.as_ref().map(|rmm| &rmm.rsi), low)?;
    let region = Region::new(window, ground.shared_clock())?;
    devices::log_region(&region, found);
    if ground.arguments.get("trace") == Some("bounce") {
        trace::enable(region.trace());
    }
    Ok(Rc::new(region))
}
