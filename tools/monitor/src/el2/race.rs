//! The attacker's processor: it never takes the monitor's lock, and writes where it is told to while the guest runs
//! on another one.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use monitor::monitor::MAX_CPUS;

use super::asm;

/// The processor that is the attacker's, by its affinity.
pub(super) const PROCESSOR: u64 = 1;
/// What it finds when it starts: the number of a stack that no processor of a guest has.
pub(super) const INDEX: u64 = MAX_CPUS as u64;

/// There is no such processor, or it has not come yet.
const ABSENT: u32 = 0;
const IDLE: u32 = 1;
const BUSY: u32 = 2;
const STOPPING: u32 = 3;

/// What it does. Only [`run`] goes back to idle.
static STATE: AtomicU32 = AtomicU32::new(ABSENT);
static ADDRESS: AtomicU64 = AtomicU64::new(0);
/// The word that stays in the lower half, the other in the upper.
static WORDS: AtomicU64 = AtomicU64::new(0);
static TIMES: AtomicU32 = AtomicU32::new(0);

/// Tells it what to write. It stays as it was if it is still at work.
pub(super) fn begin(address: u64, (one, other): (u32, u32), times: u32) -> bool {
    if STATE.load(Ordering::Acquire) != IDLE {
        return false;
    }
    ADDRESS.store(address, Ordering::Relaxed);
    WORDS.store(u64::from(other) << 32 | u64::from(one), Ordering::Relaxed);
    TIMES.store(times, Ordering::Relaxed);
    STATE.store(BUSY, Ordering::Release);
    true
}

/// Whether it is at work, or not there.
pub(super) fn is_busy() -> bool {
    STATE.load(Ordering::Acquire) != IDLE
}

/// Waits until it writes nowhere.
pub(super) fn end() {
    let busy = STATE.compare_exchange(BUSY, STOPPING, Ordering::AcqRel, Ordering::Acquire);
    while busy.is_ok() && STATE.load(Ordering::Acquire) != IDLE {
        spin_loop();
    }
}

/// What it does for ever.
pub(super) fn run() -> ! {
    STATE.store(IDLE, Ordering::Release);
    loop {
        while STATE.load(Ordering::Acquire) == IDLE {
            spin_loop();
        }
        let address = ADDRESS.load(Ordering::Relaxed);
        let [a, b, c, d, e, f, g, h] = WORDS.load(Ordering::Relaxed).to_le_bytes();
        for _ in 0..TIMES.load(Ordering::Relaxed) {
            if STATE.load(Ordering::Acquire) != BUSY {
                break;
            }
            asm::write(address, &[e, f, g, h]);
            asm::write(address, &[a, b, c, d]);
        }
        STATE.store(IDLE, Ordering::Release);
    }
}
