//! The network card, its address, and the way to its router.

use alloc::format;
use alloc::string::String;
use core::net::IpAddr;
use core::time::Duration;

use airlock::{DeviceKind, Diagnosis, Network, Reach, Realm};

use crate::disk::refused;

const LEASE_PATIENCE: Duration = Duration::from_secs(5);
const PING_PATIENCE: Duration = Duration::from_secs(2);
const CARD: &str = "network card";
const ROUTER: &str = "router";

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

/// A router need not answer pings, so one that is there in another way is worth a remark.
async fn probe_router(network: &Network, router: IpAddr, diagnosis: &mut Diagnosis) {
    let seen = network.reach(router, PING_PATIENCE).await;
    let found = match &seen {
        Ok(reach) => format!("{router} {reach}"),
        Err(error) => format!("{router}: {error}"),
    };
    match seen {
        Ok(Reach::Echo(_)) => diagnosis.ok(ROUTER, found),
        Ok(Reach::BrokenEcho) => {
            let note = "lkvm's user network does so; nothing else depends on it";
            diagnosis.remark(ROUTER, found, note);
        }
        Ok(Reach::Neighbour) => {
            let note = "many routers drop pings; nothing else depends on it";
            diagnosis.remark(ROUTER, found, note);
        }
        Ok(Reach::Nobody) | Err(_) => {
            let cause = "the router's address is wrong, or nothing sent arrives";
            diagnosis.missing(ROUTER, found, cause);
        }
    }
}
