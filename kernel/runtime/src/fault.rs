//! What happens when something of ours breaks: a fault or a panic is told, and the machine ends.

use core::cell::Cell;
use core::fmt;
use core::panic::PanicInfo;

use arch::exception::Frame;
use arch::{image, stack};
use critical_section::Mutex;
use ipa::IpaSpace;
use plan::Fault;

use crate::{console, power, println};

/// Words of the stack that are told, at most.
const MOST_WORDS: usize = 96;

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
    power::claim_end();
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
    // Whoever carries lines elsewhere does not run any more.
    console::release();
    before
}

/// What happened, in one line.
struct Description {
    fault: Fault,
    space: IpaSpace,
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let guard = stack::is_guard(self.fault.address);
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
    tell_callers(frame.pc, frame.sp, Some(frame.link));
    let description = Description { fault, space };
    power::end(Err(&format_args!("fault: {description}")))
}

/// What of the stack is told: `airlock` makes callers of it, on a host that has the ELF file.
struct Callers {
    pc: u64,
    sp: u64,
    link: Option<u64>,
}

impl fmt::Display for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stack: pc=")?;
        match stack::code_offset(self.pc) {
            Some(code) => write!(f, "{code:#x}")?,
            None => f.write_str("elsewhere")?,
        }
        if let Some(code) = self.link.and_then(stack::code_offset) {
            write!(f, " link={code:#x}")?;
        }
        stack::code_words(self.sp)
            .take(MOST_WORDS)
            .try_for_each(|word| write!(f, " {:#x}:{:#x}", word.offset, word.code))
    }
}

/// Tells who called what broke.
#[inline(never)]
fn tell_callers(pc: u64, sp: u64, link: Option<u64>) {
    println!("{}", Callers { pc, sp, link });
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    first();
    let (pc, sp) = stack::here();
    tell_callers(pc, sp, None);
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
