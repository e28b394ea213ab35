//! The commands and their numbers.

/// A command of RSI 1.0.
///
/// Ref: DEN0137 1.0, B5.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Command {
    /// Which versions there are.
    Version,
    /// Optional features.
    Features,
    /// Reads a measurement.
    MeasurementRead,
    /// Extends a measurement.
    MeasurementExtend,
    /// Starts a token.
    AttestationTokenInit,
    /// Fetches a piece of the token.
    AttestationTokenContinue,
    /// Describes the realm.
    RealmConfig,
    /// Changes the state of granules.
    IpaStateSet,
    /// Reads the state of granules.
    IpaStateGet,
    /// Calls the host.
    HostCall,
}

const FIRST: u32 = 0xc400_0190;
/// The bit by which a caller says that it has no live SVE state.
const SVE_HINT: u32 = 1 << 16;

impl Command {
    /// All commands, in the order of their numbers.
    pub const ALL: [Self; 10] = [
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
    ];

    /// The command with the function number `function`.
    #[must_use]
    pub fn of(function: u32) -> Option<Self> {
        let number = (function & !SVE_HINT).checked_sub(FIRST)?;
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// The name in the specification.
    #[must_use]
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_of_the_specification_has_its_command() {
        assert_eq!(Command::of(0xc400_0190), Some(Command::Version));
        assert_eq!(Command::of(0xc400_0196), Some(Command::RealmConfig));
        assert_eq!(Command::of(0xc400_0199), Some(Command::HostCall));
        assert_eq!(Command::of(0xc401_0197), Some(Command::IpaStateSet));
        assert_eq!(Command::of(0xc400_019a), None);
        assert_eq!(Command::of(0xc400_018f), None);
    }
}
