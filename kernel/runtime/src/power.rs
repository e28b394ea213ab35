//! The end: power off, by whatever call the machine has for it.

use core::cell::Cell;

use crate::console;
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

/// Turns the machine off. An undefined call returns -1, so both ways can be tried; where neither
/// works nothing runs any more, and the machine stays on.
pub fn off() -> ! {
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
