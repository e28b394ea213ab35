//! TCP/IP over a frame port.
//!
//! [`Stack`] is what the runtime drives, [`Network`] what payloads use. Everything is private
//! memory: frames are built in a private buffer and read from one, and the port copies each once.
//!
//! No wait needs a timer of its own: deadlines are kept by the stack, and [`Stack::poll`] says when
//! the next one is.
//!
//! Left out, because nothing here needs it and each is something that a host could play with: IP
//! fragments, multicast groups, duplicate address detection, VLANs. Ports, sequence numbers and the
//! numbers of questions are random and tell nothing of those to come; all the same, TCP authenticates
//! nobody.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod address;
mod checksum;
mod config;
mod counters;
mod device;
mod error;
mod gate;
mod layout;
mod lease;
mod network;
mod ping;
mod port;
mod reach;
mod resolve;
mod segment;
mod stack;
mod tcp;
mod time;
mod timers;
mod transaction;
mod udp;
mod witness;

pub use config::{Addressing, Config, ConfigError, Static};
pub use counters::Counters;
pub use error::{Error, StartError};
pub use lease::{Lease, MAX_NAME_SERVERS};
pub use network::Network;
pub use port::FramePort;
pub use reach::Reach;
pub use resolve::Addresses;
pub use stack::Stack;
pub use tcp::{DEFAULT_TIMEOUT, TcpBuffers, TcpReader, TcpSocket, TcpWriter};
pub use udp::UdpSocket;
