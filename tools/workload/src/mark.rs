//! The instruction that begins a phase.
//!
//! `movz xzr, #(0xA100 + N)` does nothing at any exception level; the plugin of `tools/bench` sees it.
// UNSAFETY: inline assembly; the one instruction has no effect that the compiler would have to know.
#![cfg_attr(
    target_arch = "aarch64",
    expect(
        unsafe_code,
        reason = "an instruction of one's own choice takes assembly"
    )
)]

use crate::phase::Phase;

/// From here on everything counts for `phase`.
#[inline(never)]
pub fn mark(phase: Phase) {
    match phase {
        Phase::Boot => one::<0xA100>(),
        Phase::Other => one::<0xA101>(),
        Phase::Send => one::<0xA102>(),
        Phase::Receive => one::<0xA103>(),
        Phase::RoundTrip => one::<0xA104>(),
        Phase::Read128K => one::<0xA105>(),
        Phase::Read4KDepth1 => one::<0xA106>(),
        Phase::Read4KDepth4 => one::<0xA107>(),
        Phase::Read4KDepth32 => one::<0xA108>(),
        Phase::SendMany => one::<0xA109>(),
        Phase::ReceiveMany => one::<0xA10A>(),
        Phase::Connect => one::<0xA10B>(),
    }
}

#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn one<const MARK: u16>() {
    // SAFETY: a move into the zero register changes nothing. Memory is taken to be clobbered, so that
    // what belongs to one phase is not moved into another.
    unsafe {
        core::arch::asm!("movz xzr, #{mark}", mark = const MARK, options(nostack, preserves_flags))
    };
}

/// On another processor nobody counts.
#[cfg(not(target_arch = "aarch64"))]
fn one<const MARK: u16>() {
    core::hint::black_box(MARK);
}
