//! Whole key releases on the host: a realm with an RMM that signs, a network, and a key broker.

mod network;
mod rmm;
mod wall;

pub use network::{HostNetwork, MeddlingHost};
pub use rmm::{PERSONALIZATION, Signer, SigningRmm};
pub use wall::WallClock;
