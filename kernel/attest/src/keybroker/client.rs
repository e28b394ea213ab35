//! The exchange with a key broker, from the name of a key to the key.

use alloc::{string::String, vec::Vec};
use core::time::Duration;

use clock::Clock;
use log::info;
use rand_core::CryptoRng;

use crate::{
    keybroker::{
        binding::is_bound,
        connector::Connector,
        endpoint::{Endpoint, path_of},
        error::{Error, Step},
        exchange::{Answer, Post, exchange},
        key::Key,
        limits::Limits,
        messages::{self, Fault},
        wrapping::{KeyPair, Wrapping},
    },
    token::{Challenge, Token, TokenError},
};

/// The media type of a request for a key.
const REQUEST_TYPE: &str = "application/json";

/// A key, and what it took to get it.
#[derive(Debug)]
pub struct Released {
    /// The key.
    pub key: Key,
    /// How long it took to make the ephemeral RSA key pair.
    pub key_generation: Duration,
    /// How long it took to make and fetch the token.
    pub attestation: Duration,
    /// How long it took in all.
    pub total: Duration,
}

/// A client of one key broker.
pub struct Client<'a, N> {
    endpoint: Endpoint,
    network: N,
    clock: &'a dyn Clock,
    wrapping: Wrapping,
    limits: Limits,
    /// Whether a challenge must be bound to our request.
    bound: bool,
}

impl<'a, N: Connector> Client<'a, N> {
    /// A client that asks the broker at `endpoint`, over `network`.
    pub fn new(endpoint: Endpoint, network: N, clock: &'a dyn Clock) -> Self {
        Self {
            endpoint,
            network,
            clock,
            wrapping: Wrapping::default(),
            limits: Limits::default(),
            bound: true,
        }
    }

    /// The same client, asking for another wrapping.
    #[must_use]
    pub fn with_wrapping(self, wrapping: Wrapping) -> Self {
        Self { wrapping, ..self }
    }

    /// The same client, which answers any challenge, as the demonstration's server gives them.
    ///
    /// Whoever stands between us and the broker can then have the key wrapped for himself.
    #[must_use]
    pub fn answering_any_challenge(self) -> Self {
        Self {
            bound: false,
            ..self
        }
    }

    /// The same client, with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Asks for the key `name` and answers the challenge with the token that `attest` makes over it.
    ///
    /// `rng` must be seeded by the hardware of this realm: whoever knows its state can open the key.
    /// Asks once; whoever wants to ask again decides so, and when.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn get_key<R, A>(&self, name: &str, rng: &mut R, attest: A) -> Result<Released, Error>
    where
        R: CryptoRng,
        A: FnOnce(&Challenge) -> Result<Token, TokenError>,
    {
        let begun = self.clock.now();
        let path = self.endpoint.key_path(name).ok_or(Error::Name)?;
        info!(
            "Requesting key named '{name}' from the keybroker server with URL {}",
            self.endpoint.url(&path)
        );
        let pair = KeyPair::make(self.wrapping, rng).map_err(|_| Error::KeyGeneration)?;
        let key_generation = self.clock.now().since(begun);
        let (challenge, location) = self.ask(&path, &pair).await?;
        if self.bound && !is_bound(&challenge, name, self.wrapping, &pair) {
            return Err(Error::OtherRequest);
        }
        let asked = self.clock.now();
        let token = attest(&challenge)?;
        token.check_form()?;
        let attestation = self.clock.now().since(asked);
        let wrapped = self.submit(&location, &token).await?;
        let key = pair.unwrap(&wrapped, rng).map_err(|_| Error::NotForUs)?;
        Ok(Released {
            key: Key::new(key),
            key_generation,
            attestation,
            total: self.clock.now().since(begun),
        })
    }

    async fn post(&self, step: Step, post: Post<'_>) -> Result<Answer, Error> {
        exchange(&self.network, &self.endpoint, self.limits, step, post).await
    }

    /// Asks for the key; hands back the challenge and the path that evidence goes to.
    async fn ask(&self, path: &str, pair: &KeyPair) -> Result<(Challenge, String), Error> {
        let step = Step::Challenge;
        let body = messages::key_request(self.wrapping.name(), &pair.modulus(), &pair.exponent());
        let post = Post {
            path,
            content_type: REQUEST_TYPE,
            body: &body,
        };
        let answer = self.post(step, post).await?;
        let answer = granted(step, answer, &[200, 201])?;
        let garbage = |fault| Error::Garbage { step, fault };
        let challenge = messages::read_challenge(&answer.body).map_err(garbage)?;
        let location = answer.location.as_deref().and_then(path_of);
        let location = location.ok_or(garbage(Fault::Location))?;
        info!(
            "Challenge ({} bytes) = {:02x?}",
            challenge.as_bytes().len(),
            challenge.as_bytes()
        );
        Ok((challenge, location.into()))
    }

    /// Submits evidence; hands back the wrapped key.
    async fn submit(&self, location: &str, token: &Token) -> Result<Vec<u8>, Error> {
        let step = Step::Evidence;
        info!("Submitting evidence to URL {}", self.endpoint.url(location));
        let body = messages::evidence(token);
        let post = Post {
            path: location,
            content_type: messages::EVIDENCE_TYPE,
            body: &body,
        };
        let answer = self.post(step, post).await?;
        let answer = granted(step, answer, &[200])?;
        messages::read_wrapped_key(&answer.body).map_err(|fault| Error::Garbage { step, fault })
    }
}

/// The answer, if the broker says yes.
fn granted(step: Step, answer: Answer, good: &[u16]) -> Result<Answer, Error> {
    if good.contains(&answer.status) {
        return Ok(answer);
    }
    let refusal = messages::read_refusal(&answer.body);
    match refusal.filter(|_| (400..500).contains(&answer.status)) {
        Some(refusal) => Err(Error::Refused(refusal)),
        None => Err(Error::Garbage {
            step,
            fault: Fault::Status {
                status: answer.status,
            },
        }),
    }
}
