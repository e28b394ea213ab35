//! The other processors: how they start, what they run, when they sleep.
// UNSAFETY: gives memory away as the stacks of another processor.
#![expect(
    unsafe_code,
    reason = "a processor is started on memory that nothing else uses"
)]

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;

use arch::counter::Counter;
use arch::secondary::Start;
use arch::{cpu, gic, stacks, stop};
use clock::Clock;
use jobs::Queue;
use realm::{CpuError, Cpus};
use rsi::psci;

use crate::interrupts::Interrupts;
use crate::{call, wake};

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

/// Starts every processor of `affinities` but this one.
pub fn start_all(affinities: &[u64], interrupts: Option<&Interrupts>, clock: Counter) -> Cpus {
    let first = cpu::affinity();
    let (mut others, mut refused) = (Vec::new(), Vec::new());
    let wanted = affinities.iter().filter(|affinity| **affinity != first);
    for (number, affinity) in (1..).zip(wanted) {
        match start(number, *affinity, interrupts, clock) {
            Ok(()) => others.push(queue(number)),
            Err(error) => {
                log::warn!("processor {affinity:#x}: not used: {error}");
                refused.push((*affinity, error));
            }
        }
    }
    Cpus::new(queue(0), others, refused)
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
    for one in [cpu::affinity(), affinity] {
        let prepared = interrupts.prepare(one);
        prepared.map_err(|error| CpuError::Controller(error.text()))?;
    }
    known.store(affinity, Ordering::Release);
    // SAFETY: `Ram::open` mapped the stacks of each room and gave them to nobody, and a number is that of one
    // processor, even if the host refuses to start it: it could change its mind.
    let start = unsafe { Start::new(&room, number) };
    let (entry, context) = Box::leak(Box::new(start)).publish();
    psci::cpu_on(&call::current(), affinity, entry, context).map_err(CpuError::Refused)?;
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
        stop::here_if_asked();
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
        let Some(id) = gic::acknowledge_next() else {
            return;
        };
        gic::end(id.any_value("ended, whichever it is"));
    }
}
