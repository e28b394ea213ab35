//! The end: what the image knew is cleared, and the machine is turned off by whatever call it has.
// UNSAFETY: takes the heap away from everybody.
#![expect(unsafe_code, reason = "takes the heap away from everybody")]

use core::cell::Cell;
use core::time::Duration;

use crate::{call, console, cpus, heap};
use arch::counter::Counter;
use arch::{Hvc, Smc, cpu, stop};
use clock::Clock;
use critical_section::Mutex;
use rsi::psci;

/// Affinity of the processor that ends the machine.
static ENDER: Mutex<Cell<Option<u64>>> = Mutex::new(Cell::new(None));

/// How long it waits for the others to stop.
const PATIENCE: Duration = Duration::from_secs(1);

/// Lets this processor end the machine, and no other. If another one does already, this one stops: what it
/// runs on is being cleared.
pub fn claim_end() {
    stop::mask();
    let me = cpu::affinity();
    let other = critical_section::with(|cs| {
        let ender = ENDER.borrow(cs);
        let before = ender.get();
        ender.set(before.or(Some(me)));
        before.is_some_and(|ender| ender != me)
    });
    if other {
        stop::here();
    }
}

/// Clears what the image knew, heap and stacks, and turns the machine off.
///
/// An RMM clears the memory of a realm that is gone, and nobody else can look before. This is for
/// the time in between, for a machine that cannot be turned off, and for one that is no realm.
///
/// Other processors are stopped before, wherever they are. The first can only be asked, when it comes round:
/// one that does not within a second, or that the host does not run, has its memory cleared all the same, and
/// ends where it meets that.
pub fn off() -> ! {
    claim_end();
    stop::ask();
    let others = cpus::ring_all();
    if let Some(clock) = Counter::new() {
        clock.wait(PATIENCE, &mut || stop::count() >= others);
    }
    // SAFETY: from here on this processor takes nothing that another could be changing.
    unsafe { arch::seize_locks() };
    // SAFETY: what follows uses neither the heap nor the stack as it was, and does not return.
    unsafe { heap::clear() };
    // SAFETY: the program ends here, and the others have stopped, or meet cleared memory when they go on.
    unsafe { arch::clear_stacks(cut) }
}

/// Turns the machine off. An undefined call returns -1, so both ways can be tried; where neither
/// works nothing runs any more, and the machine stays on.
extern "C" fn cut() -> ! {
    let _ = psci::system_off(&call::current());
    let _ = psci::system_off(&Smc);
    let _ = psci::system_off(&Hvc);
    cpu::halt()
}

/// Prints the verdict on the serial port, and turns the machine off.
pub fn end(verdict: Result<(), &dyn core::fmt::Display>) -> ! {
    claim_end();
    console::release();
    tell(verdict);
    off()
}

/// Prints the verdict on the payload. Nobody else ends the machine from here on.
pub fn tell(verdict: Result<(), &dyn core::fmt::Display>) {
    claim_end();
    match console::dropped() {
        0 => {}
        bytes => crate::println!("console: the host did not take {bytes} bytes"),
    }
    match verdict {
        Ok(()) => crate::println!("payload: ok"),
        Err(reason) => crate::println!("payload: failed: {reason}"),
    }
}
