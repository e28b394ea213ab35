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
        Offloads {
            checksums: self.0.borrow().checksums_sent(),
            ..Offloads::default()
        }
    }

    fn room(&mut self) -> usize {
        let mut card = self.0.borrow_mut();
        if card.can_send() { card.max_frame() } else { 0 }
    }

    /// The card finds open checksums by itself, and cuts nothing.
    fn send(&mut self, parts: &[&[u8]], _: Outgoing) {
        if let [frame] = parts {
            self.0.borrow_mut().send(frame);
        }
    }

    fn receive(&mut self, into: &mut [u8]) -> Option<Incoming> {
        let len = self.0.borrow_mut().receive(into)?;
        Some(Incoming {
            len,
            ..Incoming::default()
        })
    }

    fn flush(&mut self) {
        self.0.borrow_mut().flush();
    }
}
