//! The last steps of a program: its stacks are cleared, and it goes on with an empty one.
// UNSAFETY: takes the stack away from under its callers; assembly alone.

use core::arch::naked_asm;

/// Clears both stacks and the vector registers, and goes on with `last` on an empty stack. Whoever
/// called has no frame any more, so nothing comes back.
#[unsafe(naked)]
pub extern "C" fn clear_stacks(last: extern "C" fn() -> !) -> ! {
    naked_asm!(
        // The exception stack may be the one that we are on.
        "msr    spsel, #0",
        "adrp   x1, __exception_guard",
        "add    x1, x1, #1, lsl #12",
        "adrp   x2, __exception_stack_top",
        "2:",
        "stp    xzr, xzr, [x1], #16",
        "cmp    x1, x2",
        "b.lo   2b",
        "adrp   x1, __stack_guard",
        "add    x1, x1, #1, lsl #12",
        "adrp   x2, __stack_top",
        "3:",
        "stp    xzr, xzr, [x1], #16",
        "cmp    x1, x2",
        "b.lo   3b",
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
