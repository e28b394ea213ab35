//! Whole paths on the host, with honest and lying devices.
//!
//! Every test goes the way that the kernel goes: scan, open, start, use. The device works on the
//! memory that the driver lends, so that a wrong direction, a forgotten copy or a private address
//! shows. The cases are numbered as in `THREAT_MODEL.md`.
#![cfg(test)]
#![cfg_attr(
    test,
    expect(
        clippy::cast_possible_truncation,
        reason = "patterns are made of the low bits of counters"
    )
)]

mod block_device;
mod block_lies;
mod block_waits;
mod entropy;
mod network;
mod network_lies;
mod pci_function;
mod pci_lies;
mod probe_lies;
mod queue_lies;
mod scribble;
mod setup;
