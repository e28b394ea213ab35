//! Why bytes are not a token.

use core::fmt;

/// The part of a token that a problem is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The envelope with both tokens.
    Envelope,
    /// The platform token's COSE structure.
    PlatformToken,
    /// The platform token's claims.
    PlatformClaims,
    /// The realm token's COSE structure.
    RealmToken,
    /// The realm token's claims.
    RealmClaims,
    /// The realm's public key.
    RealmKey,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Envelope => "envelope",
            Self::PlatformToken => "platform token",
            Self::PlatformClaims => "platform claims",
            Self::RealmToken => "realm token",
            Self::RealmClaims => "realm claims",
            Self::RealmKey => "realm key",
        })
    }
}

/// Why bytes are not a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// More than [`crate::MAX_TOKEN`] bytes.
    TooLong {
        /// How many they are.
        size: usize,
    },
    /// Not the CBOR that stands here in a token.
    Cbor {
        /// Where.
        part: Part,
        /// Offset in the part, in bytes.
        at: usize,
    },
    /// A tag that does not belong here.
    Tag {
        /// Where.
        part: Part,
        /// The tag.
        tag: u64,
    },
    /// More entries than anybody needs.
    TooMany {
        /// Where.
        part: Part,
        /// How many there are said to be.
        count: u64,
    },
    /// A claim or an entry is not there.
    Missing {
        /// Where.
        part: Part,
        /// Its key.
        key: i64,
    },
    /// A claim or an entry is there twice.
    Duplicate {
        /// Where.
        part: Part,
        /// Its key.
        key: i64,
    },
    /// A claim has a size or a value that it cannot have.
    Value {
        /// Where.
        part: Part,
        /// Its key.
        key: i64,
    },
    /// A profile that is not known: its claims may mean something else.
    Profile {
        /// Where.
        part: Part,
    },
    /// A signature algorithm other than ES256, ES384 and ES512.
    Algorithm {
        /// Where.
        part: Part,
        /// Its COSE number.
        number: i64,
    },
    /// Bytes behind the end.
    Trailing {
        /// Where.
        part: Part,
        /// How many.
        count: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooLong { size } => write!(f, "{size} bytes are too long for a token"),
            Self::Cbor { part, at } => write!(f, "{part}: unexpected CBOR at byte {at}"),
            Self::Tag { part, tag } => write!(f, "{part}: unexpected tag {tag}"),
            Self::TooMany { part, count } => write!(f, "{part}: {count} entries are too many"),
            Self::Missing { part, key } => write!(f, "{part}: claim {key} is missing"),
            Self::Duplicate { part, key } => write!(f, "{part}: claim {key} is there twice"),
            Self::Value { part, key } => write!(f, "{part}: claim {key} has an impossible value"),
            Self::Profile { part } => write!(f, "{part}: unknown profile"),
            Self::Algorithm { part, number } => {
                write!(f, "{part}: unknown signature algorithm {number}")
            }
            Self::Trailing { part, count } => write!(f, "{part}: {count} bytes behind the end"),
        }
    }
}

impl core::error::Error for DecodeError {}
