//! The serial port, for lines of text. It drops what the host does not take; it never hangs.

use core::cell::Cell;
use core::fmt;
use core::time::Duration;

use arch::Mmio;
use arch::counter::Counter;
use clock::Clock;
use critical_section::Mutex;
use devtree::Uart;
use pci::Registers;

/// How long one byte may wait for room. A port at 115200 baud needs 0.1 ms for one.
const PATIENCE: Duration = Duration::from_millis(20);

// PL011. Ref: DDI0183, chapter 3.
const PL011_DATA: u64 = 0x00;
const PL011_FLAGS: u64 = 0x18;
const PL011_FULL: u32 = 1 << 5;
// 16550.
const NS16550_DATA: u64 = 0;
const NS16550_LINE_STATUS: u64 = 5;
const NS16550_EMPTY: u8 = 1 << 5;

#[derive(Clone, Copy)]
struct Port {
    uart: Uart,
    registers: Mmio,
    clock: Counter,
    /// The host let a byte wait for too long: until it takes one again, nothing waits.
    stuck: bool,
}

/// The port to print on. There is one, and panics and faults need it too.
static PORT: Mutex<Cell<Option<Port>>> = Mutex::new(Cell::new(None));

/// Bytes that the host did not take.
static DROPPED: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));

/// Prints on `registers` from now on.
pub fn open(uart: Uart, registers: Mmio, clock: Counter) {
    let port = Port {
        uart,
        registers,
        clock,
        stuck: false,
    };
    critical_section::with(|cs| PORT.borrow(cs).set(Some(port)));
}

/// Bytes that the host did not take so far.
pub fn dropped() -> u64 {
    critical_section::with(|cs| DROPPED.borrow(cs).get())
}

impl Port {
    fn has_room(&self) -> bool {
        match self.uart {
            Uart::Pl011 => self.registers.read32(PL011_FLAGS) & PL011_FULL == 0,
            Uart::Ns16550 { .. } => self.read(NS16550_LINE_STATUS) & NS16550_EMPTY != 0,
        }
    }

    fn send(&self, byte: u8) {
        match self.uart {
            Uart::Pl011 => self.registers.write32(PL011_DATA, byte.into()),
            Uart::Ns16550 { shift, width } => {
                let at = NS16550_DATA << shift;
                match width {
                    4 => self.registers.write32(at, byte.into()),
                    2 => self.registers.write16(at, byte.into()),
                    _ => self.registers.write8(at, byte),
                }
            }
        }
    }

    /// Reads a register of a 16550, in accesses as wide as the device tree wants them.
    fn read(&self, register: u64) -> u8 {
        let Uart::Ns16550 { shift, width } = self.uart else {
            return 0;
        };
        let at = register << shift;
        match width {
            4 => self.registers.read32(at).to_le_bytes()[0],
            2 => self.registers.read16(at).to_le_bytes()[0],
            _ => self.registers.read8(at),
        }
    }

    /// Sends one byte if there is room for it in time.
    fn put(&mut self, byte: u8) {
        let patience = if self.stuck { Duration::ZERO } else { PATIENCE };
        self.stuck = !self.clock.wait(patience, &mut || self.has_room());
        if self.stuck {
            critical_section::with(|cs| {
                let dropped = DROPPED.borrow(cs);
                dropped.set(dropped.get().saturating_add(1));
            });
        } else {
            self.send(byte);
        }
    }
}

/// What `write!` writes to. Text before [`open`] goes nowhere.
pub struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let Some(mut port) = critical_section::with(|cs| PORT.borrow(cs).get()) else {
            return Ok(());
        };
        for byte in text.bytes() {
            if byte == b'\n' {
                port.put(b'\r');
            }
            port.put(byte);
        }
        critical_section::with(|cs| PORT.borrow(cs).set(Some(port)));
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

/// Prints one line.
pub fn print_line(text: fmt::Arguments<'_>) {
    use fmt::Write as _;
    // The console cannot fail: it drops.
    let _ = writeln!(Console, "{text}");
}
