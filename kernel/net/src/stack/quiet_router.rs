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

use crate::{config::link_local, time};

/// How long after its last due moment a solicitation counts as given up.
const PATIENCE: Duration = Duration::from_secs(1);

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Ends the search for routers when none answered.
///
/// smoltcp 0.14 stops to send solicitations after three, but goes on to say that the next one is
/// due, so that the stack would be polled without end. An advertisement of no router at all, which
/// only the stack itself sees, ends that. Routers that come later are still heard.
pub(super) struct QuietRouter {
    mac: [u8; 6],
    done: bool,
}

impl QuietRouter {
    pub fn new(mac: [u8; 6]) -> Self {
        Self { mac, done: false }
    }

    /// The frame to show to the stack, once, when the solicitation due at `due` will never be sent.
    pub fn give_up(
        &mut self,
        now: Instant,
        due: Option<smoltcp::time::Instant>,
    ) -> Option<Vec<u8>> {
        let due = time::from_smoltcp(due?);
        if self.done || now < due.after(PATIENCE) {
            return None;
        }
        self.done = true;
        Some(self.advertisement())
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
