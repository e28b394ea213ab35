//! Queues with a thread for each processor: it parks where a processor would sleep.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and so do its fixtures"
)]

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use jobs::Queue;

static SLEEPERS: Mutex<Vec<Option<Thread>>> = Mutex::new(Vec::new());

/// Wakes the thread of a processor.
fn ring(processor: usize) {
    let sleepers = SLEEPERS.lock().unwrap();
    if let Some(thread) = sleepers.get(processor).and_then(Option::as_ref) {
        thread.unpark();
    }
}

/// Starts a processor.
fn processor() -> &'static Queue {
    let mut sleepers = SLEEPERS.lock().unwrap();
    let number = sleepers.len();
    let queue: &'static Queue = Box::leak(Box::new(Queue::new(number, ring)));
    let handle = thread::spawn(move || {
        loop {
            if !queue.run() && queue.is_idle() {
                thread::park();
            }
        }
    });
    sleepers.push(Some(handle.thread().clone()));
    queue
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// Lets others have a turn.
async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn what_is_spawned_runs_on_its_processor_and_its_result_comes_back() {
    let queues = [processor(), processor()];
    let here = thread::current().id();
    let jobs = queues.map(|queue| queue.spawn(async { thread::current().id() }));
    let [one, other] = jobs.map(wait);
    assert!(one != here && other != here && one != other);
}

#[test]
fn jobs_of_one_processor_take_turns() {
    static TURNS: AtomicUsize = AtomicUsize::new(0);
    let queue = processor();
    let turns = if cfg!(miri) { 10 } else { 1000 };
    let jobs: Vec<_> = (0..3)
        .map(|_| {
            queue.spawn(async move {
                for _ in 0..turns {
                    TURNS.fetch_add(1, Ordering::Relaxed);
                    yield_now().await;
                }
            })
        })
        .collect();
    jobs.into_iter().for_each(wait);
    assert_eq!(TURNS.load(Ordering::Relaxed), 3 * turns);
}

#[test]
fn jobs_wait_for_jobs_of_other_processors() {
    let (one, other) = (processor(), processor());
    let rounds = if cfg!(miri) { 5 } else { 500 };
    for round in 0..rounds {
        let inner = other.spawn(async move { round + 1 });
        let outer = one.spawn(async move { inner.await + 1 });
        assert_eq!(wait(outer), round + 2);
    }
}

#[test]
fn a_job_that_nobody_waits_for_still_runs() {
    static RAN: AtomicUsize = AtomicUsize::new(0);
    let queue = processor();
    drop(queue.spawn(async { RAN.fetch_add(1, Ordering::Relaxed) }));
    wait(queue.spawn(async {}));
    assert_eq!(RAN.load(Ordering::Relaxed), 1);
}
