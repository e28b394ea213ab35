//! What QEMU writes down beside a trace, and where.

use std::path::{Path, PathBuf};

/// What lies beside a trace: frames that went out.
pub const OUTGOING: &str = "out.pcap";
/// Frames that came.
pub const INCOMING: &str = "in.pcap";
/// Requests of disks.
pub const REQUESTS: &str = "disk";

/// A file beside the trace, with what QEMU saw.
#[must_use]
pub fn beside(trace: &Path, what: &str) -> PathBuf {
    let mut name = trace.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    name.into()
}
