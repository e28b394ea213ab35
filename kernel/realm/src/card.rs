//! The network card as the network stack sees it. Payloads do not see it; it is here because its driver has to be
//! made fast, as that of [`crate::Disk`] has, and what boots is made small.

use alloc::rc::Rc;
use core::cell::{OnceCell, RefCell};
use core::net::SocketAddr;

use audit::connection::is_with;
use audit::{Direction, Trace};
use frame::{Incoming, Offloads, Outgoing};
use net::FramePort;
use virtio::{Net, NetCounters, Usage};

/// A network card that the stack and the counters share.
#[derive(Clone)]
pub struct Card(Rc<Shared>);

struct Shared {
    net: RefCell<Net>,
    /// The trace, and the peer that is told of it through this card.
    own: OnceCell<(Rc<Trace>, SocketAddr)>,
}

impl Card {
    /// Takes a card that runs.
    pub fn new(net: Net) -> Self {
        Self(Rc::new(Shared {
            net: RefCell::new(net),
            own: OnceCell::new(),
        }))
    }

    /// Leaves frames to and from `peer` out of `trace`: they tell of it.
    pub fn leave_out(&self, trace: Rc<Trace>, peer: SocketAddr) {
        // There is one trace, so this happens once.
        let _first = self.0.own.set((trace, peer));
    }

    /// What the card has of its queues.
    pub fn usage(&self) -> [Usage; 2] {
        self.0.net.borrow().usage()
    }

    /// What the card did so far.
    pub fn counters(&self) -> NetCounters {
        self.0.net.borrow().counters()
    }

    /// Why the card was stopped, the first time this is asked after it happened.
    pub fn take_failure(&self) -> Option<virtio::Error> {
        self.0.net.borrow().take_failure()
    }
}

impl FramePort for Card {
    fn mac(&self) -> [u8; 6] {
        self.0.net.borrow().mac()
    }

    fn max_frame(&self) -> usize {
        self.0.net.borrow().max_frame()
    }

    fn offloads(&self) -> Offloads {
        self.0.net.borrow().offloads()
    }

    fn room(&mut self) -> usize {
        self.0.net.borrow_mut().room()
    }

    fn send(&mut self, parts: &[&[u8]], what: Outgoing) {
        let send = || self.0.net.borrow_mut().send(parts, what);
        match self.0.own.get() {
            None => send(),
            Some((trace, peer)) => {
                let head = parts.first().copied().unwrap_or_default();
                trace.muted(is_with(head, Direction::Out, *peer), send);
            }
        }
    }

    fn receive(&mut self, into: &mut [u8]) -> Option<Incoming> {
        let Some((trace, peer)) = self.0.own.get() else {
            return self.0.net.borrow_mut().receive(into);
        };
        let lost = trace.lost();
        let incoming = self.0.net.borrow_mut().receive(into)?;
        let frame = into.get(..incoming.len).unwrap_or_default();
        // What found no room is not there to be taken back.
        if is_with(frame, Direction::In, *peer) && trace.lost() == lost {
            trace.disown_frame();
        }
        Some(incoming)
    }

    fn flush(&mut self) {
        self.0.net.borrow_mut().flush();
    }
}
