//! The loop that everything runs in: devices, timers, tasks, and sleep.
// UNSAFETY: polling the executor, and the function that it wakes us by.
#![expect(
    unsafe_code,
    reason = "the executor has to be promised that it is not polled twice"
)]

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::task::Wake;
use core::cell::RefCell;
use core::pin::Pin;
use core::task::Waker;

use embassy_executor::raw::{Executor, TaskStorage};

use crate::platform::Platform;
use crate::{Realm, cpus, payload, power, wake};

/// What the executor calls when a task is woken.
#[unsafe(export_name = "__pender")]
fn pend(_: *mut ()) {
    wake::wake();
}

/// Wakes the loop itself.
struct Looper;

impl Wake for Looper {
    fn wake(self: Arc<Self>) {
        wake::wake();
    }
}

type Main = Pin<Box<dyn Future<Output = ()>>>;
type Verdict = Rc<RefCell<Option<Result<(), String>>>>;

/// Runs the payload to its end, and ends the machine.
pub fn run(realm: Realm, platform: &Platform) -> ! {
    let verdict = Verdict::default();
    let executor: &'static Executor = Box::leak(Box::new(Executor::new(core::ptr::null_mut())));
    let task: &'static TaskStorage<Main> = Box::leak(Box::new(TaskStorage::new()));
    let main: Main = Box::pin(judge(payload::call(realm), Rc::clone(&verdict)));
    match task.spawn(|| main) {
        Ok(token) => executor.spawner().spawn(token),
        Err(_) => power::end(Err(&"the payload could not be started")),
    }
    let looper = Waker::from(Arc::new(Looper));
    platform.open();
    loop {
        wake::forget();
        let deadline = platform.poll();
        // SAFETY: only the first CPU polls it, in this loop, and no task does.
        unsafe { executor.poll() };
        cpus::run_first();
        arch::stop::here_if_asked();
        let is_over = verdict.borrow().is_some();
        if is_over
            && platform.finish()
            && let Some(verdict) = verdict.borrow_mut().take()
        {
            match &verdict {
                Ok(()) => power::tell(Ok(())),
                Err(reason) => power::tell(Err(reason)),
            }
            platform.print_rest();
            power::off();
        }
        if wake::is_woken() || platform.has_work(&looper) {
            continue;
        }
        let disks = platform.settle();
        if !wake::is_woken() {
            platform.sleep([deadline, disks].into_iter().flatten().min());
        }
    }
}

async fn judge(payload: payload::Payload, verdict: Verdict) {
    let result = payload.await;
    *verdict.borrow_mut() = Some(result);
}
