//! The first map: the image, page by page, made by the first instructions.
//!
//! Where the MMU is off all memory is Device memory, in which an unaligned access faults, and the compiler may make any
//! access unaligned. So Rust runs with the MMU on, from its first instruction.
// UNSAFETY: tables that the CPU walks, before there is anything that Rust relies on.

use core::arch::naked_asm;

use aarch64_cpu::registers::SCTLR_EL1;

use crate::paging::{Content, MAIR, MOST_ADDRESS_BITS, TCR};

/// Two low bits of an entry that points to a table, and of one that is a page.
const TABLE: u64 = 3;
/// What each page has but those of code: constants are written once more, when addresses are added to them.
const WRITABLE: u64 = Content::Data.attributes().bits() as u64 | TABLE;
const CODE: u64 = Content::Code.attributes().bits() as u64 | TABLE;
/// `SCTLR_EL1` with the MMU and caches off, and the bits set that are reserved as one.
pub(crate) const SCTLR_OFF: u64 = 0x30d0_0800;
/// The same with MMU and caches on, and nothing both writable and executable.
const SCTLR_ON: u64 = SCTLR_OFF
    | SCTLR_EL1::M::Enable.value
    | SCTLR_EL1::C::Cacheable.value
    | SCTLR_EL1::I::Cacheable.value
    | SCTLR_EL1::WXN::Enable.value;

/// Maps the image to itself and turns the MMU and the caches on. Returns to `x30`; uses `x1` to `x17`.
///
/// The eight pages at `__first_tables` are three tables of pages, two of each level above them, and the root. Those of one
/// level lie side by side, so that an image which crosses a border of one needs no branch: it goes on in the next.
///
/// Ref: Arm ARM, DDI 0487, D8.3 "Translation table descriptor formats".
#[unsafe(naked)]
pub(crate) extern "C" fn map_image() {
    naked_asm!(
        // No line of the tables may be in a cache while they are written past it.
        "adrp   x1, __first_tables",
        "add    x2, x1, #8, lsl #12",
        "mrs    x3, ctr_el0",
        "ubfx   x3, x3, #16, #4",
        "mov    x4, #4",
        "lsl    x3, x4, x3",
        "mov    x5, x1",
        "2:",
        "dc     civac, x5",
        "add    x5, x5, x3",
        "cmp    x5, x2",
        "b.lo   2b",
        "dsb    sy",
        "mov    x5, x1",
        "3:",
        "stp    xzr, xzr, [x5], #16",
        "cmp    x5, x2",
        "b.lo   3b",

        // Pages, from that of the image's first byte in the table of its 2 MiB.
        "adrp   x6, __image_start",
        "adrp   x7, __rodata_start",
        "adrp   x8, __image_end",
        "and    x9, x6, #0xffffffffffe00000",
        "ldr    x10, ={code}",
        "ldr    x11, ={writable}",
        "mov    x12, x6",
        "4:",
        "cmp    x12, x7",
        "csel   x13, x10, x11, lo",
        "orr    x13, x13, x12",
        "sub    x14, x12, x9",
        "lsr    x14, x14, #12",
        "str    x13, [x1, x14, lsl #3]",
        "add    x12, x12, #1, lsl #12",
        "cmp    x12, x8",
        "b.lo   4b",

        // The three tables of pages, in the table of the image's GiB.
        "add    x15, x1, #3, lsl #12",
        "and    x12, x6, #0xffffffffc0000000",
        "sub    x14, x9, x12",
        "lsr    x14, x14, #21",
        "add    x14, x15, x14, lsl #3",
        "orr    x13, x1, {table}",
        "str    x13, [x14]",
        "add    x13, x13, #1, lsl #12",
        "str    x13, [x14, #8]",
        "add    x13, x13, #1, lsl #12",
        "str    x13, [x14, #16]",

        // Those two, in the table of the image's 512 GiB.
        "add    x16, x1, #5, lsl #12",
        "and    x13, x6, #0xffffff8000000000",
        "sub    x14, x12, x13",
        "lsr    x14, x14, #30",
        "add    x14, x16, x14, lsl #3",
        "orr    x13, x15, {table}",
        "str    x13, [x14]",
        "add    x13, x13, #1, lsl #12",
        "str    x13, [x14, #8]",

        // And those, in the root. The last entry of all has no next one: what is written there instead is memory behind the
        // tables, which is cleared later.
        "add    x17, x1, #7, lsl #12",
        "ubfx   x14, x6, #39, #9",
        "add    x14, x17, x14, lsl #3",
        "orr    x13, x16, {table}",
        "str    x13, [x14]",
        "add    x13, x13, #1, lsl #12",
        "str    x13, [x14, #8]",

        // Nor may a line be there that was fetched meanwhile.
        "dsb    sy",
        "mov    x5, x1",
        "5:",
        "dc     civac, x5",
        "add    x5, x5, x3",
        "cmp    x5, x2",
        "b.lo   5b",

        "ldr    x12, ={mair}",
        "msr    mair_el1, x12",
        "mrs    x12, id_aa64mmfr0_el1",
        "and    x12, x12, #0xf",
        "mov    x13, {most_address_bits}",
        "cmp    x12, x13",
        "csel   x12, x12, x13, lo",
        "ldr    x13, ={tcr}",
        "orr    x13, x13, x12, lsl #32",
        "msr    tcr_el1, x13",
        "msr    ttbr0_el1, x17",
        "dsb    sy",
        "isb",
        "tlbi   vmalle1",
        "ic     iallu",
        "dsb    nsh",
        "isb",
        "ldr    x12, ={sctlr}",
        "msr    sctlr_el1, x12",
        "isb",
        "ret",
        code = const CODE,
        writable = const WRITABLE,
        table = const TABLE,
        mair = const MAIR.0,
        most_address_bits = const MOST_ADDRESS_BITS,
        tcr = const TCR,
        sctlr = const SCTLR_ON,
    )
}
