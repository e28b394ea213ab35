//! Why a device that is to be trusted is not.

use core::fmt;

use trust::FailedDevice;

/// Why a device that is to be trusted is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// This is not a realm: there is nobody to ask.
    NoRealm,
    /// The image was built without the feature `trust`.
    NotBuilt,
    /// It, its host, or the RMM did not do what they must.
    Trust(trust::Error),
    /// It could not be brought to rest, or started anew.
    Device(virtio::Error),
    /// There is no shared memory left for what it says of itself.
    NoInbox,
    /// Only disks can be trusted so far.
    Kind,
    /// There is not enough private memory for its driver.
    NoMemory,
    /// The VMM placed its BARs, so their sizes are not known.
    Placed,
    /// Its driver needs registers that the host reaches as well.
    Open {
        /// The first of them.
        at: u64,
    },
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRealm => f.write_str("this is not a realm, so nobody vouches for a device"),
            Self::NotBuilt => {
                f.write_str("this image cannot tell; build its payload with the feature `trust`")
            }
            Self::Trust(error) => error.fmt(f),
            Self::Device(error) => error.fmt(f),
            Self::NoInbox => f.write_str(
                "there is no shared memory left for its evidence; give more by bounce=SIZE",
            ),
            Self::Kind => f.write_str("only disks can be trusted so far"),
            Self::NoMemory => f.write_str("there is no private memory left for its driver"),
            Self::Placed => {
                f.write_str("its BARs were placed by the VMM, so their sizes are not known")
            }
            Self::Open { at } => {
                write!(f, "the host reaches its registers at {at:#x} as well")
            }
        }
    }
}

impl From<FailedDevice> for Distrust {
    fn from(failed: FailedDevice) -> Self {
        Self::Trust(failed.error())
    }
}

impl From<virtio::Error> for Distrust {
    fn from(error: virtio::Error) -> Self {
        Self::Device(error)
    }
}

impl From<trust::Error> for Distrust {
    fn from(error: trust::Error) -> Self {
        Self::Trust(error)
    }
}
