//! The network card, its address, and the way to its router.

use alloc::format;
use alloc::string::String;
use core::net::IpAddr;
use core::time::Duration;

use airlock::{DeviceKind, Diagnosis, Network, Realm};

use crate::disk::refused;

const LEASE_PATIENCE: Duration = Duration::from_secs(5);
const PING_PATIENCE: Duration = Duration::from_secs(2);
const CARD: &str = "network card";

/// Probes the card, and what lies behind it as far as one step needs the other.
pub async fn probe(realm: &Realm, diagnosis: &mut Diagnosis) {
    let Ok(network) = realm.network() else {
        if !refused(realm, DeviceKind::Net, CARD, diagnosis) {
            let cause = "the VMM has no virtio-net device on PCI bus 0";
            diagnosis.missing(CARD, String::from("none found"), cause);
        }
        return;
    };
    diagnosis.ok(CARD, String::from("started"));
    if let Some(router) = probe_address(&network, diagnosis).await {
        probe_router(&network, router, diagnosis).await;
    }
}

async fn probe_address(network: &Network, diagnosis: &mut Diagnosis) -> Option<IpAddr> {
    match network.wait_configured(LEASE_PATIENCE).await {
        Ok(lease) => {
            diagnosis.ok("address", format!("{lease}"));
            lease.router
        }
        Err(error) => {
            let cause = "no DHCP server on this network, or nothing sent arrives: try ip=ADDR/PREFIX,GW, and dma=low with an old lkvm";
            diagnosis.missing("address", format!("{error}"), cause);
            None
        }
    }
}

async fn probe_router(network: &Network, router: IpAddr, diagnosis: &mut Diagnosis) {
    match network.ping(router, PING_PATIENCE).await {
        Ok(time) => {
            let found = format!("{router} answers in {} us", time.as_micros());
            diagnosis.ok("router", found);
        }
        Err(error) => {
            let cause = "the router drops ICMP echo, or the address is wrong";
            diagnosis.missing("router", format!("{router}: {error}"), cause);
        }
    }
}
