//! The loop that everything runs in: timers, tasks, and sleep.
// UNSAFETY: polling the executor, and the function that it wakes us by.
#![expect(
    unsafe_code,
    reason = "the executor has to be promised that it is not polled twice"
)]

use alloc::boxed::Box;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};

use clock::Clock;
use embassy_executor::raw::{Executor, TaskStorage};

use crate::payload::{self, Payload};
use crate::{Realm, power, time};

/// A task was woken since the executor was polled last.
static WOKEN: AtomicBool = AtomicBool::new(false);

/// What the executor calls when a task is woken.
#[unsafe(export_name = "__pender")]
fn pend(_: *mut ()) {
    WOKEN.store(true, Ordering::Relaxed);
}

type Main = Pin<Box<dyn Future<Output = ()>>>;

/// Runs the payload to its end, and ends the machine.
pub fn run(realm: Realm, clock: impl Clock) -> ! {
    let executor: &'static Executor = Box::leak(Box::new(Executor::new(core::ptr::null_mut())));
    let task: &'static TaskStorage<Main> = Box::leak(Box::new(TaskStorage::new()));
    let main: Main = Box::pin(end(payload::call(realm)));
    match task.spawn(|| main) {
        Ok(token) => executor.spawner().spawn(token),
        Err(_) => power::end(Err(&"the payload could not be started")),
    }
    loop {
        WOKEN.store(false, Ordering::Relaxed);
        time::wake(clock.now());
        // SAFETY: there is one CPU and one loop, and no task polls the executor.
        unsafe { executor.poll() };
    }
}

async fn end(payload: Payload) {
    match payload.await {
        Ok(()) => power::end(Ok(())),
        Err(reason) => power::end(Err(&reason)),
    }
}
