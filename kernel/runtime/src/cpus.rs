//! The other processors: how they start, what they run, when they sleep.
// UNSAFETY: gives memory away as the stacks of another processor.
#![expect(
    unsafe_code,
    reason = "a processor is started on memory that nothing else uses"
)]

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;

use arch::counter::Counter;
use arch::secondary::Start;
use arch::{cpu, gic, stacks, stop};
use clock::Clock;
use jobs::Queue;
use rsi::psci;

pub use jobs::Job;

use crate::interrupts::Interrupts;
use crate::{power, wake};

/// Most processors that are used, the first included.
pub const MOST: usize = 8;
/// How long the host may take to start a processor that it promised.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest sleep: the host may lose a bell, which then costs this.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);
/// Most interrupts that are taken before work has its turn.
const BATCH: usize = 32;

/// The work of each processor.
static QUEUES: [Queue; MOST] = [
    Queue::new(0, ring),
    Queue::new(1, ring),
    Queue::new(2, ring),
    Queue::new(3, ring),
    Queue::new(4, ring),
    Queue::new(5, ring),
    Queue::new(6, ring),
    Queue::new(7, ring),
];
/// Affinity of each processor that was started.
static AFFINITIES: [AtomicU64; MOST] = [const { AtomicU64::new(0) }; MOST];
/// Whether it is here.
static HERE: [AtomicBool; MOST] = [const { AtomicBool::new(false) }; MOST];

/// Why a processor is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuError {
    /// There are more than eight.
    TooMany,
    /// Without interrupts nobody can wake it.
    NoInterrupts,
    /// RAM had no room for its stacks.
    NoRoom,
    /// Its part of the interrupt controller does not work.
    Controller(gic::Error),
    /// The host, or the RMM, did not start it.
    Refused(psci::Error),
    /// It was said to start, and did not within two seconds.
    Silent,
}

impl fmt::Display for CpuError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => f.write_str("more than eight are not used"),
            Self::NoInterrupts => f.write_str("no interrupts, so nothing would wake it"),
            Self::NoRoom => f.write_str("RAM has no room for its stacks"),
            Self::Controller(error) => error.fmt(f),
            Self::Refused(error) => error.fmt(f),
            Self::Silent => f.write_str("was said to start, and did not within two seconds"),
        }
    }
}

impl core::error::Error for CpuError {}

/// The processors that work can be given to. Clones are the same processors.
#[derive(Clone)]
pub struct Cpus {
    /// Numbers of those besides the first, in the order in which they came.
    others: Rc<[usize]>,
    refused: Rc<[(u64, CpuError)]>,
    next: Rc<Cell<usize>>,
}

impl Cpus {
    /// Starts every processor of `affinities` but this one.
    pub(crate) fn start(
        affinities: &[u64],
        interrupts: Option<&Interrupts>,
        clock: Counter,
    ) -> Self {
        let first = cpu::affinity();
        let (mut others, mut refused) = (Vec::new(), Vec::new());
        let wanted = affinities.iter().filter(|affinity| **affinity != first);
        for (number, affinity) in (1..).zip(wanted) {
            match start(number, *affinity, interrupts, clock) {
                Ok(()) => others.push(number),
                Err(error) => {
                    log::warn!("processor {affinity:#x}: not used: {error}");
                    refused.push((*affinity, error));
                }
            }
        }
        Self {
            others: others.into(),
            refused: refused.into(),
            next: Rc::new(Cell::new(0)),
        }
    }

    /// Processors, the first included.
    pub fn count(&self) -> usize {
        1 + self.others.len()
    }

    /// Those that are not used, by affinity, and why.
    pub fn refused(&self) -> &[(u64, CpuError)] {
        &self.refused
    }

    /// Gives work to a processor, to each in turn; the first has work only if there is no other, and
    /// then devices wait while it computes: yield between pieces.
    ///
    /// Work may wait for timers and other jobs. Devices and sockets stay with the first processor: what
    /// refers to them is not `Send`.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Job<T> {
        let turn = self.next.get();
        self.next.set(turn.wrapping_add(1));
        let other = turn.checked_rem(self.others.len());
        let number = other.and_then(|place| self.others.get(place)).copied();
        queue(number.unwrap_or(0)).spawn(work)
    }
}

