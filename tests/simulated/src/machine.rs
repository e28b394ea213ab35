//! The machine: made by a test, and run until the payload ends.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bounce::{Region, Spacing};
use clock::{Clock, Instant};
use embassy_futures::join::join;
use net::{Config, Network};
use pci::{Ecam, Function, Placement};
use plan::Arguments;
use realm::{Attestation, Facts, Generator, Mode, Parts, Realm};
use rsi::{HashAlgorithm, Rsi, Version};
use testkit::attestation::TokenPage;
use testkit::fake_pci::FakePci;
use testkit::fake_virtio::{FakeBlock, Style, plug};
use testkit::rmm::{Behaviour, FakeRmm};
use testkit::shared_memory::SharedMemory;
use testkit::wire::{DhcpServer, World};
use virtio::{Block, Environment, Transport};

use crate::console;
use crate::disk::Disk;
use crate::loops::{Below, Disks};
use crate::processor::Work;
use crate::time::Timers;

/// The last byte of the realm's hardware address, and of the first peer's.
const REALM: u8 = 15;
const DHCP_SERVER: u8 = 2;
const FIRST_PEER: u8 = 100;
/// Entries of a disk's queue.
const QUEUE: u16 = 64;
/// How long a payload may take, by the machine's clock.
const LIMIT: Duration = Duration::from_secs(3600);
/// Width of the IPA space, shared bit included.
const WIDTH: u32 = 33;

/// What a [`Machine`] is made of. `Setup::default()` is a realm with a network and no disk.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Boot arguments. REM 1 has them.
    pub args: String,
    /// The content of each disk, which gives its size.
    pub disks: Vec<Vec<u8>>,
    /// Whether there is a network card. A DHCP server gives the realm 10.0.2.15.
    pub network: bool,
    /// Whether it is a realm, or an ordinary machine.
    pub realm: bool,
    /// Whether the CPU has random numbers. They are the same in every run.
    pub entropy: bool,
    /// What the RMM gives as token, whatever the challenge. Nothing here is signed.
    pub token: Vec<u8>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            args: String::new(),
            disks: Vec::new(),
            network: true,
            realm: true,
            entropy: true,
            token: b"a token that nobody signed".to_vec(),
        }
    }
}

/// A machine in memory, with everything around it.
pub struct Machine {
    world: World,
    realm: Realm,
    disks: Vec<Disk>,
    peers: Cell<u8>,
}

impl Machine {
    /// A realm with a network and no disk, and these boot arguments.
    pub fn new(args: &str) -> Self {
        Self::with(Setup {
            args: args.into(),
            ..Setup::default()
        })
    }

    /// A realm with a disk of these bytes.
    pub fn with_disk(args: &str, content: Vec<u8>) -> Self {
        Self::with(Setup {
            args: args.into(),
            disks: vec![content],
            ..Setup::default()
        })
    }

    /// A machine made of `setup`. A thread has one at a time: the one made last has the clock.
    ///
    /// # Panics
    ///
    /// When the boot arguments are wrong, as boot would stop.
    pub fn with(setup: Setup) -> Self {
        console::forget();
        let world = World::default();
        world.add_part(Timers::begin());
        let work = Work::none();
        world.add_part(work);
        let arguments = Arguments::parse(&setup.args);
        let (region, plugged) = plug_disks(&setup.disks, &world);
        world.add_part(Disks(plugged.driven.clone()));
        let below = Below {
            region,
            disks: plugged
                .names
                .into_iter()
                .zip(plugged.driven.clone())
                .collect(),
            work,
        };
        let parts = Parts {
            facts: facts(&setup),
            clock: Rc::clone(&world.clock) as Rc<dyn Clock>,
            entry: Instant::from_nanos(0),
            random: Generator::new(setup.entropy.then_some([7; 32])),
            disks: plugged.driven,
            console: None,
            shares: Vec::new(),
            vsock: None,
            network: setup.network.then(|| network(&world, &arguments)),
            attestation: setup
                .realm
                .then(|| Rc::new(attestation(&setup.token, &arguments))),
            arguments,
            machine: Rc::new(below),
        };
        Self {
            world,
            realm: Realm::new(parts),
            disks: plugged.held,
            peers: Cell::new(FIRST_PEER),
        }
    }

    /// What the payload gets.
    pub fn realm(&self) -> Realm {
        self.realm.clone()
    }

    /// Somebody else on the wire, with an address as `ip=` takes it: `10.0.2.2/24`. The test plays them.
    ///
    /// # Panics
    ///
    /// When the address is none.
    pub fn peer(&self, address: &str) -> Network {
        let number = self.peers.get();
        self.peers.set(number.checked_add(1).expect("fewer peers"));
        self.world.host(number, address)
    }

