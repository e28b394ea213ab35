//! The network card as the network stack sees it.

use alloc::rc::Rc;
use core::cell::RefCell;

use frame::{Incoming, Offloads, Outgoing};
use net::FramePort;
use virtio::{Net, NetCounters};

/// A network card that the stack and the counters share.
#[derive(Clone)]
pub struct Card(Rc<RefCell<Net>>);

impl Card {
    /// Takes a card that runs.
    pub fn new(net: Net) -> Self {
        Self(Rc::new(RefCell::new(net)))
    }

    /// What the card did so far.
    pub fn counters(&self) -> NetCounters {
        self.0.borrow().counters()
    }

    /// Why the card was stopped, the first time this is asked after it happened.
    pub fn take_failure(&self) -> Option<virtio::Error> {
        self.0.borrow().take_failure()
    }
}

impl FramePort for Card {
    fn mac(&self) -> [u8; 6] {
        self.0.borrow().mac()
    }

    fn max_frame(&self) -> usize {
        self.0.borrow().max_frame()
    }

    fn offloads(&self) -> Offloads {
        self.0.borrow().offloads()
    }

    fn room(&mut self) -> usize {
        self.0.borrow_mut().room()
    }

    fn send(&mut self, parts: &[&[u8]], what: Outgoing) {
        self.0.borrow_mut().send(parts, what);
    }

    fn receive(&mut self, into: &mut [u8]) -> Option<Incoming> {
        self.0.borrow_mut().receive(into)
    }

    fn flush(&mut self) {
        self.0.borrow_mut().flush();
    }
}
