//! The addresses that the interface has.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use smoltcp::{socket::dhcpv4, wire::IpCidr};

use crate::config::Static;

/// Most name servers that are kept.
pub const MAX_NAME_SERVERS: usize = 3;

/// The main address of the interface, from a DHCP server or from the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Our address.
    pub address: IpAddr,
    /// Bits of the network part.
    pub prefix: u8,
    /// The router.
    pub router: Option<IpAddr>,
    /// The server that gave the lease.
    pub server: Option<Ipv4Addr>,
    name_servers: [Option<IpAddr>; MAX_NAME_SERVERS],
}

impl Lease {
    /// The servers that know names, best first.
    pub fn name_servers(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.name_servers.iter().copied().flatten()
    }

    pub(crate) fn cidr(&self) -> IpCidr {
        IpCidr::new(self.address.into(), self.prefix)
    }

    pub(crate) fn from_user(user: &Static) -> Self {
        Self {
            address: user.address,
            prefix: user.prefix,
            router: user.gateway,
            server: None,
            name_servers: [user.dns, None, None],
        }
    }

    pub(crate) fn from_dhcp(config: &dhcpv4::Config<'_>) -> Self {
        let mut given = config.dns_servers.iter().copied().map(IpAddr::V4);
        Self {
            address: config.address.address().into(),
            prefix: config.address.prefix_len(),
            router: config.router.map(IpAddr::V4),
            server: Some(config.server.identifier),
            name_servers: core::array::from_fn(|_| given.next()),
        }
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)?;
        if let Some(router) = self.router {
            write!(f, ", router {router}")?;
        }
        let mut separator = ", DNS ";
        for server in self.name_servers() {
            write!(f, "{separator}{server}")?;
            separator = " ";
        }
        Ok(())
    }
}