    /// Disk `number`, from 0 on, as its host sees it.
    ///
    /// # Panics
    ///
    /// When there is no such disk.
    pub fn disk(&self, number: usize) -> Disk {
        let disk = self.disks.get(number);
        disk.expect("the setup has a disk of this number").clone()
    }

    /// Runs `future`, the payload or a part of it, until it is ready.
    ///
    /// # Panics
    ///
    /// When that takes more than an hour of the machine's time, or when everybody waits and nothing is to
    /// come: no frame, no timer, no disk.
    pub fn run<F: Future>(&self, future: F) -> F::Output {
        self.world.run(LIMIT, future)
    }

    /// Runs the payload and those whom the test plays, until all are ready.
    ///
    /// # Panics
    ///
    /// As [`Machine::run`].
    pub fn run_with<P: Future, O: Future>(&self, payload: P, others: O) -> (P::Output, O::Output) {
        self.run(join(payload, others))
    }

    /// The lines that were printed so far.
    pub fn printed(&self) -> Vec<String> {
        console::printed()
    }

    /// The time on the machine's clock, which begins at 0.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.world.clock.now().as_nanos())
    }
}

fn facts(setup: &Setup) -> Facts {
    let realm = Mode::Realm {
        rsi: Version::new(1, 0),
        ipa_width: WIDTH,
        hash: HashAlgorithm::Sha256,
        personalization: [0; 64],
    };
    Facts {
        mode: if setup.realm { realm } else { Mode::Machine },
        memory: 64 << 20,
        entropy: setup.entropy,
    }
}

/// The network with the address that the boot arguments give, as boot starts it.
fn network(world: &World, arguments: &Arguments) -> Network {
    world.add_responder(DHCP_SERVER, DhcpServer::default());
    let config = arguments
        .get("ip")
        .map_or(Ok(Config::default()), Config::parse);
    let config = config.expect("ip= is dhcp or an address");
    world.stack(REALM, &config).network()
}

/// An RMM for as long as the program runs, and who speaks with it.
fn attestation(token: &[u8], arguments: &Arguments) -> Attestation {
    let rmm: &'static FakeRmm = Box::leak(Box::new(FakeRmm::new(Behaviour {
        ipa_width: WIDTH.into(),
        token: token.to_vec(),
        ..Behaviour::default()
    })));
    let rsi = Rsi::negotiate(rmm).expect("the fake speaks RSI 1.0");
    let page = TokenPage::of(rmm);
    Attestation::begin(rsi, HashAlgorithm::Sha256, page, arguments)
        .expect("the fake measures what it is given")
}

/// Disks, each seen from three sides.
#[derive(Default)]
struct Plugged {
    names: Vec<Rc<str>>,
    driven: Vec<realm::Disk>,
    held: Vec<Disk>,
}

/// Plugs the disks into a bus, and starts the driver of each.
fn plug_disks(contents: &[Vec<u8>], world: &World) -> (Region, Plugged) {
    let clock = || Rc::clone(&world.clock) as Rc<dyn Clock>;
    let needs = <Block>::needs(Spacing::Packed).wanted;
    let bytes = (contents.len().max(1) * needs).next_multiple_of(4096);
    let (window, memory) = SharedMemory::new(bytes);
    let region = Region::new(window, clock()).expect("a window can be cleared");
    let pci = FakePci::default();
    let mut placement = Placement::new(&pci.windows(), &[]);
    let mut plugged = Plugged::default();
    for (slot, content) in (1..).zip(contents) {
        let (held, device): (_, Rc<RefCell<FakeBlock>>) = Disk::new(content);
        plug(&pci, Style::Qemu, slot, memory.clone(), QUEUE, device);
        let name: Rc<str> = format!("0000:00:{slot:02x}.0").into();
        let pool = region.pool(&name, needs).expect("the region has room");
        let transport = open(&pci, slot, &mut placement, clock());
        let disk: Block = Block::start(transport, &pool, Environment::Realm)
            .expect("the driver likes the disk: it has whole sectors");
        plugged.names.push(name);
        plugged.driven.push(disk.into());
        plugged.held.push(held);
    }
    (region, plugged)
}

/// Finds the device in `slot`, and opens it.
fn open(pci: &FakePci, slot: u8, placement: &mut Placement, clock: Rc<dyn Clock>) -> Transport {
    let ecam = Ecam::new(pci.ecam(0), 0, 0).expect("one bus fits");
    let scan = pci::scan(&ecam);
    let mut functions = scan.functions.iter();
    let found = functions.find(|one| one.bdf.device() == slot);
    let function = Function::new(&ecam, *found.expect("it was plugged in"));
    Transport::open(&function, placement, pci, clock).expect("the fake is a good device")
}
