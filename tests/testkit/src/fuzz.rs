//! Bodies of the fuzz targets: each takes any bytes, and panics only for a bug of ours.
//!
//! The targets in `tests/fuzz` call them, and so do plain tests, over a few seeded inputs.

mod balloon;
mod broker_json;
mod device_evidence;
mod device_tree;
mod frames;
mod http_response;
mod input;
mod ninep;
mod pci_config;
mod rsi_answers;
mod streams;
mod trace_stream;
mod used_ring;
mod whole_boot;

pub use balloon::balloon;
pub use broker_json::broker_json;
pub use device_evidence::device_evidence;
pub use device_tree::device_tree;
pub use frames::{dhcp, dns, frames, icmp, ipv6_options};
pub use http_response::http_response;
pub use ninep::ninep;
pub use pci_config::pci_config;
pub use rsi_answers::rsi_answers;
pub use streams::{console_ports, vsock_packets};
pub use trace_stream::trace_stream;
pub use used_ring::used_ring;
pub use whole_boot::whole_boot;
