//! What payloads name: the realm, and the machine below it.
//!
//! A payload is a binary crate with one function:
//!
//! ```ignore
//! #[airlock::main]
//! async fn main(realm: airlock::Realm) -> Result<(), airlock::Error> { Ok(()) }
//! ```
//!
//! In an image the machine is real, and booted by the crate `runtime`. On the host, where payloads are
//! tested, it is simulated: `airlock::testing` has its network, its disks and its clock. Below this line
//! nothing of a payload is different.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(target_os = "none")]
use runtime as machine;
#[cfg(not(target_os = "none"))]
use simulated as machine;
#[cfg(not(target_os = "none"))]
pub use simulated as testing;

pub use airlock_macros::main;
pub use attest::keybroker;
pub use attest::{Challenge, EventLog, MeasureError, Measurements, Token, TokenError};
pub use block::{BlockDevice, Error as DiskError, SECTOR_SIZE};
pub use bounce::Buffer;
pub use jobs::Job;
pub use machine::{Instructions, println, processor, uptime};
pub use net::{Error as NetworkError, Lease, Network, Reach, TcpBuffers, TcpSocket, UdpSocket};
pub use ninep::{Entry, Kind as EntryKind};
pub use plan::{Arguments, Diagnosis, parse_size};
pub use realm::{
    Counters, CpuError, Cpus, DeviceCounters, Disk, Distrust, Error, Facts, Folder, FolderError,
    FolderFile, LockedDisk, Means, Mode, QuiesceError, QuiescedDisk, Realm, Reason, Refusal, Share,
    ShareError, ShareFile, Taken, Work,
};
pub use share::Digest as ShareDigest;
pub use trust::{
    Error as TrustError, Evidence as DeviceEvidence, Measurement as DeviceMeasurement,
};
pub use virtio::{
    BalloonCounters, Error as DeviceError, Kind as DeviceKind, Port, StreamError, VsockListener,
    VsockStream,
};

/// What `#[airlock::main]` expands to; not for anybody else.
#[doc(hidden)]
pub use machine::__payload;
