//! Bodies of the fuzz targets: each takes any bytes, and panics only for a bug of ours.
//!
//! The targets in `tests/fuzz` call them, and so do plain tests, over a few seeded inputs.

mod device_tree;

pub use device_tree::device_tree;
