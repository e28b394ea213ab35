//! Tokens, measurements, and keys that are released for them.
//!
//! A realm proves what it is in three steps, each of which has its own module here:
//!
//! 1. [`measurement`]: the RMM measured the image before it ran (RIM); the realm itself adds what it
//!    decides on later (REM 1 to 4), and keeps an [`EventLog`] of what it added.
//! 2. [`token`]: the RMM signs the measurements together with a challenge.
//! 3. [`keybroker`]: somebody outside reads the token and sends a key, wrapped for this realm alone.
//!
//! Nothing here trusts the network or the broker; the RMM is trusted for what it says, but not to be
//! quick.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod attester;
mod event_log;
pub mod keybroker;
pub mod measurement;
mod retrieval;
mod text;
pub mod token;

pub use attester::Attester;
pub use event_log::{Event, EventLog};
pub use measurement::{Digest, MeasureError, Measurements};
pub use retrieval::{Budget, retrieve};
pub use rsi::Granule;
pub use token::{Challenge, Token, TokenError};
