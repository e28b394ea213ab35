//! Who gets which key. No HTTP here.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use getrandom::SysRng;
use log::{info, trace, warn};
use rand_core::{Rng, UnwrapErr};
use token::verify::{Appraisal, PlatformKey, Policy, appraise};
use token::{CHALLENGE_SIZE, Token};

use crate::binding::bound_challenge;
use crate::challenge::{Challenges, MOCK_CHALLENGE, Open};
use crate::protocol::{KeyRequest, read_evidence};
use crate::show::show_token;
use crate::wrapping::WrappingKey;
use crate::{Key, KeyStore, Refusal};

/// What a broker knows, and how much it remembers.
#[derive(Debug)]
pub struct BrokerConfig {
    /// The keys that can be had.
    pub keys: KeyStore,
    /// The initial measurements that are known to be good.
    pub reference_values: Vec<Vec<u8>>,
    /// The keys that may sign platform tokens.
    pub platform_keys: Vec<PlatformKey>,
    /// Gives every client the challenge of the demonstration: for replaying its tokens, never in use.
    pub mock_challenge: bool,
    /// Where evidence is kept as it came, for a closer look: `evidence-ID.cbor`.
    pub evidence_folder: Option<PathBuf>,
    /// How long a challenge can be answered.
    pub challenge_lifetime: Duration,
    /// How many challenges can be open.
    pub most_challenges: usize,
}

impl BrokerConfig {
    /// A broker for `keys` that accepts nobody yet: no reference value, no platform.
    pub fn new(keys: KeyStore) -> Self {
        Self {
            keys,
            reference_values: Vec::new(),
            platform_keys: Vec::new(),
            mock_challenge: false,
            evidence_folder: None,
            challenge_lifetime: Duration::from_secs(120),
            most_challenges: 4096,
        }
    }
}

/// Who gets which key.
#[derive(Debug)]
pub struct Broker {
    config: BrokerConfig,
    challenges: Mutex<Challenges<Purpose>>,
}

/// What a challenge was issued for.
#[derive(Debug)]
struct Purpose {
    key: String,
    wrapping: WrappingKey,
}

/// A challenge, just issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The number to answer under.
    pub id: u32,
    /// The challenge.
    pub nonce: [u8; CHALLENGE_SIZE],
}

impl Broker {
    /// A broker that knows `config`.
    pub fn new(config: BrokerConfig) -> Self {
        let challenges = Challenges::new(config.most_challenges, config.challenge_lifetime);
        Self {
            config,
            challenges: Mutex::new(challenges),
        }
    }

    /// Takes a request for the key `name`, whose body is JSON with a public key.
    ///
    /// A name that no key has is given a challenge like any other: that there is no such key is told to
    /// whoever answers it, in the one place where the demonstration's client shows a reason.
    ///
    /// # Errors
    ///
    /// [`Refusal`] says why there is no challenge.
    pub fn request(&self, name: &str, body: &[u8], now: Instant) -> Result<Issued, Refusal> {
        if !KeyStore::can_name(name) {
            return Err(Refusal::UnknownKey);
        }
        let request = KeyRequest::read(body)?;
        let wrapping = WrappingKey::read(&request.pubkey)?;
        let key = self.config.keys.get(name);
        if key.is_some_and(|key| key.secret.len() > wrapping.capacity()) {
            return Err(Refusal::SecretTooLong);
        }
        let mut rng = UnwrapErr(SysRng);
        let mut nonce = MOCK_CHALLENGE;
        if !self.config.mock_challenge {
            let mut random = [0; 32];
            rng.fill_bytes(&mut random);
            nonce = bound_challenge(random, name, &request.pubkey);
        }
        let purpose = Purpose {
            key: name.to_owned(),
            wrapping,
        };
        let id = self.lock().issue(nonce, purpose, now, &mut rng);
        Ok(Issued { id, nonce })
    }

    /// Takes evidence for the challenge `id`: base64url text of a token. Gives the wrapped key.
    ///
    /// The challenge is used up, whatever comes of it.
    ///
    /// # Errors
    ///
    /// [`Refusal`] says why there is no key.
    pub fn submit(&self, id: u32, body: &[u8], now: Instant) -> Result<Vec<u8>, Refusal> {
        let open = self.lock().take(id, now).ok_or(Refusal::UnknownChallenge)?;
        let evidence = read_evidence(body)?;
        self.keep(id, &evidence);
        let key = self.config.keys.get(&open.purpose.key);
        let key = key.ok_or(Refusal::UnknownKey)?;
        let token = Token::decode(&evidence).map_err(Refusal::Evidence)?;
        trace!(
            "Evidence submitted for challenge {id}:\n{}",
            show_token(&token)
        );
        let [_, _, third, _] = token.realm_claims.rems;
        let devices = key.policy.device_values(third.len());
        let policy = Policy {
            devices: devices.as_deref(),
            ..self.policy(key, &open)
        };
        let appraisal = appraise(&token, &policy);
        self.tell(id, key, &appraisal);
        match appraisal.refusal() {
            Some(_) => Err(Refusal::Appraisal(appraisal)),
            None => open.purpose.wrapping.wrap(key.secret.as_bytes()),
        }
    }

    fn policy<'a>(&'a self, key: &'a Key, open: &'a Open<Purpose>) -> Policy<'a> {
        Policy {
            platform_keys: &self.config.platform_keys,
            challenge: Some(&open.nonce),
            rims: Some(&self.config.reference_values),
            ..key.policy.verifier()
        }
    }

    /// Keeps evidence, if that was asked for. A full disk costs the copy, not the key.
    fn keep(&self, id: u32, evidence: &[u8]) {
        let Some(folder) = &self.config.evidence_folder else {
            return;
        };
        let path = folder.join(format!("evidence-{id}.cbor"));
        match std::fs::write(&path, evidence) {
            Ok(()) => info!("Evidence for challenge {id} is in {}", path.display()),
            Err(error) => warn!("cannot write {}: {error}", path.display()),
        }
    }

    fn tell(&self, id: u32, key: &Key, appraisal: &Appraisal) {
        for reason in appraisal.failures() {
            warn!("Evidence submitted for challenge {id}: check failed: {reason}");
        }
        if appraisal.refusal().is_none() {
            info!(
                "Evidence submitted for challenge {id}: verification succeeded ! Releasing the key '{}'",
                key.name
            );
        }
    }

    /// The challenges. They stay whole even if somebody panicked with them in hand.
    fn lock(&self) -> std::sync::MutexGuard<'_, Challenges<Purpose>> {
        let locked = self.challenges.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }
}
