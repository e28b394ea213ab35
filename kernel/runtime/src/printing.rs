//! Lines on their way to the console device.

use core::time::Duration;

use arch::counter::Counter;
use clock::{Clock, Instant};
use virtio::Console;

use crate::console;

/// Bytes that are printed by one copy.
const PIECE: usize = 4096;
/// Bytes of text that may wait while more is made.
const HALF: usize = 16 << 10;
/// How long the host may take to say which port is a console.
const APPEARING: Duration = Duration::from_millis(500);
/// How long the host may take to print what waits.
const PATIENCE: Duration = Duration::from_secs(1);

/// The console device, as what lines that wait go to.
#[derive(Clone, Copy)]
pub struct Printing<'a> {
    device: &'a Console,
    clock: Counter,
}

impl<'a> Printing<'a> {
    /// Lines go to `device`.
    pub fn new(device: &'a Console, clock: Counter) -> Self {
        Self { device, clock }
    }

    /// Waits until the host has said that there is a console; says whether it has.
    pub fn begin(self) -> bool {
        self.device.await_console(APPEARING)
    }

    /// Prints what waits, as far as there is room, by one doorbell; says when the next deadline of the
    /// device is. If it fails, the serial port gets what waits, and all that comes.
    pub fn poll(self) -> Option<Instant> {
        // Most turns have no line, and room for one is not for nothing.
        if console::waiting() != 0 {
            self.print();
        }
        self.device.poll_in_turn()
    }

    fn print(self) {
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

    /// Prints until there is room for more, or the host has taken too long.
    pub fn make_room(self) {
        self.until(|| console::waiting() <= HALF);
    }

    /// Prints all that waits, as far as the host takes it in time; the serial port gets the rest.
    pub fn finish(self) {
        self.until(|| console::waiting() == 0 && self.device.has_printed());
        console::release();
    }

    fn until(self, mut done: impl FnMut() -> bool) {
        self.clock.wait(PATIENCE, &mut || {
            self.poll();
            done() || self.device.failure().is_some()
        });
    }
}
