//! Drivers for virtio devices that are not trusted.
//!
//! [`Transport::open`] checks what a PCI function says of itself; [`Net`], [`Block`], [`Rng`],
//! [`Console`], [`NineP`], [`Vsock`] and [`Balloon`] drive it. Drivers are polled: an interrupt is a hint. A device that breaks the rules is reset,
//! stays stopped, and says why once. Every wait has a deadline, every loop over what a device
//! wrote has a bound.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod attention;
mod balloon;
mod blk;
mod console;
mod device;
mod error;
mod features;
mod interrupt;
mod kind;
mod lanes;
mod messages;
mod needs;
mod net;
mod ninep;
mod path;
mod queue;
mod rng;
mod slots;
mod stream;
mod structures;
mod transport;
mod vsock;
mod waiters;
mod waiting;

pub use balloon::{BLOCK, Balloon, BalloonCounters, Lost, Memory};
pub use blk::{BlkCounters, Block, Depth, MAX_REQUEST, Returned};
pub use console::{Console, ConsoleCounters, MAX_PORTS, Port};
pub use error::{Error, Part};
pub use features::{Environment, Features};
pub use interrupt::Interrupt;
pub use kind::Kind;
pub use needs::Needs;
pub use net::{MAX_FRAME, MAX_SEGMENT, Net, NetCounters, Offload};
pub use ninep::{NineP, NinePCounters, share_name};
pub use path::{Bounced, Direct, Path};
pub use queue::Usage;
pub use rng::Rng;
pub use stream::StreamError;
pub use transport::Transport;
pub use vsock::packet as vsock_packet;
pub use vsock::{MAX_CONNECTIONS, Vsock, VsockAddress, VsockCounters, VsockListener, VsockStream};
