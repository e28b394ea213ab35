//! The end of asking for IPv6 routers.

use alloc::{vec, vec::Vec};
use core::{net::Ipv6Addr, time::Duration};

use clock::Instant;
use smoltcp::{
    phy::ChecksumCapabilities,
    wire::{
        EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, Icmpv6Packet, Icmpv6Repr,
        IpProtocol, Ipv6Packet, Ipv6Repr, NdiscRepr, NdiscRouterFlags,
    },
};

use crate::address::link_local;

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Time between solicitations, and how many there are.
///
/// Ref: RFC 4861, 10 "Protocol Constants".
const INTERVAL: Duration = Duration::from_secs(4);
const SOLICITATIONS: u8 = 3;

/// Ends the search for routers when none answered.
///
/// smoltcp 0.14 sends three solicitations, then goes on to say that the next one is due, so that
/// the stack would be polled without end. An advertisement of no router at all, which only the
/// stack itself sees, ends that. Routers that come later are still heard.
pub(super) struct QuietRouter {
    mac: [u8; 6],
    left: u8,
    next: Instant,
}

impl QuietRouter {
    pub fn new(mac: [u8; 6], now: Instant) -> Self {
        Self {
            mac,
            left: SOLICITATIONS,
            next: now.after(INTERVAL),
        }
    }

    /// When the next solicitation is due, or the end of the search.
    pub fn deadline(&self) -> Option<Instant> {
        (self.left > 0).then_some(self.next)
    }

    /// To be called when the port had room for what was due. At the end of the search, gives the
    /// frame to show to the stack.
    pub fn tick(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.left == 0 || now < self.next {
            return None;
        }
        self.left -= 1;
        self.next = now.after(INTERVAL);
        (self.left == 0).then(|| self.advertisement())
    }

    /// An advertisement from our own address that promises no router and no prefix.
    fn advertisement(&self) -> Vec<u8> {
        let source = link_local(self.mac);
        let icmp = Icmpv6Repr::Ndisc(NdiscRepr::RouterAdvert {
            hop_limit: 0,
            flags: NdiscRouterFlags::empty(),
            router_lifetime: smoltcp::time::Duration::ZERO,
            reachable_time: smoltcp::time::Duration::ZERO,
            retrans_time: smoltcp::time::Duration::ZERO,
            lladdr: None,
            mtu: None,
            prefix_info: None,
        });
        let ip = Ipv6Repr {
            src_addr: source,
            dst_addr: ALL_NODES,
            next_header: IpProtocol::Icmpv6,
            payload_len: icmp.buffer_len(),
            hop_limit: 255,
        };
        let mut frame = vec![0; 14 + ip.buffer_len() + icmp.buffer_len()];
        self.emit(&mut frame, &ip, &icmp);
        frame
    }

    fn emit(&self, frame: &mut [u8], ip: &Ipv6Repr, icmp: &Icmpv6Repr<'_>) {
        let mut ethernet = EthernetFrame::new_unchecked(frame);
        EthernetRepr {
            src_addr: EthernetAddress(self.mac),
            dst_addr: EthernetAddress(self.mac),
            ethertype: EthernetProtocol::Ipv6,
        }
        .emit(&mut ethernet);
        let mut packet = Ipv6Packet::new_unchecked(ethernet.payload_mut());
        ip.emit(&mut packet);
        let mut message = Icmpv6Packet::new_unchecked(packet.payload_mut());
        icmp.emit(
            &ip.src_addr,
            &ip.dst_addr,
            &mut message,
            &ChecksumCapabilities::default(),
        );
    }
}
