//! Why somebody does not get a key.

use std::fmt;

use token::DecodeError;
use token::verify::{Appraisal, Reason};

/// Why somebody does not get a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is nothing at this path.
    NoSuchPath,
    /// The path takes POST only.
    Method,
    /// The body is not of the media type that the path takes.
    MediaType,
    /// The body is longer than the path takes.
    TooLong {
        /// The most that it takes, in bytes.
        limit: usize,
    },
    /// The body did not come in time.
    TooSlow,
    /// The body did not come whole.
    CutShort,
    /// The body is not the JSON that it should be.
    Json,
    /// The evidence is not base64url without padding.
    EvidenceText,
    /// A text of a request is not base64url without padding.
    Base64 {
        /// Which text.
        what: &'static str,
    },
    /// No key has this name.
    UnknownKey,
    /// The public key is not RSA, or is for another way of wrapping than `RSA1_5` and `RSA-OAEP`.
    KeyType,
    /// The public key is not one that can wrap.
    PublicKey,
    /// The modulus has fewer or more bits than are taken.
    ModulusSize,
    /// The secret does not fit into what the public key can wrap.
    SecretTooLong,
    /// The path names no challenge that is still open.
    UnknownChallenge,
    /// The evidence is not a token.
    Evidence(DecodeError),
    /// The token did not pass: at least one check failed.
    Appraisal(Appraisal),
    /// Something here failed, and not with the request.
    Internal,
}

impl Refusal {
    /// The HTTP status that goes with it.
    ///
    /// The demonstration's client shows the reason of a 403 that answers evidence, and of nothing else:
    /// so whatever is wrong with evidence, and that there is no such key, is told there and so.
    pub const fn status(self) -> u16 {
        match self {
            Self::NoSuchPath => 404,
            Self::Method => 405,
            Self::TooSlow => 408,
            Self::TooLong { .. } => 413,
            Self::MediaType => 415,
            Self::UnknownKey
            | Self::UnknownChallenge
            | Self::EvidenceText
            | Self::Evidence(_)
            | Self::Appraisal(_) => 403,
            Self::Internal => 500,
            Self::CutShort
            | Self::Json
            | Self::Base64 { .. }
            | Self::KeyType
            | Self::PublicKey
            | Self::ModulusSize
            | Self::SecretTooLong => 400,
        }
    }

    /// The `type` that the body names.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::NoSuchPath => "NoSuchPath",
            Self::Method => "MethodNotAllowed",
            Self::MediaType => "UnsupportedMediaType",
            Self::TooLong { .. } => "TooLong",
            Self::TooSlow => "TooSlow",
            Self::CutShort | Self::Json | Self::Base64 { .. } => "MalformedRequest",
            Self::UnknownKey => "UnknownKey",
            Self::KeyType | Self::PublicKey | Self::ModulusSize | Self::SecretTooLong => {
                "UnsuitablePublicKey"
            }
            Self::EvidenceText | Self::Evidence(_) => "MalformedEvidence",
            Self::UnknownChallenge | Self::Appraisal(_) => "AttestationFailure",
            Self::Internal => "InternalError",
        }
    }
}

/// A failure of the signatures or the challenge gives no result at all; a failure of what the policy
/// demands gives one that is not in policy. The demonstration words the two differently.
fn is_policy(appraisal: &Appraisal) -> bool {
    appraisal.refusal().is_some_and(|reason| match reason {
        Reason::Lifecycle { .. }
        | Reason::Rim
        | Reason::Rem { .. }
        | Reason::Devices
        | Reason::Personalization => true,
        Reason::PlatformNotEndorsed
        | Reason::PlatformSignature
        | Reason::BindingAlgorithm
        | Reason::Binding
        | Reason::RealmKey
        | Reason::RealmSignature
        | Reason::Challenge => false,
    })
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchPath => f.write_str("There is nothing at this path."),
            Self::Method => f.write_str("This path takes POST only."),
            Self::MediaType => f.write_str("The body is not of the media type that is taken here."),
            Self::TooLong { limit } => write!(f, "The body has more than {limit} bytes."),
            Self::TooSlow => f.write_str("The body did not come in time."),
            Self::CutShort => f.write_str("The body did not come whole."),
            Self::Json => f.write_str("The body is not the JSON of a key request."),
            Self::Base64 { what } => write!(f, "The {what} is not base64url without padding."),
            Self::EvidenceText => f.write_str("The evidence is not base64url without padding."),
            Self::UnknownKey => f.write_str("No key has this name."),
            Self::KeyType => f.write_str("The public key is not for RSA1_5 or RSA-OAEP."),
            Self::PublicKey => f.write_str("The public key is not an RSA key."),
            Self::ModulusSize => f.write_str("The RSA modulus must have 1024 to 4096 bits."),
            Self::SecretTooLong => f.write_str("The key is too long for this RSA modulus."),
            Self::UnknownChallenge => {
                f.write_str("The challenge identifier did not match any issued challenge.")
            }
            Self::Evidence(error) => write!(f, "The evidence is not a CCA token: {error}."),
            Self::Appraisal(appraisal) if is_policy(appraisal) => {
                write!(
                    f,
                    "The attestation result is not in policy. Failed: {appraisal}."
                )
            }
            Self::Appraisal(appraisal) => {
                write!(
                    f,
                    "No attestation result was obtained. Failed: {appraisal}."
                )
            }
            Self::Internal => f.write_str("The broker has a problem of its own."),
        }
    }
}

impl std::error::Error for Refusal {}
