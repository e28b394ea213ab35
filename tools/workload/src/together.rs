//! Futures that run at once, each polled when it was woken and not before.
//!
//! A task for each, as an executor has them, or a thread would do the same. What polls all whenever one is
//! woken measures that: with 32 connections each event would cost 32 looks at sockets.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};

/// Whether a future was woken since it was polled last, and the task that polls it.
struct Bell {
    rung: AtomicBool,
    task: Waker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

/// One of the futures.
struct One<F: Future> {
    future: Pin<Box<F>>,
    bell: Arc<Bell>,
    waker: Waker,
    output: Option<F::Output>,
}

impl<F: Future> One<F> {
    fn new(future: F, task: &Waker) -> Self {
        let bell = Arc::new(Bell {
            rung: AtomicBool::new(true),
            task: task.clone(),
        });
        Self {
            future: Box::pin(future),
            waker: Waker::from(Arc::clone(&bell)),
            bell,
            output: None,
        }
    }

    /// Polls it if it was woken; says whether it is done.
    fn poll(&mut self) -> bool {
        if self.output.is_none() && self.bell.rung.swap(false, Ordering::Acquire) {
            let polled = self
                .future
                .as_mut()
                .poll(&mut Context::from_waker(&self.waker));
            if let Poll::Ready(output) = polled {
                self.output = Some(output);
            }
        }
        self.output.is_some()
    }
}

/// Runs all of `futures` in the task that awaits this, and returns what they return, in their order. It is to be
/// awaited by one task.
pub async fn together<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let task = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
    let ones = futures.into_iter().map(|future| One::new(future, &task));
    let mut ones: Vec<_> = ones.collect();
    poll_fn(|_| {
        let waiting = ones
            .iter_mut()
            .filter_map(|one| (!one.poll()).then_some(()));
        match waiting.count() {
            0 => Poll::Ready(()),
            _ => Poll::Pending,
        }
    })
    .await;
    ones.into_iter().filter_map(|one| one.output).collect()
}

#[cfg(test)]
mod tests {
    use core::cell::{Cell, RefCell};
    use core::pin::pin;

    use super::*;

    #[test]
    fn only_what_was_woken_is_polled_and_results_keep_their_order() {
        let polls = [Cell::new(0), Cell::new(0)];
        let wakers = [RefCell::new(None), RefCell::new(None)];
        let one = |at: usize| {
            let (polls, wakers) = (&polls, &wakers);
            poll_fn(move |context: &mut Context<'_>| {
                polls[at].set(polls[at].get() + 1);
                *wakers[at].borrow_mut() = Some(context.waker().clone());
                match polls[at].get() {
                    3 => Poll::Ready(at),
                    _ => Poll::Pending,
                }
            })
        };
        let mut all = pin!(together([one(0), one(1)]));
        let mut context = Context::from_waker(Waker::noop());
        let wake = |at: usize| {
            let waker: Option<Waker> = wakers[at].borrow_mut().take();
            waker.unwrap().wake();
        };
        assert!(all.as_mut().poll(&mut context).is_pending());
        assert!(all.as_mut().poll(&mut context).is_pending());
        assert_eq!((polls[0].get(), polls[1].get()), (1, 1));
        for _ in 0..2 {
            wake(1);
            assert!(all.as_mut().poll(&mut context).is_pending());
        }
        assert_eq!((polls[0].get(), polls[1].get()), (1, 3));
        wake(0);
        assert!(all.as_mut().poll(&mut context).is_pending());
        wake(0);
        assert_eq!(all.as_mut().poll(&mut context), Poll::Ready([0, 1].into()));
    }
}
