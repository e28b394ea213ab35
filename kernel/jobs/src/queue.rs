//! The work of one processor.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::task::Wake;
use core::cell::RefCell;
use core::pin::Pin;
use core::task::{Context, Waker};

use critical_section::Mutex;

use crate::job::{self, Job};
use crate::shared::{AtomicBool, Ordering, with};

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The work of one processor: what is spawned here is polled by whoever calls [`Queue::run`], which
/// is that processor alone.
pub struct Queue {
    ready: Mutex<RefCell<VecDeque<Arc<Task>>>>,
    /// Wakes the processor, from any processor.
    ring: fn(processor: usize),
    processor: usize,
}

/// A job until it ends.
struct Task {
    queue: &'static Queue,
    /// Taken while it is polled.
    work: Mutex<RefCell<Option<Work>>>,
    /// In the queue, or about to be.
    queued: AtomicBool,
}

impl Queue {
    /// The queue of `processor`, which `ring` wakes from its sleep.
    pub const fn new(processor: usize, ring: fn(usize)) -> Self {
        Self {
            ready: Mutex::new(RefCell::new(VecDeque::new())),
            ring,
            processor,
        }
    }

    /// Gives the processor something to do; what comes of it is for whoever awaits the [`Job`].
    pub fn spawn<T: Send + 'static>(
        &'static self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Job<T> {
        let (sender, job) = job::pair();
        let work: Work = Box::pin(async move { sender.send(work.await) });
        Arc::new(Task {
            queue: self,
            work: Mutex::new(RefCell::new(Some(work))),
            queued: AtomicBool::new(false),
        })
        .wake();
        job
    }

    /// Polls what was ready when this was called, each once; says whether there was anything.
    pub fn run(&self) -> bool {
        // Tasks that wake themselves come round next time: a caller has other things to do, too.
        let ready = with(|cs| self.ready.borrow(cs).take());
        let found = !ready.is_empty();
        ready.into_iter().for_each(Task::poll);
        found
    }

    /// Whether nothing is ready: the processor may sleep. It is woken if something comes meanwhile.
    pub fn is_idle(&self) -> bool {
        with(|cs| self.ready.borrow(cs).borrow().is_empty())
    }
}

impl Task {
    fn poll(self: Arc<Self>) {
        // Before it is polled: a wake from now on is for the next time. What was done before the last
        // one is seen by this poll.
        self.queued.swap(false, Ordering::Acquire);
        let work = with(|cs| self.work.borrow(cs).take());
        // One that has ended may be woken still.
        let Some(mut work) = work else {
            return;
        };
        let waker = Waker::from(Arc::clone(&self));
        let done = work.as_mut().poll(&mut Context::from_waker(&waker));
        if done.is_pending() {
            with(|cs| self.work.borrow(cs).replace(Some(work)));
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            let queue = self.queue;
            with(|cs| queue.ready.borrow(cs).borrow_mut().push_back(self));
            (queue.ring)(queue.processor);
        }
    }
}
