//! Keys from the real broker over the sockets of the host: a realm that may have them, and each that
//! may not.
#![expect(
    clippy::unwrap_used,
    reason = "a test that goes wrong should say so, loudly"
)]

use core::time::Duration;
use std::net::TcpListener;

use attest::{
    Challenge, Digest, Token, TokenError,
    keybroker::{Client, ConnectError, Endpoint, Error, Limits, Released, Step, Wrapping},
};
use chacha20::ChaCha20Rng;
use embassy_futures::block_on;
use keybroker::{BrokerConfig, KeyStore, Limits as ServerLimits, Server, ServerConfig};
use keyrelease::{HostNetwork, MeddlingHost, Signer, SigningRmm, WallClock};
use p384::ecdsa::SigningKey;
use rand_core::SeedableRng;
use rsi::HashAlgorithm;
use token::{Form, Lifecycle, RealmProfile};

const RIM: [u8; 32] = [0x11; 32];
const ARGUMENTS: &str = "keybroker.key=skywalker";
const SECRET: &[u8] = b"May the force be with you.";

/// A broker that knows one image, booted with one line of arguments, on the test platform.
fn broker() -> Server {
    let keys = format!(
        "[[key]]\nname = \"skywalker\"\nsecret = \"May the force be with you.\"\n\
         policy = {{ rem1 = \"{}\" }}\n",
        rem1()
    );
    let broker = BrokerConfig {
        reference_values: vec![RIM.to_vec()],
        platform_keys: vec![keybroker::test_platform_key()],
        ..BrokerConfig::new(KeyStore::read(&keys).unwrap())
    };
    let config = ServerConfig {
        address: "127.0.0.1:0".parse().unwrap(),
        endpoint: Some("http://elsewhere.example".into()),
        broker,
        limits: ServerLimits::default(),
    };
    Server::start(config).unwrap()
}

/// REM 1 of a realm that was booted with [`ARGUMENTS`].
fn rem1() -> Digest {
    let sha256 = HashAlgorithm::Sha256;
    let digest = Digest::of(sha256, ARGUMENTS.as_bytes()).unwrap();
    let zero = Digest::zero(sha256).unwrap();
    zero.extended(sha256, digest.as_bytes()).unwrap()
}

/// A realm of the known image, booted with `arguments`.
fn realm(signer: Signer, arguments: &str) -> SigningRmm {
    let rmm = SigningRmm::new(RIM, signer);
    let mut attester = rmm.attester().unwrap();
    attester.measure_arguments(arguments).unwrap();
    rmm
}

fn ask(
    port: u16,
    wrapping: Wrapping,
    limits: Limits,
    attest: impl FnOnce(&Challenge) -> Result<Token, TokenError>,
) -> Result<Released, Error> {
    let clock = WallClock::start();
    let endpoint = Endpoint::parse(&format!("http://127.0.0.1:{port}")).unwrap();
    let client = Client::new(endpoint, HostNetwork, &clock)
        .with_wrapping(wrapping)
        .with_limits(limits);
    let mut rng = ChaCha20Rng::from_seed([3; 32]);
    block_on(client.get_key("skywalker", &mut rng, attest))
}

fn release(rmm: &SigningRmm) -> Result<Released, Error> {
    let server = broker();
    let attest = |challenge: &Challenge| rmm.attest(challenge);
    let port = server.address().port();
    ask(port, Wrapping::Oaep, Limits::default(), attest)
}

