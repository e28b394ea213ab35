//! 9P2000.L, the client's half: files of a host that is not trusted.
//!
//! A [`Client`] speaks over a [`Transport`], which carries one message there and one back. Every field
//! of an answer is checked against what was asked: its kind, its counts, its names. Whatever comes in is
//! the host's word: where that matters, hold it against a digest before it is used.
//!
//! Paths are relative to the share and stay inside ([`Error::Path`]). No symbolic link is ever followed
//! by this side, and one that the host shows on the way is an error ([`Error::SymbolicLink`]).
//!
//! Everything has a bound: [`MAX_DEPTH`] names in a path, [`MAX_OPEN`] files at once, and whatever limit
//! the caller gives for a file or a folder. Nothing is allocated by a number of the host.
//!
//! Ref: Plan 9 manual, section 5; diod, `protocol.md` (9P2000.L).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod client;
mod error;
mod fids;
mod file;
mod files;
mod folder;
mod message;
mod path;
mod transport;
mod wire;

pub use client::{Client, MIN_MESSAGE};
pub use error::{Error, Malformed, PathFault};
pub use file::File;
pub use folder::{Entry, Kind};
pub use path::{MAX_DEPTH, is_inside};
pub use transport::Transport;

/// Most files and folders of a client that are in use at once.
pub const MAX_OPEN: usize = fids::MOST;
