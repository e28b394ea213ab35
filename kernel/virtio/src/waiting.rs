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

#[cfg(test)]
mod tests {
    extern crate std;
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    struct Task;

    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }

    fn tasks() -> [Waker; 4] {
        core::array::from_fn(|_| Waker::from(Arc::new(Task)))
    }

    /// Whose turn it is, one after the other.
    fn line(waiting: &mut Waiting, tasks: &[Waker]) -> Vec<usize> {
        let next = core::iter::from_fn(|| waiting.pop());
        next.filter_map(|woken| tasks.iter().position(|task| task.will_wake(&woken)))
            .collect()
    }

    #[test]
    fn tasks_have_their_turns_in_the_order_in_which_they_came() {
        let tasks = tasks();
        let mut waiting = Waiting::new(4);
        let tickets = tasks.each_ref().map(|task| waiting.join(None, task));
        // Who asks again keeps its place.
        assert_eq!(waiting.join(Some(tickets[1]), &tasks[1]), tickets[1]);
        assert_eq!(line(&mut waiting, &tasks), [0, 1, 2, 3]);
        assert!(waiting.pop().is_none());
    }

    #[test]
    fn a_task_that_is_polled_by_another_waker_is_woken_by_that() {
        let tasks = tasks();
        let mut waiting = Waiting::new(4);
        let ticket = waiting.join(None, &tasks[0]);
        waiting.join(None, &tasks[1]);
        waiting.join(Some(ticket), &tasks[2]);
        assert_eq!(line(&mut waiting, &tasks), [2, 1]);
    }

    #[test]
    fn a_task_that_leaves_costs_no_turn_and_one_that_had_its_turn_goes_behind_all() {
        let tasks = tasks();
        let mut waiting = Waiting::new(4);
        let [first, second, third] = [0, 1, 2].map(|i| waiting.join(None, &tasks[i]));
        waiting.leave(Some(second));
        assert!(
            waiting
                .pop()
                .is_some_and(|woken| woken.will_wake(&tasks[0]))
        );
        assert_ne!(waiting.join(Some(first), &tasks[0]), third);
        waiting.leave(Some(first));
        waiting.leave(None);
        assert_eq!(line(&mut waiting, &tasks), [2, 0]);
    }

    #[test]
    fn all_are_woken_at_the_end() {
        let tasks = tasks();
        let mut waiting = Waiting::new(4);
        let mut woken = Vec::new();
        let tickets = tasks.each_ref().map(|task| waiting.join(None, task));
        waiting.leave(Some(tickets[3]));
        waiting.wake_all(&mut woken);
        assert_eq!(woken.len(), 3);
        assert!(waiting.pop().is_none());
    }
}