/// What the broker says about a realm that it refuses.
fn refusal(rmm: &SigningRmm) -> String {
    match release(rmm) {
        Err(Error::Refused(refusal)) => {
            assert_eq!(refusal.kind(), "AttestationFailure");
            refusal.detail().to_string()
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("the broker released the key"),
    }
}

/// A key that nobody knows.
fn other_key() -> SigningKey {
    SigningKey::from_slice(&[0x5a; 48]).unwrap()
}

#[test]
fn a_realm_of_the_known_image_gets_its_key_in_each_wrapping() {
    let server = broker();
    for wrapping in [Wrapping::Oaep, Wrapping::Pkcs1v15] {
        let rmm = realm(Signer::default(), ARGUMENTS);
        let attest = |challenge: &Challenge| rmm.attest(challenge);
        let port = server.address().port();
        let released = ask(port, wrapping, Limits::default(), attest).unwrap();
        assert_eq!(released.key.expose(), SECRET);
        assert!(released.total >= released.key_generation + released.attestation);
    }
}

#[test]
fn each_envelope_and_each_profile_is_accepted() {
    for form in [Form::Cca, Form::Cmw] {
        for profile in [
            RealmProfile::V1_0_0,
            RealmProfile::V2_0_0,
            RealmProfile::Legacy,
        ] {
            let signer = Signer {
                form,
                profile,
                ..Signer::default()
            };
            let released = release(&realm(signer, ARGUMENTS)).unwrap();
            assert_eq!(released.key.expose(), SECRET);
        }
    }
}

#[test]
fn an_image_with_one_byte_changed_is_not_a_reference_value() {
    let mut rim = RIM;
    rim[31] ^= 1;
    let rmm = SigningRmm::new(rim, Signer::default());
    rmm.attester()
        .unwrap()
        .measure_arguments(ARGUMENTS)
        .unwrap();
    let said = refusal(&rmm);
    assert!(said.contains("the RIM is not a reference value"), "{said}");
}

#[test]
fn other_boot_arguments_are_refused_by_rem_1() {
    let said = refusal(&realm(Signer::default(), "keybroker.key=skywalker debug"));
    assert!(
        said.contains("REM 1 is not what the policy demands"),
        "{said}"
    );
}

#[test]
fn an_old_token_is_refused_for_its_challenge() {
    let rmm = realm(Signer::default(), ARGUMENTS);
    let old = rmm.attest(&Challenge::new([1; 64])).unwrap();
    rmm.replay(&old);
    let said = refusal(&rmm);
    assert!(said.contains("answers another challenge"), "{said}");
}

#[test]
fn a_token_of_a_key_that_the_platform_does_not_vouch_for_is_refused() {
    let signer = Signer {
        realm_key: other_key(),
        ..Signer::default()
    };
    let said = refusal(&realm(signer, ARGUMENTS));
    assert!(said.contains("vouches for another"), "{said}");
}

#[test]
fn a_platform_that_can_be_debugged_is_refused() {
    let signer = Signer {
        lifecycle: Lifecycle(0x5001),
        ..Signer::default()
    };
    let said = refusal(&realm(signer, ARGUMENTS));
    assert!(said.contains("lifecycle 0x5001"), "{said}");
}

#[test]
fn a_platform_that_nobody_endorses_is_refused() {
    let signer = Signer {
        platform_key: other_key(),
        ..Signer::default()
    };
    let said = refusal(&realm(signer, ARGUMENTS));
    assert!(said.contains("not signed by an endorsed key"), "{said}");
}

#[test]
fn a_host_that_asks_with_a_key_of_its_own_gets_no_proof_for_it() {
    let rmm = realm(Signer::default(), ARGUMENTS);
    let server = broker();
    let url = format!("http://127.0.0.1:{}", server.address().port());
    let clock = WallClock::start();
    // The modulus 2^2048 - 1 in base64url.
    let modulus = "_".repeat(341) + "w";
    let client = || {
        let endpoint = Endpoint::parse(&url).unwrap();
        let network = MeddlingHost {
            modulus: modulus.clone(),
        };
        Client::new(endpoint, network, &clock)
    };
    let mut rng = ChaCha20Rng::from_seed([3; 32]);
    let careful = client();
    let proved = careful.get_key("skywalker", &mut rng, |_| panic!("it was proved"));
    assert_eq!(block_on(proved).unwrap_err(), Error::OtherRequest);
    // Who does not look earns the key for the host: the broker wraps it, and not for us.
    let careless = client().answering_any_challenge();
    let earned = careless.get_key("skywalker", &mut rng, |challenge| rmm.attest(challenge));
    assert_eq!(block_on(earned).unwrap_err(), Error::NotForUs);
}

#[test]
fn a_port_where_nobody_listens_is_an_error_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = ask(port, Wrapping::Oaep, Limits::default(), |_| {
        Err(TokenError::NotSupported)
    });
    assert_eq!(error.unwrap_err(), Error::NotThere(ConnectError::Refused));
}

#[test]
fn a_listener_that_never_answers_costs_what_the_limits_say() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let limit = Duration::from_millis(200);
    let limits = Limits {
        answer: limit,
        ..Limits::default()
    };
    let error = ask(port, Wrapping::Oaep, limits, |_| {
        Err(TokenError::NotSupported)
    });
    let step = Step::Challenge;
    assert_eq!(error.unwrap_err(), Error::TimedOut { step, limit });
}

#[test]
fn a_machine_without_attestation_gets_a_challenge_and_no_key() {
    let server = broker();
    let port = server.address().port();
    let error = ask(port, Wrapping::Oaep, Limits::default(), |_| {
        Err(TokenError::NotSupported)
    });
    assert_eq!(error.unwrap_err(), Error::Token(TokenError::NotSupported));
}
