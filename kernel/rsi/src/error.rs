//! What a call is named, how it ends, and what we make of that.

use core::fmt;

use untrusted::Untrusted;

use crate::Version;

/// The calls of RSI 1.0, and those of RSI 1.1 that assign devices.
///
/// Ref: DEN0137 1.0-rel0, B5.2 "RSI command summary"; DEN0137 2.0, B5.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `RSI_VERSION`
    Version,
    /// `RSI_FEATURES`
    Features,
    /// `RSI_MEASUREMENT_READ`
    MeasurementRead,
    /// `RSI_MEASUREMENT_EXTEND`
    MeasurementExtend,
    /// `RSI_ATTESTATION_TOKEN_INIT`
    AttestationTokenInit,
    /// `RSI_ATTESTATION_TOKEN_CONTINUE`
    AttestationTokenContinue,
    /// `RSI_REALM_CONFIG`
    RealmConfig,
    /// `RSI_IPA_STATE_SET`
    IpaStateSet,
    /// `RSI_IPA_STATE_GET`
    IpaStateGet,
    /// `RSI_HOST_CALL`
    HostCall,
    /// `RSI_VDEV_DMA_ENABLE`
    VdevDmaEnable,
    /// `RSI_VDEV_GET_INFO`
    VdevGetInfo,
    /// `RSI_VDEV_VALIDATE_MAPPING`
    VdevValidateMapping,
    /// `RSI_VDEV_DMA_DISABLE`
    VdevDmaDisable,
}

impl Call {
    /// All calls, in the order of their function identifiers.
    pub const ALL: [Self; 14] = [
        Self::Version,
        Self::Features,
        Self::MeasurementRead,
        Self::MeasurementExtend,
        Self::AttestationTokenInit,
        Self::AttestationTokenContinue,
        Self::RealmConfig,
        Self::IpaStateSet,
        Self::IpaStateGet,
        Self::HostCall,
        Self::VdevDmaEnable,
        Self::VdevGetInfo,
        Self::VdevValidateMapping,
        Self::VdevDmaDisable,
    ];

    /// The function identifier, for `x0`.
    pub const fn function(self) -> u64 {
        match self {
            Self::Version => 0xc400_0190,
            Self::Features => 0xc400_0191,
            Self::MeasurementRead => 0xc400_0192,
            Self::MeasurementExtend => 0xc400_0193,
            Self::AttestationTokenInit => 0xc400_0194,
            Self::AttestationTokenContinue => 0xc400_0195,
            Self::RealmConfig => 0xc400_0196,
            Self::IpaStateSet => 0xc400_0197,
            Self::IpaStateGet => 0xc400_0198,
            Self::HostCall => 0xc400_0199,
            Self::VdevDmaEnable => 0xc400_019c,
            Self::VdevGetInfo => 0xc400_019d,
            Self::VdevValidateMapping => 0xc400_019f,
            Self::VdevDmaDisable => 0xc400_01a4,
        }
    }

    /// The name that the specification gives the call.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Version => "RSI_VERSION",
            Self::Features => "RSI_FEATURES",
            Self::MeasurementRead => "RSI_MEASUREMENT_READ",
            Self::MeasurementExtend => "RSI_MEASUREMENT_EXTEND",
            Self::AttestationTokenInit => "RSI_ATTESTATION_TOKEN_INIT",
            Self::AttestationTokenContinue => "RSI_ATTESTATION_TOKEN_CONTINUE",
            Self::RealmConfig => "RSI_REALM_CONFIG",
            Self::IpaStateSet => "RSI_IPA_STATE_SET",
            Self::IpaStateGet => "RSI_IPA_STATE_GET",
            Self::HostCall => "RSI_HOST_CALL",
            Self::VdevDmaEnable => "RSI_VDEV_DMA_ENABLE",
            Self::VdevGetInfo => "RSI_VDEV_GET_INFO",
            Self::VdevValidateMapping => "RSI_VDEV_VALIDATE_MAPPING",
            Self::VdevDmaDisable => "RSI_VDEV_DMA_DISABLE",
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the RMM says that a call ended.
///
/// Ref: DEN0137 1.0-rel0, B5.4 `RsiCommandReturnCode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 0: done.
    Success,
    /// 1: an argument is wrong.
    Input,
    /// 2: the realm, or what it asked about, is in the wrong state.
    State,
    /// 3: not done yet, call again.
    Incomplete,
    /// 4: something failed inside the RMM.
    Unknown,
    /// 5: a device failed; RSI 1.1 and later.
    Device,
    /// -1: nobody knows this function.
    NotSupported,
    /// A number that we know nothing about.
    Other(u64),
}

