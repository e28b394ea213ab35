//! What requests change, and when the device is looked at, told and asked.
//!
//! From a few requests in flight on, they are dealt with in batches: the device is asked for an
//! interrupt when half of them are done, and before that, or a moment later, none is taken. So what
//! tasks ask next is one doorbell as well. A device that lets that moment pass without anything is
//! asked for an interrupt for the next.
//!
//! Only a task whose own request is in flight looks for completions between two turns of the loop. A device that is
//! faster than we are has done one request before the next task has its turn; were that taken then, the device would
//! seem idle each time, and get a doorbell for a single request.

use alloc::vec::Vec;
use core::task::Waker;
use core::time::Duration;

use bounce::World;
use clock::Instant;

use crate::Error;
use crate::attention::Attention;
use crate::blk::request::Requests;
use crate::queue::Queue;

/// How long a request may take, as far as we looked on.
const DEADLINE: Duration = Duration::from_secs(10);
/// After how long the doorbell is rung once more: one may have been lost.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same for a device that has needed that before.
const NO_PATIENCE: Duration = Duration::from_millis(100);
/// How long completions may wait for others, since what tasks asked last, and since some were taken.
const MOMENT: Duration = Duration::from_micros(500);
const LONGEST_MOMENT: Duration = Duration::from_millis(2);
/// Requests in flight from which on they are taken in batches.
const BATCHED: u16 = 4;

/// What requests change.
pub(crate) struct State<W: World> {
    pub(crate) queue: Queue<W>,
    pub(crate) requests: Requests<W>,
    /// Tasks to be woken once the state is no longer borrowed.
    pub(crate) woken: Vec<Waker>,
    attention: Attention,
    /// Time that was seen to pass.
    seen: Duration,
    /// When the clock was looked at last, when completions were taken last, and when tasks had asked for
    /// more then.
    now: Instant,
    taken: Instant,
    asked: Instant,
    /// The deadline up to which the doorbell was rung once more, and how long that takes.
    called: Option<Duration>,
    patience: Duration,
}

impl<W: World> State<W> {
    /// That of a device that has just been started, for up to `depth` requests.
    pub(crate) fn new(queue: Queue<W>, requests: Requests<W>, now: Instant, depth: usize) -> Self {
        Self {
            queue,
            requests,
            // All that are in flight, and one that waits.
            woken: Vec::with_capacity(depth + 1),
            attention: Attention::new(now),
            seen: Duration::ZERO,
            now,
            taken: now,
            asked: now,
            called: None,
            patience: PATIENCE,
        }
    }

    /// Takes completions if a batch of them is there.
    pub(crate) fn glance(&mut self) -> Result<(), Error> {
        if self.queue.pending()? >= self.batch() {
            self.take_completions()?;
        }
        Ok(())
    }

    /// Takes completions if a batch of them is there, or some wait for a moment already, and checks
    /// deadlines.
    pub(crate) fn look(&mut self, now: Instant) -> Result<(), Error> {
        self.now = now;
        self.seen = self.attention.look(now);
        if self.queue.has_news() {
            // What tasks did with the completions before is no time that completions waited for others.
            self.asked = now;
        }
        let pending = self.queue.pending()?;
        if pending != 0 && (pending >= self.batch() || !self.is_momentary()) {
            self.take_completions()?;
        }
        self.check_deadlines()
    }

    /// Takes what the device completed: at most as much as is in flight.
    pub(crate) fn take_completions(&mut self) -> Result<(), Error> {
        let first = self.requests.first_deadline();
        while let Some(done) = self.queue.take_now()? {
            self.requests.complete(done, &mut self.woken)?;
        }
        (self.taken, self.asked) = (self.now, self.now);
        let is_over = first != self.requests.first_deadline();
        if is_over && first.is_some_and(|first| self.is_called(first)) {
            // Nobody waits for seconds again, and again, for a device that does not hear at once.
            self.patience = NO_PATIENCE;
        }
        Ok(())
    }

    /// Whether the doorbell was rung once more for what has the deadline `deadline`.
    fn is_called(&self, deadline: Duration) -> bool {
        self.called.is_some_and(|called| deadline <= called)
    }

    /// When the doorbell is rung once more for what has the deadline `deadline`, in seen time.
    fn call(&self, deadline: Duration) -> Duration {
        deadline.saturating_sub(DEADLINE.saturating_sub(self.patience))
    }

    /// Completions that are worth a look.
    fn batch(&self) -> u16 {
        match self.queue.in_flight() {
            0..BATCHED => 1,
            in_flight => in_flight / 2,
        }
    }

    /// Whether completions were taken a moment ago.
    fn is_momentary(&self) -> bool {
        self.now < self.end_of_moment()
    }

    /// When completions need not wait for others any more.
    fn end_of_moment(&self) -> Instant {
        let longest = self.taken.after(LONGEST_MOMENT);
        self.asked.after(MOMENT).min(longest)
    }

    /// The deadline of a request that is made now, in seen time. It is none of those for which the
    /// doorbell was rung once more, not even a moment ago.
    pub(crate) fn deadline(&self) -> Duration {
        const LATER: Duration = Duration::from_nanos(1);
        let deadline = self.seen.saturating_add(DEADLINE);
        let called = self.called.map(|called| called.saturating_add(LATER));
        called.map_or(deadline, |called| called.max(deadline))
    }

    fn check_deadlines(&mut self) -> Result<(), Error> {
        let Some(deadline) = self.requests.first_deadline() else {
            return Ok(());
        };
        if deadline <= self.seen {
            return Err(Error::TimedOut);
        }
        if self.call(deadline) <= self.seen && !self.is_called(deadline) {
            // Once for everything that is in flight by now.
            self.called = Some(self.deadline());
            self.queue.ring();
        }
        Ok(())
    }

    /// Lets the device see what was added, and tells it `now` if it wants to be told.
    pub(crate) fn tell(&mut self, now: bool) -> Result<(), Error> {
        if now {
            self.queue.notify()
        } else {
            self.queue.publish()
        }
    }

    /// Tells the device of everything it has not seen, and asks for an interrupt; says when to look
    /// again at the latest, if anything is in flight.
    pub(crate) fn settle(&mut self) -> Result<Option<Instant>, Error> {
        self.queue.notify()?;
        let is_momentary = self.is_momentary();
        let batch = if is_momentary { self.batch() } else { 1 };
        if self.queue.ask(batch)? >= batch {
            self.take_completions()?;
        }
        let Some(deadline) = self.next_deadline() else {
            return Ok(None);
        };
        let moment = (is_momentary && batch > 1).then(|| self.end_of_moment());
        Ok(Some(moment.map_or(deadline, |moment| moment.min(deadline))))
    }

    /// When to look at the time again.
    fn next_deadline(&self) -> Option<Instant> {
        let deadline = self.requests.first_deadline()?;
        let next = if self.is_called(deadline) {
            deadline
        } else {
            self.call(deadline)
        };
        Some(self.attention.next_look(next))
    }
}
