//! Boot: each step needs a value that only the step before it can make.

use alloc::rc::Rc;

use arch::counter::Counter;
use clock::Instant;
use plan::{Irq, Tracing};
use realm::{Error, Parts, Realm};
use virtio::{Depth, Offload};

use crate::driver::Start;
use crate::ground::Ground;
use crate::interrupts::Interrupts;
use crate::machine::Booted;
use crate::platform::Platform;
use crate::trace::Tracer;
use crate::trusted::{ToTrust, Trusted};
use crate::{
    bus, devices, diagnosis, executor, features, heap, network, power, println, random, sharing,
};

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
    let ram = ground.open_ram(features::BALLOON)?;
    let random = random::generator();
    let facts = ground.facts(&random);
    log::info!("airlock {} in {facts}", env!("CARGO_PKG_VERSION"));
    let mapper = ground.devices();
    let mut bus = bus::find(&ground, &mapper);
    let interrupts = Interrupts::open(
        &ground.machine,
        &mapper,
        clock,
        argument(&ground, "irq", (Irq::EXPECTED, Irq::parse))?,
    )
    .map(Rc::new);
    let interrupts = interrupts.as_ref();
    let ids = bus.found.iter().map(|found| u32::from(found.id) + 1).max();
    let its = interrupts
        .zip(ids)
        .and_then(|(interrupts, ids)| interrupts.find_its(&ground.machine, &mapper, ids));
    let its = interrupts.map(|interrupts| &**interrupts).zip(its);
    let to_trust = ToTrust::take(&ground, &mut bus)?;
    let found = core::mem::take(&mut bus.found);
    let tracing = argument(&ground, "trace", (Tracing::EXPECTED, Tracing::parse))?;
    let evidence = to_trust.shared_bytes(&ground);
    let sharing = sharing::share(&ground, ram, found, its, evidence)?;
    let mut tracer = Tracer::start(tracing, sharing.trace, entry);
    let hardware = bus.hardware.take();
    let trusted = Trusted::open(&ground, hardware, &sharing.regions, (&mapper, evidence))?;
    to_trust.accept(&ground, &mut bus, trusted.as_deref());
    let mut refused = bus.refused;
    refused.extend(sharing.refused);
    let environment = ground.environment();
    let start = Start {
        environment,
        offload: argument(&ground, "net.offload", (Offload::EXPECTED, Offload::parse))?,
        depth: argument(&ground, "disk.depth", (Depth::EXPECTED, Depth::parse))?,
        random: &random,
        spare: ground.spare(),
        clock,
    };
    let mut running = devices::start_all(
        &start,
        interrupts,
        sharing.shares,
        (bus.found, trusted),
        refused,
    );
    let wire = match features::NET {
        true => network::start(&mut running, &ground.arguments, &random, clock)?,
        false => None,
    };
    log::debug!("heap: {:?}", heap::usage());
    let given = core::mem::take(&mut running.given);
    let machine = Rc::new(Booted {
        regions: sharing.regions,
        running,
        interrupts: interrupts.cloned(),
        processors: ground.machine.processors.iter().copied().collect(),
        clock,
    });
    tracer.connect(&machine, given.console.clone(), given.network.clone());
    let parts = Parts {
        facts,
        arguments: ground.arguments,
        clock: Rc::new(clock),
        entry,
        random,
        disks: given.disks,
        console: given.console,
        shares: given.shares,
        vsock: given.vsock,
        network: given.network,
        attestation: ground.attestation,
        machine: Rc::<Booted>::clone(&machine),
    };
    let platform = Platform::new(machine, tracer, wire);
    platform.open_console();
    Ok((Realm::new(parts), platform))
}

/// The value of a boot argument; the default without it.
fn argument<T: Default>(
    ground: &Ground,
    key: &'static str,
    (expected, parse): (&'static str, fn(&str) -> Option<T>),
) -> Result<T, Error> {
    let wrong = Error::Argument { key, expected };
    let text = ground.arguments.get(key);
    text.map_or_else(|| Ok(T::default()), |text| parse(text).ok_or(wrong))
}
