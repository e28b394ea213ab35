//! Tasks that found no free request, in the order in which they came.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::task::Waker;

/// A place in the line.
pub(crate) type Ticket = u64;

/// Tasks that wait. Each has a ticket while it does, so that one that goes away leaves nothing.
pub(crate) struct Waiting {
    line: VecDeque<(Ticket, Waker)>,
    next: Ticket,
}

impl Waiting {
    /// With room for `count` tasks; more of them take more memory.
    pub(crate) fn new(count: usize) -> Self {
        Self {
            line: VecDeque::with_capacity(count),
            next: 0,
        }
    }

    /// Wakes `waker` when it is its turn. `ticket` is that of the task, if it had one.
    pub(crate) fn join(&mut self, ticket: Option<Ticket>, waker: &Waker) -> Ticket {
        if let Some((ticket, place)) = ticket.and_then(|t| Some((t, self.place(t)?))) {
            if let Some((_, old)) = self.line.get_mut(place)
                && !old.will_wake(waker)
            {
                *old = waker.clone();
            }
            return ticket;
        }
        let ticket = self.next;
        self.next += 1;
        self.line.push_back((ticket, waker.clone()));
        ticket
    }

    /// Leaves the line. A task whose turn had come is not in it any more.
    pub(crate) fn leave(&mut self, ticket: Option<Ticket>) {
        if let Some(place) = ticket.and_then(|t| self.place(t)) {
            self.line.remove(place);
        }
    }

    /// The task whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<Waker> {
        self.line.pop_front().map(|(_, waker)| waker)
    }

    /// Ends the line.
    pub(crate) fn wake_all(&mut self, woken: &mut Vec<Waker>) {
        woken.extend(self.line.drain(..).map(|(_, waker)| waker));
    }

    /// Tickets are handed out in order, so the line is sorted.
    fn place(&self, ticket: Ticket) -> Option<usize> {
        self.line.binary_search_by_key(&ticket, |(t, _)| *t).ok()
    }
}
