//! The console device and its ports; lines that wait go there, where there is one.

use alloc::rc::Rc;
use core::time::Duration;

use arch::counter::Counter;
use clock::{Clock, Instant};
use realm::Work;
use virtio::Console;

use crate::console;
use crate::driver::{Device, Driver, Granted, Printer, Running, Start};

/// Drives consoles.
pub const DRIVER: Driver = Driver::new(<Console>::needs, start);

/// Bytes that are printed by one copy.
const PIECE: usize = 4096;
/// Bytes of text that may wait while more is made.
const HALF: usize = 16 << 10;
/// How long the host may take to say which port is a console.
const APPEARING: Duration = Duration::from_millis(500);
/// How long the host may take to print what waits.
const PATIENCE: Duration = Duration::from_secs(1);

fn start(device: Granted, start: &Start<'_>, running: &mut Running) -> Result<(), virtio::Error> {
    let pool = device.pool;
    let console = Rc::new(Console::start(device.transport, &pool, start.environment)?);
    let printing = Rc::new(Printing {
        device: Rc::clone(&console),
        clock: start.clock,
    });
    running.given.console = Some(console);
    running.printer = Some(Rc::<Printing>::clone(&printing));
    running.add(device.name, pool, printing);
    Ok(())
}

/// The console device, as what lines that wait go to.
struct Printing {
    device: Rc<Console>,
    clock: Counter,
}

impl Device for Printing {
    /// Prints what waits, as far as there is room, by one doorbell. If the device fails, the serial port gets
    /// what waits, and all that comes.
    fn poll(&self) -> Option<Instant> {
        // Most turns have no line, and room for one is not cleared for nothing.
        if console::waiting() != 0 {
            self.print();
        }
        self.device.poll_in_turn()
    }

    fn take_failure(&self) -> Option<virtio::Error> {
        self.device.take_failure()
    }

    fn work(&self) -> Work {
        Work::Console(self.device.counters())
    }
}

impl Printer for Printing {
    fn begin(&self) -> bool {
        self.device.await_console(APPEARING)
    }

    fn make_room(&self) {
        self.until(|| console::waiting() <= HALF);
    }

    fn finish(&self) {
        self.until(|| console::waiting() == 0 && self.device.has_printed());
        console::release();
    }
}

impl Printing {
    fn print(&self) {
        let mut piece = [0; PIECE];
        loop {
            let waiting = console::front(&mut piece);
            match self.device.print(piece.get(..waiting).unwrap_or_default()) {
                Ok(0) => break,
                Ok(printed) => console::forget(printed),
                Err(_) => {
                    console::release();
                    break;
                }
            }
        }
    }

    fn until(&self, mut done: impl FnMut() -> bool) {
        self.clock.wait(PATIENCE, &mut || {
            self.poll();
            done() || self.device.failure().is_some()
        });
    }
}
