//! The drivers, one file for each kind of device.

pub mod balloon;
pub mod console;
pub mod disk;
pub mod entropy;
pub mod net;
pub mod share;
pub mod vsock;
