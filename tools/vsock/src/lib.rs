//! The host's side of virtio-vsock, as a vhost-user back end: QEMU's `vhost-user-vsock-pci` talks to it.
//!
//! It offers `VIRTIO_F_ACCESS_PLATFORM`, and takes the translations of an IOMMU: behind QEMU's SMMU it reaches
//! what the guest's stage maps, and asks for nothing else. That is its own word. QEMU hands it all of the guest's
//! memory, so the SMMU proves less for it than for QEMU's own devices.
//!
//! One thread, one loop: nothing in it waits for a translation. A pass over a ring that needs one that is not there
//! ends without a trace, and is made again when it has come; so no old translation is in use when QEMU is told that
//! one is gone.
//!
//! Ref: QEMU, `docs/interop/vhost-user.rst`; virtio 1.2, 5.10 "Socket Device".
#![forbid(unsafe_code)]

mod address;
mod connection;
mod device;
mod front;
mod host;
mod link;
mod memory;
mod message;
mod ring;
mod say;
mod server;
mod table;
mod translations;
mod way;

pub use address::Address;
pub use server::{Backend, Config};
pub use way::Way;

#[cfg(test)]
mod tests;
