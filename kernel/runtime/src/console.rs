//! Where lines of text go: to the serial port, or into memory until a device of the loop takes them.
//! What the host does not take is dropped; nothing hangs.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::time::Duration;

use arch::counter::Counter;
use arch::{Mmio, cpu};
use clock::Clock;
use critical_section::Mutex;
use devtree::Uart;
use pci::Registers;
use plan::{ConsoleBudget, Hold, Lines, Turn};
use untrusted::Untrusted;

/// Bytes that both kinds of port take at once when their buffer is empty. Asking before each byte
/// would be an exit more for each.
const DEPTH: u8 = 16;

// PL011. Ref: DDI0183, chapter 3.
const PL011_DATA: u64 = 0x00;
const PL011_FLAGS: u64 = 0x18;
const PL011_FULL: u32 = 1 << 5;
const PL011_EMPTY: u32 = 1 << 7;
const PL011_LINE_CONTROL: u64 = 0x2c;
/// Eight bits, buffers on.
const PL011_LINE: u32 = 0x70;
// 16550.
const NS16550_DATA: u64 = 0;
const NS16550_FIFO_CONTROL: u64 = 2;
const NS16550_FIFO_ON: u8 = 1;
const NS16550_LINE_STATUS: u64 = 5;
const NS16550_EMPTY: u8 = 1 << 5;

#[derive(Clone, Copy)]
struct Port {
    uart: Uart,
    registers: Mmio,
    clock: Counter,
    /// Bytes that fit without asking.
    room: u8,
    /// How long the host may let it wait.
    budget: ConsoleBudget,
    /// Whether its buffer was turned on: a port that nobody prints on is not touched.
    is_on: bool,
    /// It let a byte wait for too long: until it takes one again, nothing waits.
    stuck: bool,
}

/// The port to print on. There is one, and panics and faults need it too.
static PORT: Mutex<Cell<Option<Port>>> = Mutex::new(Cell::new(None));

/// Which processor prints.
static TURN: Turn = Turn::new();
/// How long one may print while another waits: a line takes 100 ms at most, unless the host stops who
/// prints it.
const PATIENCE: Duration = Duration::from_millis(250);

/// Bytes that the host did not take.
static DROPPED: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));

/// Lines that wait for another console than the serial port; without it, lines go to that.
static HELD: Mutex<RefCell<Option<Lines>>> = Mutex::new(RefCell::new(None));
/// Most bytes that wait. The heap that boot begins with has 128 KiB.
const MOST_HELD: usize = 32 << 10;

/// Keeps lines from now on, for [`front`] and [`forget`].
pub fn hold() {
    let lines = Lines::new(MOST_HELD);
    critical_section::with(|cs| *HELD.borrow(cs).borrow_mut() = Some(lines));
}

/// Prints what waits on the serial port, and everything from now on.
pub fn release() {
    let held = critical_section::with(|cs| HELD.borrow(cs).take());
    let Some(mut held) = held else {
        return;
    };
    lose(held.lost());
    let Some(mut port) = port() else {
        return;
    };
    let turn = TURN.take(cpu::affinity(), &port.clock, PATIENCE);
    let mut piece = [0; 64];
    while !held.is_empty() {
        let len = held.front(&mut piece);
        piece.iter().take(len).for_each(|byte| port.line(*byte));
        held.forget(len);
    }
    critical_section::with(|cs| PORT.borrow(cs).set(Some(port)));
    TURN.release(turn);
}

/// Copies the oldest text that waits into `into`; says how much that is.
pub fn front(into: &mut [u8]) -> usize {
    critical_section::with(|cs| {
        let held = HELD.borrow(cs).borrow();
        held.as_ref().map_or(0, |lines| lines.front(into))
    })
}

/// Forgets the oldest `count` bytes that wait: they were printed.
pub fn forget(count: usize) {
    critical_section::with(|cs| {
        if let Some(lines) = HELD.borrow(cs).borrow_mut().as_mut() {
            lines.forget(count);
        }
    });
}

/// Bytes that wait.
pub fn waiting() -> usize {
    critical_section::with(|cs| HELD.borrow(cs).borrow().as_ref().map_or(0, Lines::len))
}

/// Prints on `registers` from now on.
pub fn open(uart: Uart, registers: Mmio, clock: Counter) {
    let port = Port {
        uart,
        registers,
        clock,
        room: 0,
        budget: ConsoleBudget::new(clock.now()),
        stuck: false,
        is_on: false,
    };
    critical_section::with(|cs| PORT.borrow(cs).set(Some(port)));
}

/// Bytes that the host did not take so far.
pub fn dropped() -> u64 {
    critical_section::with(|cs| {
        let held = HELD.borrow(cs).borrow();
        DROPPED.borrow(cs).get() + held.as_ref().map_or(0, Lines::lost)
    })
}

/// Notes that `bytes` were not printed.
fn lose(bytes: u64) {
    critical_section::with(|cs| {
        let dropped = DROPPED.borrow(cs);
        dropped.set(dropped.get().saturating_add(bytes));
    });
}

