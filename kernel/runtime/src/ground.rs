//! What boot stands on: the device tree, the RMM, a console, and RAM that is ours.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::ops::Range;

use arch::counter::Counter;
use arch::{Devices, image};
use clock::{Clock, Instant};
use devtree::{Console, Machine, Tree};
use ipa::IpaSpace;
use pci::Mapper;
use plan::{Arguments, BLOCK, Bounce, parse_size};
use realm::{Attestation, Error, Facts, Generator, Mode};
use virtio::Environment;

use crate::attestation;
use crate::call::{self, Call};
use crate::console::Until;
use crate::memory::Memory;
use crate::ram::{Owner, Ram};
use crate::rmm::{self, Rmm};
use crate::spare::Spare;
use crate::{console, fault, logger};

/// What boot stands on.
pub struct Ground {
    memory: Memory,
    tree: &'static [u8],
    /// The address space.
    pub space: IpaSpace,
    /// The RMM, in a realm.
    pub rmm: Option<Rmm>,
    /// What the device tree says of the machine.
    pub machine: Box<Machine>,
    /// What the user says.
    pub arguments: Arguments,
    /// What the realm can say about itself, in a realm.
    pub attestation: Option<Rc<Attestation>>,
    clock: Counter,
}

impl Ground {
    /// Finds out where we are, opens the console, and measures the boot arguments.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the device tree or the RMM.
    pub fn find(at: u64, clock: Counter, entry: Instant) -> Result<Self, Error> {
        let memory = Memory::begin(at)?;
        // The RMM is asked first, and the tree is not: the host wrote it, and could say that there
        // is none.
        let found = rmm::find();
        let space = match &found {
            Ok(Some(rmm)) => rmm.config.space()?,
            Ok(None) => IpaSpace::plain(),
            Err(_) => rmm::space_of_stranger().unwrap_or(IpaSpace::plain()),
        };
        fault::know(space);
        let bytes = memory.device_tree(space)?;
        let tree = Tree::new(bytes)?;
        call::settle(Call::of(tree.psci()));
        let rmm = found.inspect_err(|_| {
            open_console(&memory, space, tree.console(space).ok().flatten(), clock);
        })?;
        let machine = find_machine(&memory, space, &tree, clock)?;
        logger::open(clock, entry);
        let (arguments, attestation) =
            attestation::measured(&machine.boot_arguments, rmm.as_ref(), space)?;
        // Without a serial port, the first other console is it.
        if arguments.get("console") == Some("hvc0") || machine.console.is_none() {
            console::hold(Until::Device);
        } else if arguments.get("log").is_none() {
            // Whoever asks for lines looks for something, and sees each when it is made.
            console::hold(Until::FirstTurn);
        }
        if let Some(level) = arguments.get("log") {
            logger::set_filter(level);
        }
        let ground = Self {
            memory,
            tree: bytes,
            space,
            rmm,
            machine,
            arguments,
            attestation: attestation.map(Rc::new),
            clock,
        };
        ground.check_reach()?;
        Ok(ground)
    }

    /// Checks that the CPU can address both halves.
    fn check_reach(&self) -> Result<(), Error> {
        let address = self.space.shared_bit();
        if self.rmm.is_some() && address.saturating_mul(2) > self.memory.map().borrow().limit() {
            return Err(Error::Map(ipa::PagingError::OutOfReach { address }));
        }
        Ok(())
    }

    /// Claims the free RAM, maps it, and sets parts of it aside for what is going to be shared, and, if it
    /// `can_give` memory away, for that.
    ///
    /// # Errors
    ///
    /// As [`Ram::open`], and [`Error::Argument`] for `bounce=` and `balloon=`.
    pub fn open_ram(&self, can_give: bool) -> Result<Ram, Error> {
        let (map, wanted) = (self.memory.map(), self.bounce()?.size);
        let spare = if can_give { self.spare_blocks()? } else { 0 };
        let owner = Owner {
            space: self.space,
            rsi: self.rmm.as_ref().map(|rmm| &rmm.rsi),
            clock: &self.clock,
        };
        Ram::open(map, self.tree, &self.machine, (wanted, spare), &owner)
    }

    /// Whole blocks that the host may have of what is ours.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] for `balloon=`.
    fn spare_blocks(&self) -> Result<u64, Error> {
        let (key, expected) = ("balloon", "a size, such as 32M");
        let wrong = Error::Argument { key, expected };
        let asked = self.arguments.get(key);
        let bytes = asked.map_or(Ok(0), |text| parse_size(text).map_err(|_| wrong))?;
        Ok(bytes / BLOCK)
    }

    /// What is to be given away, and taken back.
    pub fn spare(&self) -> Spare {
        let rsi = self.rmm.as_ref().map(|rmm| rmm.rsi);
        Spare::new(self.memory.map(), self.space, rsi)
    }

    /// What the boot arguments ask of the bounce region.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`]
    pub fn bounce(&self) -> Result<Bounce, Error> {
        let (key, expected) = ("bounce", Bounce::EXPECTED);
        let wrong = Error::Argument { key, expected };
        let asked = self.arguments.get(key);
        asked.map_or(Ok(Bounce::default()), |text| {
            Bounce::parse(text).ok_or(wrong)
        })
    }

    /// What maps device registers: anywhere but over RAM and the image.
    pub fn devices(&self) -> Devices {
        let ram = self.machine.memory.iter();
        let ram = ram.map(|ram| ram.base().get()..ram.top());
        let memory: Vec<Range<u64>> = ram.chain([image::whole()]).collect();
        Devices::new(self.memory.map(), self.space, memory)
    }

    /// The clock.
    pub fn clock(&self) -> Counter {
        self.clock
    }

    /// The clock, for drivers.
    pub fn shared_clock(&self) -> Rc<dyn Clock> {
        Rc::new(self.clock)
    }

    /// What drivers have to know.
    pub fn environment(&self) -> Environment {
        if self.space.is_realm() {
            Environment::Realm
        } else {
            Environment::Machine
        }
    }

    /// What payloads are told.
    pub fn facts(&self, random: &Generator) -> Facts {
        let mode = self.rmm.as_ref().map_or(Mode::Machine, |rmm| Mode::Realm {
            rsi: rmm.rsi.version(),
            ipa_width: self.space.width(),
            hash: rmm.config.hash_algorithm,
            personalization: rmm.config.personalization_value,
        });
        Facts {
            mode,
            memory: self.machine.memory.iter().map(|ram| ram.len()).sum(),
            entropy: random.is_seeded(),
        }
    }
}

/// Reads the device tree, and opens the console. If the tree is wrong, this is told on the console
/// that it names, unchecked as it is by then: nothing else is going to happen.
fn find_machine(
    memory: &Memory,
    space: IpaSpace,
    tree: &Tree<'_>,
    clock: Counter,
) -> Result<Box<Machine>, Error> {
    let machine = tree.machine(space).map(Box::new);
    let console = match &machine {
        Ok(machine) => machine.console,
        Err(_) => tree.console(space).ok().flatten(),
    };
    open_console(memory, space, console, clock);
    Ok(machine?)
}

/// Opens the console, if there is one. Without it the image runs silently.
fn open_console(memory: &Memory, space: IpaSpace, console: Option<Console>, clock: Counter) {
    let Some(console) = console else {
        return;
    };
    let devices = Devices::new(memory.map(), space, Vec::from([image::whole()]));
    if let Ok(registers) = devices.map(console.range.base(), console.range.len()) {
        console::open(console.uart, registers, clock);
    }
}
