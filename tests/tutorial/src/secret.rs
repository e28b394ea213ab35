//! The key of the note: a key broker gives it to this image, and to nothing else.

use airlock::keybroker::{Client, Endpoint};
use airlock::{Network, Realm};
use sha2::{Digest, Sha256};

use crate::Failure;

/// The name of the key at the broker.
const NAME: &str = "skywalker";

/// Proves to the broker at `keybroker.url=` what this realm is, and makes a key of what it gives.
pub async fn key(realm: &Realm, network: &Network) -> Result<[u8; 32], Failure> {
    let url = realm.args().get("keybroker.url");
    let endpoint = Endpoint::parse(url.ok_or("give the boot argument keybroker.url=")?)?;
    let client = Client::new(endpoint, network.clone(), realm.clock());
    let mut random = realm.generator()?;
    let attest = |challenge: &_| realm.attest(challenge);
    let released = client.get_key(NAME, &mut random, attest).await?;
    Ok(Sha256::digest(released.key.expose()).into())
}
