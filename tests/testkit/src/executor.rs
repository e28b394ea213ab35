//! Runs futures in tests: turn by turn, and never for ever.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Turns after which a future counts as hung.
const TURNS: usize = 200_000;

/// A waker that counts how often it was woken.
#[derive(Debug, Default)]
pub struct CountingWaker(AtomicU64);

impl CountingWaker {
    /// A new one, and a waker that it counts.
    pub fn pair() -> (Arc<Self>, Waker) {
        let count = Arc::new(Self::default());
        (Arc::clone(&count), Waker::from(count))
    }

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

/// A future that is polled by hand, and what wakes it.
pub struct Call<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + 'a>>,
    count: Arc<CountingWaker>,
    waker: Waker,
}

impl<'a, T> Call<'a, T> {
    /// One that was not polled yet.
    pub fn new(future: impl Future<Output = T> + 'a) -> Self {
        let (count, waker) = CountingWaker::pair();
        Self {
            future: Box::pin(future),
            count,
            waker,
        }
    }

    /// Polls it.
    pub fn poll(&mut self) -> Poll<T> {
        let mut context = Context::from_waker(&self.waker);
        self.future.as_mut().poll(&mut context)
    }

    /// How often it was woken.
    pub fn woken(&self) -> u64 {
        self.count.count()
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

/// Polls each of `tasks` once, and then when it was woken, and calls `turn` after each round, until all are ready.
/// Says what came of them.
///
/// # Panics
///
/// When nobody was woken in 1,000 rounds: whoever should have done it forgot.
pub fn serve<F: Future>(tasks: Vec<F>, mut turn: impl FnMut()) -> Vec<F::Output> {
    const ROUNDS: usize = 1000;
    let count = tasks.len();
    let mut tasks: Vec<_> = tasks
        .into_iter()
        .map(|task| (Box::pin(task), Arc::new(CountingWaker::default()), None))
        .collect();
    let mut outputs: Vec<_> = (0..count).map(|_| None).collect();
    let mut asleep = 0;
    while outputs.iter().any(Option::is_none) {
        asleep += 1;
        assert!(asleep <= ROUNDS, "a task was not woken");
        for ((task, waker, seen), output) in tasks.iter_mut().zip(&mut outputs) {
            let woken = waker.count();
            if output.is_some() || *seen == Some(woken) {
                continue;
            }
            (*seen, asleep) = (Some(woken), 0);
            let waker = Waker::from(Arc::clone(waker));
            if let Poll::Ready(ready) = task.as_mut().poll(&mut Context::from_waker(&waker)) {
                *output = Some(ready);
            }
        }
        turn();
    }
    outputs.into_iter().flatten().collect()
}
