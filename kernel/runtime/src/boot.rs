//! Boot: each step needs a value that only the step before it can make.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::ops::Range;

use arch::Devices;
use arch::counter::Counter;
use arch::image;
use bounce::Region;
use clock::{Clock, Instant};
use devtree::{Machine, PsciMethod, Tree};
use ipa::IpaSpace;
use net::Stack;
use pci::Mapper;
use plan::{Arguments, parse_size};
use rsi::SetFlags;
use virtio::Environment;

use crate::attestation::Attestation;
use crate::bus::{self, Found};
use crate::interrupts::Interrupts;
use crate::memory::Memory;
use crate::platform::Platform;
use crate::power::{self, Call};
use crate::ram::Ram;
use crate::random::Generator;
use crate::realm::{Facts, Mode, Parts, Realm};
use crate::rmm::{self, Rmm};
use crate::{Error, console, devices, diagnosis, executor, fault, heap, logger, println, trace};

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
    let memory = Memory::begin(at)?;
    let bytes = memory.device_tree()?;
    let tree = Tree::new(bytes)?;
    let call = Call::of(psci(tree));
    power::use_call(call);
    let rmm = find_rmm(call, &memory, tree, clock)?;
    let space = match &rmm {
        Some(rmm) => rmm.config.space()?,
        None => IpaSpace::plain(),
    };
    fault::know(space);
    open_console(&memory, space, tree, clock);
    logger::open(clock, entry);
    let machine = tree.machine(space)?;
    let arguments = Arguments::parse(&machine.boot_arguments);
    if let Some(level) = arguments.get("log") {
        logger::set_level(level);
    }
    check_reach(&memory, space)?;
    if let Some(rmm) = &rmm {
        claim(rmm, &machine)?;
    }
    let wanted = wanted(&arguments)?;
    let ram = Ram::open(memory.map(), space, bytes, &machine, wanted)?;
    let attestation = rmm
        .as_ref()
        .map(|rmm| Attestation::begin(rmm, space, &arguments))
        .transpose()?;
    let random = Generator::new();
    let facts = facts(rmm.as_ref(), space, &machine, &random);
    log::info!("airlock {} in {facts}", env!("CARGO_PKG_VERSION"));
    let devices = Devices::new(memory.map(), space, not_devices(&machine));
    let clock_of_drivers: Rc<dyn Clock> = Rc::new(clock);
    let bus = bus::find(&machine, &devices, &clock_of_drivers);
    let region = share(ram, &bus.found, wanted, rmm.as_ref(), &arguments, clock)?;
    let environment = if space.is_realm() {
        Environment::Realm
    } else {
        Environment::Machine
    };
    let running = Rc::new(devices::start(bus, &region, environment, &random));
    let interrupts = Interrupts::open(&machine, &devices, clock).map(Rc::new);
    if let Some(interrupts) = &interrupts {
        running.connect(interrupts);
    }
    let stack = devices::start_network(&running, &arguments, &random, clock)?;
    let network = stack.as_ref().map(Stack::network);
    let disks = running
        .disks
        .iter()
        .map(|disk| Rc::clone(&disk.device))
        .collect();
    log::debug!("heap: {:?}", heap::usage());
    let platform = Platform::new(
        clock,
        entry,
        Rc::clone(&region),
        Rc::clone(&running),
        stack,
        interrupts.clone(),
    );
    let realm = Realm::new(Parts {
        facts,
        arguments,
        clock,
        entry,
        random,
        region,
        running,
        disks,
        network,
        interrupts,
        attestation,
    });
    Ok((realm, platform))
}

/// Shares as much as was asked for, or as the devices need.
fn share(
    ram: Ram,
    found: &[Found],
    wanted: Option<u64>,
    rmm: Option<&Rmm>,
    arguments: &Arguments,
    clock: Counter,
) -> Result<Rc<Region>, Error> {
    let size = match wanted {
        Some(_) => ram.reserve(),
        None => devices::region_bytes(found),
    };
    let low = arguments.get("dma") == Some("low");
    let window = ram.share(size, rmm.map(|rmm| &rmm.rsi), low)?;
    let region = Region::new(window, Rc::new(clock))?;
    devices::log_region(&region, found);
    if arguments.get("trace") == Some("bounce") {
        trace::enable(region.trace());
    }
    Ok(Rc::new(region))
}

/// Where no device can be: RAM, and the image.
fn not_devices(machine: &Machine) -> Vec<Range<u64>> {
    let memory = machine.memory.iter().map(|ram| ram.base().get()..ram.top());
    memory.chain([image::whole()]).collect()
}

/// The way to PSCI, from a tree that may be wrong elsewhere: what is wrong is told later, when
/// there is a console.
fn psci(tree: Tree<'_>) -> Option<PsciMethod> {
    tree.machine(IpaSpace::plain())
        .ok()
        .and_then(|machine| machine.psci)
}

/// Looks for an RMM, unless the machine calls by `hvc`: in a realm that is undefined.
fn find_rmm(
    call: Call,
    memory: &Memory,
    tree: Tree<'_>,
    clock: Counter,
) -> Result<Option<Rmm>, Error> {
    if call == Call::Hvc {
        return Ok(None);
    }
    rmm::find().inspect_err(|_| {
        let space = rmm::space_of_stranger().unwrap_or(IpaSpace::plain());
        open_console(memory, space, tree, clock);
    })
}

/// Opens the console that the tree names, if it names one. Without it the image runs silently.
fn open_console(memory: &Memory, space: IpaSpace, tree: Tree<'_>, clock: Counter) {
    let Ok(Some(console)) = tree.console(space) else {
        return;
    };
    let devices = Devices::new(memory.map(), space, alloc::vec![image::whole()]);
    if let Ok(registers) = devices.map(console.range.base(), console.range.len()) {
        console::open(console.uart, registers, clock);
    }
}

/// Checks that the CPU can address the shared half.
fn check_reach(memory: &Memory, space: IpaSpace) -> Result<(), Error> {
    let address = space.shared_bit();
    if space.is_realm() && address.saturating_mul(2) > memory.map().borrow().limit() {
        return Err(Error::Map(arch::PagingError::OutOfReach { address }));
    }
    Ok(())
}

/// Makes all RAM the realm's own. What the host left empty would fault on first use, at a moment of
/// the host's choosing.
fn claim(rmm: &Rmm, machine: &Machine) -> Result<(), Error> {
    for range in &machine.memory {
        rmm.rsi.set_ram(*range, SetFlags::NoChangeDestroyed)?;
    }
    Ok(())
}

/// The size of the bounce region that the boot arguments ask for.
fn wanted(arguments: &Arguments) -> Result<Option<u64>, Error> {
    let size = arguments.get("bounce").map(parse_size).transpose();
    size.map_err(|_| Error::Argument {
        key: "bounce",
        expected: "a size, such as 4M",
    })
}

fn facts(rmm: Option<&Rmm>, space: IpaSpace, machine: &Machine, random: &Generator) -> Facts {
    let mode = rmm.map_or(Mode::Machine, |rmm| Mode::Realm {
        rsi: rmm.rsi.version(),
        ipa_width: space.width(),
        hash: rmm.config.hash_algorithm,
        personalization: rmm.config.personalization_value,
    });
    Facts {
        mode,
        memory: machine.memory.iter().map(|ram| ram.len()).sum(),
        entropy: random.is_seeded(),
    }
}
