//! The main job `keybroker`, seen from the host: a key broker that knows what the realm must measure.

use crate::machine::Machine;
use crate::measure::rem_of_arguments;
use crate::network::Network;
use crate::options::RunOptions;
use crate::report::Report;
use crate::{guest_tree, image};
use ::measure::vmm::{self, Files};
use ::measure::{Algorithm, Digest, Rmm};
use anyhow::{Context, Result};
use keybroker::{BrokerConfig, KeyStore, Limits, Server, ServerConfig, test_platform_key};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use vsock::{Address, Way};

/// This host, as a guest behind QEMU's user network sees it.
const HOST_SEEN_BY_GUEST: &str = "10.0.2.2";
/// The same over vsock.
const HOST_SEEN_BY_VSOCK: u32 = 2;
/// The port of the broker for a guest that has vsock and no network: it is measured, and so the same each time.
const VSOCK_PORT: u32 = 8088;
/// What the main job is started with, besides the address of the broker.
const TRACE: &str = "trace=bounce";

/// The broker of one run, and what it expects.
pub struct KeyRelease {
    /// Runs until it is dropped.
    _server: Server,
    url: String,
    rim: Digest,
}

impl KeyRelease {
    /// Starts a broker that gives the key of the demonstration to the image of `machine` and to nothing
    /// else, and only if it is started with the boot arguments of this run. Tells the machine where the
    /// broker is.
    ///
    /// # Errors
    /// The machine cannot be measured, or no port is free.
    pub fn prepare(options: &RunOptions, qemu: &Path, machine: &mut Machine) -> Result<Self> {
        keybroker::log_to_standard_error(log::LevelFilter::Info);
        let algorithm = algorithm(options);
        let address = free_address().context("no port is free for the key broker")?;
        let url = url(machine, address);
        let trace = if options.broker { "" } else { TRACE };
        let arguments = boot_arguments(&machine.append, trace, &url);
        machine.append.clone_from(&arguments);
        machine.monitor_options.extend(secret(options));
        let rim = rim(options, algorithm, qemu, machine)?;
        let rem1 = rem_of_arguments(
            algorithm,
            options.reference_append.as_deref().unwrap_or(&arguments),
        );
        let server = Server::start(ServerConfig {
            address,
            endpoint: Some(url.clone()),
            broker: broker(options, &rim, &rem1),
            limits: Limits::default(),
        });
        Ok(Self {
            _server: server
                .with_context(|| format!("the key broker cannot listen on {address}"))?,
            url,
            rim,
        })
    }

    /// One line on what is lent.
    #[must_use]
    pub fn description(&self) -> String {
        format!(
            "key broker at {} trusts the test platform and RIM {}",
            self.url, self.rim
        )
    }

    /// Compares what the monitor measured with what the file says.
    ///
    /// # Errors
    /// They differ.
    pub fn check(&self, report: Option<&Report>) -> Result<String, String> {
        let expected = self.rim.to_string();
        match report.map(|report| report.rim.as_str()) {
            Some(rim) if rim == expected => Ok(format!("RIM {rim} is what `airlock measure` says")),
            Some(rim) => Err(format!("the monitor measured RIM {rim}, not {expected}")),
            None => Err(String::from("no report, so no RIM to compare")),
        }
    }
}

/// The monitor's word for the key, which no shared page may hold in the clear.
fn secret(options: &RunOptions) -> Option<String> {
    let [name, secret] = keybroker::DEMONSTRATION;
    let digits: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    options
        .oracle
        .then(|| format!("monitor.secret={name}:{digits}"))
}

/// Where the guest finds a broker at `address`: without a network card, by a way over vsock.
fn url(machine: &mut Machine, address: SocketAddr) -> String {
    let vsock = machine.vsock.as_mut();
    match vsock.filter(|_| machine.net == Network::None) {
        Some(vsock) => {
            let place = Address::Tcp(address.ip().to_string(), address.port());
            vsock.ways.insert(0, Way::Host(VSOCK_PORT, place));
            format!("vsock://{HOST_SEEN_BY_VSOCK}:{VSOCK_PORT}")
        }
        None => format!("http://{HOST_SEEN_BY_GUEST}:{}", address.port()),
    }
}

/// What is given, and what the main job has by itself: `trace`, unless another trace is asked for, and the broker.
fn boot_arguments(given: &str, trace: &str, url: &str) -> String {
    let url = format!("keybroker.url={url}");
    let mut words = given.split_whitespace();
    let has_its_own = words.any(|word| word.starts_with("trace="));
    let trace = if has_its_own { "" } else { trace };
    let mut parts = vec![given.trim(), trace, &url];
    parts.retain(|part| !part.is_empty());
    parts.join(" ")
}

fn broker(options: &RunOptions, rim: &Digest, rem1: &Digest) -> BrokerConfig {
    let mut keys = KeyStore::demonstration();
    keys.require_rem1(rem1.as_bytes());
    BrokerConfig {
        reference_values: vec![rim.as_bytes().to_vec()],
        platform_keys: vec![test_platform_key()],
        evidence_folder: options.dump_evidence.clone(),
        ..BrokerConfig::new(keys)
    }
}

/// What the image that boots must measure on this machine, or the one that the user names as the good
/// one.
fn rim(
    options: &RunOptions,
    algorithm: Algorithm,
    qemu: &Path,
    machine: &Machine,
) -> Result<Digest> {
    let tree = guest_tree::of_machine(qemu, machine)?;
    let path = options.reference_image.as_ref();
    let path = path.unwrap_or(&machine.image);
    let file = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let image = image::from_file(&file).with_context(|| format!("{}", path.display()))?;
    let files = Files {
        image: &image,
        initrd: None,
        dtb: Some(&tree),
    };
    let (breakpoints, watchpoints) = vmm::MONITOR_DEBUG;
    let machine = vmm::Machine {
        memory: options.memory,
        ipa_bits: options.width.parse().ok(),
        algorithm: Some(algorithm),
        breakpoints,
        watchpoints,
        pmu_counters: None,
        sve_vl: None,
        devices: options.trust_device.is_some(),
    };
    Ok(vmm::monitor(&files, &machine)?.measure(Rmm::V1_0, &mut |_| ()))
}

fn algorithm(options: &RunOptions) -> Algorithm {
    let sha512 = "monitor.hash=sha512";
    if options.monitor.iter().any(|option| option == sha512) {
        Algorithm::Sha512
    } else {
        Algorithm::Sha256
    }
}

/// A port of the loopback that is free now. The boot arguments name it and are measured, so it has
/// to be known before the broker, which checks them, can start.
fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_job_shows_its_copies_unless_another_trace_is_asked_for() {
        assert_eq!(
            boot_arguments("", TRACE, "u"),
            "trace=bounce keybroker.url=u"
        );
        assert_eq!(
            boot_arguments("a trace=stream", TRACE, "u"),
            "a trace=stream keybroker.url=u"
        );
    }
}
