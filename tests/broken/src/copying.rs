//! The functions of the image that copy memory, on the CPU that they are for.
// UNSAFETY: the MMU is turned off and on.
#![expect(unsafe_code, reason = "the MMU is turned off and on")]

use core::arch::asm;

use airlock::println;
use copies::check::{self, Compiler};

/// `SCTLR_EL1.M`: the MMU is on.
const MMU: u64 = 1;

/// Checks them with the MMU on, and then as before it is: with all memory as Device memory, where
/// an unaligned access faults (QEMU 7.2 lets it pass, 10.0 does not).
pub fn check() -> Result<(), &'static str> {
    tell("on", check::check_sums(&Compiler))?;
    tell("on", check::check(&Compiler))?;
    let control: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mrs {}, sctlr_el1", out(reg) control) };
    // SAFETY: the map is an identity, and in QEMU no cache hides what was written. No exclusive access
    // and no device is used before it is on again.
    unsafe { set_control(control & !MMU) };
    let result = check::check(&Compiler);
    // SAFETY: this is what the register was.
    unsafe { set_control(control) };
    tell("off", result)
}

fn tell(state: &str, result: Result<usize, check::Failure>) -> Result<(), &'static str> {
    match result {
        Ok(cases) => println!("copies: {cases} cases right with the MMU {state}"),
        Err(failure) => {
            println!("copies: {failure} with the MMU {state}");
            return Err("memory is not copied as it should be");
        }
    }
    Ok(())
}

/// Writes `SCTLR_EL1`.
///
/// # Safety
///
/// What memory is then must be what the program may use.
unsafe fn set_control(control: u64) {
    // SAFETY: the caller vouches for the value.
    unsafe { asm!("dsb sy", "msr sctlr_el1, {}", "isb", in(reg) control) };
}
