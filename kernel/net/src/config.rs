//! How the interface gets its addresses, and the boot argument that says it.

use core::{fmt, net::IpAddr};

use crate::address::{is_host, same_network};

/// How the interface gets its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the main address comes from.
    pub addressing: Addressing,
    /// Whether IPv6 addresses are also made from what routers advertise.
    pub slaac: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            addressing: Addressing::Dhcp,
            slaac: true,
        }
    }
}

/// Where the main address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// A DHCPv4 server.
    Dhcp,
    /// The user.
    Static(Static),
}

/// An address that the user gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Static {
    /// Our address.
    pub address: IpAddr,
    /// Bits of the network part.
    pub prefix: u8,
    /// The router, inside the network.
    pub gateway: Option<IpAddr>,
    /// The name server.
    pub dns: Option<IpAddr>,
}

/// Why the value of `ip=` was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// Not `dhcp` and not `ADDRESS/PREFIX[,GATEWAY[,DNS]]`.
    Form,
    /// The named part is no address.
    Address {
        /// Which part.
        part: &'static str,
    },
    /// The prefix is no number, or does not fit the address.
    Prefix,
    /// The address is not one of a single host.
    NotUnicast,
    /// The named part is of another family than the address.
    Family {
        /// Which part.
        part: &'static str,
    },
    /// The gateway is outside the network, or is our own address.
    Gateway,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str("ip= takes `dhcp` or ADDRESS/PREFIX[,GATEWAY[,DNS]]"),
            Self::Address { part } => write!(f, "ip=: the {part} is not an IP address"),
            Self::Prefix => f.write_str("ip=: the prefix must be 1 to 32, or 1 to 128 for IPv6"),
            Self::NotUnicast => f.write_str("ip=: the address is not one of a single host"),
            Self::Family { part } => {
                write!(
                    f,
                    "ip=: the {part} and the address are not both IPv4 or both IPv6"
                )
            }
            Self::Gateway => f.write_str("ip=: the gateway is not another host of the network"),
        }
    }
}

impl core::error::Error for ConfigError {}

impl Config {
    /// Reads the value of the boot argument `ip=`: `dhcp`, or `ADDRESS/PREFIX[,GATEWAY[,DNS]]`.
    ///
    /// A part may be left empty: `10.0.0.2/24,,10.0.0.9` has a name server and no gateway.
    ///
    /// # Errors
    ///
    /// One variant of [`ConfigError`] for each way to be wrong.
    pub fn parse(value: &str) -> Result<Self, ConfigError> {
        let addressing = match value {
            "dhcp" => Addressing::Dhcp,
            value => Addressing::Static(Static::parse(value)?),
        };
        Ok(Self {
            addressing,
            ..Self::default()
        })
    }

    /// Finds `ip=VALUE` among boot arguments that are separated by spaces. Without one, DHCP.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`].
    pub fn from_boot_args(args: &str) -> Result<Self, ConfigError> {
        args.split_ascii_whitespace()
            .find_map(|word| word.strip_prefix("ip="))
            .map_or(Ok(Self::default()), Self::parse)
    }
}

impl Static {
    fn parse(value: &str) -> Result<Self, ConfigError> {
        let mut parts = value.split(',');
        let (address, prefix) = parts
            .next()
            .and_then(|cidr| cidr.split_once('/'))
            .ok_or(ConfigError::Form)?;
        let parsed = Self {
            address: parse_address(address, "address")?,
            prefix: prefix.parse().map_err(|_| ConfigError::Prefix)?,
            gateway: parse_part(parts.next(), "gateway")?,
            dns: parse_part(parts.next(), "name server")?,
        };
        if parts.next().is_some() {
            return Err(ConfigError::Form);
        }
        parsed.check()?;
        Ok(parsed)
    }

