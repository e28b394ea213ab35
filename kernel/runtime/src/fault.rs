//! What happens when something of ours breaks: a fault or a panic is told, and the machine ends.

use core::cell::Cell;
use core::fmt;
use core::panic::PanicInfo;

use arch::exception::Frame;
use arch::image;
use critical_section::Mutex;
use ipa::IpaSpace;
use plan::Fault;

use crate::{power, println};

/// What faults have to know of the machine.
#[derive(Clone, Copy)]
struct Known {
    space: IpaSpace,
    /// Something broke before; what breaks now broke while it was told.
    broken: bool,
}

static KNOWN: Mutex<Cell<Known>> = Mutex::new(Cell::new(Known {
    space: IpaSpace::plain(),
    broken: false,
}));

/// Tells later faults where the halves of the address space meet.
pub fn know(space: IpaSpace) {
    critical_section::with(|cs| {
        let known = KNOWN.borrow(cs);
        known.set(Known {
            space,
            ..known.get()
        });
    });
}

/// Notes that something broke. If that is news, gives what is known; otherwise ends the machine,
/// because telling is what breaks.
fn first() -> Known {
    let before = critical_section::with(|cs| {
        let known = KNOWN.borrow(cs);
        known.replace(Known {
            broken: true,
            ..known.get()
        })
    });
    if before.broken {
        power::off();
    }
    before
}

/// What happened, in one line.
struct Description {
    fault: Fault,
    space: IpaSpace,
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let guard = image::is_guard(self.fault.address);
        self.fault.describe(f, self.space, guard)
    }
}

/// Takes an exception that nobody asked for.
pub fn fault(frame: Frame) -> ! {
    let fault = Fault {
        vector: frame.vector,
        syndrome: frame.syndrome,
        address: frame.address,
    };
    let space = first().space;
    println!(
        "fault: pc {:#x} (image + {:#x}), syndrome {:#x}, address {:#x}, sp {:#x}, vector {}",
        frame.pc,
        frame.pc.wrapping_sub(image::whole().start),
        frame.syndrome,
        frame.address,
        frame.sp,
        frame.vector
    );
    let description = Description { fault, space };
    power::end(Err(&format_args!("fault: {description}")))
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    first();
    let message = info.message();
    match info.location() {
        Some(at) => power::end(Err(&format_args!(
            "panic at {}:{}: {message}",
            at.file(),
            at.line()
        ))),
        None => power::end(Err(&format_args!("panic: {message}"))),
    }
}
