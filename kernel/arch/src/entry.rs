//! The first instructions: image header, stacks, the first map, zeroed memory, relocation.
// UNSAFETY: the CPU enters here with nothing that Rust relies on.
#![expect(
    unsafe_code,
    reason = "the CPU enters here with nothing that Rust relies on"
)]

use core::arch::naked_asm;

use crate::exception;
use crate::first_map::{SCTLR_OFF, map_image};

/// Names the functions that the CPU is sent to: `$start` once, when the image is entered, `$fault`
/// whenever an exception is taken that nobody asked for, and `$secondary` once on each other CPU, with
/// the number that its [`crate::secondary::Start`] has.
///
/// `$start` gets the address of the device tree (unchecked), and the counter at entry in ticks. It
/// runs on the stack of the image, with nothing mapped but the image, and floating point on.
#[macro_export]
macro_rules! start {
    ($start:path, $fault:path, $secondary:path) => {
        #[unsafe(no_mangle)]
        extern "C" fn airlock_secondary(processor: u64) -> ! {
            let secondary: fn(u64) -> ! = $secondary;
            secondary(processor)
        }

        #[unsafe(no_mangle)]
        extern "C" fn airlock_start(device_tree: u64, ticks: u64) -> ! {
            let start: fn(u64, u64) -> ! = $start;
            start(device_tree, ticks)
        }

        #[unsafe(no_mangle)]
        extern "C" fn airlock_fault(
            vector: u64,
            syndrome: u64,
            address: u64,
            pc: u64,
            sp: u64,
            link: u64,
        ) -> ! {
            let fault: fn($crate::exception::Frame) -> ! = $fault;
            fault($crate::exception::Frame {
                vector,
                syndrome,
                address,
                pc,
                sp,
                link,
            })
        }
    };
}

unsafe extern "C" {
    fn airlock_start(device_tree: u64, ticks: u64) -> !;
}

/// `CPACR_EL1.FPEN` = 3: floating point and SIMD do not trap.
pub(crate) const FPEN: u64 = 3 << 20;
/// `DAIF` bits for `daifset`: debug, SError, IRQ, FIQ.
const DAIF_ALL: u64 = 0xf;
/// `DAIF` bit of SErrors for `daifclr`.
pub(crate) const DAIF_SERROR: u64 = 4;

/// The first byte of the image: the arm64 boot header, and then the way to `airlock_start`.
///
/// Ref: Linux Documentation/arch/arm64/booting.rst, section 4 "Call the kernel image".
#[unsafe(naked)]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".head")]
extern "C" fn _start() -> ! {
    naked_asm!(
        // Header of 64 bytes. Flags: little-endian, 4 KiB pages, any 2 MiB-aligned address.
        "b      2f",
        ".long  0",
        ".quad  0",
        ".quad  __image_size",
        ".quad  0xa",
        ".quad  0, 0, 0",
        ".ascii \"ARM\\x64\"",
        ".long  0",

        // Keep what the VMM gave us and the time, both in registers that nothing here changes.
        "2:",
        "mov    x20, x0",
        "mrs    x21, cntvct_el0",

        // Vectors before anything that could fault; they need the exception stack.
        "msr    daifset, {daif_all}",
        "adrp   x1, {vectors}",
        "add    x1, x1, :lo12:{vectors}",
        "msr    vbar_el1, x1",
        "msr    spsel, #1",
        "adrp   x1, __exception_stack_top",
        "msr    tpidr_el0, x1",
        "mov    sp, x1",
        "msr    spsel, #0",
        "adrp   x1, __stack_top",
        "mov    sp, x1",
        "ldr    x1, ={sctlr}",
        "msr    sctlr_el1, x1",
        "mov    x1, {fpen}",
        "msr    cpacr_el1, x1",
        "isb",
        "msr    daifclr, {daif_serror}",

        "bl     {map_image}",

        // Memory without content in the file holds whatever was there before us.
        "adrp   x1, __bss_start",
        "add    x1, x1, :lo12:__bss_start",
        "adrp   x2, __bss_end",
        "add    x2, x2, :lo12:__bss_end",
        "3:",
        "cmp    x1, x2",
        "b.hs   4f",
        "stp    xzr, xzr, [x1], #16",
        "b      3b",

        // The image is linked at 0: add the address that it is really at to each stored address. Their
        // places are packed: a word that is even is one, and each odd word behind it says by its upper
        // 63 bits which of the next 63 places are.
        "4:",
        "adrp   x3, __image_start",
        "adrp   x1, __relr_start",
        "add    x1, x1, :lo12:__relr_start",
        "adrp   x2, __relr_end",
        "add    x2, x2, :lo12:__relr_end",
        "5:",
        "cmp    x1, x2",
        "b.hs   6f",
        "ldr    x4, [x1], #8",
        "tbnz   x4, #0, 7f",
        "add    x5, x3, x4",
        "ldr    x6, [x5]",
        "add    x6, x6, x3",
        "str    x6, [x5], #8",
        "b      5b",
        "7:",
        "mov    x7, x5",
        "add    x5, x5, #63 * 8",
        "8:",
        "lsr    x4, x4, #1",
        "cbz    x4, 5b",
        "tbz    x4, #0, 9f",
        "ldr    x6, [x7]",
        "add    x6, x6, x3",
        "str    x6, [x7]",
        "9:",
        "add    x7, x7, #8",
        "b      8b",

        "6:",
        "mov    x0, x20",
        "mov    x1, x21",
        "mov    x29, xzr",
        "mov    x30, xzr",
        "b      {start}",
        daif_all = const DAIF_ALL,
        daif_serror = const DAIF_SERROR,
        sctlr = const SCTLR_OFF,
        fpen = const FPEN,
        vectors = sym exception::VECTORS,
        map_image = sym map_image,
        start = sym airlock_start,
    )
}
