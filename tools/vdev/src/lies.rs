//! Ways in which a device, its host, or both are not what they should be.

/// One way. Each has a name for command lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lie {
    /// None: everything is as it should be, and at once.
    #[default]
    None,
    /// Still none, but everything takes several steps.
    Slow,
    /// The host hands over the certificates of another device.
    Swapped,
    /// The host hands over half of the measurements.
    Short,
    /// The host says that the measurements have 1 GiB.
    Oversized,
    /// The host says that it wrote more than there was room for.
    Overrun,
    /// One bit of the measurements is another.
    Flipped,
    /// The report has registers behind the end of a BAR; the RMM's digest fits.
    Moved,
    /// The report has a whole BAR somewhere else.
    Elsewhere,
    /// Two ranges of the report overlap.
    Overlapping,
    /// The device does not sign what it says.
    Unsigned,
    /// The device runs another firmware.
    OtherFirmware,
    /// The device has certificates of a maker whom nobody knows.
    Forged,
    /// The host unlocks and locks again while evidence is fetched.
    Relock,
    /// The host unlocks and locks again when the evidence is complete.
    LateRelock,
    /// No mapping comes forward.
    Stalled,
    /// The host refuses to map.
    Rejected,
    /// The host says that it started the device, and did not.
    NotStarted,
    /// The host takes the mapping away when everything is done.
    Unmapped,
    /// The host unmaps and unlocks when everything is done.
    Unlocked,
    /// The host is busy for ever.
    Busy,
    /// The host never finishes.
    Unfinished,
    /// The host has no measurements, ever.
    Missing,
}

impl Lie {
    /// All, with their names.
    pub const NAMES: [(&'static str, Self); 23] = [
        ("none", Self::None),
        ("slow", Self::Slow),
        ("swapped", Self::Swapped),
        ("short", Self::Short),
        ("oversized", Self::Oversized),
        ("overrun", Self::Overrun),
        ("flipped", Self::Flipped),
        ("moved", Self::Moved),
        ("elsewhere", Self::Elsewhere),
        ("overlapping", Self::Overlapping),
        ("unsigned", Self::Unsigned),
        ("other-firmware", Self::OtherFirmware),
        ("forged", Self::Forged),
        ("relock", Self::Relock),
        ("late-relock", Self::LateRelock),
        ("stalled", Self::Stalled),
        ("rejected", Self::Rejected),
        ("not-started", Self::NotStarted),
        ("unmapped", Self::Unmapped),
        ("unlocked", Self::Unlocked),
        ("busy", Self::Busy),
        ("unfinished", Self::Unfinished),
        ("missing", Self::Missing),
    ];

    /// The lie that is called `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, lie)| *lie)
    }
}
