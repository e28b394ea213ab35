//! The only way to the assembly, and from there back.
// UNSAFETY: breaking rules by address is what this image is for.
#![expect(
    unsafe_code,
    reason = "each access is one instruction at an address of our choice"
)]

use core::arch::global_asm;

global_asm!(include_str!("entry.s"));

unsafe extern "C" {
    fn rogue_load8(address: u64) -> u64;
    fn rogue_load16(address: u64) -> u64;
    fn rogue_load32(address: u64) -> u64;
    fn rogue_load64(address: u64) -> u64;
    fn rogue_store8(address: u64, value: u64);
    fn rogue_store16(address: u64, value: u64);
    fn rogue_store32(address: u64, value: u64);
    fn rogue_store64(address: u64, value: u64);
    fn rogue_store32_write_back(address: u64, value: u64);
    fn rogue_call(address: u64);
    fn rogue_smc(function: u64, x1: u64, x2: u64, x3: u64, x4: u64, results: &mut [u64; 3]);
    static image_start: u8;
    static pages_start: u8;
}

/// Bytes of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// One.
    Byte,
    /// Two.
    Half,
    /// Four.
    Word,
    /// Eight.
    Double,
}

/// The first Rust.
#[unsafe(no_mangle)]
extern "C" fn rogue_main(tree: u64) -> ! {
    super::main(tree)
}

/// The only Rust after an exception.
#[unsafe(no_mangle)]
extern "C" fn rogue_fault(esr: u64, far: u64) -> ! {
    super::fault(esr, far)
}

/// The first of the pages that belong to no object.
pub fn pages() -> u64 {
    (&raw const pages_start).expose_provenance() as u64
}

/// Whether `address` is outside of everything that Rust knows of: the image up to its pages.
fn is_free(address: u64) -> bool {
    let start = (&raw const image_start).expose_provenance() as u64;
    !(start..pages()).contains(&address)
}

/// Loads from `address`; 0 inside the program itself.
pub fn load(address: u64, width: Width) -> u64 {
    let load = match width {
        Width::Byte => rogue_load8,
        Width::Half => rogue_load16,
        Width::Word => rogue_load32,
        Width::Double => rogue_load64,
    };
    if !is_free(address) {
        return 0;
    }
    // SAFETY: no object of Rust lies there. A fault ends in `fault`, which is what may be wanted.
    unsafe { load(address) }
}

/// Stores `value` at `address`; does nothing inside the program itself.
pub fn store(address: u64, width: Width, value: u64) {
    let store = match width {
        Width::Byte => rogue_store8,
        Width::Half => rogue_store16,
        Width::Word => rogue_store32,
        Width::Double => rogue_store64,
    };
    if is_free(address) {
        // SAFETY: as in `load`.
        unsafe { store(address, value) }
    }
}

/// Stores a word with an instruction that also changes its address register.
pub fn store_write_back(address: u64, value: u64) {
    if is_free(address) {
        // SAFETY: as in `load`.
        unsafe { rogue_store32_write_back(address, value) }
    }
}

/// Runs the code at `address`, which has to return at once.
pub fn call(address: u64) {
    if is_free(address) {
        // SAFETY: only `rules` calls this, on a page where it put a single return instruction.
        unsafe { rogue_call(address) }
    }
}

/// Calls the RMM; gives `x0` to `x2`.
pub fn smc(function: u64, arguments: [u64; 4]) -> [u64; 3] {
    let [x1, x2, x3, x4] = arguments;
    let mut results = [0; 3];
    // SAFETY: the RMM writes only to pages that it is given, and they belong to no object.
    unsafe { rogue_smc(function, x1, x2, x3, x4, &mut results) }
    results
}
