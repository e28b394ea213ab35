//! Where the key broker is, and the paths on it.

use alloc::{borrow::ToOwned, format, string::String};
use core::fmt;

/// What a URL begins with whose authority is a number and a port of vsock.
const VSOCK: &str = "vsock://";
/// The port of `http` when the URL names none.
const HTTP_PORT: u16 = 80;
/// The longest URL, host name and path that we use, in bytes.
const LONGEST: usize = 255;
/// The longest name of a key, in bytes.
const LONGEST_NAME: usize = 128;

/// Why a text is not the URL of a key broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointError {
    /// It starts neither with `http://` nor with `vsock://`. The protocol has no TLS: the key travels wrapped.
    Scheme,
    /// The host is empty or has a character that no host name has; over vsock, it is no number.
    Host,
    /// The port is not a number from 1 to 65535; over vsock, there has to be one.
    Port,
    /// The path has a character that a URL does not have.
    Path,
    /// It is longer than 255 bytes.
    TooLong,
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the URL of the key broker must start with http:// or vsock://",
            Self::Host => "the URL of the key broker has no usable host",
            Self::Port => "the port of the key broker is not a number from 1 to 65535",
            Self::Path => "the path of the key broker has a character that no URL has",
            Self::TooLong => "the URL of the key broker is longer than 255 bytes",
        })
    }
}

impl core::error::Error for EndpointError {}

/// The URL of a key broker: `http://HOST[:PORT][/BASE]`, or `vsock://CID:PORT[/BASE]` for the same over vsock, where
/// 2 is the host of this machine.
///
/// Displays as the URL without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Who has that number by vsock.
    cid: Option<u32>,
    host: String,
    port: u16,
    base: String,
}

impl Endpoint {
    /// Reads the URL of a key broker.
    ///
    /// # Errors
    /// Says which part of the URL cannot be used.
    pub fn parse(url: &str) -> Result<Self, EndpointError> {
        if url.len() > LONGEST {
            return Err(EndpointError::TooLong);
        }
        let (is_vsock, rest) = match (url.strip_prefix("http://"), url.strip_prefix(VSOCK)) {
            (Some(rest), _) => (false, rest),
            (None, Some(rest)) => (true, rest),
            (None, None) => return Err(EndpointError::Scheme),
        };
        let (authority, base) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let (host, port) = split_authority(authority)?;
        let cid = match is_vsock {
            true if !authority.contains(':') => return Err(EndpointError::Port),
            true => Some(host.parse().map_err(|_| EndpointError::Host)?),
            false => None,
        };
        let base = base.trim_end_matches('/');
        if !base.bytes().all(is_path_byte) {
            return Err(EndpointError::Path);
        }
        Ok(Self {
            cid,
            host: host.to_owned(),
            port,
            base: base.to_owned(),
        })
    }

    /// Who has that number by vsock, if the broker is asked over vsock.
    pub fn cid(&self) -> Option<u32> {
        self.cid
    }

    /// The name or address of the host; an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, of TCP or of vsock.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host and port as the `Host` field of a request has them.
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The path at which the key `name` is asked for; `None` if no key can have that name.
    pub(crate) fn key_path(&self, name: &str) -> Option<String> {
        let fits = (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(is_unreserved);
        let walks = name == "." || name == "..";
        (fits && !walks).then(|| format!("{}/keys/v1/key/{name}", self.base))
    }

    /// The URL of `path` on this host.
    pub(crate) fn url(&self, path: &str) -> String {
        let scheme = self.cid.map_or("http://", |_| VSOCK);
        format!("{scheme}{}{path}", self.authority())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url(&self.base))
    }
}

/// The path of a `Location`, whose scheme, host and port we do not believe.
///
/// A broker knows itself by an address that may mean nothing to us; and a broker that could send us
/// elsewhere could make us send evidence elsewhere. `None` if there is no path that could be asked for.
pub(crate) fn path_of(location: &str) -> Option<&str> {
    let after = match location.split_once("://") {
        Some((_, rest)) => rest.get(rest.find('/')?..)?,
        None => location,
    };
    let usable =
        after.starts_with('/') && after.len() <= LONGEST && after.bytes().all(is_path_byte);
    usable.then_some(after)
}

/// Splits `HOST[:PORT]` or `[IPV6][:PORT]`.
fn split_authority(authority: &str) -> Result<(&str, u16), EndpointError> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(EndpointError::Host)?;
            let usable = host.contains(':') && host.bytes().all(is_ipv6_byte);
            (usable.then_some(host), port_after_host(after)?)
        }
        None => {
            let (host, port) = match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            };
            let usable = !host.is_empty() && host.bytes().all(is_host_byte);
            (usable.then_some(host), port)
        }
    };
    let port = port.map_or(Ok(HTTP_PORT), read_port)?;
    Ok((host.ok_or(EndpointError::Host)?, port))
}

/// What stands behind the `]` of an IPv6 address: nothing, or a colon and a port.
fn port_after_host(after: &str) -> Result<Option<&str>, EndpointError> {
    match after.strip_prefix(':') {
        Some(port) => Ok(Some(port)),
        None if after.is_empty() => Ok(None),
        None => Err(EndpointError::Host),
    }
}

fn read_port(digits: &str) -> Result<u16, EndpointError> {
    let digits_only = digits.bytes().all(|b| b.is_ascii_digit());
    match digits.parse() {
        Ok(port) if port != 0 && digits_only => Ok(port),
        _ => Err(EndpointError::Port),
    }
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.'
}

