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
use plan::{ConsoleBudget, Hold, Lines, Turn};
use uart::Serial;

#[derive(Clone, Copy)]
struct Port {
    serial: Serial<Mmio>,
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

/// Lines that wait; without it, lines go to the serial port.
static HELD: Mutex<RefCell<Option<Held>>> = Mutex::new(RefCell::new(None));

/// Lines that wait, and what for.
struct Held {
    lines: Lines,
    until: Until,
}

/// What lines wait for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The first turn of the devices: each byte on a serial port is an exit, and the first packet does not wait for
    /// them.
    FirstTurn,
    /// A device that takes lines.
    Device,
}

/// Most bytes that wait. The heap that boot begins with has 128 KiB.
const MOST_HELD: usize = 32 << 10;

/// Keeps lines from now on, up to [`release`]; those for a device, for [`front`] and [`forget`].
pub fn hold(until: Until) {
    let lines = Lines::new(MOST_HELD);
    critical_section::with(|cs| *HELD.borrow(cs).borrow_mut() = Some(Held { lines, until }));
}

/// Whether lines wait for a device.
pub fn awaits_device() -> bool {
    with_device(|_| ()).is_some()
}

/// Does `with` to the lines that wait for a device.
fn with_device<T>(with: impl FnOnce(&mut Lines) -> T) -> Option<T> {
    critical_section::with(|cs| {
        let mut held = HELD.borrow(cs).borrow_mut();
        let held = held.as_mut().filter(|held| held.until == Until::Device)?;
        Some(with(&mut held.lines))
    })
}

/// Prints what waits on the serial port, and everything from now on.
pub fn release() {
    let held = critical_section::with(|cs| HELD.borrow(cs).take());
    let Some(Held {
        lines: mut held, ..
    }) = held
    else {
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
    with_device(|lines| lines.front(into)).unwrap_or(0)
}

/// Forgets the oldest `count` bytes that wait: they were printed.
pub fn forget(count: usize) {
    with_device(|lines| lines.forget(count));
}

/// Bytes that wait for a device.
pub fn waiting() -> usize {
    with_device(|lines| lines.len()).unwrap_or(0)
}

/// Prints on `registers` from now on.
pub fn open(uart: Uart, registers: Mmio, clock: Counter) {
    let port = Port {
        serial: Serial::new(uart, registers),
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
        DROPPED.borrow(cs).get() + held.as_ref().map_or(0, |held| held.lines.lost())
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
    /// Sends one byte if there is room for it in time.
    fn put(&mut self, byte: u8) {
        if !core::mem::replace(&mut self.is_on, true) {
            self.serial.enable_buffer();
        }
        if self.room == 0 {
            self.await_room();
        }
        if self.stuck {
            lose(1);
        } else {
            self.room -= 1;
            self.serial.send(byte);
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
            room = self.serial.ask_room();
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
            if let Some(held) = HELD.borrow(cs).borrow_mut().as_mut() {
                held.lines.push(text);
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
