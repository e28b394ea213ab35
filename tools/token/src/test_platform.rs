//! A platform that everybody knows the keys of. **For tests only.**
//!
//! The test monitor signs with these keys. They are made from the seeds below, so anybody can make a
//! token of this platform for any realm: a verifier that endorses it proves nothing. The key broker
//! does so only when told to (`--allow-test-platform`), and says so at each start.

use alloc::vec::Vec;
use p384::ecdsa::SigningKey;
use sha2::{Digest, Sha384};

use crate::{Component, Lifecycle, PlatformClaims, PlatformProfile, sign};

const PLATFORM_SEED: &[u8] = b"airlock test platform: everybody knows this key";
const REALM_SEED: &[u8] = b"airlock test realm attestation key: everybody knows this key";

/// The implementation that the test platform says it is.
pub const IMPLEMENTATION_ID: &[u8; 32] = b"airlock test monitor: not secure";

/// The instance that the test platform says it is: type 1 (random), then 32 bytes.
pub const INSTANCE_ID: &[u8; 33] = b"\x01airlock test platform, instance0";

/// The lifecycle that the test platform has unless told otherwise.
pub const SECURED: Lifecycle = Lifecycle(0x3003);

/// The key that signs platform tokens of the test platform.
pub fn platform_key() -> SigningKey {
    from_seed(PLATFORM_SEED)
}

/// The key that signs realm tokens of the test platform.
pub fn realm_key() -> SigningKey {
    from_seed(REALM_SEED)
}

/// The public half of [`platform_key`]: 97 bytes, an uncompressed point.
pub fn platform_public_key() -> Vec<u8> {
    let point = platform_key().verifying_key().to_sec1_point(false);
    point.as_bytes().to_vec()
}

/// What the test platform says of itself. `binding` is the hash of the realm's key: [`sign::binding`].
pub fn claims(
    profile: PlatformProfile,
    lifecycle: Lifecycle,
    binding: &[u8; 32],
) -> PlatformClaims<'_> {
    PlatformClaims {
        profile,
        challenge: binding,
        implementation_id: IMPLEMENTATION_ID,
        instance_id: INSTANCE_ID,
        config: b"test",
        lifecycle,
        components: [COMPONENT].to_vec(),
        verification_service: None,
        hash_algorithm: sign::BINDING_ALGORITHM,
        unknown: Vec::new(),
    }
}

/// The only firmware there is. Nobody measured it.
const COMPONENT: Component<'_> = Component {
    kind: Some("TEST-MONITOR"),
    measurement: &[0; 32],
    version: Some(env!("CARGO_PKG_VERSION")),
    signer: &[0; 32],
    hash_algorithm: Some(sign::BINDING_ALGORITHM),
};

fn from_seed(seed: &[u8]) -> SigningKey {
    SigningKey::from_slice(&Sha384::digest(seed)).expect("both seeds give a scalar below the order")
}
