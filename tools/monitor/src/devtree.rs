//! The machine's device tree, and the one that the guest gets.
//!
//! The guest's tree is a copy without the devices that are closed to it, with less memory, and with
//! its own boot arguments. It is written anew and not patched, so nothing has to fit in the old place.
//!
//! Ref: Devicetree Specification 0.4, chapter 5.

mod reader;
mod rewrite;

use core::fmt;

pub use self::reader::{Machine, size};
pub use self::rewrite::{Guest, rewrite};

const MAGIC: u32 = 0xd00d_feed;
const HEADER: usize = 40;
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const NOP: u32 = 4;
const END: u32 = 9;

/// The tree is not one that the monitor can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// It does not start as a tree does.
    Magic,
    /// It ends too early or points outside of itself, at this offset.
    Truncated(usize),
    /// It has a token that nobody knows.
    Token(u32),
    /// It lacks this node or property.
    Missing(&'static str),
    /// The guest's tree does not fit.
    Room,
    /// Boot arguments are not text.
    Text,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("device tree: no magic number"),
            Self::Truncated(at) => write!(f, "device tree: truncated at {at:#x}"),
            Self::Token(token) => write!(f, "device tree: unknown token {token:#x}"),
            Self::Missing(what) => write!(f, "device tree: no {what}"),
            Self::Room => f.write_str("device tree: no room for the guest's"),
            Self::Text => f.write_str("device tree: boot arguments are not text"),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