impl Status {
    /// Takes the number in `x0`.
    pub const fn from_code(code: u64) -> Self {
        match code {
            0 => Self::Success,
            1 => Self::Input,
            2 => Self::State,
            3 => Self::Incomplete,
            4 => Self::Unknown,
            5 => Self::Device,
            u64::MAX => Self::NotSupported,
            other => Self::Other(other),
        }
    }
}

impl Status {
    /// Takes what came in `x0`.
    pub(crate) fn of(code: Untrusted<u64>) -> Self {
        Self::from_code(code.any_value("each has a name, or is kept as it is"))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => f.write_str("success"),
            Self::Input => f.write_str("error: input"),
            Self::State => f.write_str("error: state"),
            Self::Incomplete => f.write_str("incomplete"),
            Self::Unknown => f.write_str("error: unknown"),
            Self::Device => f.write_str("error: device"),
            Self::NotSupported => f.write_str("not supported"),
            Self::Other(code) => write!(f, "unheard-of status {code:#x}"),
        }
    }
}

/// Why an RSI call did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// A tag of 64 bits: an error is handed on by whole words, and nothing is left behind a narrow one.
#[repr(u64)]
pub enum Error {
    /// Nobody answers to RSI: this is an ordinary machine.
    NotARealm,
    /// There is an RMM, but it does not speak [`Version::SPOKEN`].
    Incompatible {
        /// The highest version it has below ours, or else the lowest above.
        lower: Version,
        /// The highest version it has.
        higher: Version,
    },
    /// The RMM refused a call.
    Call {
        /// Which.
        call: Call,
        /// With what status.
        status: Status,
    },
    /// The host said no to a change of state at this address.
    Rejected {
        /// First address that did not change.
        at: u64,
    },
    /// A change of state stood still at this address.
    NoProgress {
        /// First address that did not change.
        at: u64,
        /// Calls in a row that changed nothing.
        calls: u32,
    },
    /// The RMM said that it went to an address which is behind us, past the end, or not the
    /// beginning of a granule.
    Misplaced {
        /// Where it began.
        at: u64,
        /// Where it claims to be.
        claimed: u64,
    },
    /// The RMM said «not done yet» to this call as often as we ask.
    Unfinished {
        /// Which.
        call: Call,
    },
    /// Neither accepted nor rejected.
    UnknownResponse {
        /// First address of the request.
        at: u64,
        /// What it said.
        response: u64,
    },
    /// A measurement is extended by at most 64 bytes at a time.
    ValueTooLong {
        /// Bytes that were given.
        len: usize,
    },
    /// A piece of a token has to lie inside one granule.
    PieceOutsideGranule {
        /// Offset in the granule.
        offset: usize,
        /// Bytes of the piece.
        len: usize,
    },
    /// The RMM claims to have written more of a token than there was room for.
    TokenOverrun {
        /// Bytes it claims.
        written: u64,
        /// Bytes there were.
        room: usize,
    },
}

impl Error {
    /// Whether nobody here knows the call: this is no realm, or its RMM leaves that service out.
    pub const fn is_unsupported(&self) -> bool {
        matches!(
            self,
            Self::NotARealm
                | Self::Call {
                    status: Status::NotSupported,
                    ..
                }
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARealm => f.write_str("not a realm: nobody answers to RSI"),
            Self::Incompatible { lower, higher } => write!(
                f,
                "the RMM speaks RSI {lower} to {higher}, and we speak {}",
                Version::SPOKEN
            ),
            Self::Call { call, status } => write!(f, "{call} ended with {status}"),
            Self::Rejected { at } => write!(f, "the host rejected a change of state at {at:#x}"),
            Self::NoProgress { at, calls } => {
                write!(f, "{calls} calls changed no state at {at:#x}")
            }
            Self::Misplaced { at, claimed } => {
                write!(f, "the RMM went from {at:#x} to {claimed:#x}")
            }
            Self::Unfinished { call } => write!(f, "{call} does not end"),
            Self::UnknownResponse { at, response } => {
                write!(f, "unheard-of response {response:#x} at {at:#x}")
            }
            Self::ValueTooLong { len } => {
                write!(f, "a measurement cannot be extended by {len} bytes at once")
            }
            Self::PieceOutsideGranule { offset, len } => {
                write!(f, "{len} bytes at offset {offset} leave the granule")
            }
            Self::TokenOverrun { written, room } => {
                write!(f, "the RMM wrote {written} bytes of a token into {room}")
            }
        }
    }
}

impl core::error::Error for Error {}
