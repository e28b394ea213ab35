//! What can be wrong with a tree.

use core::fmt;

use crate::AddressRange;

/// What is wrong with a tree. `at` names the node, or the part of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes do not begin as a tree does.
    NotATree,
    /// The tree says that it has this many bytes, and that is too many, or more than there are.
    Size {
        /// Bytes it claims.
        claimed: usize,
        /// Bytes there may be.
        limit: usize,
    },
    /// The tree is not well-formed.
    Malformed(&'static str),
    /// The tree lacks a node.
    NoNode {
        /// Which.
        at: &'static str,
    },
    /// A node lacks a property.
    NoProperty {
        /// The node.
        at: &'static str,
        /// The property.
        property: &'static str,
    },
    /// A property does not have the length that its kind has.
    Length {
        /// The node.
        at: &'static str,
        /// The property.
        property: &'static str,
        /// Its bytes.
        len: usize,
    },
    /// A property is not text, is too long, or has control characters.
    Text {
        /// The node.
        at: &'static str,
        /// The property.
        property: &'static str,
    },
    /// A number is not one that the property can have.
    Value {
        /// The node.
        at: &'static str,
        /// The property.
        property: &'static str,
        /// The number.
        value: u64,
    },
    /// A range is empty, wraps, or leaves the protected half of the address space.
    Range {
        /// The node.
        at: &'static str,
        /// First address.
        base: u64,
        /// Bytes.
        len: u64,
    },
    /// A range is smaller than the device that it is for.
    TooSmall {
        /// The node.
        at: &'static str,
        /// The range.
        range: AddressRange,
        /// Bytes that it needs.
        needed: u64,
    },
    /// Two parts of the machine lie in the same place.
    Overlap {
        /// One.
        at: &'static str,
        /// Where it is.
        range: AddressRange,
        /// The other.
        other: &'static str,
    },
    /// A range is not in RAM, and should be.
    NotInMemory {
        /// Which.
        at: &'static str,
        /// Where it is.
        range: AddressRange,
    },
    /// There is more of something than we keep.
    TooMany {
        /// Of what.
        at: &'static str,
        /// How many we keep.
        limit: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("device tree: ")?;
        match self {
            Self::NotATree => f.write_str("it does not begin as one"),
            Self::Size { claimed, limit } => {
                write!(f, "it claims {claimed} bytes, and {limit} is the limit")
            }
            Self::Malformed(why) => write!(f, "malformed: {why}"),
            Self::NoNode { at } => write!(f, "there is no {at}"),
            Self::NoProperty { at, property } => write!(f, "{at} has no {property}"),
            Self::Length { at, property, len } => {
                write!(f, "{property} of {at} cannot have {len} bytes")
            }
            Self::Text { at, property } => write!(f, "{property} of {at} is not a text for us"),
            Self::Value {
                at,
                property,
                value,
            } => write!(f, "{property} of {at} cannot be {value:#x}"),
            Self::Range { at, base, len } => write!(
                f,
                "{at}: {len:#x} bytes at {base:#x} are empty or leave the address space"
            ),
            Self::TooSmall { at, range, needed } => {
                write!(f, "{at} at {range} needs {needed:#x} bytes")
            }
            Self::Overlap { at, range, other } => write!(f, "{at} at {range} overlaps {other}"),
            Self::NotInMemory { at, range } => write!(f, "{at} at {range} is not in memory"),
            Self::TooMany { at, limit } => write!(f, "more than {limit} of {at}"),
        }
    }
}

impl core::error::Error for Error {}

/// That something is wrong. What it is, the tokens keep meanwhile: it has 56 bytes, and is handed on by many steps.
#[derive(Debug)]
pub(crate) struct Failed(());

impl Failed {
    pub(crate) const fn new() -> Self {
        Self(())
    }
}
