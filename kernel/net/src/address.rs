//! What an address can be.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Says whether `address` can belong to a single host other than ourselves talking to ourselves.
pub(crate) fn is_host(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_host_v4(v4),
        IpAddr::V6(v6) => !(v6.is_unspecified() || v6.is_multicast() || v6.is_loopback()),
    }
}

/// As [`is_host`].
pub(crate) fn is_host_v4(v4: Ipv4Addr) -> bool {
    // 0.0.0.0/8 means «this network», and 240.0.0.0/4 and broadcast belong to nobody.
    let first = v4.octets()[0];
    !(first == 0 || first >= 240 || v4.is_multicast() || v4.is_loopback())
}

/// Says whether both addresses share their first `prefix` bits.
pub(crate) fn same_network(one: IpAddr, other: IpAddr, prefix: u8) -> bool {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            let differing = one.to_bits() ^ other.to_bits();
            differing.leading_zeros() >= u32::from(prefix)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            let differing = one.to_bits() ^ other.to_bits();
            differing.leading_zeros() >= u32::from(prefix)
        }
        _ => false,
    }
}

/// The link-local address that belongs to `mac`.
///
/// Ref: RFC 4291, appendix A "Creating Modified EUI-64 Format Interface Identifiers".
pub(crate) fn link_local(mac: [u8; 6]) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac;
    Ipv6Addr::from_octets([
        0xfe,
        0x80,
        0,
        0,
        0,
        0,
        0,
        0,
        a ^ 2,
        b,
        c,
        0xff,
        0xfe,
        d,
        e,
        f,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_local_address_holds_the_mac() {
        assert_eq!(
            link_local([0x52, 0x54, 0, 0x12, 0x34, 0x56]),
            "fe80::5054:ff:fe12:3456".parse::<Ipv6Addr>().unwrap()
        );
    }

    #[test]
    fn addresses_of_nobody_are_no_hosts() {
        for nobody in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "::",
            "ff02::1",
        ] {
            assert!(!is_host(nobody.parse().unwrap()), "{nobody}");
        }
        assert!(is_host(IpAddr::from([10, 0, 0, 1])));
    }

    #[test]
    fn a_network_is_told_by_its_prefix() {
        let [one, near, far] = [[10, 0, 0, 1], [10, 0, 0, 254], [10, 0, 1, 1]].map(IpAddr::from);
        assert!(same_network(one, near, 24));
        assert!(!same_network(one, far, 24));
        assert!(same_network(one, far, 23));
        assert!(same_network(one, one, 32));
    }
}
