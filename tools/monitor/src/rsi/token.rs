//! The attestation token: made at `INIT`, handed out piece by piece.
//!
//! It is signed with keys that everybody knows, and says so; in everything else it is a token as an
//! RMM makes it, and an RMM's way of handing it out, with its interruptions, is kept too.

use alloc::vec::Vec;

use ::token::{PlatformProfile, RealmClaims, RealmProfile, sign, test_platform};

use super::{ERROR_INPUT, ERROR_STATE, INCOMPLETE, Measurements, Realm, Reply, SUCCESS, World};
use crate::layout::GRANULE;
use crate::options::Hash;
use crate::style::Style;

/// Bytes of a challenge.
const CHALLENGE: usize = 64;
/// What an endless token is said to need, in bytes.
const ENDLESS: u64 = GRANULE;
/// Calls that bring no byte before the first that does, as when signing was interrupted.
const STALLS: u32 = 2;
/// The most bytes that one call brings. Odd, so that nobody relies on whole words.
const PIECE: usize = 255;
/// Which realm it is, in a profile that says so: type 1 (random), then 32 bytes.
const REALM_INSTANCE: &[u8; 33] = b"\x01airlock test monitor, the realm.";

/// How far a token is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Token {
    /// None was asked for, or all of it was fetched.
    #[default]
    Idle,
    /// It will never be finished.
    Endless,
    /// It is being fetched.
    Made {
        /// All of it.
        bytes: Vec<u8>,
        /// What was fetched.
        sent: usize,
        /// Calls that still bring nothing.
        stalls: u32,
    },
}

impl Realm<'_> {
    /// Ref: DEN0137 1.0, B5.3.2. A token that was begun before is given up.
    pub(super) fn token_init(&mut self, x: &[u64; 10]) -> Reply {
        if self.options.incomplete {
            self.token = Token::Endless;
            return Reply::values([SUCCESS, ENDLESS, 0, 0]);
        }
        let mut challenge = [0; CHALLENGE];
        for (bytes, word) in challenge.as_chunks_mut::<8>().0.iter_mut().zip(x) {
            *bytes = word.to_le_bytes();
        }
        let bytes = make(
            &self.options.token,
            self.options.hash,
            &self.measurements,
            &challenge,
        );
        let bound = (bytes.len() as u64).next_multiple_of(GRANULE);
        self.token = Token::Made {
            bytes,
            sent: 0,
            stalls: STALLS,
        };
        Reply::values([SUCCESS, bound, 0, 0])
    }

    /// Ref: DEN0137 1.0, B5.3.1.
    pub(super) fn token_continue(
        &mut self,
        address: u64,
        offset: u64,
        size: u64,
        world: &mut impl World,
    ) -> Reply {
        let end = offset.checked_add(size);
        let fits = offset < GRANULE && end.is_some_and(|end| end <= GRANULE);
        if !fits || !self.is_operand(address, GRANULE) {
            return Reply::status(ERROR_INPUT);
        }
        let room = usize::try_from(size).unwrap_or(usize::MAX).min(PIECE);
        let Some((piece, last)) = self.token.next(room) else {
            return Reply::status(ERROR_STATE);
        };
        if !piece.is_empty() {
            world.write(address + offset, &piece);
        }
        let status = if last { SUCCESS } else { INCOMPLETE };
        if last {
            self.token = Token::Idle;
        }
        Reply::values([status, piece.len() as u64, 0, 0])
    }
}

impl Token {
    /// The next piece, of at most `room` bytes, and whether it is the last. `None`: there is no token.
    fn next(&mut self, room: usize) -> Option<(Vec<u8>, bool)> {
        match self {
            Self::Idle => None,
            Self::Endless => Some((Vec::new(), false)),
            Self::Made { stalls, .. } if *stalls > 0 => {
                *stalls -= 1;
                Some((Vec::new(), false))
            }
            Self::Made { bytes, sent, .. } => {
                let rest = bytes.get(*sent..).unwrap_or_default();
                let piece = rest.get(..room).unwrap_or(rest).to_vec();
                *sent += piece.len();
                Some((piece, *sent == bytes.len()))
            }
        }
    }
}

/// Makes and signs a token.
fn make(
    style: &Style,
    hash: Hash,
    measurements: &Measurements,
    challenge: &[u8; CHALLENGE],
) -> Vec<u8> {
    let (platform_key, realm_key) = (test_platform::platform_key(), test_platform::realm_key());
    let public_key = sign::public_key(&realm_key, style.profile);
    let binding = sign::binding(&public_key);
    let platform = test_platform::claims(PlatformProfile::V1_0_0, style.lifecycle, &binding);
    let realm = RealmClaims {
        profile: style.profile,
        challenge,
        personalization: &[0; 64],
        hash_algorithm: match hash {
            Hash::Sha256 => "sha-256",
            Hash::Sha512 => "sha-512",
        },
        public_key: &public_key,
        rim: measurements.get(0),
        rems: [1, 2, 3, 4].map(|index| measurements.get(index)),
        public_key_hash_algorithm: sign::BINDING_ALGORITHM,
        mec_policy: None,
        instance_id: (style.profile == RealmProfile::V2_0_0).then_some(REALM_INSTANCE),
        unknown: Vec::new(),
    };
    sign::token(style.form, (&platform, &platform_key), (&realm, &realm_key))
}
