//! Asks a key broker for a key, and proves with a token that it may have it.
//!
//! The protocol is that of Arm's key-broker demonstration: ask for a key by name, with the public half
//! of an ephemeral RSA key; be given a challenge; send a token over it; be given the key, wrapped with
//! the ephemeral key. It goes over plain HTTP: who listens learns the name of the key and the whole
//! token, and who stands in the way can refuse service. The key itself opens in this realm only, because
//! we answer no challenge that was made for another request than ours (`binding`). Nothing shows who
//! sent it: whoever stands in the way can hand over a key that he made up.
//!
//! A broker is asked once. Each request has its own connection, so no connection is stale when it is
//! used, and nothing here tries again.

mod binding;
mod client;
mod connector;
mod endpoint;
mod error;
mod exchange;
mod key;
mod limits;
pub mod messages;
mod sockets;
mod wrapping;

pub use client::{Client, Released};
pub use connector::{ConnectError, Connector};
pub use endpoint::{Endpoint, EndpointError};
pub use error::{Error, Step};
pub use key::Key;
pub use limits::Limits;
pub use messages::{Fault, Refusal};
pub use wrapping::Wrapping;
