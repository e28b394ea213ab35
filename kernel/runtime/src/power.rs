//! The end: what the image knew is cleared, and the machine is turned off by whatever call it has.
// UNSAFETY: takes the heap away from everybody.
#![expect(unsafe_code, reason = "takes the heap away from everybody")]

use core::cell::Cell;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use crate::{console, heap, wake};
use arch::counter::Counter;
use arch::{Hvc, Smc, cpu};
use clock::Clock;
use critical_section::Mutex;
use devtree::PsciMethod;
use rsi::{Arguments, Conduit, Results, psci};

/// The call that PSCI and RSI go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `smc #0`
    Smc,
    /// `hvc #0`
    Hvc,
}

impl Call {
    /// The call that the device tree names; `smc`, if it names none.
    pub fn of(method: Option<PsciMethod>) -> Self {
        match method {
            Some(PsciMethod::Hvc) => Self::Hvc,
            Some(PsciMethod::Smc) | None => Self::Smc,
        }
    }
}

impl Conduit for Call {
    fn call(&self, arguments: Arguments) -> Results {
        match self {
            Self::Smc => Smc.call(arguments),
            Self::Hvc => Hvc.call(arguments),
        }
    }
}

/// What to try first. Panics and faults have to end the machine too, so this is global.
static FIRST: Mutex<Cell<Call>> = Mutex::new(Cell::new(Call::Smc));

/// Affinity of the processor that ends the machine.
static ENDER: Mutex<Cell<Option<u64>>> = Mutex::new(Cell::new(None));

/// Another processor asks the first to end the machine.
static ASKED: AtomicBool = AtomicBool::new(false);
/// How long it waits for that.
const PATIENCE: Duration = Duration::from_secs(1);

/// Uses `call` from now on.
pub fn use_call(call: Call) {
    critical_section::with(|cs| FIRST.borrow(cs).set(call));
}

/// The call that PSCI goes by.
pub fn call() -> Call {
    critical_section::with(|cs| FIRST.borrow(cs).get())
}

/// Lets this processor end the machine, and no other. If another one does already, this one stops: what it
/// runs on is being cleared.
pub fn claim_end() {
    let me = cpu::affinity();
    let other = critical_section::with(|cs| {
        let ender = ENDER.borrow(cs);
        let before = ender.get();
        ender.set(before.or(Some(me)));
        before.is_some_and(|ender| ender != me)
    });
    if other {
        cpu::halt();
    }
}

/// Clears what the image knew, heap and stacks, and turns the machine off.
///
/// An RMM clears the memory of a realm that is gone, and nobody else can look before. This is for
/// the time in between, for a machine that cannot be turned off, and for one that is no realm.
///
/// Another processor than the first asks that one to do it, because its own stack is in the heap. If the
/// first does not come to that, the machine is turned off as it is.
pub fn off() -> ! {
    claim_end();
    if wake::is_first() {
        clear();
    }
    ASKED.store(true, Ordering::Release);
    wake::wake();
    if let Some(clock) = Counter::new() {
        clock.wait(PATIENCE, &mut || false);
    }
    cut()
}

/// Ends the machine if another processor asked for it. The first calls this when it comes round.
pub fn end_if_asked() {
    if ASKED.load(Ordering::Acquire) {
        clear();
    }
}

fn clear() -> ! {
    // SAFETY: from here on this processor takes nothing that another could be changing; the others stop
    // where they meet what was cleared.
    unsafe { arch::seize_locks() };
    critical_section::with(|cs| ENDER.borrow(cs).set(Some(cpu::affinity())));
    // SAFETY: what follows uses neither the heap nor the stack as it was, and does not return.
    unsafe { heap::clear() };
    arch::clear_stacks(cut)
}

/// Turns the machine off. An undefined call returns -1, so both ways can be tried; where neither
/// works nothing runs any more, and the machine stays on.
extern "C" fn cut() -> ! {
    let _ = psci::system_off(&call());
    let _ = psci::system_off(&Smc);
    let _ = psci::system_off(&Hvc);
    cpu::halt()
}

/// Prints the verdict on the payload, and turns the machine off.
pub fn end(verdict: Result<(), &dyn core::fmt::Display>) -> ! {
    claim_end();
    match console::dropped() {
        0 => {}
        bytes => crate::println!("console: the host did not take {bytes} bytes"),
    }
    match verdict {
        Ok(()) => crate::println!("payload: ok"),
        Err(reason) => crate::println!("payload: failed: {reason}"),
    }
    off()
}
