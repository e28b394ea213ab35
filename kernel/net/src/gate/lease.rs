//! Whether a DHCP answer makes sense.

use core::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use clock::Instant;
use smoltcp::wire::{DhcpMessageType, DhcpPacket, DhcpRepr};

use super::Refusal;
use crate::address::{is_host_v4, same_network};

/// Shortest lease that we take, in seconds: below it, renewing would be all that we do.
const MIN_LEASE: u32 = 10;

/// Shortest network prefix that we take: nobody is given more than a class A network.
const MIN_PREFIX: u32 = 8;

/// Refusals that we listen to within [`NAK_PERIOD`]. Each one starts the client afresh at once, so
/// without a limit a server could keep it busy for ever.
const NAK_LIMIT: u8 = 4;

const NAK_PERIOD: Duration = Duration::from_secs(60);

/// Checks DHCP answers, and counts refusals.
#[derive(Default)]
pub(crate) struct NakLimit {
    since: Option<Instant>,
    seen: u8,
}

impl NakLimit {
    /// Says whether the DHCP client may see `message`.
    pub fn check(&mut self, message: &[u8], now: Instant) -> Result<(), Refusal> {
        let packet = DhcpPacket::new_checked(message).map_err(|_| Refusal::Lease)?;
        let message = DhcpRepr::parse(&packet).map_err(|_| Refusal::Lease)?;
        match message.message_type {
            DhcpMessageType::Nak => self.count(now),
            DhcpMessageType::Offer | DhcpMessageType::Ack if !makes_sense(&message) => {
                Err(Refusal::Lease)
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, now: Instant) -> Result<(), Refusal> {
        match self.since {
            Some(since) if now.since(since) < NAK_PERIOD => {}
            _ => {
                self.since = Some(now);
                self.seen = 0;
            }
        }
        if self.seen >= NAK_LIMIT {
            return Err(Refusal::ExcessNak);
        }
        self.seen += 1;
        Ok(())
    }
}

/// Says whether the times are in order, and the addresses those of hosts in one network.
///
/// Ref: RFC 2131, 4.4.5 "Reacquisition and expiration": T1 < T2 < lease.
fn makes_sense(message: &DhcpRepr<'_>) -> bool {
    let lease = message.lease_duration.unwrap_or(u32::MAX);
    let renew = message.renew_duration.unwrap_or(0);
    let rebind = message.rebind_duration.unwrap_or(lease);
    let in_order = renew <= rebind && rebind <= lease;
    in_order && lease >= MIN_LEASE && addresses_fit(message)
}

fn addresses_fit(message: &DhcpRepr<'_>) -> bool {
    let address = message.your_ip;
    if !is_host_v4(address) {
        return false;
    }
    // smoltcp refuses a lease without a mask; an offer may do without.
    let Some(mask) = message.subnet_mask else {
        return message.router.is_none_or(is_host_v4);
    };
    let Some(prefix) = prefix_of(mask) else {
        return false;
    };
    host_part_fits(address, prefix)
        && message.router.is_none_or(|router| {
            is_host_v4(router)
                && router != address
                && same_network(IpAddr::V4(address), IpAddr::V4(router), prefix)
        })
}

fn prefix_of(mask: Ipv4Addr) -> Option<u8> {
    let ones = mask.to_bits().leading_ones();
    let contiguous = mask.to_bits().count_ones() == ones;
    if !contiguous || ones < MIN_PREFIX {
        return None;
    }
    u8::try_from(ones).ok()
}

/// Says whether `address` is neither the name of its network nor its broadcast address.
///
/// Ref: RFC 3021: networks of 31 bits have neither.
fn host_part_fits(address: Ipv4Addr, prefix: u8) -> bool {
    if prefix >= 31 {
        return true;
    }
    let hosts = u32::MAX >> prefix;
    let host = address.to_bits() & hosts;
    host != 0 && host != hosts
}