fn queue(number: usize) -> &'static Queue {
    // There are no higher numbers.
    QUEUES.get(number).unwrap_or(&QUEUES[0])
}

/// Starts one processor and waits until it is here.
fn start(
    number: usize,
    affinity: u64,
    interrupts: Option<&Interrupts>,
    clock: Counter,
) -> Result<(), CpuError> {
    let interrupts = interrupts.ok_or(CpuError::NoInterrupts)?;
    let (known, here) = AFFINITIES
        .get(number)
        .zip(HERE.get(number))
        .ok_or(CpuError::TooMany)?;
    let room = stacks::room(number).ok_or(CpuError::NoRoom)?;
    wake::expect_others();
    interrupts
        .prepare(cpu::affinity())
        .map_err(CpuError::Controller)?;
    interrupts.prepare(affinity).map_err(CpuError::Controller)?;
    known.store(affinity, Ordering::Release);
    // SAFETY: `Ram::open` mapped the stacks of each room and gave them to nobody, and a number is that of one
    // processor, even if the host refuses to start it: it could change its mind.
    let start = unsafe { Start::new(&room, number) };
    let (entry, context) = Box::leak(Box::new(start)).publish();
    psci::cpu_on(&power::call(), affinity, entry, context).map_err(CpuError::Refused)?;
    let mut arrived = || here.load(Ordering::Acquire);
    if clock.wait(PATIENCE, &mut arrived) {
        Ok(())
    } else {
        Err(CpuError::Silent)
    }
}

/// Wakes a processor, from any.
fn ring(number: usize) {
    if number == 0 {
        return wake::wake();
    }
    let affinity = AFFINITIES
        .get(number)
        .map(|known| known.load(Ordering::Acquire));
    if let Some(affinity) = affinity.filter(|affinity| *affinity != cpu::affinity()) {
        gic::ring(affinity);
    }
}

/// Rings every processor that is here but this one; says how many.
pub fn ring_all() -> usize {
    let (first, mine) = (wake::first(), cpu::affinity());
    let others = AFFINITIES.iter().zip(&HERE);
    let others = others.filter(|(_, here)| here.load(Ordering::Acquire));
    let others = others.map(|(known, _)| known.load(Ordering::Acquire));
    let others = first.into_iter().chain(others);
    others
        .filter(|affinity| *affinity != mine)
        .inspect(|affinity| gic::ring(*affinity))
        .count()
}

/// Which processor this runs on: its affinity, as the device tree names it.
pub fn processor() -> u64 {
    cpu::affinity()
}

/// The time by the counter, which all processors share: for work that has no [`crate::Realm`].
pub fn uptime() -> Duration {
    let clock = Counter::new();
    clock.map_or(Duration::ZERO, |clock| {
        Duration::from_nanos(clock.now().as_nanos())
    })
}

/// Polls the work that the first processor got, because there is no other.
pub fn run_first() {
    queue(0).run();
}

/// What every other processor does for the rest of its life.
pub fn enter(number: u64) -> ! {
    let number = usize::try_from(number).unwrap_or(0);
    let (queue, clock) = (queue(number), Counter::new());
    gic::open_cpu_interface();
    if let Some(here) = HERE.get(number) {
        here.store(true, Ordering::Release);
    }
    loop {
        power::stop_if_asked();
        let found = stop::stoppable(|| queue.run());
        if !found && queue.is_idle() {
            sleep(clock);
        }
    }
}

/// Sleeps until the processor is rung, and at most for a moment.
fn sleep(clock: Option<Counter>) {
    let Some(clock) = clock else {
        return core::hint::spin_loop();
    };
    clock.set_alarm(clock.now().after(LONGEST_SLEEP));
    cpu::wait_for_interrupt();
    clock.clear_alarm();
    for _ in 0..BATCH {
        let Some(id) = gic::take() else {
            return;
        };
        gic::end(id);
    }
}
