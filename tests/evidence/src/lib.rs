//! What strangers send to a key broker: bodies of its fuzz targets.
//!
//! Each takes any bytes, and panics only for a bug of ours. They are not in `testkit`, because the key
//! broker brings an HTTP server along that no other test needs. The targets in `tests/fuzz` call them,
//! and so do plain tests, over a few seeded inputs.
#![forbid(unsafe_code)]

mod broker;
mod samples;
mod tokens;

pub use broker::broker_requests;
pub use samples::{key_request, token};
pub use tokens::any_token;
