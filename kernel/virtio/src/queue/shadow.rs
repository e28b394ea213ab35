//! The private side of a queue: which descriptors are free, and what is in flight.

use alloc::vec::Vec;

use crate::Error;
use crate::queue::Completion;

/// What we know of one descriptor.
#[derive(Clone, Copy, Default)]
struct Descriptor {
    /// The next descriptor of its chain.
    next: Option<u16>,
    /// Set while it is the head of a request in flight.
    request: Option<Request>,
}

#[derive(Clone, Copy)]
struct Request {
    tag: u16,
    limit: u32,
    /// Looks at the device's index before it was lent.
    looks: u64,
}

/// The private side of a queue.
pub(crate) struct Shadow {
    descriptors: Vec<Descriptor>,
    free: Vec<u16>,
    in_flight: u16,
    /// Looks at the device's index, ever.
    looks: u64,
}

impl Shadow {
    pub(crate) fn new(size: u16) -> Self {
        Self {
            descriptors: (0..size).map(|_| Descriptor::default()).collect(),
            free: (0..size).rev().collect(),
            in_flight: 0,
            looks: 0,
        }
    }

    /// Notes that the device's index was loaded. What is lent from now on cannot be among the
    /// completions that it announced.
    pub(crate) fn note_look(&mut self) {
        self.looks = self.looks.wrapping_add(1);
    }

    /// Requests in flight.
    pub(crate) fn in_flight(&self) -> u16 {
        self.in_flight
    }

    /// The descriptor behind `id` in its chain.
    pub(crate) fn next(&self, id: u16) -> Option<u16> {
        self.descriptors.get(usize::from(id))?.next
    }

    /// Chains `count` free descriptors to a request, and says which is its head.
    pub(crate) fn lend(&mut self, count: usize, limit: u32, tag: u16) -> Result<u16, Error> {
        let rest = self.free.len().checked_sub(count).filter(|_| count != 0);
        let chain = self.free.split_off(rest.ok_or(Error::QueueFull)?);
        let mut next = None;
        for id in chain {
            if let Some(descriptor) = self.descriptors.get_mut(usize::from(id)) {
                descriptor.next = next;
            }
            next = Some(id);
        }
        let head = next.ok_or(Error::QueueFull)?;
        if let Some(descriptor) = self.descriptors.get_mut(usize::from(head)) {
            let looks = self.looks;
            descriptor.request = Some(Request { tag, limit, looks });
        }
        self.in_flight += 1;
        Ok(head)
    }

    /// Checks a completion that the device announced, and frees its chain.
    pub(crate) fn complete(&mut self, id: u32, len: u32) -> Result<Completion, Error> {
        let head = u16::try_from(id).map_err(|_| Error::UsedId { id })?;
        let descriptor = self.descriptors.get_mut(usize::from(head));
        let request = descriptor.and_then(|d| d.request);
        // A buffer that is lent again at once often has the same id: a second completion of the
        // first loan is one of a loan that began after the look.
        let request = request.filter(|r| r.looks != self.looks);
        let Request { tag, limit, .. } = request.ok_or(Error::UsedId { id })?;
        if len > limit {
            return Err(Error::UsedLength { len, limit });
        }
        self.release(head);
        Ok(Completion { tag, len })
    }

    fn release(&mut self, head: u16) {
        let mut at = Some(head);
        while let Some(id) = at {
            let descriptor = self.descriptors.get_mut(usize::from(id));
            at = descriptor.and_then(|d| core::mem::take(d).next);
            self.free.push(id);
        }
        self.in_flight -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_completed_once_and_by_its_head() {
        let mut shadow = Shadow::new(4);
        let head = shadow.lend(3, 10, 7).unwrap();
        shadow.note_look();
        let second = shadow.next(head).unwrap();
        let bad = u32::from(second);
        assert_eq!(shadow.complete(bad, 0), Err(Error::UsedId { id: bad }));
        let id = u32::from(head);
        assert_eq!(shadow.complete(id, 10), Ok(Completion { tag: 7, len: 10 }));
        assert_eq!(shadow.complete(id, 10), Err(Error::UsedId { id }));
        assert_eq!(shadow.in_flight(), 0);
    }

    #[test]
    fn a_length_beyond_the_loan_frees_nothing() {
        let mut shadow = Shadow::new(1);
        let id = u32::from(shadow.lend(1, 10, 0).unwrap());
        shadow.note_look();
        let lie = Error::UsedLength { len: 11, limit: 10 };
        assert_eq!(shadow.complete(id, 11), Err(lie));
        assert_eq!(shadow.in_flight(), 1);
    }

    #[test]
    fn a_completion_announced_before_the_loan_is_refused() {
        let mut shadow = Shadow::new(1);
        let id = u32::from(shadow.lend(1, 0, 1).unwrap());
        shadow.note_look();
        assert!(shadow.complete(id, 0).is_ok());
        assert_eq!(shadow.lend(1, 0, 2).map(u32::from), Ok(id));
        assert_eq!(shadow.complete(id, 0), Err(Error::UsedId { id }));
        shadow.note_look();
        assert!(shadow.complete(id, 0).is_ok());
    }

    #[test]
    fn ids_that_no_queue_has_are_refused() {
        let mut shadow = Shadow::new(4);
        shadow.lend(4, 0, 0).unwrap();
        shadow.note_look();
        for id in [4, 255, 0x1_0000, u32::MAX] {
            assert_eq!(shadow.complete(id, 0), Err(Error::UsedId { id }));
        }
    }

    #[test]
    fn full_is_an_error_and_everything_comes_back() {
        let mut shadow = Shadow::new(4);
        let head = shadow.lend(3, 0, 0).unwrap();
        assert_eq!(shadow.lend(2, 0, 0), Err(Error::QueueFull));
        assert_eq!(shadow.lend(0, 0, 0), Err(Error::QueueFull));
        shadow.note_look();
        shadow.complete(head.into(), 0).unwrap();
        assert!(shadow.lend(4, 0, 0).is_ok());
    }
}