fn is_ipv6_byte(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || byte == b':' || byte == b'.'
}

/// A byte that stands for itself in a URL.
///
/// Ref: RFC 3986, 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// A byte of a path: no query, no fragment, no space, no control character.
fn is_path_byte(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'/' | b'%' | b':' | b'@' | b'+' | b'=' | b',' | b';')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let endpoint = Endpoint::parse("http://10.0.2.2:8088/broker/").unwrap();
        assert_eq!((endpoint.host(), endpoint.port()), ("10.0.2.2", 8088));
        assert_eq!(
            endpoint.key_path("skywalker").unwrap(),
            "/broker/keys/v1/key/skywalker"
        );
        assert_eq!(format!("{endpoint}"), "http://10.0.2.2:8088/broker");
    }

    #[test]
    fn an_ipv6_address_stands_in_brackets() {
        let endpoint = Endpoint::parse("http://[fec0::2]:81").unwrap();
        assert_eq!((endpoint.host(), endpoint.port()), ("fec0::2", 81));
        assert_eq!(endpoint.authority(), "[fec0::2]:81");
    }

    #[test]
    fn over_vsock_the_host_is_a_number_and_has_a_port() {
        let endpoint = Endpoint::parse("vsock://2:8088/broker").unwrap();
        assert_eq!((endpoint.cid(), endpoint.port()), (Some(2), 8088));
        assert_eq!(format!("{endpoint}"), "vsock://2:8088/broker");
        assert_eq!(Endpoint::parse("http://2:8088").unwrap().cid(), None);
        for (url, error) in [
            ("vsock://2", EndpointError::Port),
            ("vsock://host:1", EndpointError::Host),
            ("vsock://-1:1", EndpointError::Host),
            ("vsock://[::1]:1", EndpointError::Host),
            ("vsock://2:0", EndpointError::Port),
        ] {
            assert_eq!(Endpoint::parse(url), Err(error), "{url}");
        }
    }

    #[test]
    fn a_port_may_be_left_out() {
        assert_eq!(Endpoint::parse("http://broker").unwrap().port(), 80);
        assert_eq!(Endpoint::parse("http://[::1]/").unwrap().port(), 80);
    }

    #[test]
    fn each_bad_part_of_a_url_has_its_own_error() {
        let long = format!("http://{}", "a".repeat(300));
        for (url, error) in [
            ("https://broker", EndpointError::Scheme),
            ("broker:80", EndpointError::Scheme),
            ("http://:80", EndpointError::Host),
            ("http://a b", EndpointError::Host),
            ("http://me@broker", EndpointError::Host),
            ("http://[::1", EndpointError::Host),
            ("http://[::1]80", EndpointError::Host),
            ("http://[zz]", EndpointError::Host),
            ("http://broker:0", EndpointError::Port),
            ("http://broker:+1", EndpointError::Port),
            ("http://broker:", EndpointError::Port),
            ("http://broker:65536", EndpointError::Port),
            ("http://broker/a b", EndpointError::Path),
            ("http://broker/a\r\nX: y", EndpointError::Path),
            (long.as_str(), EndpointError::TooLong),
        ] {
            assert_eq!(Endpoint::parse(url), Err(error), "{url}");
        }
    }

    #[test]
    fn what_stands_in_brackets_is_an_ipv6_address_and_nothing_else() {
        for host in ["::1", "fec0::2", "::ffff:10.0.2.2", "FE80::1"] {
            let endpoint = Endpoint::parse(&format!("http://[{host}]"));
            assert_eq!(endpoint.unwrap().host(), host);
        }
        for host in [
            "",
            "abc",
            "1.2",
            "::zz",
            "::1/x",
            "a b::",
            "fe80::1%eth0",
            "::1\r\n",
        ] {
            let url = format!("http://[{host}]");
            assert_eq!(Endpoint::parse(&url), Err(EndpointError::Host), "{url}");
        }
    }

    #[test]
    fn a_url_may_be_255_bytes_long() {
        let url = |len: usize| format!("http://{}", "a".repeat(len - 7));
        assert_eq!(Endpoint::parse(&url(255)).unwrap().host().len(), 248);
        assert_eq!(Endpoint::parse(&url(256)), Err(EndpointError::TooLong));
    }

    #[test]
    fn a_name_that_would_change_the_path_is_no_name() {
        let endpoint = Endpoint::parse("http://broker").unwrap();
        for name in ["", ".", "..", "a/b", "a?b", "a b", "a\r\n", "caf\u{e9}"] {
            assert_eq!(endpoint.key_path(name), None, "{name:?}");
        }
        assert_eq!(endpoint.key_path(&"k".repeat(129)), None);
    }

    #[test]
    fn only_the_path_of_a_location_is_believed() {
        assert_eq!(
            path_of("http://evil.example:1/keys/v1/evidence/7"),
            Some("/keys/v1/evidence/7")
        );
        assert_eq!(path_of("/keys/v1/evidence/7"), Some("/keys/v1/evidence/7"));
        for location in [
            "",
            "http://host",
            "keys/7",
            "/a b",
            "/a\r\nX: y",
            "/a?b",
            "/a#b",
        ] {
            assert_eq!(path_of(location), None, "{location:?}");
        }
    }
}