    /// Checks that the parts fit each other.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let bits = if self.address.is_ipv4() { 32 } else { 128 };
        if self.prefix == 0 || self.prefix > bits {
            return Err(ConfigError::Prefix);
        }
        if !is_host(self.address) {
            return Err(ConfigError::NotUnicast);
        }
        self.check_gateway()?;
        match self.dns {
            Some(dns) if dns.is_ipv4() != self.address.is_ipv4() => Err(ConfigError::Family {
                part: "name server",
            }),
            Some(dns) if !is_host(dns) => Err(ConfigError::NotUnicast),
            _ => Ok(()),
        }
    }

    fn check_gateway(&self) -> Result<(), ConfigError> {
        let Some(gateway) = self.gateway else {
            return Ok(());
        };
        if gateway.is_ipv4() != self.address.is_ipv4() {
            return Err(ConfigError::Family { part: "gateway" });
        }
        // An IPv6 router is usually named by its link-local address, outside the prefix.
        let link_local = matches!(gateway, IpAddr::V6(v6) if v6.is_unicast_link_local());
        let inside = link_local || same_network(self.address, gateway, self.prefix);
        if !inside || gateway == self.address || !is_host(gateway) {
            return Err(ConfigError::Gateway);
        }
        Ok(())
    }
}

fn parse_part(part: Option<&str>, name: &'static str) -> Result<Option<IpAddr>, ConfigError> {
    match part {
        None | Some("") => Ok(None),
        Some(text) => parse_address(text, name).map(Some),
    }
}

fn parse_address(text: &str, part: &'static str) -> Result<IpAddr, ConfigError> {
    text.parse().map_err(|_| ConfigError::Address { part })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Static {
        match Config::parse(value).unwrap().addressing {
            Addressing::Static(parsed) => parsed,
            Addressing::Dhcp => panic!("{value} is not static"),
        }
    }

    #[test]
    fn an_address_a_gateway_and_a_name_server_are_read() {
        let config = parsed("10.0.2.15/24,10.0.2.2,10.0.2.3");
        assert_eq!(config.address, IpAddr::from([10, 0, 2, 15]));
        assert_eq!(config.prefix, 24);
        assert_eq!(config.gateway, Some(IpAddr::from([10, 0, 2, 2])));
        assert_eq!(config.dns, Some(IpAddr::from([10, 0, 2, 3])));
    }

    #[test]
    fn gateway_and_name_server_may_be_left_out() {
        assert_eq!(parsed("10.0.2.15/24").gateway, None);
        assert_eq!(parsed("10.0.2.15/24,,10.0.2.3").gateway, None);
        assert!(parsed("10.0.2.15/24,,10.0.2.3").dns.is_some());
    }

    #[test]
    fn an_ipv6_address_may_have_a_link_local_gateway() {
        let config = parsed("fd00::2/64,fe80::1");
        assert_eq!(config.gateway, Some("fe80::1".parse().unwrap()));
    }

    #[test]
    fn each_mistake_has_its_own_error() {
        let wrong = [
            ("10.0.2.15", ConfigError::Form),
            ("10.0.2.15/24,10.0.2.2,10.0.2.3,x", ConfigError::Form),
            ("10.0.2/24", ConfigError::Address { part: "address" }),
            ("10.0.2.1/24,x", ConfigError::Address { part: "gateway" }),
            ("10.0.2.15/0", ConfigError::Prefix),
            ("10.0.2.15/33", ConfigError::Prefix),
            ("10.0.2.15/x", ConfigError::Prefix),
            ("224.0.0.1/24", ConfigError::NotUnicast),
            (
                "10.0.2.15/24,fd00::1",
                ConfigError::Family { part: "gateway" },
            ),
            ("10.0.2.15/24,10.0.3.2", ConfigError::Gateway),
            ("10.0.2.15/24,10.0.2.15", ConfigError::Gateway),
        ];
        for (value, error) in wrong {
            assert_eq!(Config::parse(value), Err(error), "{value}");
        }
    }

    #[test]
    fn boot_arguments_without_the_word_mean_dhcp() {
        assert_eq!(Config::from_boot_args("quiet zip=1"), Ok(Config::default()));
        assert_eq!(
            Config::from_boot_args("quiet ip=10.0.0.2/8"),
            Config::parse("10.0.0.2/8")
        );
    }
}
