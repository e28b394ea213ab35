//! Why the runtime did not do what was asked.

use core::fmt;
use core::time::Duration;

use ipa::{PagingError, WidthError};

/// Why the runtime did not do what was asked, or why it did not get as far as the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The CPU has no random numbers (FEAT_RNG), or they failed. No key can be made.
    NoEntropy,
    /// The CPU's counter has a frequency that makes no sense.
    NoCounter,
    /// There is no device tree where the VMM said.
    NoDeviceTree {
        /// The address it gave.
        at: u64,
    },
    /// The device tree is wrong.
    DeviceTree(devtree::Error),
    /// The RMM, or the host behind it, did not do what it must.
    Rsi(rsi::Error),
    /// The RMM gave a width that cannot be mapped.
    Width(WidthError),
    /// The address space could not be mapped.
    Map(PagingError),
    /// RAM cannot be laid out.
    Layout(plan::LayoutError),
    /// The bounce region did not do what was asked.
    Bounce(bounce::Error),
    /// There is no network card, or none that could be started.
    NoNetwork,
    /// There is no disk, or none that could be started.
    NoDisk,
    /// The address of `ip=` is wrong.
    Address(net::ConfigError),
    /// The network stack does not work with the card.
    Stack(net::StartError),
    /// The network did not do what was asked.
    Network(net::Error),
    /// A disk did not do what was asked.
    Disk(block::Error),
    /// The boot arguments could not be measured.
    Measure(attest::MeasureError),
    /// The host let boot wait for too long.
    Late {
        /// For what.
        what: &'static str,
        /// How long that may take.
        limit: Duration,
    },
    /// A boot argument is wrong.
    Argument {
        /// Its key.
        key: &'static str,
        /// What is expected.
        expected: &'static str,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEntropy => f.write_str("the CPU has no random numbers (FEAT_RNG)"),
            Self::NoCounter => f.write_str("the frequency of the counter makes no sense"),
            Self::NoDeviceTree { at } => write!(f, "there is no device tree at {at:#x}"),
            Self::DeviceTree(error) => error.fmt(f),
            Self::Rsi(error) => error.fmt(f),
            Self::Width(error) => write!(f, "the RMM says that the {error}"),
            Self::Map(error) => error.fmt(f),
            Self::Layout(error) => error.fmt(f),
            Self::Bounce(error) => error.fmt(f),
            Self::NoNetwork => f.write_str("there is no network card that works"),
            Self::NoDisk => f.write_str("there is no disk that works"),
            Self::Address(error) => error.fmt(f),
            Self::Stack(error) => error.fmt(f),
            Self::Network(error) => error.fmt(f),
            Self::Disk(error) => error.fmt(f),
            Self::Measure(error) => write!(f, "boot arguments: {error}"),
            Self::Late { what, limit } => {
                write!(
                    f,
                    "the host let {what} take more than {} s",
                    limit.as_secs()
                )
            }
            Self::Argument { key, expected } => write!(f, "boot argument {key}: {expected}"),
        }
    }
}

impl core::error::Error for Error {}

macro_rules! from {
    ($($variant:ident: $error:ty),* $(,)?) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })*
    };
}

from!(
    DeviceTree: devtree::Error,
    Rsi: rsi::Error,
    Width: WidthError,
    Map: PagingError,
    Layout: plan::LayoutError,
    Bounce: bounce::Error,
    Network: net::Error,
    Disk: block::Error,
    Measure: attest::MeasureError,
);
