//! What a verifier demands.

use alloc::vec::Vec;

use super::PlatformKey;
use crate::{CHALLENGE_SIZE, LifecycleState};

/// What a verifier demands. `None` means that it does not ask; an empty list, that nothing will do.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// The keys that may sign platform tokens.
    pub platform_keys: &'a [PlatformKey],
    /// The states that a platform may be in.
    pub lifecycles: &'a [LifecycleState],
    /// The challenge that the token must answer.
    pub challenge: Option<&'a [u8; CHALLENGE_SIZE]>,
    /// The initial measurements that are known.
    pub rims: Option<&'a [Vec<u8>]>,
    /// What the extensible measurements 1 to 4 must be.
    pub rems: [Option<&'a [u8]>; 4],
    /// The values that REM 3 may have, by the devices that the realm may trust.
    pub devices: Option<&'a [Vec<u8>]>,
    /// What the personalization value must be.
    pub personalization: Option<&'a [u8; 64]>,
}

impl Policy<'_> {
    /// The strictest policy: no key is endorsed, and only a secured platform would do.
    pub const STRICT: Self = Self {
        platform_keys: &[],
        lifecycles: &[LifecycleState::Secured],
        challenge: None,
        rims: None,
        rems: [None; 4],
        devices: None,
        personalization: None,
    };
}
