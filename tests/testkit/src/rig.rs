//! A machine in small: a bridge, shared memory, a clock, and the way from a slot to a driver.

use std::cell::RefCell;
use std::rc::Rc;

use bounce::{Pool, Private, Region, Spacing};
use clock::Clock;
use pci::{Function, Placement};
use virtio::{
    Balloon, Block, Console, Environment, Error, Net, NineP, Offload, Rng, Transport, Vsock,
};

use crate::fake_clock::FakeClock;
use crate::fake_pci::FakePci;
use crate::fake_virtio::balloon::FakeMemory;
use crate::fake_virtio::{FakeVirtio, Personality, Style, plug};
use crate::shared_memory::SharedMemory;

/// A machine in small.
pub struct Rig {
    /// Its bridge.
    pub pci: FakePci,
    /// Its clock.
    pub clock: Rc<FakeClock>,
    /// What the host sees.
    pub memory: SharedMemory,
    /// The bounce region in that memory.
    pub region: Region,
    /// Whose PCI it has.
    pub style: Style,
    /// Entries of each queue.
    pub queue_size: u16,
    /// Where the driver believes to run.
    pub environment: Environment,
    placement: RefCell<Placement>,
}

impl Rig {
    /// A machine of a style, with queues of `queue_size` entries and 2 MiB of shared memory.
    pub fn new(style: Style, queue_size: u16) -> Self {
        Self::with_memory(style, queue_size, 2 << 20)
    }

    /// The same, with `len` bytes of shared memory.
    pub fn with_memory(style: Style, queue_size: u16, len: usize) -> Self {
        let pci = FakePci::default();
        let clock = Rc::new(FakeClock::default());
        let (window, memory) = SharedMemory::new(len);
        let dyn_clock: Rc<dyn Clock> = Rc::<FakeClock>::clone(&clock);
        let region = Region::new(window, dyn_clock).expect("a window can be cleared");
        let placement = RefCell::new(Placement::new(&pci.windows(), &[]));
        let environment = Environment::Realm;
        Self {
            pci,
            clock,
            memory,
            region,
            style,
            queue_size,
            environment,
            placement,
        }
    }

    /// The same machine with another region, whose slots are as close as `spacing` says.
    #[must_use]
    pub fn spaced(mut self, spacing: Spacing) -> Self {
        let (window, memory) = SharedMemory::new(self.region.len());
        let clock: Rc<dyn Clock> = Rc::<FakeClock>::clone(&self.clock);
        self.region = Region::spaced(window, clock, spacing).expect("a window can be cleared");
        self.memory = memory;
        self
    }

    /// Plugs a device in.
    pub fn plug(&self, device: u8, personality: Rc<RefCell<dyn Personality>>) -> Rc<FakeVirtio> {
        let (memory, size) = (self.memory.clone(), self.queue_size);
        plug(&self.pci, self.style, device, memory, size, personality)
    }

    /// Plugs a trusted device in, with `len` bytes of private memory: what it reaches, and the region
    /// in it.
    pub fn plug_trusted(
        &self,
        device: u8,
        personality: Rc<RefCell<dyn Personality>>,
        len: usize,
    ) -> (Rc<FakeVirtio>, Region<Private>) {
        let (window, memory) = SharedMemory::private(len);
        let size = self.queue_size;
        let fake = plug(&self.pci, self.style, device, memory, size, personality);
        let clock: Rc<dyn Clock> = Rc::<FakeClock>::clone(&self.clock);
        let region = Region::new(window, clock).expect("a window can be cleared");
        (fake, region)
    }

    /// What its clock shows.
    pub fn clock_now(&self) -> clock::Instant {
        self.clock.now()
    }

    /// A pool of `len` bytes.
    pub fn pool(&self, len: usize) -> Pool {
        let pool = self.region.pool("0000:00:01.0", len);
        pool.expect("the rig has the memory for it")
    }

    /// Finds the function in slot `device` by a scan, and opens it.
    ///
    /// # Errors
    ///
    /// What [`Transport::open`] finds.
    pub fn open(&self, device: u8) -> Result<Transport, Error> {
        let ecam = pci::Ecam::new(self.pci.ecam(0), 0, 0).expect("one bus fits");
        let scan = pci::scan(&ecam);
        let found = scan.functions.iter().find(|f| f.bdf.device() == device);
        let function = Function::new(&ecam, *found.expect("the slot is occupied"));
        let clock: Rc<dyn Clock> = Rc::<FakeClock>::clone(&self.clock);
        let mut placement = self.placement.borrow_mut();
        Transport::open(&function, &mut placement, &self.pci, clock)
    }

    /// Starts the network card in slot `device`, with a pool of `len` bytes. All that it offers is left
    /// to it.
    ///
    /// # Errors
    ///
    /// What opening and starting find.
    pub fn net(&self, device: u8, len: usize) -> Result<Net, Error> {
        let transport = self.open(device)?;
        Net::start_with(transport, &self.pool(len), self.environment, Offload::All)
    }

    /// Starts the disk in slot `device`, with a pool of `len` bytes.
    ///
    /// # Errors
    ///
    /// What opening and starting find.
    pub fn block(&self, device: u8, len: usize) -> Result<Block, Error> {
        let transport = self.open(device)?;
        Block::start(transport, &self.pool(len), self.environment)
    }

    /// Starts the console in slot `device`, with a pool of `len` bytes.
    ///
    /// # Errors
    ///
    /// What opening and starting find.
    pub fn console(&self, device: u8, len: usize) -> Result<Rc<Console>, Error> {
        let transport = self.open(device)?;
        Console::start(transport, &self.pool(len), self.environment).map(Rc::new)
    }

    /// Starts the socket device in slot `device`.
    ///
    /// # Errors
    ///
    /// What opening and starting find.
    pub fn vsock(&self, device: u8) -> Result<Rc<Vsock>, Error> {
        let transport = self.open(device)?;
        let needs = <Vsock>::needs(self.region.spacing());
        let pool = self.pool(needs.wanted);
        Vsock::start(transport, &pool, self.environment).map(Rc::new)
    }

    /// Starts the source of bytes in slot `device`.
    ///
    /// # Errors
    ///
    /// What opening and starting find.
    pub fn rng(&self, device: u8) -> Result<Rng, Error> {
        let transport = self.open(device)?;
        let needs = <Rng>::needs(self.region.spacing());
        Rng::start(transport, &self.pool(needs.wanted), self.environment)
    }

    /// Starts the shared folder in slot `device`.
    ///
    /// # Errors
    ///
    /// What opening and starting find.
    pub fn ninep(&self, device: u8) -> Result<NineP, Error> {
        let transport = self.open(device)?;
        let needs = <NineP>::needs(self.region.spacing());
        NineP::start(transport, &self.pool(needs.wanted), self.environment)
    }

    /// Starts the balloon in slot `device`, with `most` blocks of `memory` at most.
    ///
    /// # Errors
    ///
    /// What opening and starting find.
    pub fn balloon(
        &self,
        device: u8,
        memory: FakeMemory,
        most: u32,
    ) -> Result<Balloon<FakeMemory>, Error> {
        let transport = self.open(device)?;
        let needs = <Balloon<FakeMemory>>::needs(self.region.spacing());
        let pool = self.pool(needs.wanted);
        Balloon::start(transport, &pool, self.environment, memory, most)
    }
}
