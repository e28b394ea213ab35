//! Boot order, executor, heap, console, panic, and what a payload sees.
//!
//! A payload is a binary crate with one function:
//!
//! ```ignore
//! #[airlock::main]
//! async fn main(realm: airlock::Realm) -> Result<(), airlock::Error> { Ok(()) }
//! ```
#![no_std]

extern crate alloc;
// The functions that the compiler calls to copy memory.
extern crate copies as _;

mod attestation;
mod boot;
mod bus;
mod card;
mod console;
mod counters;
mod cpus;
mod devices;
mod diagnosis;
mod disk;
mod error;
mod executor;
mod fault;
mod ground;
mod heap;
mod interrupts;
mod logger;
mod memory;
mod messages;
mod payload;
mod platform;
mod power;
mod private;
mod ram;
mod random;
mod realm;
mod refusal;
mod rmm;
mod sharing;
mod time;
mod trace;
mod trusted;
mod wake;

pub use airlock_macros::main;
pub use arch::Instructions;
pub use block::{BlockDevice, Error as DiskError, SECTOR_SIZE};
pub use bounce::Buffer;
pub use counters::{Counters, DeviceCounters, Work};
pub use cpus::{CpuError, Cpus, Job, processor, uptime};
pub use disk::Disk;
pub use error::Error;
pub use interrupts::{Means, Taken};
pub use net::{Error as NetworkError, Lease, Network, Reach, TcpBuffers, TcpSocket, UdpSocket};
pub use plan::{Arguments, Diagnosis, parse_size};
pub use realm::{Facts, Mode, Realm};
pub use refusal::{Reason, Refusal};
pub use trust::{Error as TrustError, Measurement as DeviceMeasurement};
pub use trusted::Distrust;
pub use virtio::{Error as DeviceError, Kind as DeviceKind};

/// What the macros of this crate expand to; not for anybody else.
#[doc(hidden)]
pub mod __private {
    pub use crate::console::print_line;
    pub use crate::payload::{Payload, payload};
}

arch::start!(boot::start, fault::fault, cpus::enter);
