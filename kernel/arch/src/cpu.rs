//! Single instructions: waiting, barriers, random numbers, the lock of a lone CPU.
// UNSAFETY: `critical_section::Impl` is an unsafe trait.
#![expect(unsafe_code, reason = "critical_section::Impl is an unsafe trait")]

use aarch64_cpu::asm::barrier;
use aarch64_cpu::asm::random::ArmRng;

/// Tries of a random number instruction, which may fail for a moment when it is drained.
const RANDOM_TRIES: usize = 64;

/// Waits until an interrupt is pending, or for no reason. Interrupts stay masked.
pub fn wait_for_interrupt() {
    barrier::dsb(barrier::SY);
    aarch64_cpu::asm::wfi();
}

/// Lets devices see what was stored to memory, before any register of theirs that is written next.
pub fn publish() {
    barrier::dsb(barrier::ISHST);
}

/// Completes what was written to system registers.
pub fn synchronize() {
    barrier::isb(barrier::SY);
}

/// Stops for good: nobody took the power away.
pub fn halt() -> ! {
    loop {
        aarch64_cpu::asm::wfi();
    }
}

/// The random number generator of the CPU. The host has no say in it.
#[derive(Clone, Copy, Debug)]
pub struct Random(ArmRng);

impl Random {
    /// Takes the generator; `None` if the CPU has no FEAT_RNG.
    pub fn new() -> Option<Self> {
        ArmRng::new().map(Self)
    }

    /// A number from a generator that has just been reseeded (`RNDRRS`); `None` if the hardware
    /// keeps failing.
    pub fn reseeded(self) -> Option<u64> {
        (0..RANDOM_TRIES).find_map(|_| self.0.rndrss())
    }

    /// A number from the generator (`RNDR`); `None` if the hardware keeps failing.
    pub fn next(self) -> Option<u64> {
        (0..RANDOM_TRIES).find_map(|_| self.0.rndr())
    }
}

/// The lock that the crates of embassy take around their lists.
struct LoneCpu;

critical_section::set_impl!(LoneCpu);

// SAFETY: the trait asks that nothing else runs between `acquire` and `release`. There is one CPU,
// it runs with interrupts masked from the first instruction on, and exceptions never return, so
// nothing ever runs beside the program.
unsafe impl critical_section::Impl for LoneCpu {
    unsafe fn acquire() -> critical_section::RawRestoreState {}

    unsafe fn release(_: critical_section::RawRestoreState) {}
}
