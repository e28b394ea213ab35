//! Router advertisements, true or not.

use std::net::Ipv6Addr;

use smoltcp::{
    phy::ChecksumCapabilities,
    time::Duration,
    wire::{
        EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, Icmpv6Packet, Icmpv6Repr,
        IpProtocol, Ipv6Packet, Ipv6Repr, NdiscPrefixInfoFlags, NdiscPrefixInformation, NdiscRepr,
        NdiscRouterFlags,
    },
};

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// What a router says about itself and one prefix.
#[derive(Clone, Copy, Debug)]
pub struct Advertisement {
    /// The address of the router.
    pub router: Ipv6Addr,
    /// The prefix.
    pub prefix: Ipv6Addr,
    /// Its bits.
    pub prefix_len: u8,
    /// Seconds that its addresses may be used.
    pub valid: u64,
    /// Seconds that its addresses may be used for something new.
    pub preferred: u64,
}

impl Default for Advertisement {
    fn default() -> Self {
        Self {
            router: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9),
            prefix: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0),
            prefix_len: 64,
            valid: 3600,
            preferred: 1800,
        }
    }
}

impl Advertisement {
    /// The frame that says it to everybody.
    pub fn frame(&self) -> Vec<u8> {
        let icmp = Icmpv6Repr::Ndisc(NdiscRepr::RouterAdvert {
            hop_limit: 64,
            flags: NdiscRouterFlags::empty(),
            router_lifetime: Duration::from_secs(1800),
            reachable_time: Duration::ZERO,
            retrans_time: Duration::ZERO,
            lladdr: None,
            mtu: None,
            prefix_info: Some(NdiscPrefixInformation {
                prefix_len: self.prefix_len,
                flags: NdiscPrefixInfoFlags::ON_LINK | NdiscPrefixInfoFlags::ADDRCONF,
                valid_lifetime: Duration::from_secs(self.valid),
                preferred_lifetime: Duration::from_secs(self.preferred),
                prefix: self.prefix,
            }),
        });
        let ip = Ipv6Repr {
            src_addr: self.router,
            dst_addr: ALL_NODES,
            next_header: IpProtocol::Icmpv6,
            payload_len: icmp.buffer_len(),
            hop_limit: 255,
        };
        let mut frame = vec![0; 14 + ip.buffer_len() + icmp.buffer_len()];
        let mut ethernet = EthernetFrame::new_unchecked(&mut frame[..]);
        EthernetRepr {
            src_addr: EthernetAddress([2, 0, 0, 0, 0, 9]),
            dst_addr: EthernetAddress([0x33, 0x33, 0, 0, 0, 1]),
            ethertype: EthernetProtocol::Ipv6,
        }
        .emit(&mut ethernet);
        let mut packet = Ipv6Packet::new_unchecked(ethernet.payload_mut());
        ip.emit(&mut packet);
        icmp.emit(
            &ip.src_addr,
            &ip.dst_addr,
            &mut Icmpv6Packet::new_unchecked(packet.payload_mut()),
            &ChecksumCapabilities::default(),
        );
        frame
    }
}
