//! Runs futures in tests: turn by turn, and never for ever.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Turns after which a future counts as hung.
const TURNS: usize = 200_000;

/// A waker that counts how often it was woken.
#[derive(Debug, Default)]
pub struct CountingWaker(AtomicU64);

impl CountingWaker {
    /// How often it was woken.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls `future` until it is ready, and calls `turn` after each poll that was not.
///
/// # Panics
///
/// When the future is not ready after 200,000 turns: it hangs.
pub fn block_on<F: Future>(future: F, mut turn: impl FnMut()) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(CountingWaker::default()));
    let mut context = Context::from_waker(&waker);
    for _ in 0..TURNS {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => turn(),
        }
    }
    panic!("the future hangs");
}
