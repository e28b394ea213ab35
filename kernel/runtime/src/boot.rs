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
    let clock = or_end(Counter::new().ok_or(Error::NoCounter));
    let (realm, platform) = boot(device_tree, clock, clock.instant(ticks));
    executor::run(realm, &platform)
}

/// What a step gives, or the end. Nothing is dropped then: no device was started yet, and the memory of all that
/// there is gets cleared. So boot needs no code that takes half a machine down.
fn or_end<T>(step: Result<T, impl Into<Error>>) -> T {
    match step {
        Ok(made) => made,
        Err(error) => fail(&error.into()),
    }
}

/// Says why there is no realm, and ends.
#[cold]
fn fail(error: &Error) -> ! {
    let diagnosis = diagnosis::of_boot(error);
    println!("{diagnosis}\ndoctor: {}", diagnosis.json());
    power::end(Err(&format_args!("boot: {error}")))
}

fn boot(at: u64, clock: Counter, entry: Instant) -> (Realm, Platform) {
    let ground = or_end(Ground::find(at, clock, entry));
    let ram = or_end(ground.open_ram(features::BALLOON));
    let random = random::generator();
    let facts = ground.facts(&random);
    log::info!("airlock {} in {facts}", env!("CARGO_PKG_VERSION"));
    let mapper = ground.devices();
    let mut bus = bus::find(&ground, &mapper);
    let interrupts = Interrupts::open(
        &ground.machine,
        &mapper,
        clock,
        argument(&ground, "irq", (Irq::EXPECTED, Irq::parse)),
    )
    .map(Rc::new);
    let interrupts = interrupts.as_ref();
    let ids = bus.found.iter().map(|found| u32::from(found.id) + 1).max();
    let its = interrupts
        .zip(ids)
        .and_then(|(interrupts, ids)| interrupts.find_its(&ground.machine, &mapper, ids));
    let its = interrupts.map(|interrupts| &**interrupts).zip(its);
    let to_trust = or_end(ToTrust::take(&ground, &mut bus));
    let found = core::mem::take(&mut bus.found);
    let tracing = argument(&ground, "trace", (Tracing::EXPECTED, Tracing::parse));
    let evidence = to_trust.shared_bytes(&ground);
    let sharing = or_end(sharing::share(&ground, ram, found, its, evidence));
    let mut tracer = Tracer::start(tracing, sharing.trace, entry);
    let hardware = bus.hardware.take();
    let regions = &sharing.regions;
    let trusted = or_end(Trusted::open(
        &ground,
        hardware,
        regions,
        (&mapper, evidence),
    ));
    to_trust.accept(&ground, &mut bus, trusted.as_deref());
    let mut refused = bus.refused;
    refused.extend(sharing.refused);
    let environment = ground.environment();
    let start = Start {
        environment,
        offload: argument(&ground, "net.offload", (Offload::EXPECTED, Offload::parse)),
        depth: argument(&ground, "disk.depth", (Depth::EXPECTED, Depth::parse)),
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
        true => network::start(&mut running, &ground.arguments, &random, clock),
        false => Ok(None),
    };
    let wire = match wire {
        Ok(wire) => wire,
        Err(error) => {
            // Devices run by now, and are reset where they are dropped.
            drop(running);
            fail(&error)
        }
    };
    let heap::Usage { used, size } = heap::usage();
    log::debug!("heap: {used} of {size} bytes");
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
    (Realm::new(parts), platform)
}

/// The value of a boot argument; the default without it. One that is wrong ends the realm.
fn argument<T: Default>(
    ground: &Ground,
    key: &'static str,
    (expected, parse): (&'static str, fn(&str) -> Option<T>),
) -> T {
    let wrong = Error::Argument { key, expected };
    let text = ground.arguments.get(key);
    text.map_or_else(T::default, |text| or_end(parse(text).ok_or(wrong)))
}