impl Port {
    fn enable_buffer(&self) {
        match self.uart {
            Uart::Pl011 => self.registers.write32(PL011_LINE_CONTROL, PL011_LINE),
            Uart::Ns16550 { .. } => self.write(NS16550_FIFO_CONTROL, NS16550_FIFO_ON),
        }
    }

    /// Asks how many bytes fit.
    fn ask_room(&self) -> u8 {
        match self.uart {
            Uart::Pl011 => {
                let flags = self.registers.read32(PL011_FLAGS);
                if flags.has(PL011_EMPTY) {
                    DEPTH
                } else {
                    u8::from(!flags.has(PL011_FULL))
                }
            }
            Uart::Ns16550 { .. } => {
                let empty = self.read_as_wide(NS16550_LINE_STATUS).has(NS16550_EMPTY);
                if empty { DEPTH } else { 0 }
            }
        }
    }

    fn send(&self, byte: u8) {
        match self.uart {
            Uart::Pl011 => self.registers.write32(PL011_DATA, byte.into()),
            Uart::Ns16550 { .. } => self.write(NS16550_DATA, byte),
        }
    }

    /// Writes a register of a 16550, in accesses as wide as the device tree wants them.
    fn write(&self, register: u64, value: u8) {
        let Uart::Ns16550 { shift, width } = self.uart else {
            return;
        };
        let at = register << shift;
        match width {
            4 => self.registers.write32(at, value.into()),
            2 => self.registers.write16(at, value.into()),
            _ => self.registers.write8(at, value),
        }
    }

    /// Reads a register of a 16550, in accesses as wide as the device tree wants them.
    fn read_as_wide(&self, register: u64) -> Untrusted<u8> {
        let Uart::Ns16550 { shift, width } = self.uart else {
            return Untrusted::from_host(0);
        };
        let at = register << shift;
        match width {
            4 => self.registers.read32(at).map(|word| word.to_le_bytes()[0]),
            2 => self.registers.read16(at).map(|word| word.to_le_bytes()[0]),
            _ => self.registers.read8(at),
        }
    }

    /// Sends one byte if there is room for it in time.
    fn put(&mut self, byte: u8) {
        if !core::mem::replace(&mut self.is_on, true) {
            self.enable_buffer();
        }
        if self.room == 0 {
            self.await_room();
        }
        if self.stuck {
            lose(1);
        } else {
            self.room -= 1;
            self.send(byte);
        }
    }

    /// Sends one byte of a line.
    fn line(&mut self, byte: u8) {
        self.put(byte);
        if byte == b'\n' {
            self.budget.begin_line(self.clock.now());
        }
    }

    fn await_room(&mut self) {
        let patience = if self.stuck {
            Duration::ZERO
        } else {
            self.budget.left()
        };
        let (mut room, before) = (0, self.clock.now());
        self.stuck = !self.clock.wait(patience, &mut || {
            room = self.ask_room();
            room != 0
        });
        self.budget.spend(self.clock.now().since(before));
        self.room = room;
    }
}

/// Lines that are kept for somebody.
struct Kept;

impl fmt::Write for Kept {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        critical_section::with(|cs| {
            if let Some(lines) = HELD.borrow(cs).borrow_mut().as_mut() {
                lines.push(text);
            }
        });
        Ok(())
    }
}

/// What `write!` writes to, for as long as it is the processor's turn.
struct Console<'a>(Port, &'a Hold);

impl fmt::Write for Console<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let Self(port, hold) = self;
        for (at, byte) in text.bytes().enumerate() {
            if !TURN.is_held(hold) {
                lose((text.len() - at) as u64);
                return Ok(());
            }
            if byte == b'\n' {
                port.put(b'\r');
            }
            port.line(byte);
        }
        critical_section::with(|cs| PORT.borrow(cs).set(Some(*port)));
        Ok(())
    }
}

/// Prints a line on the console.
#[macro_export]
macro_rules! println {
    ($($argument:tt)*) => {
        $crate::__private::print_line(::core::format_args!($($argument)*))
    };
}

/// Prints one line; whole, whichever processors print at the same time. Before `open` and `hold` it
/// goes nowhere.
pub fn print_line(text: fmt::Arguments<'_>) {
    use fmt::Write as _;
    let Some(clock) = Counter::new() else {
        return;
    };
    let turn = TURN.take(cpu::affinity(), &clock, PATIENCE);
    let is_kept = critical_section::with(|cs| HELD.borrow(cs).borrow().is_some());
    // Neither can fail: they drop.
    let _ = match port() {
        _ if is_kept => writeln!(Kept, "{text}"),
        Some(port) => writeln!(Console(port, &turn), "{text}"),
        None => Ok(()),
    };
    TURN.release(turn);
}

fn port() -> Option<Port> {
    critical_section::with(|cs| PORT.borrow(cs).get())
}
