//! What comes of a job, on its way from one processor to another.

use alloc::sync::Arc;
use core::cell::RefCell;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use critical_section::Mutex;

use crate::shared::with;

struct Shared<T> {
    value: Option<T>,
    waiting: Option<Waker>,
}

/// Where the result is put.
pub(crate) struct Sender<T>(Arc<Mutex<RefCell<Shared<T>>>>);

/// The result of a job, to be awaited. Dropping it leaves the job running and its result unseen.
pub struct Job<T>(Arc<Mutex<RefCell<Shared<T>>>>);

pub(crate) fn pair<T>() -> (Sender<T>, Job<T>) {
    let shared = Arc::new(Mutex::new(RefCell::new(Shared {
        value: None,
        waiting: None,
    })));
    (Sender(Arc::clone(&shared)), Job(shared))
}

impl<T> Sender<T> {
    pub(crate) fn send(self, value: T) {
        let waiting = with(|cs| {
            let mut shared = self.0.borrow(cs).borrow_mut();
            shared.value = Some(value);
            shared.waiting.take()
        });
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

impl<T> Future for Job<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let waker = context.waker().clone();
        // Who waited before is dropped outside the section: its task may have anything to drop.
        let (done, _before) = with(|cs| {
            let mut shared = self.0.borrow(cs).borrow_mut();
            match shared.value.take() {
                Some(value) => (Poll::Ready(value), None),
                None => (Poll::Pending, shared.waiting.replace(waker)),
            }
        });
        done
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    extern crate std;

    use super::*;
    use alloc::task::Wake;
    use core::pin::pin;

    /// Somebody who waits and, given up, finishes the job: a task may drop anything.
    struct Finisher(Option<Sender<u8>>);

    impl Wake for Finisher {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Finisher {
        fn drop(&mut self) {
            if let Some(sender) = self.0.take() {
                sender.send(7);
            }
        }
    }

    #[test]
    fn who_waited_before_is_dropped_outside_of_the_lock() {
        let (sender, job) = pair();
        let mut job = pin!(job);
        let first = Arc::new(Finisher(Some(sender))).into();
        assert!(
            job.as_mut()
                .poll(&mut Context::from_waker(&first))
                .is_pending()
        );
        drop(first);
        let mut other = Context::from_waker(core::task::Waker::noop());
        assert!(job.as_mut().poll(&mut other).is_pending());
        assert_eq!(job.as_mut().poll(&mut other), Poll::Ready(7));
    }
}
