//! The security state of a platform.

use core::fmt;

/// The lifecycle claim of a platform token.
///
/// Ref: DEN0137 1.0-rel0, A7.2.4 "CCA platform token", lifecycle claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifecycle(pub u16);

/// What a lifecycle claim means. The lower byte of the claim is for the implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifecycleState {
    /// Not known.
    Unknown,
    /// Being made and tested.
    AssemblyAndTest,
    /// The root of trust is being provisioned.
    RotProvisioning,
    /// In use, with debugging closed.
    Secured,
    /// Debugging of something outside CCA is open.
    NonCcaDebug,
    /// Debugging is open; secrets can be had again after it is closed.
    RecoverableDebug,
    /// Out of use.
    Decommissioned,
    /// No state that the specification has.
    Undefined,
}

impl LifecycleState {
    /// Every state that the specification has, with the name that it has in policies.
    pub const NAMES: [(Self, &'static str); 7] = [
        (Self::Unknown, "unknown"),
        (Self::AssemblyAndTest, "assembly-and-test"),
        (Self::RotProvisioning, "rot-provisioning"),
        (Self::Secured, "secured"),
        (Self::NonCcaDebug, "non-cca-debug"),
        (Self::RecoverableDebug, "recoverable-debug"),
        (Self::Decommissioned, "decommissioned"),
    ];

    /// The state with a name.
    pub fn from_name(name: &str) -> Option<Self> {
        let mut names = Self::NAMES.iter();
        names
            .find(|(_, known)| *known == name)
            .map(|(state, _)| *state)
    }
}

impl Lifecycle {
    /// What the claim means.
    pub const fn state(self) -> LifecycleState {
        match self.0 >> 8 {
            0x00 => LifecycleState::Unknown,
            0x10 => LifecycleState::AssemblyAndTest,
            0x20 => LifecycleState::RotProvisioning,
            0x30 => LifecycleState::Secured,
            0x40 => LifecycleState::NonCcaDebug,
            0x50 => LifecycleState::RecoverableDebug,
            0x60 => LifecycleState::Decommissioned,
            _ => LifecycleState::Undefined,
        }
    }
}

impl fmt::Display for LifecycleState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = Self::NAMES.iter();
        let name = names.find(|(state, _)| state == self);
        f.write_str(name.map_or("undefined", |(_, name)| name))
    }
}

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x} ({})", self.0, self.state())
    }
}
