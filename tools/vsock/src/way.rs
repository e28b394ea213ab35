//! Which port leads where.

use std::path::PathBuf;
use std::str::FromStr;

use crate::Address;

/// A way between ports of the guest or the host and places of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// `guest:PORT=ADDRESS`: who connects to the address reaches this port of the guest.
    Guest(u32, Address),
    /// `host:PORT=ADDRESS`: the guest's connections to this port of the host lead to the address.
    Host(u32, Address),
    /// `unix:PATH`: a socket at which a client says `CONNECT PORT` first, for all ports of the guest; the
    /// guest's connections to ports of the host lead to the sockets `PATH_PORT`.
    Any(PathBuf),
}

impl FromStr for Way {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not guest:PORT=ADDRESS, host:PORT=ADDRESS or unix:PATH, where ADDRESS is tcp:PORT, \
                 tcp:HOST:PORT or unix:PATH"
            )
        };
        match text.split_once(':') {
            Some(("unix", path)) if !path.is_empty() => Ok(Self::Any(path.into())),
            Some((side @ ("guest" | "host"), rest)) => {
                let (port, address) = rest.split_once('=').ok_or_else(wrong)?;
                let port = port.parse().map_err(|_| wrong())?;
                let address = address.parse()?;
                Ok(match side {
                    "guest" => Self::Guest(port, address),
                    _ => Self::Host(port, address),
                })
            }
            _ => Err(wrong()),
        }
    }
}

impl Way {
    /// Where the guest's connection to `port` of the host leads, if by this way.
    #[must_use]
    pub fn of_host_port(&self, port: u32) -> Option<Address> {
        match self {
            Self::Host(own, address) => (*own == port).then(|| address.clone()),
            Self::Any(path) => {
                let mut path = path.clone().into_os_string();
                path.push(format!("_{port}"));
                Some(Address::Unix(path.into()))
            }
            Self::Guest(..) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_read_as_they_are_written() {
        let address: Address = "tcp:8080".parse().unwrap();
        assert_eq!(
            "host:8088=tcp:8080".parse(),
            Ok(Way::Host(8088, address.clone()))
        );
        assert_eq!("guest:7=tcp:8080".parse(), Ok(Way::Guest(7, address)));
        assert_eq!("unix:/s".parse(), Ok(Way::Any("/s".into())));
        for wrong in [
            "",
            "7=tcp:7",
            "guest:7",
            "guest:x=tcp:7",
            "host:7=7",
            "unix:",
        ] {
            assert!(wrong.parse::<Way>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_port_of_the_host_leads_where_it_is_said_to() {
        let way: Way = "unix:/s".parse().unwrap();
        assert_eq!(way.of_host_port(9), Some("unix:/s_9".parse().unwrap()));
        let way: Way = "host:8=tcp:9".parse().unwrap();
        assert_eq!(way.of_host_port(8), Some("tcp:9".parse().unwrap()));
        assert_eq!(way.of_host_port(9), None);
    }
}
