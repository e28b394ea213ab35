//! The other end of the guest's network card.

use crate::verdict::WrongArguments;
use anyhow::{Result, bail, ensure};
use std::fmt;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::str::FromStr;

/// What the guest's network card is plugged into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// QEMU's user network: DHCP, and the host at 10.0.2.2.
    User,
    /// There is no card.
    None,
    /// A tap device of the host.
    Tap(String),
    /// Each frame is one UDP packet on loopback, between two ports.
    Udp {
        /// QEMU's port.
        local: u16,
        /// The port of whoever plays the network.
        peer: u16,
    },
    /// There is a card, and nobody at the other end.
    Unplugged,
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(':').collect();
        match parts.as_slice() {
            ["user"] => Ok(Self::User),
            ["none"] => Ok(Self::None),
            ["unplugged"] => Ok(Self::Unplugged),
            ["tap", name] if interface_name(name) => Ok(Self::Tap((*name).to_owned())),
            ["udp", local, peer] => Ok(Self::Udp {
                local: port(local)?,
                peer: port(peer)?,
            }),
            _ => Err(format!(
                "`{text}` is not user, none, tap:NAME, udp:LOCAL:PEER or unplugged"
            )),
        }
    }
}

fn interface_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !name.is_empty() && name.len() < 16 && name.chars().all(good) && !name.starts_with('.')
}

fn port(text: &str) -> Result<u16, String> {
    text.parse()
        .ok()
        .filter(|&port| port > 0)
        .ok_or_else(|| format!("`{text}` is not a port"))
}

impl Network {
    /// The value of QEMU's `-netdev`, or `None` without a card.
    #[must_use]
    pub fn netdev(&self, forwards: &[Forward]) -> Option<String> {
        match self {
            Self::None => None,
            Self::User => {
                let forwards: String = forwards.iter().map(|f| format!(",hostfwd={f}")).collect();
                Some(format!("user,id=n0{forwards}"))
            }
            Self::Tap(name) => Some(format!("tap,id=n0,ifname={name},script=no,downscript=no")),
            Self::Udp { local, peer } => Some(format!(
                "socket,id=n0,udp=127.0.0.1:{peer},localaddr=127.0.0.1:{local}"
            )),
            Self::Unplugged => Some("hubport,id=n0,hubid=0".to_owned()),
        }
    }

    /// Checks on the host what QEMU would fail on.
    ///
    /// # Errors
    /// A port is taken, or the tap device is not there; the text says what to do.
    pub fn check(&self, forwards: &[Forward]) -> Result<()> {
        ensure!(
            forwards.is_empty() || *self == Self::User,
            WrongArguments(String::from(
                "--forward needs --net user; with another network, reach the guest at its address"
            ))
        );
        forwards.iter().try_for_each(Forward::check)?;
        match self {
            Self::Tap(name) if !Path::new("/sys/class/net").join(name).exists() => {
                bail!(
                    "there is no tap device `{name}`; make it: ip tuntap add dev {name} mode tap && ip link set {name} up"
                )
            }
            Self::Udp { local, .. } => check_udp(*local),
            _ => Ok(()),
        }
    }
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A port of the host's loopback that leads into the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    protocol: Protocol,
    host: u16,
    guest: u16,
}

impl FromStr for Forward {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let &[protocol, host, guest] = parts.as_slice() else {
            return Err(format!("`{text}` is not tcp:HOST:GUEST or udp:HOST:GUEST"));
        };
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            other => return Err(format!("`{other}` is neither tcp nor udp")),
        };
        Ok(Self {
            protocol,
            host: port(host)?,
            guest: port(guest)?,
        })
    }
}

impl Forward {
    fn check(&self) -> Result<()> {
        match self.protocol {
            Protocol::Udp => check_udp(self.host),
            Protocol::Tcp => match TcpListener::bind((Ipv4Addr::LOCALHOST, self.host)) {
                Ok(_) => Ok(()),
                Err(error) => bail!(
                    "port {}/tcp of this host: {error}; choose another",
                    self.host
                ),
            },
        }
    }
}

fn check_udp(port: u16) -> Result<()> {
    match UdpSocket::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) => bail!("port {port}/udp of this host: {error}; choose another"),
    }
}

impl fmt::Display for Forward {
    /// As QEMU's `hostfwd` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        write!(f, "{protocol}:127.0.0.1:{}-:{}", self.host, self.guest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_as_they_are_written() {
        assert_eq!("tap:tap0".parse(), Ok(Network::Tap("tap0".into())));
        assert_eq!("udp:1:2".parse(), Ok(Network::Udp { local: 1, peer: 2 }));
        for bad in [
            "", "tap", "tap:", "tap:../x", "tap:a,b", "udp:1", "udp:0:1", "user:1",
        ] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_busy_port_is_told_before_qemu_starts() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let forward: Forward = format!("tcp:{port}:7").parse().unwrap();
        let error = Network::User.check(&[forward]).unwrap_err().to_string();
        assert!(
            error.contains("choose another") && error.contains(&port.to_string()),
            "{error}"
        );
    }

    #[test]
    fn a_missing_tap_is_told_with_the_command_that_makes_it() {
        let error = Network::Tap("nosuchtap9".into())
            .check(&[])
            .unwrap_err()
            .to_string();
        assert!(error.contains("ip tuntap add dev nosuchtap9"), "{error}");
    }

    #[test]
    fn forwards_reach_qemu_in_its_own_words() {
        let forward: Forward = "tcp:8080:7".parse().unwrap();
        let netdev = Network::User.netdev(&[forward]).unwrap();
        assert_eq!(netdev, "user,id=n0,hostfwd=tcp:127.0.0.1:8080-:7");
    }

    #[test]
    fn forwards_need_the_user_network() {
        let forward: Forward = "tcp:8080:7".parse().unwrap();
        assert!(Network::None.check(&[forward]).is_err());
    }
}
