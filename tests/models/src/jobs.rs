//! Jobs that are woken from another processor.

use crate::queue::Queue;
use core::future::poll_fn;
use core::task::Poll;
use loom::future::AtomicWaker;
use loom::sync::Arc;
use loom::sync::Notify;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

loom::lazy_static! {
    /// The bell of the processor: an interrupt that stays pending until it is awake.
    static ref BELL: Notify = Notify::new();
}

fn ring(_processor: usize) {
    BELL.notify();
}

fn queue() -> &'static Queue {
    Box::leak(Box::new(Queue::new(0, ring)))
}

/// What a processor does until `is_over`: work, and sleep where there is none. A wake that is lost would be a
/// processor that sleeps for ever, which loom tells.
fn serve(queue: &Queue, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Acquire) {
        if !queue.run() && queue.is_idle() {
            BELL.wait();
        }
    }
}

/// Something that happens once, and whoever waits for it.
#[derive(Default)]
struct Event {
    has_happened: AtomicBool,
    waiting: AtomicWaker,
}

impl Event {
    fn happen(&self) {
        self.has_happened.store(true, Ordering::Release);
        self.waiting.wake();
    }
}

#[test]
fn a_job_that_is_woken_at_any_moment_is_polled_again() {
    loom::model(|| {
        let queue = queue();
        let event = Arc::new(Event::default());
        let is_over = Arc::new(AtomicBool::new(false));
        let (waits, ends) = (Arc::clone(&event), Arc::clone(&is_over));
        let _job = queue.spawn(async move {
            poll_fn(|context| {
                waits.waiting.register_by_ref(context.waker());
                match waits.has_happened.load(Ordering::Acquire) {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            })
            .await;
            ends.store(true, Ordering::Release);
        });
        let other = thread::spawn(move || event.happen());
        serve(queue, &is_over);
        other.join().unwrap();
    });
}

#[test]
fn a_job_that_comes_while_its_processor_goes_to_sleep_is_done_and_its_result_awaited() {
    loom::model(|| {
        let queue = queue();
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        let other = thread::spawn(move || {
            let job = queue.spawn(async move {
                ends.store(true, Ordering::Release);
                7
            });
            loom::future::block_on(job)
        });
        serve(queue, &is_over);
        assert_eq!(other.join().unwrap(), 7);
    });
}
