//! Single instructions: waiting, barriers, random numbers, which CPU this is.

use aarch64_cpu::asm::barrier;
use aarch64_cpu::asm::random::ArmRng;
use aarch64_cpu::registers::MPIDR_EL1;
use tock_registers::interfaces::Readable;

/// The four affinity fields of `MPIDR_EL1`.
const AFFINITY: u64 = 0xff_00ff_ffff;
/// Tries of a random number instruction, which may fail for a moment when it is drained.
const RANDOM_TRIES: usize = 64;

/// Waits until an interrupt is pending, or for no reason. Interrupts stay masked.
pub fn wait_for_interrupt() {
    barrier::dsb(barrier::SY);
    aarch64_cpu::asm::wfi();
}

/// Which CPU this is: its affinity, as PSCI and the device tree name it.
pub fn affinity() -> u64 {
    MPIDR_EL1.get() & AFFINITY
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
