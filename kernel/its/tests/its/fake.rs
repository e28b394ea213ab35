//! An ITS, a redistributor, their memory, and a clock, in one host.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use clock::{Clock, Instant};
use its::{ALIGN, Capacity, Error, FIRST_LPI, Its, Memory, Probe, Redistributor, Registers};
use untrusted::Untrusted;

/// Where the memory is, as the host knows it.
pub const ADDRESS: u64 = 0x8_4560_0000;
/// What the redistributor is called by number.
const PROCESSOR: u64 = 5;

pub const CAPACITY: Capacity = Capacity {
    device_ids: 256,
    devices: 3,
    events: 4,
};

/// What a host can get wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lies {
    /// `GITS_TYPER`, if another.
    pub kind: Option<u64>,
    /// `GICR_TYPER`, if another.
    pub redistributor_kind: Option<u64>,
    /// Bits that this register (ITS below 0x10000, redistributor above) never keeps.
    pub forgets: (u64, u64),
    /// Bits that this register has always.
    pub insists: (u64, u64),
    /// The reader: never moves, or is this.
    pub reader: Option<u64>,
    /// Fills all memory with noise at each command.
    pub scribbles: bool,
}

/// What commands did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Device, size in bits, table.
    pub devices: Vec<(u64, u64, u64)>,
    /// Device, event, LPI.
    pub events: Vec<(u64, u64, u64)>,
    /// Target of the collection.
    pub collection: Option<u64>,
    /// LPIs that were raised while they were enabled.
    pub arrived: Vec<u64>,
    /// LPIs that were raised while they were not.
    pub masked: Vec<u64>,
    /// Commands.
    pub count: u64,
}

#[derive(Default)]
struct Host {
    memory: RefCell<Vec<u8>>,
    published: Cell<bool>,
    its: RefCell<Vec<u64>>,
    redistributor: RefCell<Vec<u64>>,
    lies: Cell<Lies>,
    done: RefCell<Done>,
    time: Cell<u64>,
}

/// A host. Clones are the same one.
#[derive(Clone, Default)]
pub struct FakeHost(Rc<Host>);

impl FakeHost {
    /// One that lies so, with tables of 4 KiB pages unless it insists on others.
    pub fn new(lies: Lies) -> Self {
        let host = Self::default();
        host.0.its.borrow_mut().resize(64, 0);
        host.0.redistributor.borrow_mut().resize(32, 0);
        host.0.lies.set(lies);
        host.0.its.borrow_mut()[0] = 1 << 31;
        // Devices and collections, entries of 8 bytes.
        host.0.its.borrow_mut()[32] = 1 << 56 | 7 << 48;
        host.0.its.borrow_mut()[33] = 4 << 56 | 7 << 48;
        host
    }

    pub fn lie(&self, lies: Lies) {
        self.0.lies.set(lies);
    }

    pub fn done(&self) -> Done {
        self.0.done.borrow().clone()
    }

    /// Finds the ITS, gives it the memory it wants, and starts it.
    pub fn start(&self) -> Result<Its<Frame, Shared>, Error> {
        let probe = Probe::new(self.its(), CAPACITY, self)?;
        let memory = self.share(probe.bytes());
        Its::start(probe, memory, &self.redistributor(), self)
    }

    pub fn its(&self) -> Frame {
        Frame(self.clone(), 0)
    }

    pub fn redistributor(&self) -> Redistributor<Frame> {
        Redistributor::new(Frame(self.clone(), 0x1_0000), 0, 0x80a_0000)
    }

    /// Memory that begins with noise.
    pub fn share(&self, bytes: u64) -> Shared {
        *self.0.memory.borrow_mut() = vec![0xa5; bytes as usize];
        Shared(self.clone())
    }

    fn word(&self, address: u64) -> u64 {
        let at = (address - ADDRESS) as usize;
        let memory = self.0.memory.borrow();
        u64::from_le_bytes(memory[at..at + 8].try_into().expect("eight bytes"))
    }

    fn byte(&self, address: u64) -> u8 {
        self.0.memory.borrow()[(address - ADDRESS) as usize]
    }

    fn read(&self, register: u64) -> u64 {
        let lies = self.0.lies.get();
        let value = match register {
            // 16 bits for devices and events, 12 bytes an entry.
            0x8 => lies.kind.unwrap_or(1 | 11 << 4 | 15 << 8 | 15 << 13),
            0x90 => lies.reader.unwrap_or_else(|| self.0.its.borrow()[18]),
            0x1_0008 => lies.redistributor_kind.unwrap_or(1 | PROCESSOR << 8),
            0..0x200 => self.0.its.borrow()[register as usize / 8],
            _ => self.0.redistributor.borrow()[(register - 0x1_0000) as usize / 8],
        };
        let insists = if lies.insists.0 == register {
            lies.insists.1
        } else {
            0
        };
        value | insists
    }

