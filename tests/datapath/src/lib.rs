//! Whole paths on the host, with honest and lying devices.
//!
//! Every test goes the way that the kernel goes: scan, open, start, use. The device works on the
//! memory that the driver lends, so that a wrong direction, a forgotten copy or a private address
//! shows. The cases are numbered as in `THREAT_MODEL.md`.
//!
//! Miri runs a part: every copy and every word of a ring is in it. The rest is safe code that would
//! only take its time.
#![cfg(test)]
#![cfg_attr(
    test,
    expect(
        clippy::cast_possible_truncation,
        reason = "patterns are made of the low bits of counters"
    )
)]

#[cfg(not(miri))]
mod any_bytes;
#[cfg(not(miri))]
mod asked;
mod at_rest;
#[cfg(not(miri))]
mod balloon_device;
#[cfg(not(miri))]
mod balloon_lies;
#[cfg(not(miri))]
mod balloon_pace;
mod block_device;
#[cfg(not(miri))]
mod block_edges;
#[cfg(not(miri))]
mod block_lies;
#[cfg(not(miri))]
mod block_looks;
#[cfg(not(miri))]
mod block_owned;
#[cfg(not(miri))]
mod block_restart;
#[cfg(not(miri))]
mod block_room;
#[cfg(not(miri))]
mod block_waits;
mod console_device;
#[cfg(not(miri))]
mod console_lies;
#[cfg(not(miri))]
mod console_ports;
#[cfg(not(miri))]
mod console_waits;
#[cfg(not(miri))]
mod device_texts;
mod entropy;
#[cfg(not(miri))]
mod fetches;
#[cfg(not(miri))]
mod messages;
mod network;
#[cfg(not(miri))]
mod network_edges;
mod network_lies;
#[cfg(not(miri))]
mod ninep_device;
#[cfg(not(miri))]
mod ninep_lies;
#[cfg(not(miri))]
mod ninep_short_queue;
#[cfg(not(miri))]
mod ninep_waits;
#[cfg(not(miri))]
mod offload;
#[cfg(not(miri))]
mod pci_function;
#[cfg(not(miri))]
mod pci_lies;
#[cfg(not(miri))]
mod pci_placing;
#[cfg(not(miri))]
mod pci_vectors;
mod pci_walk;
#[cfg(not(miri))]
mod pool_sizes;
#[cfg(not(miri))]
mod pressure;
#[cfg(not(miri))]
mod probe_lies;
#[cfg(not(miri))]
mod probe_parts;
#[cfg(not(miri))]
mod queue_lies;
mod scribble;
mod setup;
#[cfg(not(miri))]
mod stream_restart;
mod vsock_device;
#[cfg(not(miri))]
mod vsock_lies;
#[cfg(not(miri))]
mod vsock_ports;
#[cfg(not(miri))]
mod vsock_writers;
