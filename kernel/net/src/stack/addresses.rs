//! The addresses and routes of the interface, and who gives them.

use core::{
    net::{IpAddr, Ipv6Addr},
    task::Waker,
};

use smoltcp::{
    iface::Routes,
    socket::{dhcpv4, dns},
    time::Duration,
    wire::{IpAddress, IpCidr},
};

use super::Inner;
use crate::Lease;

impl Inner {
    /// Gives the interface the address by which neighbours know it.
    pub(super) fn add_link_local(&mut self, address: Ipv6Addr) {
        let cidr = IpCidr::new(IpAddress::Ipv6(address), 64);
        self.iface.update_ip_addrs(|all| {
            // The list is empty, so there is room.
            let _ = all.push(cidr);
        });
    }

    /// Starts asking for a lease. A lost answer costs a second and not ten.
    pub(super) fn start_dhcp(&mut self) {
        let mut socket = dhcpv4::Socket::new();
        let mut retry = dhcpv4::RetryConfig::default();
        retry.discover_timeout = Duration::from_secs(2);
        retry.initial_request_timeout = Duration::from_secs(1);
        socket.set_retry_config(retry);
        self.dhcp = Some(self.sockets.add(socket));
    }

    /// Does what the DHCP client learned.
    pub(super) fn follow_dhcp(&mut self) {
        let Some(handle) = self.dhcp else {
            return;
        };
        let lease = match self.sockets.get_mut::<dhcpv4::Socket<'_>>(handle).poll() {
            None => return,
            Some(dhcpv4::Event::Configured(config)) => Some(Lease::from_dhcp(&config)),
            Some(dhcpv4::Event::Deconfigured) => None,
        };
        if lease != self.lease {
            self.drop_lease();
            if let Some(lease) = lease {
                self.take_lease(lease);
            }
        }
    }

    /// Uses `lease`, and tells who waits for one.
    pub(super) fn take_lease(&mut self, lease: Lease) {
        self.iface.update_ip_addrs(|all| {
            if let Err(cidr) = all.push(lease.cidr()) {
                // Routers advertised too much: the lease is worth more.
                all.pop();
                let _ = all.push(cidr);
            }
        });
        if let Some(router) = lease.router {
            add_default_route(self.iface.routes_mut(), router);
        }
        self.set_name_servers(&lease);
        self.lease = Some(lease);
        for waker in self.awaiting_lease.drain(..) {
            waker.wake();
        }
    }

    fn drop_lease(&mut self) {
        let Some(lease) = self.lease.take() else {
            return;
        };
        let cidr = lease.cidr();
        self.iface
            .update_ip_addrs(|all| all.retain(|one| *one != cidr));
        self.iface.routes_mut().remove_default_ipv4_route();
        self.sockets
            .get_mut::<dns::Socket<'_>>(self.dns)
            .update_servers(&[]);
    }

    fn set_name_servers(&mut self, lease: &Lease) {
        let mut servers = [IpAddress::v4(0, 0, 0, 0); crate::lease::MAX_NAME_SERVERS];
        let mut count = 0;
        for (slot, server) in servers.iter_mut().zip(lease.name_servers()) {
            *slot = server.into();
            count += 1;
        }
        let servers = servers.get(..count).unwrap_or_default();
        self.sockets
            .get_mut::<dns::Socket<'_>>(self.dns)
            .update_servers(servers);
    }

    /// Wakes `waker` when there is a lease.
    pub fn await_lease(&mut self, waker: &Waker) {
        if !self
            .awaiting_lease
            .iter()
            .any(|known| known.will_wake(waker))
        {
            self.awaiting_lease.push(waker.clone());
        }
    }

    /// Says whether packets to `to` have a way and a source address.
    pub fn reaches(&self, to: IpAddr) -> bool {
        let routes = self.iface.routes();
        let (routed, has_address) = match to {
            IpAddr::V4(_) => (
                routes.get_default_ipv4_route().is_some(),
                self.iface.ipv4_addr().is_some(),
            ),
            IpAddr::V6(_) => (
                routes.get_default_ipv6_route().is_some(),
                self.iface.ipv6_addr().is_some(),
            ),
        };
        let to = IpAddress::from(to);
        let on_link = self
            .iface
            .ip_addrs()
            .iter()
            .any(|cidr| cidr.contains_addr(&to));
        on_link || (routed && has_address)
    }

    /// Whether the interface has an IPv6 address that reaches beyond its link.
    pub fn has_global_ipv6(&self) -> bool {
        self.iface.ip_addrs().iter().any(
            |cidr| matches!(cidr.address(), IpAddress::Ipv6(v6) if !v6.is_unicast_link_local()),
        )
    }
}

fn add_default_route(routes: &mut Routes, router: IpAddr) {
    let add = |routes: &mut Routes| match router {
        IpAddr::V4(v4) => routes.add_default_ipv4_route(v4).is_ok(),
        IpAddr::V6(v6) => routes.add_default_ipv6_route(v6).is_ok(),
    };
    if !add(routes) {
        // Routers advertised too much: the lease is worth more.
        routes.update(|all| {
            all.pop();
        });
        add(routes);
    }
}
