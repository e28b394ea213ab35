//! The last steps of a program: its stacks are cleared, and it goes on with an empty one.
// UNSAFETY: takes the stack away from under its callers.
#![expect(unsafe_code, reason = "takes the stack away from under its callers")]

use core::arch::naked_asm;
use core::ops::Range;

use crate::{stack, stacks};

/// Clears all stacks, of whichever processors, and goes on with `last` on the empty stack of the image.
///
/// # Safety
///
/// The program ends: no other processor comes back to its stack.
pub unsafe fn clear_stacks(last: extern "C" fn() -> !) -> ! {
    let (_, sp) = stack::here();
    let own = stacks::room_of(sp);
    let others = (1..).map_while(stacks::room);
    for room in others.filter(|room| Some(room) != own.as_ref()) {
        for run in stacks::in_room(&room) {
            // SAFETY: the run is a stack, mapped for good, of a processor that does not come back to it.
            unsafe { clear(&run) };
        }
    }
    let [lower, upper] = own.map_or([0..0, 0..0], |room| stacks::in_room(&room));
    clear_own(last, lower.start, lower.end, upper.start, upper.end)
}

/// Clears memory.
///
/// # Safety
///
/// It is mapped, and nothing refers to it.
unsafe fn clear(run: &Range<u64>) {
    for at in run.clone().step_by(8) {
        // SAFETY: as the caller promises; the word lies in the run.
        unsafe { (at as *mut u64).write_volatile(0) };
    }
}

/// Clears from `lower` to `lower_end` and from `upper` to `upper_end`, both stacks of the image, and the
/// vector registers, and goes on with `last` on an empty stack. Whoever called has no frame any more, so
/// nothing comes back.
#[unsafe(naked)]
extern "C" fn clear_own(
    last: extern "C" fn() -> !,
    lower: u64,
    lower_end: u64,
    upper: u64,
    upper_end: u64,
) -> ! {
    naked_asm!(
        // The exception stack may be the one that we are on.
        "msr    spsel, #0",
        "2:",
        "cmp    x1, x2",
        "b.hs   3f",
        "stp    xzr, xzr, [x1], #16",
        "b      2b",
        "3:",
        "cmp    x3, x4",
        "b.hs   4f",
        "stp    xzr, xzr, [x3], #16",
        "b      3b",
        "4:",
        "adrp   x1, __exception_guard",
        "add    x1, x1, #1, lsl #12",
        "adrp   x2, __exception_stack_top",
        "5:",
        "stp    xzr, xzr, [x1], #16",
        "cmp    x1, x2",
        "b.lo   5b",
        "adrp   x1, __stack_guard",
        "add    x1, x1, #1, lsl #12",
        "adrp   x2, __stack_top",
        "6:",
        "stp    xzr, xzr, [x1], #16",
        "cmp    x1, x2",
        "b.lo   6b",
        "mov    sp, x2",
        "mov    x29, xzr",
        "mov    x30, xzr",
        // Copies go by vector registers.
        ".irp   n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31",
        "movi   v\\n\\().2d, #0",
        ".endr",
        "br     x0",
    )
}
