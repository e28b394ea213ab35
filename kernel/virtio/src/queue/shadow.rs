//! The private side of a queue: which descriptors are free, and what is in flight.

use alloc::vec::Vec;

use crate::Error;
use crate::queue::{Completion, Usage};

/// No descriptor.
const NONE: u16 = u16::MAX;

/// What we know of one descriptor.
#[derive(Clone, Copy)]
struct Descriptor {
    /// The descriptor behind it, in its chain or among the free ones.
    next: u16,
    /// Set while it is the head of a request in flight.
    request: Option<Request>,
}

#[derive(Clone, Copy)]
struct Request {
    tag: u16,
    limit: u32,
    /// Its last descriptor.
    last: u16,
    /// Its descriptors.
    count: u16,
    /// Looks at the device's index before it was lent.
    looks: u64,
}

/// The private side of a queue. Nothing here allocates after it was made.
pub(crate) struct Shadow {
    descriptors: Vec<Descriptor>,
    /// First of the free descriptors, each of which names the next.
    free: u16,
    left: u16,
    in_flight: u16,
    /// Bytes of what is in flight, and most of them ever.
    lent: u64,
    high_water: u64,
    /// Looks at the device's index, ever.
    looks: u64,
}

impl Shadow {
    /// That of a queue of `size` entries, which are fewer than 65535.
    pub(crate) fn new(size: u16) -> Self {
        let free = |next| Descriptor {
            next,
            request: None,
        };
        let mut descriptors: Vec<_> = (1..=size).map(free).collect();
        if let Some(last) = descriptors.last_mut() {
            last.next = NONE;
        }
        Self {
            descriptors,
            free: 0,
            left: size,
            in_flight: 0,
            lent: 0,
            high_water: 0,
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

    /// What is in flight, in bytes, too.
    pub(crate) fn usage(&self) -> Usage {
        Usage {
            in_flight: self.in_flight,
            lent: self.lent,
            high_water: self.high_water,
        }
    }

    /// Descriptors that are free.
    pub(crate) fn left(&self) -> u16 {
        self.left
    }

    /// The descriptor behind `id` in its chain.
    pub(crate) fn next(&self, id: u16) -> Option<u16> {
        let next = self.descriptors.get(usize::from(id))?.next;
        (next != NONE).then_some(next)
    }

    /// Chains `count` free descriptors to a request, and says which is its head.
    pub(crate) fn lend(&mut self, count: usize, limit: u32, tag: u16) -> Result<u16, Error> {
        let count = u16::try_from(count).map_err(|_| Error::QueueFull)?;
        let left = self.left.checked_sub(count).filter(|_| count != 0);
        let left = left.ok_or(Error::QueueFull)?;
        let head = self.free;
        let mut last = head;
        for _ in 1..count {
            last = self.next(last).ok_or(Error::QueueFull)?;
        }
        self.free = self.next(last).unwrap_or(NONE);
        self.at(last)?.next = NONE;
        let looks = self.looks;
        self.at(head)?.request = Some(Request {
            tag,
            limit,
            last,
            count,
            looks,
        });
        self.left = left;
        self.in_flight += 1;
        self.lent += u64::from(limit);
        self.high_water = self.high_water.max(self.lent);
        Ok(head)
    }

    /// Checks a completion that the device announced, and frees its chain.
    pub(crate) fn complete(&mut self, id: u32, len: u32) -> Result<Completion, Error> {
        let head = u16::try_from(id).map_err(|_| Error::UsedId { id })?;
        let descriptor = self.descriptors.get(usize::from(head));
        let request = descriptor.and_then(|d| d.request);
        // A buffer that is lent again at once often has the same id: a second completion of the
        // first loan is one of a loan that began after the look.
        let request = request.filter(|r| r.looks != self.looks);
        let request = request.ok_or(Error::UsedId { id })?;
        let Request { tag, limit, .. } = request;
        if len > limit {
            return Err(Error::UsedLength { len, limit });
        }
        self.release(head, request)?;
        Ok(Completion { tag, len })
    }

    fn release(&mut self, head: u16, request: Request) -> Result<(), Error> {
        self.at(head)?.request = None;
        self.at(request.last)?.next = self.free;
        self.free = head;
        self.left += request.count;
        self.in_flight -= 1;
        self.lent -= u64::from(request.limit);
        Ok(())
    }

    fn at(&mut self, id: u16) -> Result<&mut Descriptor, Error> {
        let descriptor = self.descriptors.get_mut(usize::from(id));
        descriptor.ok_or(Error::QueueFull)
    }
}

#[cfg(test)]
mod model;

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
    fn what_is_lent_is_counted_in_bytes_with_its_high_water() {
        let mut shadow = Shadow::new(4);
        let first = shadow.lend(1, 100, 0).unwrap();
        shadow.lend(1, 20, 1).unwrap();
        shadow.note_look();
        shadow.complete(first.into(), 3).unwrap();
        shadow.lend(1, 50, 2).unwrap();
        let usage = Usage {
            in_flight: 2,
            lent: 70,
            high_water: 120,
        };
        assert_eq!(shadow.usage(), usage);
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
