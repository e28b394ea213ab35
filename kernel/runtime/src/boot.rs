//! Boot: each step needs a value that only the step before it can make.

use alloc::rc::Rc;

use arch::counter::Counter;
use bounce::Region;
use clock::Instant;
use net::Stack;

use crate::bus::{self, Found};
use crate::ground::Ground;
use crate::interrupts::Interrupts;
use crate::platform::Platform;
use crate::ram::Ram;
use crate::random::Generator;
use crate::realm::{Parts, Realm};
use crate::{Error, devices, diagnosis, executor, heap, power, println, trace};

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
    let region = share(&ground, ram, &bus.found)?;
    let running = devices::start(bus, &region, ground.environment(), &random);
    let interrupts = Interrupts::open(&ground.machine, &mapper, clock).map(Rc::new);
    running.connect(interrupts.as_deref());
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
        interrupts,
        attestation: ground.attestation,
    };
    let platform = Platform::new(&parts, stack);
    Ok((Realm::new(parts), platform))
}

/// Shares as much as was asked for, or as the devices need.
fn share(ground: &Ground, ram: Ram, found: &[Found]) -> Result<Rc<Region>, Error> {
    let size = match ground.wanted()? {
        Some(_) => ram.reserve(),
        None => devices::region_bytes(found),
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
