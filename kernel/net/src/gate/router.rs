//! Whether a router advertisement makes sense.

use core::net::IpAddr;

use smoltcp::wire::{
    Icmpv6Message, Icmpv6Packet, NdiscPrefixInfoFlags, NdiscPrefixInformation, NdiscRepr,
};

use super::Refusal;
use crate::address::is_host;

/// Says whether the stack may see the ICMPv6 `message`.
pub(crate) fn check(message: &[u8]) -> Result<(), Refusal> {
    let packet = Icmpv6Packet::new_checked(message).map_err(|_| Refusal::Header)?;
    if packet.msg_type() != Icmpv6Message::RouterAdvert {
        return Ok(());
    }
    match NdiscRepr::parse(&packet) {
        Ok(NdiscRepr::RouterAdvert {
            prefix_info: Some(prefix),
            ..
        }) if !makes_sense(&prefix) => Err(Refusal::Router),
        Ok(_) => Ok(()),
        Err(_) => Err(Refusal::Router),
    }
}

/// Says whether addresses may be made from `prefix`, if that is what it is for.
///
/// smoltcp 0.14 panics on a length above 128, and on addresses that are multicast.
///
/// Ref: RFC 4862, 5.5.3 "Router Advertisement Processing".
fn makes_sense(prefix: &NdiscPrefixInformation) -> bool {
    if !prefix.flags.contains(NdiscPrefixInfoFlags::ADDRCONF) {
        return true;
    }
    let ordered = prefix.preferred_lifetime <= prefix.valid_lifetime;
    // Half of an address is the prefix, the other half is ours.
    let half = prefix.prefix_len == 64;
    // Nothing below 100::/8 is assigned to hosts.
    ordered && half && is_host(IpAddr::V6(prefix.prefix)) && prefix.prefix.octets()[0] != 0
}
