//! The end: what the image knew is cleared, and the machine is turned off by whatever call it has.
// UNSAFETY: takes the heap away from everybody.
#![expect(unsafe_code, reason = "takes the heap away from everybody")]

use core::cell::Cell;

use crate::{console, heap};
use arch::{Hvc, Smc, cpu};
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

/// Uses `call` from now on.
pub fn use_call(call: Call) {
    critical_section::with(|cs| FIRST.borrow(cs).set(call));
}

/// Clears what the image knew, heap and stacks, and turns the machine off.
///
/// An RMM clears the memory of a realm that is gone, and nobody else can look before. This is for
/// the time in between, for a machine that cannot be turned off, and for one that is no realm.
pub fn off() -> ! {
    // SAFETY: what follows uses neither the heap nor the stack as it was, and does not return.
    unsafe { heap::clear() };
    arch::clear_stacks(cut)
}

/// Turns the machine off. An undefined call returns -1, so both ways can be tried; where neither
/// works nothing runs any more, and the machine stays on.
extern "C" fn cut() -> ! {
    let first = critical_section::with(|cs| FIRST.borrow(cs).get());
    let _ = psci::system_off(&first);
    let _ = psci::system_off(&Smc);
    let _ = psci::system_off(&Hvc);
    cpu::halt()
}

/// Prints the verdict on the payload, and turns the machine off.
pub fn end(verdict: Result<(), &dyn core::fmt::Display>) -> ! {
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
