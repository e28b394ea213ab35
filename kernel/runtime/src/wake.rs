//! Whether something was woken since the loop came round last.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arch::{cpu, gic};

/// No processor has this affinity.
const NONE: u64 = u64::MAX;

/// Something was: the loop must not sleep.
static WOKEN: AtomicBool = AtomicBool::new(false);
/// Affinity of the processor that the loop runs on, once there are others.
static FIRST: AtomicU64 = AtomicU64::new(NONE);

/// Lets other processors wake this one, which runs the loop.
pub fn expect_others() {
    FIRST.store(cpu::affinity(), Ordering::Release);
}

/// Keeps the loop from sleeping before it came round again. Called by another processor, it rings.
pub fn wake() {
    WOKEN.store(true, Ordering::Release);
    if !is_first() {
        gic::ring(FIRST.load(Ordering::Acquire));
    }
}

/// Affinity of the processor that the loop runs on, if there are others.
pub fn first() -> Option<u64> {
    Some(FIRST.load(Ordering::Acquire)).filter(|first| *first != NONE)
}

/// Whether this processor is the one that the loop runs on.
pub fn is_first() -> bool {
    let first = FIRST.load(Ordering::Acquire);
    first == NONE || first == cpu::affinity()
}

/// Forgets what was woken: the loop comes round.
pub fn forget() {
    WOKEN.store(false, Ordering::Relaxed);
}

/// Whether something was woken since [`forget`].
pub fn is_woken() -> bool {
    WOKEN.load(Ordering::Acquire)
}
