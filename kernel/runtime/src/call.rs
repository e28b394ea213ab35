//! The call that leads out of the image: `smc` or `hvc`.

use core::cell::Cell;

use arch::{Hvc, Smc};
use critical_section::Mutex;
use devtree::PsciMethod;
use rsi::{Arguments, Conduit, Results};

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

/// The call of this machine. Panics and faults have to end the machine too, so this is global.
static FIRST: Mutex<Cell<Call>> = Mutex::new(Cell::new(Call::Smc));

/// Uses `call` from now on.
pub fn settle(call: Call) {
    critical_section::with(|cs| FIRST.borrow(cs).set(call));
}

/// The call that PSCI goes by.
pub fn current() -> Call {
    critical_section::with(|cs| FIRST.borrow(cs).get())
}
