//! A frame port as smoltcp wants to see it.

mod link;

use alloc::{boxed::Box, vec, vec::Vec};

use clock::Instant;
use smoltcp::phy::{self, Checksum, DeviceCapabilities, Medium, PacketMeta};

use crate::{
    Counters, FramePort,
    gate::{Gate, Pass},
    transaction::Transaction,
    witness::Witness,
};

use link::{Link, MAX_FRAME};

/// The port, a private buffer for each direction, and what guards them.
pub(crate) struct Device {
    received: Vec<u8>,
    /// Bytes of the frame in `received` that the stack sees next.
    ready: Option<usize>,
    injected: Option<Vec<u8>>,
    gate: Gate,
    witness: Witness,
    link: Link,
}

impl Device {
    /// Takes the buffers that `port` needs: one received frame, one frame to send.
    pub fn new(port: Box<dyn FramePort>, transaction: Transaction) -> Self {
        let link = Link::new(port, transaction);
        Self {
            // Whatever the port sends: lkvm's user-mode network sends TCP segments as long as the
            // window that it sees.
            received: vec![0; MAX_FRAME],
            ready: None,
            injected: None,
            gate: Gate::new(link.limits()),
            witness: Witness::default(),
            link,
        }
    }

    /// Gives the budget of one poll.
    pub fn start_poll(&mut self) {
        self.link.start_poll();
    }

    /// Rings the doorbell if anything was sent or received since the last call.
    pub fn flush(&mut self) {
        self.link.flush();
    }

    /// Whether a budget ran out, so that there may be more to do at once.
    pub fn budget_spent(&self) -> bool {
        self.link.budget_spent()
    }

    /// Whether the port had no room in this poll.
    pub fn blocked(&self) -> bool {
        self.link.blocked()
    }

    /// Makes the stack see `frame` next, as if it had been received.
    pub fn inject(&mut self, frame: Vec<u8>) {
        self.injected = Some(frame);
    }

    /// Who was heard.
    pub fn witness(&mut self) -> &mut Witness {
        &mut self.witness
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        self.link.counters
    }

    /// Most bytes of an IP packet that we send uncut.
    pub fn ip_mtu(&self) -> usize {
        self.link.ip_mtu()
    }

    /// Copies the next frame that may pass, so that the stack sees it next; says what it is.
    pub fn fetch(&mut self, now: Instant) -> Option<Pass> {
        if let Some(frame) = self.injected.take() {
            let room = self.received.get_mut(..frame.len())?;
            room.copy_from_slice(&frame);
            self.ready = Some(frame.len());
            return Some(Pass::Frame);
        }
        while let Some(what) = self.link.receive(&mut self.received) {
            let Some(frame) = self.received.get_mut(..what.len) else {
                self.link.counters.bad_length += 1;
                continue;
            };
            let transaction = &self.link.transaction;
            match self.gate.check(frame, &what, transaction, now) {
                Ok(pass) => {
                    self.witness.look(frame);
                    self.ready = Some(what.len);
                    return Some(pass);
                }
                Err(refusal) => self.link.count(refusal),
            }
        }
        None
    }
}

impl phy::Device for Device {
    type RxToken<'a> = RxToken<'a>;
    type TxToken<'a> = TxToken<'a>;

    /// What was fetched. Frames are received even when none can be sent: a host that withholds room
    /// must not make us deaf. The reply is dropped then, and counted.
    fn receive(&mut self, _: smoltcp::time::Instant) -> Option<(RxToken<'_>, TxToken<'_>)> {
        let frame = self.received.get(..self.ready.take()?)?;
        Some((RxToken(frame), TxToken::new(&mut self.link)))
    }

    fn transmit(&mut self, _: smoltcp::time::Instant) -> Option<TxToken<'_>> {
        let room = self.link.has_room();
        room.then_some(TxToken::new(&mut self.link))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        // Not the truth; `crate::segment` says why.
        capabilities.max_transmission_unit = MAX_FRAME;
        // They are made and verified here, by vectors.
        capabilities.checksum.tcp = Checksum::None;
        capabilities.checksum.udp = Checksum::None;
        let [v4, v6] = self.link.cuts();
        capabilities.segmentation.tcpv4 = v4;
        capabilities.segmentation.tcpv6 = v6;
        capabilities
    }
}

/// A received frame, already in private memory.
pub(crate) struct RxToken<'a>(&'a [u8]);

impl phy::RxToken for RxToken<'_> {
    fn consume<R, F>(self, f: F) -> R
    where
        F: FnOnce(&[u8]) -> R,
    {
        f(self.0)
    }
}

/// The right to send one frame. It holds nothing: room is taken when it is used.
pub(crate) struct TxToken<'a> {
    link: &'a mut Link,
    /// Bytes of payload after which the frame is to be cut.
    size: Option<u16>,
}

impl<'a> TxToken<'a> {
    fn new(link: &'a mut Link) -> Self {
        Self { link, size: None }
    }
}

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F>(self, len: usize, f: F) -> R
    where
        F: FnOnce(&mut [u8]) -> R,
    {
        let result = f(self.link.buffer(len));
        self.link.send(len, self.size);
        result
    }

    fn set_meta(&mut self, meta: PacketMeta) {
        self.size = meta.segmentation_offload_size.map(u16::from);
    }
}
