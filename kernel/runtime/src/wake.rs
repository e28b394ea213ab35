//! Whether something was woken since the loop came round last.

use core::sync::atomic::{AtomicBool, Ordering};

/// Something was: the loop must not sleep.
static WOKEN: AtomicBool = AtomicBool::new(false);

/// Keeps the loop from sleeping before it came round again.
pub fn wake() {
    WOKEN.store(true, Ordering::Relaxed);
}

/// Forgets what was woken: the loop comes round.
pub fn forget() {
    WOKEN.store(false, Ordering::Relaxed);
}

/// Whether something was woken since [`forget`].
pub fn is_woken() -> bool {
    WOKEN.load(Ordering::Relaxed)
}
