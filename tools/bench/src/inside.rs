//! A network of one's own: a namespace with a tap device, made by starting this program again in it.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// The tap device.
pub const TAP: &str = "bench0";
/// The address of the peer, and of the guest.
pub const PEER: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
/// The guest's address with its prefix.
pub const GUEST: &str = "10.99.0.2/24";
/// The variable that tells the second start from the first; holds who made the namespace.
const MARK: &str = "AIRLOCK_BENCH_NAMESPACE";

/// Goes into a namespace of its own, by replacing this process by one that is there; returns in it. Says
/// how the namespace was made.
///
/// # Errors
/// There is no way into one; the text says what to do.
pub fn enter(mtu: u32) -> Result<String> {
    if let Ok(how) = std::env::var(MARK) {
        make_tap(mtu)?;
        return Ok(how);
    }
    ensure!(
        Path::new("/dev/net/tun").exists(),
        "there is no /dev/net/tun: the kernel of this machine has no tap devices (modprobe tun)"
    );
    for (how, words) in [
        ("tap in a network namespace (root)", &["--net"][..]),
        (
            "tap in a network namespace (user namespace, no root)",
            &["--net", "--map-root-user"],
        ),
    ] {
        if possible(words) {
            let error = Command::new("unshare")
                .args(words)
                .arg("--")
                .arg(std::env::current_exe()?)
                .args(std::env::args_os().skip(1))
                .env(MARK, how)
                .exec();
            return Err(error).context("cannot go into a network namespace");
        }
    }
    bail!(
        "this needs a tap device in a network namespace of its own: run it as root, or allow \
         namespaces to users and make /dev/net/tun writable"
    )
}

/// Whether a tap device can be made in a namespace made with `words`.
fn possible(words: &[&str]) -> bool {
    let mut command = Command::new("unshare");
    command
        .args(words)
        .args(["--", "ip", "tuntap", "add", "dev", TAP, "mode", "tap"]);
    command.output().is_ok_and(|output| output.status.success())
}

fn make_tap(mtu: u32) -> Result<()> {
    let address = format!("{PEER}/24");
    ip(&["link", "set", "lo", "up"])?;
    ip(&["tuntap", "add", "dev", TAP, "mode", "tap", "vnet_hdr"])?;
    ip(&["address", "add", &address, "dev", TAP])?;
    set_mtu(mtu)
}

/// Sets the largest packet of the tap device.
///
/// # Errors
/// The kernel does not want it.
pub fn set_mtu(mtu: u32) -> Result<()> {
    ip(&["link", "set", TAP, "mtu", &mtu.to_string(), "up"])
}

fn ip(words: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(words).output();
    let output = output.context("there is no `ip`; Debian: apt-get install iproute2")?;
    ensure!(
        output.status.success(),
        "ip {}: {}",
        words.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// Where the peer listens.
#[must_use]
pub fn peer() -> SocketAddr {
    (PEER, 7000).into()
}
