//! What frames tell about the neighbourhood, beside what the stack makes of them.
//!
//! smoltcp drops an echo with a wrong checksum without a word, and keeps its neighbours to itself. Who
//! asks why a router does not answer wants to know both. All of it is hearsay of a stranger, so
//! nothing is decided by it: it goes into messages.

use core::{net::IpAddr, task::Waker};

use smoltcp::wire::{
    ArpOperation, ArpPacket, EthernetFrame, EthernetProtocol, Icmpv4Message, Icmpv4Packet,
    Icmpv6Message, Icmpv6Packet, IpProtocol, Ipv4Packet, Ipv6Packet, NdiscRepr,
};

/// How many neighbours are remembered; the oldest is forgotten first.
const NEIGHBOURS: usize = 8;

/// An answer to a request of ours: from whom, and to which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Echo {
    /// Who sent it.
    pub host: IpAddr,
    /// The identifier of the request.
    pub ident: u16,
}

/// Who was heard.
#[derive(Default)]
pub(crate) struct Witness {
    neighbours: [Option<IpAddr>; NEIGHBOURS],
    next: usize,
    broken_echo: Option<Echo>,
    waiting: Option<Waker>,
}

impl Witness {
    /// Looks at a frame that passed the gate.
    pub fn look(&mut self, frame: &[u8]) {
        let Ok(ethernet) = EthernetFrame::new_checked(frame) else {
            return;
        };
        let seen = match ethernet.ethertype() {
            EthernetProtocol::Arp => arp(ethernet.payload()),
            EthernetProtocol::Ipv4 => ipv4(ethernet.payload()),
            EthernetProtocol::Ipv6 => ipv6(ethernet.payload()),
            _ => None,
        };
        match seen {
            Some(Seen::Neighbour(host)) => self.remember(host),
            Some(Seen::BrokenEcho(echo)) => self.tell(echo),
            None => {}
        }
    }

    /// Whether `host` answered the question for its hardware address.
    pub fn knows(&self, host: IpAddr) -> bool {
        self.neighbours.contains(&Some(host))
    }

    /// Whether the latest answer with a wrong checksum was `echo`. If not, wakes `waker` when there is
    /// another; of several that wait, the last: the others see it at their deadline.
    pub fn saw_broken(&mut self, echo: Echo, waker: &Waker) -> bool {
        if self.broken_echo == Some(echo) {
            return true;
        }
        self.waiting = Some(waker.clone());
        false
    }

    fn tell(&mut self, echo: Echo) {
        self.broken_echo = Some(echo);
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }

    fn remember(&mut self, host: IpAddr) {
        if self.knows(host) {
            return;
        }
        if let Some(slot) = self.neighbours.get_mut(self.next) {
            *slot = Some(host);
        }
        self.next = (self.next + 1) % NEIGHBOURS;
    }
}

/// What a frame tells.
enum Seen {
    Neighbour(IpAddr),
    BrokenEcho(Echo),
}

fn arp(packet: &[u8]) -> Option<Seen> {
    let packet = ArpPacket::new_checked(packet).ok()?;
    let address: [u8; 4] = packet.source_protocol_addr().try_into().ok()?;
    (packet.operation() == ArpOperation::Reply).then(|| Seen::Neighbour(address.into()))
}

fn ipv4(packet: &[u8]) -> Option<Seen> {
    let packet = Ipv4Packet::new_checked(packet).ok()?;
    if packet.next_header() != IpProtocol::Icmp {
        return None;
    }
    let host = packet.src_addr().into();
    let message = Icmpv4Packet::new_checked(packet.payload()).ok()?;
    let broken = message.msg_type() == Icmpv4Message::EchoReply && !message.verify_checksum();
    let ident = message.echo_ident();
    broken.then_some(Seen::BrokenEcho(Echo { host, ident }))
}

fn ipv6(packet: &[u8]) -> Option<Seen> {
    let packet = Ipv6Packet::new_checked(packet).ok()?;
    if packet.next_header() != IpProtocol::Icmpv6 {
        return None;
    }
    let (from, to) = (packet.src_addr(), packet.dst_addr());
    let message = Icmpv6Packet::new_checked(packet.payload()).ok()?;
    let good = message.verify_checksum(&from, &to);
    match message.msg_type() {
        Icmpv6Message::NeighborAdvert if good => match NdiscRepr::parse(&message) {
            Ok(NdiscRepr::NeighborAdvert { target_addr, .. }) => {
                Some(Seen::Neighbour(target_addr.into()))
            }
            _ => None,
        },
        Icmpv6Message::EchoReply if !good => Some(Seen::BrokenEcho(Echo {
            host: from.into(),
            ident: message.echo_ident(),
        })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_neighbour_is_forgotten_first() {
        let mut witness = Witness::default();
        let host = |last| IpAddr::from([10, 0, 0, last]);
        for last in 1..=9 {
            witness.remember(host(last));
        }
        assert!(!witness.knows(host(1)));
        assert!((2..=9).all(|last| witness.knows(host(last))));
    }
}
