//! Where the parts of the image are, as the linker laid them out.
// UNSAFETY: addresses of linker symbols.
#![expect(unsafe_code, reason = "linker symbols are foreign statics")]

use core::ops::Range;

macro_rules! symbols {
    ($($symbol:ident),* $(,)?) => {
        unsafe extern "C" {
            $(safe static $symbol: u8;)*
        }
    };
}

symbols!(
    __image_start,
    __image_end,
    __rodata_start,
    __data_start,
    __tables_start,
    __tables_end,
    __arena_start,
    __arena_end,
    __exception_guard,
    __exception_stack_top,
    __stack_guard,
    __stack_top,
);

/// Bytes of a guard page.
const GUARD: u64 = 4096;

macro_rules! at {
    ($symbol:ident) => {
        (&raw const $symbol) as u64
    };
}

/// Everything, bss included.
pub fn whole() -> Range<u64> {
    at!(__image_start)..at!(__image_end)
}

/// Code.
pub fn code() -> Range<u64> {
    at!(__image_start)..at!(__rodata_start)
}

/// Constants, those with addresses in them included.
pub fn constants() -> Range<u64> {
    at!(__rodata_start)..at!(__data_start)
}

/// The three runs of writable memory; between them lie the guard pages.
pub fn data() -> [Range<u64>; 3] {
    [
        at!(__data_start)..at!(__exception_guard),
        at!(__exception_guard) + GUARD..at!(__stack_guard),
        at!(__stack_guard) + GUARD..at!(__image_end),
    ]
}

/// The memory for page tables, cleared at entry.
pub(crate) fn tables() -> Range<u64> {
    at!(__tables_start)..at!(__tables_end)
}

/// The memory for what is allocated before RAM is claimed.
pub fn arena() -> Range<u64> {
    at!(__arena_start)..at!(__arena_end)
}

/// Whether `address` is in a page below one of the two stacks, so that touching it means that the
/// stack overflowed.
pub fn is_guard(address: u64) -> bool {
    [at!(__exception_guard), at!(__stack_guard)]
        .iter()
        .any(|guard| (*guard..*guard + GUARD).contains(&address))
}

/// Bytes that the deepest call so far has left untouched at the bottom of the stack.
pub fn stack() -> Range<u64> {
    at!(__stack_guard) + GUARD..at!(__stack_top)
}
