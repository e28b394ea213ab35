//! The address of a file.

use core::fmt;

/// `http://HOST[:PORT]/PATH`, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Url<'a> {
    /// Host and port as written, for the field `Host`.
    pub authority: &'a str,
    /// Name or address of the host.
    pub host: &'a str,
    /// Port; 80 if none is given.
    pub port: u16,
    /// Path, with its slash.
    pub path: &'a str,
}

impl<'a> Url<'a> {
    /// Takes `text` apart; `None` if it has another form. Addresses of IPv6 stand in brackets.
    pub fn parse(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix("http://")?;
        let slash = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(slash)?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            _ => (authority, 80),
        };
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let path = if path.is_empty() { "/" } else { path };
        (!host.is_empty()).then_some(Self {
            authority,
            host,
            port,
            path,
        })
    }
}

impl fmt::Display for Url<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path)
    }
}
