//! The lock behind every critical section, for one processor or many.
// UNSAFETY: `critical_section::Impl` is an unsafe trait.
#![expect(unsafe_code, reason = "critical_section::Impl is an unsafe trait")]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::cpu;

/// Nobody has the lock.
const NOBODY: u64 = 0;

/// Whether there is more than one processor. While there is one, the lock is no work at all, which also
/// keeps exclusive accesses away from memory that is not cached yet.
static SHARED: AtomicBool = AtomicBool::new(false);
/// Affinity plus one of the processor that has the lock.
static OWNER: AtomicU64 = AtomicU64::new(NOBODY);
/// Critical sections that the owner is in, but for the outermost. Only the owner touches it.
static DEPTH: AtomicU64 = AtomicU64::new(0);

/// Lets the lock keep other processors out, from now on. Called outside of critical sections, before
/// the first of the others starts.
pub(crate) fn share() {
    SHARED.store(true, Ordering::SeqCst);
}

/// Lets nobody be kept out any more: the machine ends, and a processor that holds the lock may never
/// release it.
///
/// # Safety
///
/// The caller ends the machine, and takes nothing from here on that another processor could be changing.
pub unsafe fn seize() {
    SHARED.store(false, Ordering::SeqCst);
}

/// The lock that critical sections take. It is one for everything, may be taken again by who has it,
/// and is held for moments: nobody sleeps or waits for a device in a critical section. One wait there is: what is
/// allocated while memory is short may wait two seconds for what a balloon has (`runtime::spare`).
struct OneForAll;

critical_section::set_impl!(OneForAll);

// SAFETY: the trait asks that nothing else runs in a critical section between `acquire` and `release`.
// On the same processor nothing does: interrupts are masked, or end without a change that the program
// sees (`stop`), and other exceptions never return, so nothing runs beside the program. Other processors are kept out by
// `OWNER`, which only one can change from `NOBODY`; acquire and release order what is done inside.
unsafe impl critical_section::Impl for OneForAll {
    unsafe fn acquire() -> critical_section::RawRestoreState {
        if !SHARED.load(Ordering::Relaxed) {
            return;
        }
        let me = cpu::affinity() + 1;
        if OWNER.load(Ordering::Relaxed) == me {
            DEPTH.store(DEPTH.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            return;
        }
        let take = || {
            let (new, old) = (Ordering::Acquire, Ordering::Relaxed);
            OWNER.compare_exchange_weak(NOBODY, me, new, old).is_ok()
        };
        while !take() {
            while OWNER.load(Ordering::Relaxed) != NOBODY {
                core::hint::spin_loop();
            }
        }
    }

    unsafe fn release(_: critical_section::RawRestoreState) {
        if !SHARED.load(Ordering::Relaxed) {
            return;
        }
        match DEPTH.load(Ordering::Relaxed) {
            0 => OWNER.store(NOBODY, Ordering::Release),
            depth => DEPTH.store(depth - 1, Ordering::Relaxed),
        }
    }
}
