//! The TCP/IP stack: what the runtime drives.

mod addresses;
mod inner;
mod quiet_router;
mod sockets;

use alloc::{boxed::Box, rc::Rc};
use core::{
    cell::RefCell,
    future::poll_fn,
    task::{Context, Poll},
};

use clock::{Clock, Instant};

use crate::{Config, Counters, Error, FramePort, Network, StartError, timers::Timer};

pub(crate) use inner::Inner;

/// A TCP/IP stack over one frame port. The runtime drives it; payloads talk to it through
/// [`Stack::network`].
///
/// Driving it is one loop, run by one task:
///
/// ```text
/// loop {
///     let deadline = stack.poll(clock.now());
///     // Until the first of these: a socket has something to send, the deadline, an interrupt.
///     select3(stack.wait_for_work(), timer_at(deadline), interrupt.wait()).await;
///     // When the deadline is now, others must still have their turn.
///     yield_now().await;
/// }
/// ```
///
/// One poll takes and sends a bounded number of frames and flushes the port at most once.
#[derive(Clone)]
pub struct Stack {
    shared: Rc<Shared>,
}

/// What the stack and its handles share.
pub(crate) struct Shared {
    pub clock: Rc<dyn Clock>,
    inner: RefCell<Inner>,
}

impl Stack {
    /// Starts a stack over `port`. `seed` must be random: ports and sequence numbers come from it.
    ///
    /// # Errors
    ///
    /// [`StartError`] when the port's own address or its frame size cannot be used.
    pub fn new(
        port: Box<dyn FramePort>,
        clock: Rc<dyn Clock>,
        seed: [u8; 32],
        config: &Config,
    ) -> Result<Self, StartError> {
        let inner = RefCell::new(Inner::new(port, clock.now(), seed, config)?);
        Ok(Self {
            shared: Rc::new(Shared { clock, inner }),
        })
    }

    /// Receives, works, sends. Says when to call again at the latest; earlier is when a frame
    /// arrives or [`Self::wait_for_work`] returns. `None` when nothing is waited for.
    ///
    /// The wakers of waiting tasks are called from here: they must only schedule, as executors do,
    /// and not call back into the stack.
    pub fn poll(&self, now: Instant) -> Option<Instant> {
        self.shared.inner.borrow_mut().poll(now)
    }

    /// Waits until a socket has something to send, or a new deadline is earlier than the one that
    /// [`Self::poll`] gave. For the one task that drives the stack.
    pub async fn wait_for_work(&self) {
        poll_fn(|context| self.poll_work(context)).await;
    }

    /// As [`Self::wait_for_work`], for futures written by hand.
    pub fn poll_work(&self, context: &mut Context<'_>) -> Poll<()> {
        self.shared.inner.borrow_mut().poll_work(context.waker())
    }

    /// What payloads get.
    pub fn network(&self) -> Network {
        Network::new(Rc::clone(&self.shared))
    }

    /// What was counted since the start.
    pub fn counters(&self) -> Counters {
        self.shared.inner.borrow().counters()
    }
}

impl Shared {
    /// Does `with` to the stack. Not to be called by itself again, and never across an `await`.
    pub fn with<T>(&self, with: impl FnOnce(&mut Inner) -> T) -> T {
        with(&mut self.inner.borrow_mut())
    }

    /// Repeats `step` whenever the task is woken, until it is ready or `deadline` has passed.
    ///
    /// `step` must register the waker with whatever makes it ready.
    pub async fn until<T>(
        &self,
        deadline: Instant,
        mut step: impl FnMut(&mut Inner, &mut Context<'_>) -> Poll<T>,
    ) -> Result<T, Error> {
        let alarm = Alarm::new(self, deadline);
        poll_fn(|context| {
            let mut inner = self.inner.borrow_mut();
            if let Poll::Ready(value) = step(&mut inner, context) {
                return Poll::Ready(Ok(value));
            }
            if self.clock.now() >= deadline {
                return Poll::Ready(Err(Error::TimedOut));
            }
            inner.arm(alarm.timer, context.waker());
            Poll::Pending
        })
        .await
    }

    /// Waits for `future`, but not beyond `deadline`.
    pub async fn within<F: Future>(
        &self,
        deadline: Instant,
        future: F,
    ) -> Result<F::Output, Error> {
        let mut future = core::pin::pin!(future);
        let alarm = Alarm::new(self, deadline);
        poll_fn(|context| {
            if let Poll::Ready(value) = future.as_mut().poll(context) {
                return Poll::Ready(Ok(value));
            }
            if self.clock.now() >= deadline {
                return Poll::Ready(Err(Error::TimedOut));
            }
            self.with(|inner| inner.arm(alarm.timer, context.waker()));
            Poll::Pending
        })
        .await
    }
}

/// A timer that is forgotten when its wait ends, however it ends.
struct Alarm<'a> {
    shared: &'a Shared,
    timer: Timer,
}

impl<'a> Alarm<'a> {
    fn new(shared: &'a Shared, deadline: Instant) -> Self {
        let timer = shared.with(|inner| inner.create_timer(deadline));
        Self { shared, timer }
    }
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        self.shared.with(|inner| inner.disarm(self.timer));
    }
}
