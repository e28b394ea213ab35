//! How one processor stops the others for good, whatever they do.
//!
//! Each of the others has interrupts unmasked while it runs work, and its vector does one of two things: it
//! ends the interrupt, which only was to wake the processor, or it stops the processor, which never runs
//! anything again. Nothing else ever runs beside the program.
// UNSAFETY: an interrupt has no calling convention.
#![expect(unsafe_code, reason = "an interrupt has no calling convention")]

use core::arch::{asm, global_asm};
use core::sync::atomic::{AtomicU32, Ordering};

/// Whether processors have to stop.
static STOP: AtomicU32 = AtomicU32::new(0);
/// Those that did.
static STOPPED: AtomicU32 = AtomicU32::new(0);

unsafe extern "C" {
    safe fn airlock_stop_here() -> !;
}

global_asm!(
    ".section .text.stop, \"ax\"",
    // The vector of an interrupt branches here, with `x0` kept in `TPIDR_EL1`.
    ".global airlock_interrupted",
    "airlock_interrupted:",
    "   adrp    x0, {stop}",
    "   ldr     w0, [x0, :lo12:{stop}]",
    "   cbnz    w0, airlock_stop_here",
    // ICC_IAR1_EL1 and ICC_EOIR1_EL1: it only was to wake us, and we are awake.
    "   mrs     x0, s3_0_c12_c12_0",
    "   msr     s3_0_c12_c12_1, x0",
    "   isb",
    "   mrs     x0, tpidr_el1",
    "   eret",
    // Neither stack is used from here on: it may be cleared at any time.
    ".global airlock_stop_here",
    "airlock_stop_here:",
    "   msr     daifset, #0xf",
    "   adrp    x0, {stopped}",
    "   add     x0, x0, :lo12:{stopped}",
    "2: ldaxr   w1, [x0]",
    "   add     w1, w1, #1",
    "   stlxr   w2, w1, [x0]",
    "   cbnz    w2, 2b",
    "3: wfi",
    "   b       3b",
    stop = sym STOP,
    stopped = sym STOPPED,
);

/// Lets others stop this processor while it runs `work`.
pub fn stoppable<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: an interrupt changes nothing that the program can see, or the program never goes on.
    unsafe { asm!("msr daifclr, #2") };
    let result = work();
    mask();
    result
}

/// Lets nobody stop this processor.
pub fn mask() {
    // SAFETY: masking only delays interrupts.
    unsafe { asm!("msr daifset, #2") };
}

/// Asks every other processor to stop. Each has to be rung.
pub fn ask() {
    STOP.store(1, Ordering::SeqCst);
}

/// Whether processors have to stop.
pub fn is_asked() -> bool {
    STOP.load(Ordering::Acquire) != 0
}

/// Stops this processor if another one ends the machine. The first calls this when it comes round.
pub fn here_if_asked() {
    if is_asked() {
        here();
    }
}

/// How many did.
pub fn count() -> usize {
    STOPPED.load(Ordering::Acquire) as usize
}

/// Stops this processor for good, and counts it.
pub fn here() -> ! {
    airlock_stop_here()
}
