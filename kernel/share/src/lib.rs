//! Files of a host that is not trusted, held against digests before anybody sees them.
//!
//! What a [`ninep::Client`] reads is the host's word, and may be another word the next time. There are two
//! ways to use it: [`read_verified`] for one file whose digest is known, and a [`Folder`] with a
//! [`Manifest`], which lists each file by pieces of 64 KiB ([`CHUNK`]) and their digests. A piece is read
//! whole into private memory, hashed, compared, and only then handed out; so a file of any length is used
//! without a moment in which a byte is believed that was not checked.
//!
//! The manifest is a file of the share, [`MANIFEST`], and no more trusted than the others: its own digest
//! has to be known, or be measured so that a verifier judges it.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod digest;
mod error;
mod folder;
mod manifest;
mod verified;

pub use digest::Digest;
pub use error::{Changed, Error, ManifestFault};
pub use folder::{Folder, Trust};
pub use manifest::{CHUNK, Draft, Listed, MAX_MANIFEST, Manifest};
pub use verified::{VerifiedFile, read_verified};

/// Name of the manifest in its share.
pub const MANIFEST: &str = "airlock.manifest";
