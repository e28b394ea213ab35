//! Releases keys to realms that prove what they are: broker and verifier in one, offline.
//!
//! A realm asks for a key by name and sends a public RSA key. It gets a challenge, answers with a CCA
//! attestation token over it, and, if every check passes, gets the key, wrapped for its RSA key. The
//! protocol is that of Arm's key-broker demonstration (`veraison/keybroker-demo`), so its client can
//! use this broker.
//!
//! [`Broker`] decides, and knows nothing of HTTP. [`Server`] carries its decisions over HTTP/1.1 and
//! keeps strangers from wearing it out. [`command`] is the command line.
#![forbid(unsafe_code)]

mod binding;
mod broker;
mod challenge;
pub mod command;
mod devices;
mod encoding;
mod endorsements;
mod http;
mod json;
mod keys;
pub mod policy;
mod protocol;
mod references;
mod refusal;
mod server;
mod show;
mod standard_error;
mod test_platform;
mod wrapping;

pub use broker::{Broker, BrokerConfig, Issued};
pub use challenge::MOCK_CHALLENGE;
pub use endorsements::{read_endorsements, test_platform_key};
pub use keys::{DEMONSTRATION, Key, KeyStore};
pub use protocol::{EVIDENCE_MEDIA_TYPE, MAX_EVIDENCE, MAX_REQUEST};
pub use references::read_reference_values;
pub use refusal::Refusal;
pub use server::{Limits, Server, ServerConfig};
pub use show::{show_token, show_verdicts};
pub use standard_error::log_to_standard_error;
pub use test_platform::{Form, show_test_platform};
