//! Why there is no key.

use core::fmt;

use attest::MeasureError;
use attest::keybroker::{EndpointError, Error};

/// Why there is no key.
pub enum Failure {
    /// Nobody said where the broker is.
    NoUrl,
    /// The broker's URL cannot be used.
    Url(EndpointError),
    /// There is no wrapping of that name.
    Wrapping,
    /// There is no such way to bind challenges.
    Binding,
    /// The runtime has something to say.
    Runtime(airlock::Error),
    /// REM 2 could not be extended.
    Measure(MeasureError),
    /// There is no address on the network.
    Network(airlock::NetworkError),
    /// The broker, or the way to it.
    Release(Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUrl => f.write_str("give the boot argument keybroker.url=http://HOST:PORT, or keybroker.url=vsock://2:PORT"),
            Self::Url(error) => write!(f, "{error}"),
            Self::Wrapping => f.write_str("keybroker.alg is RSA-OAEP or RSA1_5"),
            Self::Binding => f.write_str("keybroker.binding is none, or left out"),
            Self::Runtime(error) => write!(f, "{error}"),
            Self::Measure(error) => write!(f, "REM 2: {error}"),
            Self::Network(error) => write!(f, "{error}"),
            Self::Release(error) => write!(f, "{error}"),
        }
    }
}

macro_rules! from {
    ($($variant:ident: $error:ty),* $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })*
    };
}

from!(
    Url: EndpointError,
    Runtime: airlock::Error,
    Measure: MeasureError,
    Network: airlock::NetworkError,
    Release: Error,
);
