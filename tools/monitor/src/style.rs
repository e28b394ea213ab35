//! What attestation tokens look like.

use token::{Form, Lifecycle, RealmProfile, test_platform};

/// What a token looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// The envelope.
    pub form: Form,
    /// The profile of the realm token.
    pub profile: RealmProfile,
    /// The lifecycle of the platform.
    pub lifecycle: Lifecycle,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            form: Form::Cca,
            profile: RealmProfile::V1_0_0,
            lifecycle: test_platform::SECURED,
        }
    }
}
