//! Proves to a key broker what this realm is, and is given a key: Arm's key-broker demonstration.
//!
//! | boot argument | what it says |
//! | --- | --- |
//! | `keybroker.url=` | where the broker is: `http://HOST[:PORT]`, or `vsock://CID:PORT` (2 is the host) |
//! | `keybroker.key=` | the name of the key; `skywalker` without it |
//! | `keybroker.alg=` | how the key is wrapped: `RSA-OAEP` (without it) or `RSA1_5` |
//! | `keybroker.measure=` | a text that REM 2 is extended by first; nothing without it |
//! | `keybroker.binding=` | `none`: answer challenges that are not bound to our request |
//!
//! Without a binding the host can have the key wrapped for itself; the demonstration's own server has
//! none. REM 1 shows what was chosen.
//!
//! The key is printed, because this is a demonstration and the key is a line from a film. No other
//! line has anything of it, and nobody should copy that one.
#![no_std]
#![no_main]

mod failure;
mod over_vsock;

use core::time::Duration;

use airlock::{Arguments, Realm};
use attest::keybroker::{Client, Connector, Endpoint, Error, Released, Wrapping};
use log::{info, warn};

use crate::failure::Failure;
use crate::over_vsock::OverVsock;

/// How long a server of addresses may take.
const LEASE_PATIENCE: Duration = Duration::from_secs(10);
const DEFAULT_KEY: &str = "skywalker";
/// The measurement that is the payload's own.
const PAYLOAD_REM: u8 = 2;

#[airlock::main]
async fn main(realm: Realm) -> Result<(), Failure> {
    let wish = Wish::read(realm.args())?;
    if let Some(text) = realm.args().get("keybroker.measure") {
        realm.measure(PAYLOAD_REM, text.as_bytes())?;
    }
    show_measurements(&realm);
    let released = release(&realm, &wish).await.inspect_err(|failure| {
        info!("Attestation failure :-( ! {failure}");
    })?;
    info!(
        "Attestation success :-) ! The key returned from the keybroker is '{}'",
        released.key.expose().escape_ascii()
    );
    show_time(&realm, &released);
    Ok(())
}

/// What is to be asked for, and where.
struct Wish<'a> {
    endpoint: Endpoint,
    key: &'a str,
    wrapping: Wrapping,
    bound: bool,
}

impl<'a> Wish<'a> {
    fn read(arguments: &'a Arguments) -> Result<Self, Failure> {
        let url = arguments.get("keybroker.url").ok_or(Failure::NoUrl)?;
        let wrapping = match arguments.get("keybroker.alg") {
            Some(name) => Wrapping::named(name).ok_or(Failure::Wrapping)?,
            None => Wrapping::default(),
        };
        let bound = match arguments.get("keybroker.binding") {
            Some("none") => false,
            Some(_) => return Err(Failure::Binding),
            None => true,
        };
        Ok(Self {
            endpoint: Endpoint::parse(url)?,
            key: arguments.get("keybroker.key").unwrap_or(DEFAULT_KEY),
            wrapping,
            bound,
        })
    }
}

async fn release(realm: &Realm, wish: &Wish<'_>) -> Result<Released, Failure> {
    if wish.endpoint.cid().is_some() {
        return release_over(realm, wish, OverVsock(realm)).await;
    }
    let network = realm.network()?;
    network.wait_configured(LEASE_PATIENCE).await?;
    release_over(realm, wish, network).await
}

async fn release_over<N: Connector>(
    realm: &Realm,
    wish: &Wish<'_>,
    connector: N,
) -> Result<Released, Failure> {
    let mut random = realm.generator().map_err(|_| Error::NoRandomness)?;
    let client = Client::new(wish.endpoint.clone(), connector, realm.clock());
    let mut client = client.with_wrapping(wish.wrapping);
    if !wish.bound {
        warn!("challenges need not be bound to our request: the host can have the key");
        client = client.answering_any_challenge();
    }
    let attest = |challenge: &_| realm.attest(challenge);
    Ok(client.get_key(wish.key, &mut random, attest).await?)
}

fn show_measurements(realm: &Realm) {
    match realm.measurements() {
        Ok(measurements) => {
            info!("RIM {}", measurements.rim);
            for (number, rem) in (1..).zip(measurements.rems) {
                info!("REM {number} {rem}");
            }
            info!("event log {}", realm.event_log().to_json());
        }
        Err(error) => warn!("{error}"),
    }
}

fn show_time(realm: &Realm, released: &Released) {
    let all = released.total.as_millis();
    let generation = released.key_generation.as_millis();
    let share = (generation * 100).checked_div(all).unwrap_or(0);
    info!(
        "key after {all} ms, of which {generation} ms ({share} %) made the RSA key and {} ms the token",
        released.attestation.as_millis()
    );
    let since = realm.now().since(realm.entered()).as_millis();
    info!("key in hand {since} ms after entry");
}
