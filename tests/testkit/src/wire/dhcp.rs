//! A DHCP server that may lie.

use std::{cell::Cell, net::Ipv4Addr, rc::Rc};

use smoltcp::{
    phy::ChecksumCapabilities,
    wire::{
        DhcpMessageType, DhcpOption, DhcpPacket, DhcpRepr, EthernetAddress, EthernetFrame,
        EthernetProtocol, EthernetRepr, IpAddress, IpProtocol, Ipv4Packet, Ipv4Repr, UdpPacket,
        UdpRepr,
    },
};

use super::Responder;

/// What a [`DhcpServer`] offers.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The address of the client.
    pub address: Ipv4Addr,
    /// The mask of its network.
    pub mask: Option<Ipv4Addr>,
    /// The router.
    pub router: Option<Ipv4Addr>,
    /// The name server.
    pub dns: Option<Ipv4Addr>,
    /// Seconds of the lease.
    pub lease: Option<u32>,
    /// T1, in seconds.
    pub renew: Option<u32>,
    /// T2, in seconds.
    pub rebind: Option<u32>,
}

impl Default for Offer {
    /// What QEMU's user network offers.
    fn default() -> Self {
        Self {
            address: Ipv4Addr::new(10, 0, 2, 15),
            mask: Some(Ipv4Addr::new(255, 255, 255, 0)),
            router: Some(Ipv4Addr::new(10, 0, 2, 2)),
            dns: Some(Ipv4Addr::new(10, 0, 2, 3)),
            lease: Some(86400),
            renew: None,
            rebind: None,
        }
    }
}

/// Whether a server takes back in the end what it offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refuses {
    /// No request.
    Nothing,
    /// Every request.
    Everything,
}

/// A DHCP server at 10.0.2.2.
pub struct DhcpServer {
    offer: Offer,
    refuses: Refuses,
    requests: Rc<Cell<u32>>,
}

const MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 2]);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

impl Default for DhcpServer {
    fn default() -> Self {
        Self::new(Offer::default(), Refuses::Nothing)
    }
}

impl DhcpServer {
    /// A server that offers `offer` to everybody.
    pub fn new(offer: Offer, refuses: Refuses) -> Self {
        Self {
            offer,
            refuses,
            requests: Rc::default(),
        }
    }

    /// Counts the messages of clients, even when the server is out of sight.
    pub fn requests(&self) -> Rc<Cell<u32>> {
        Rc::clone(&self.requests)
    }

    fn reply_to(&self, request: &DhcpRepr<'_>) -> Option<Vec<u8>> {
        let message_type = match request.message_type {
            DhcpMessageType::Discover => DhcpMessageType::Offer,
            DhcpMessageType::Request if self.refuses == Refuses::Everything => DhcpMessageType::Nak,
            DhcpMessageType::Request => DhcpMessageType::Ack,
            _ => return None,
        };
        // smoltcp reads T1 and T2 but does not write them.
        let times = [(58, self.offer.renew), (59, self.offer.rebind)];
        let times = times.map(|(kind, time)| (kind, time.map(u32::to_be_bytes)));
        let times: Vec<_> = times
            .iter()
            .filter_map(|(kind, time)| {
                let data = time.as_ref()?;
                Some(DhcpOption { kind: *kind, data })
            })
            .collect();
        let mut dns_servers = heapless::Vec::new();
        dns_servers.extend(self.offer.dns);
        let reply = DhcpRepr {
            message_type,
            your_ip: self.offer.address,
            server_ip: ADDRESS,
            router: self.offer.router,
            subnet_mask: self.offer.mask,
            server_identifier: Some(ADDRESS),
            dns_servers: Some(dns_servers),
            lease_duration: self.offer.lease,
            renew_duration: None,
            rebind_duration: None,
            requested_ip: None,
            client_identifier: None,
            parameter_request_list: None,
            max_size: None,
            additional_options: &times,
            ..*request
        };
        Some(frame(&reply))
    }
}

impl Responder for DhcpServer {
    fn answer(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
        let Some(payload) = request(frame) else {
            return Vec::new();
        };
        self.requests.set(self.requests.get() + 1);
        let packet = DhcpPacket::new_checked(payload).expect("a client that is well-formed");
        let request = DhcpRepr::parse(&packet).expect("a client that makes sense");
        self.reply_to(&request).into_iter().collect()
    }
}

/// The DHCP message of a client in `frame`, if there is one.
fn request(frame: &[u8]) -> Option<&[u8]> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    if ethernet.ethertype() != EthernetProtocol::Ipv4 {
        return None;
    }
    let ip = Ipv4Packet::new_checked(ethernet.payload()).ok()?;
    if ip.next_header() != IpProtocol::Udp {
        return None;
    }
    let udp = UdpPacket::new_checked(ip.payload()).ok()?;
    (udp.dst_port() == 67).then(|| udp.payload())
}

/// A broadcast frame that carries `reply`.
fn frame(reply: &DhcpRepr<'_>) -> Vec<u8> {
    let udp = UdpRepr {
        src_port: 67,
        dst_port: 68,
    };
    let ip = Ipv4Repr {
        src_addr: ADDRESS,
        dst_addr: Ipv4Addr::BROADCAST,
        next_header: IpProtocol::Udp,
        payload_len: udp.header_len() + reply.buffer_len(),
        hop_limit: 64,
    };
    let sums = ChecksumCapabilities::default();
    let mut frame = vec![0; 14 + ip.buffer_len() + ip.payload_len];
    let mut ethernet = EthernetFrame::new_unchecked(&mut frame[..]);
    EthernetRepr {
        src_addr: MAC,
        dst_addr: EthernetAddress::BROADCAST,
        ethertype: EthernetProtocol::Ipv4,
    }
    .emit(&mut ethernet);
    let mut packet = Ipv4Packet::new_unchecked(ethernet.payload_mut());
    ip.emit(&mut packet, &sums);
    udp.emit(
        &mut UdpPacket::new_unchecked(packet.payload_mut()),
        &IpAddress::from(ADDRESS),
        &IpAddress::from(Ipv4Addr::BROADCAST),
        reply.buffer_len(),
        |payload| {
            reply
                .emit(&mut DhcpPacket::new_unchecked(payload))
                .expect("a reply that fits");
        },
        &sums,
    );
    frame
}
