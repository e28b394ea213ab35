//! What comes of a job, on its way from one processor to another.

use alloc::sync::Arc;
use core::cell::RefCell;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use critical_section::Mutex;

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
        let waiting = critical_section::with(|cs| {
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
        critical_section::with(|cs| {
            let mut shared = self.0.borrow(cs).borrow_mut();
            match shared.value.take() {
                Some(value) => Poll::Ready(value),
                None => {
                    shared.waiting = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
    }
}
