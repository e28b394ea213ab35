//! The commands and their numbers.

/// A command of RSI 1.0, or one of RSI 1.1 for devices.
///
/// Ref: DEN0137 1.0, B5.3; DEN0137 2.0, B5.4.
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
    /// Describes a device.
    VdevGetInfo,
    /// Maps registers of a device.
    VdevValidateMapping,
    /// Lets a device reach private memory.
    VdevDmaEnable,
    /// Lets it reach private memory no more.
    VdevDmaDisable,
}

const FIRST: u32 = 0xc400_0190;
/// The bit by which a caller says that it has no live SVE state.
const SVE_HINT: u32 = 1 << 16;

impl Command {
    /// All commands, in the order of their numbers.
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
        Self::VdevGetInfo,
        Self::VdevValidateMapping,
        Self::VdevDmaEnable,
        Self::VdevDmaDisable,
    ];

    /// The command with the function number `function`.
    #[must_use]
    pub fn of(function: u32) -> Option<Self> {
        let number = (function & !SVE_HINT).checked_sub(FIRST)?;
        match number {
            0..=9 => Self::ALL.get(usize::try_from(number).ok()?).copied(),
            0x0c => Some(Self::VdevDmaEnable),
            0x0d => Some(Self::VdevGetInfo),
            0x0f => Some(Self::VdevValidateMapping),
            0x14 => Some(Self::VdevDmaDisable),
            _ => None,
        }
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
            Self::VdevGetInfo => "RSI_VDEV_GET_INFO",
            Self::VdevValidateMapping => "RSI_VDEV_VALIDATE_MAPPING",
            Self::VdevDmaEnable => "RSI_VDEV_DMA_ENABLE",
            Self::VdevDmaDisable => "RSI_VDEV_DMA_DISABLE",
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
        assert_eq!(Command::of(0xc400_019d), Some(Command::VdevGetInfo));
        assert_eq!(Command::of(0xc400_01a4), Some(Command::VdevDmaDisable));
        assert_eq!(Command::of(0xc400_019a), None);
        assert_eq!(Command::of(0xc400_018f), None);
    }
}
