//! The boot argument `trace=`.

use core::net::SocketAddr;

/// What is done with what crosses the boundary, beside counting it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tracing {
    /// Nothing.
    #[default]
    Off,
    /// A line for each copy.
    Lines,
    /// Events, in frames, to the port `airlock.trace` of the console device.
    Port,
    /// The same to whoever listens there for a TCP connection.
    Tcp(SocketAddr),
}

impl Tracing {
    /// What [`Self::parse`] takes.
    pub const EXPECTED: &str = "bounce, stream, stream:tcp://ADDRESS:PORT or off";

    /// Reads the value of the argument; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "off" => Some(Self::Off),
            "bounce" => Some(Self::Lines),
            "stream" => Some(Self::Port),
            _ => {
                let address = text.strip_prefix("stream:tcp://")?.parse().ok()?;
                Some(Self::Tcp(address))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_goes_to_the_console_a_port_or_an_address() {
        assert_eq!(Tracing::parse("bounce"), Some(Tracing::Lines));
        assert_eq!(Tracing::parse("stream"), Some(Tracing::Port));
        let Some(Tracing::Tcp(address)) = Tracing::parse("stream:tcp://10.0.2.2:4000") else {
            panic!("it is an address");
        };
        assert_eq!(address.port(), 4000);
        for wrong in [
            "",
            "on",
            "stream:",
            "stream:tcp://10.0.2.2",
            "stream:udp://1.2.3.4:5",
        ] {
            assert_eq!(Tracing::parse(wrong), None, "{wrong}");
        }
    }
}
