//! What the stack tells of who called whom.
//!
//! There are no frame pointers, and nothing here unwinds. What can be said without tables is which
//! words of the stack are addresses of code: the host, which has the tables, finds the callers
//! among them. No other word is given out: it may be a secret.
// UNSAFETY: reads the stack as words.
#![expect(unsafe_code, reason = "reads the stack as words")]

use core::arch::asm;
use core::ops::Range;

use crate::{image, stacks};

/// Words that are looked at, at most.
const DEEPEST: u64 = 4096;
const WORD: u64 = 8;

/// A word of the stack that is an address of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// Bytes above the stack pointer.
    pub offset: u64,
    /// Bytes from the start of the image.
    pub code: u64,
}

/// Where the program is: the address of an instruction of the caller, and its stack pointer.
#[inline(always)]
pub fn here() -> (u64, u64) {
    let (pc, sp);
    // SAFETY: reads two registers.
    unsafe { asm!("adr {}, .", "mov {}, sp", out(reg) pc, out(reg) sp, options(nomem, nostack)) };
    (pc, sp)
}

/// How far into the image's code `address` is; `None` if it is no code.
pub fn code_offset(address: u64) -> Option<u64> {
    let code = image::code();
    code.contains(&address).then(|| address - code.start)
}

/// Whether `address` is in a page below a stack, so that touching it means that the stack overflowed.
pub fn is_guard(address: u64) -> bool {
    image::is_guard(address) || stacks::is_guard(address)
}

/// The stack that programs run on and `sp` belongs to: of the first processor, or of another.
fn stack_of(sp: u64) -> Range<u64> {
    let other = stacks::room_of(sp).map(|room| stacks::in_room(&room));
    other.map_or_else(image::stack, |[stack, _]| stack)
}

/// The words from `sp` up to the top of the stack that are addresses of code. None, where `sp` points
/// neither into the stack nor, as when it overflowed, into the page below: then it is what broke.
pub fn code_words(sp: u64) -> impl Iterator<Item = Word> {
    let stack = stack_of(sp);
    let known = (stack.contains(&sp) || is_guard(sp)) && sp.is_multiple_of(WORD);
    let start = sp.max(stack.start);
    let words = if known {
        (stack.end.saturating_sub(start)) / WORD
    } else {
        0
    };
    (0..words.min(DEEPEST)).filter_map(move |index| {
        let at = start + index * WORD;
        // SAFETY: the word lies in the stack, which is mapped for good. Nobody else runs while we
        // look.
        let value = unsafe { (at as *const u64).read_volatile() };
        let offset = at - sp;
        code_offset(value).map(|code| Word { offset, code })
    })
}