    fn write(&self, register: u64, mut value: u64) {
        let lies = self.0.lies.get();
        if lies.forgets.0 == register {
            value &= !lies.forgets.1;
        }
        if register >= 0x1_0000 {
            self.0.redistributor.borrow_mut()[(register - 0x1_0000) as usize / 8] = value;
            return;
        }
        let mut its = self.0.its.borrow_mut();
        let slot = &mut its[register as usize / 8];
        *slot = match register {
            // Quiescent whenever it is off.
            0 => value & 0xffff_ffff_0000_0001 | if value & 1 == 0 { 1 << 31 } else { 0 },
            // Kind and size of entries are the host's.
            0x100..0x140 => *slot & 0x071f << 48 | value & !(0x071f << 48),
            _ => value,
        };
        drop(its);
        if register == 0x88 {
            self.carry_out();
        }
    }

    fn carry_out(&self) {
        let registers = self.0.its.borrow().clone();
        let (queue, writer, mut reader) = (registers[16], registers[17], registers[18]);
        if registers[0] & 1 == 0 || self.0.lies.get().reader.is_some() {
            return;
        }
        assert!(self.0.published.take(), "published before the ITS is told");
        let len = ((queue & 0xff) + 1) * 4096;
        while reader != writer {
            let at = (queue & 0xf_ffff_ffff_f000) + reader;
            let words = [0, 8, 16].map(|word| self.word(at + word));
            self.command(words);
            reader = (reader + 32) % len;
        }
        self.0.its.borrow_mut()[18] = reader;
        if self.0.lies.get().scribbles {
            self.0.memory.borrow_mut().fill(0xff);
        }
    }

    fn command(&self, [head, middle, tail]: [u64; 3]) {
        let mut done = self.0.done.borrow_mut();
        done.count += 1;
        let device = head >> 32;
        match head & 0xff {
            0x08 => {
                let table = tail & !(1 << 63);
                assert!(table >= ADDRESS && table.is_multiple_of(256) && tail >> 63 == 1);
                done.devices.push((device, (middle & 0x1f) + 1, table));
            }
            0x09 => done.collection = Some(tail >> 16 & 0xf_ffff_ffff),
            0x0a => {
                done.events
                    .push((device, middle & 0xffff_ffff, middle >> 32));
            }
            0x03 => {
                let known = done.events.iter().find(|e| (e.0, e.1) == (device, middle));
                let lpi = known.expect("a mapped event is raised").2;
                if self.is_enabled(lpi) {
                    done.arrived.push(lpi);
                } else {
                    done.masked.push(lpi);
                }
            }
            0x05 | 0x0c | 0x0d => {}
            other => panic!("command {other:#x}"),
        }
    }

    fn is_enabled(&self, lpi: u64) -> bool {
        let redistributor = self.0.redistributor.borrow();
        let table = redistributor[14] & 0xf_ffff_ffff_f000;
        redistributor[0] & 1 == 1 && self.byte(table + lpi - u64::from(FIRST_LPI)) & 1 == 1
    }
}

impl Clock for FakeHost {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.time.get())
    }

    fn relax(&self) {
        self.0.time.set(self.0.time.get() + 1_000_000);
    }
}

/// A frame of registers, by where it begins among all.
#[derive(Clone)]
pub struct Frame(FakeHost, u64);

impl Registers for Frame {
    fn read32(&self, at: u64) -> Untrusted<u32> {
        Untrusted::from_host((self.0.read(self.1 + at / 8 * 8) >> (8 * (at % 8))) as u32)
    }

    fn write32(&self, at: u64, value: u32) {
        let register = self.1 + at / 8 * 8;
        let (old, shift) = (self.0.read(register), 8 * (at % 8));
        let kept = old & !(0xffff_ffff << shift);
        self.0.write(register, kept | u64::from(value) << shift);
    }
}

/// The memory, which the driver may write and nothing else.
pub struct Shared(FakeHost);

impl Memory for Shared {
    fn address(&self) -> u64 {
        assert!(ADDRESS.is_multiple_of(ALIGN));
        ADDRESS
    }

    fn len(&self) -> u64 {
        self.0.0.memory.borrow().len() as u64
    }

    fn clear(&self) {
        self.0.0.memory.borrow_mut().fill(0);
    }

    fn store(&self, at: u64, word: u64) {
        assert!(at.is_multiple_of(8), "unaligned store at {at:#x}");
        let at = at as usize;
        self.0.0.memory.borrow_mut()[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }

    fn publish(&self) {
        self.0.0.published.set(true);
    }
}
