//! The generic timer: time since reset, and one alarm.

use core::time::Duration;

use aarch64_cpu::registers::{CNTFRQ_EL0, CNTV_CTL_EL0, CNTV_CVAL_EL0, CNTVCT_EL0};
use clock::{Clock, Instant};
use tock_registers::interfaces::{Readable, Writeable};

use crate::cpu;

const NANOS: u64 = 1_000_000_000;
/// What a counter may run at, in Hz. The architecture wants 1 MHz to 1 GHz in practice.
const FREQUENCIES: core::ops::RangeInclusive<u64> = 100_000..=10_000_000_000;

/// The virtual counter. In a realm, its offset is 0 for life: the host cannot change it.
///
/// Ref: DEN0137 1.0-rel0, A6.2 "Realm timers".
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    frequency: u64,
}

impl Counter {
    /// Takes the counter; `None` if its frequency makes no sense.
    pub fn new() -> Option<Self> {
        let frequency = CNTFRQ_EL0.get();
        FREQUENCIES
            .contains(&frequency)
            .then_some(Self { frequency })
    }

    /// Ticks in a second.
    pub const fn frequency(self) -> u64 {
        self.frequency
    }

    /// The instant of `ticks` on the counter.
    pub const fn instant(self, ticks: u64) -> Instant {
        let whole = (ticks / self.frequency).saturating_mul(NANOS);
        let rest = (ticks % self.frequency).saturating_mul(NANOS) / self.frequency;
        Instant::from_nanos(whole.saturating_add(rest))
    }

    /// The first tick at or after `at`.
    const fn ticks(self, at: Instant) -> u64 {
        let nanos = at.as_nanos();
        let whole = (nanos / NANOS).saturating_mul(self.frequency);
        let rest = (nanos % NANOS)
            .saturating_mul(self.frequency)
            .div_ceil(NANOS);
        whole.saturating_add(rest)
    }

    /// Raises the timer's interrupt line from `at` on, and not before.
    pub fn set_alarm(self, at: Instant) {
        CNTV_CVAL_EL0.set(self.ticks(at));
        CNTV_CTL_EL0.write(CNTV_CTL_EL0::ENABLE::SET + CNTV_CTL_EL0::IMASK::CLEAR);
        cpu::synchronize();
    }

    /// Lowers the timer's interrupt line until the next alarm.
    pub fn clear_alarm(self) {
        CNTV_CTL_EL0.write(CNTV_CTL_EL0::ENABLE::CLEAR);
        cpu::synchronize();
    }
}

impl Clock for Counter {
    fn now(&self) -> Instant {
        // Without this the counter could be read before what came earlier in the program.
        cpu::synchronize();
        self.instant(CNTVCT_EL0.get())
    }

    fn relax(&self) {
        core::hint::spin_loop();
    }

    fn deadline(&self, within: Duration) -> Instant {
        self.now().after(within)
    }
}
