//! A note that only this image can read: written and read over TCP, kept on the host's disk.
#![no_std]

extern crate alloc;

pub mod secret;
pub mod store;
pub mod talk;

use alloc::boxed::Box;
use core::time::Duration;

use airlock::{Realm, println};

use crate::store::Store;

/// Whatever goes wrong. The payload ends, and says why.
pub type Failure = Box<dyn core::error::Error>;

/// How long a server of addresses may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The payload.
pub async fn run(realm: Realm) -> Result<(), Failure> {
    let network = realm.network()?;
    network.wait_configured(PATIENCE).await?;
    let key = secret::key(&realm, &network).await?;
    let store = Store::new(&realm, key)?;
    println!("notes: on port {}", talk::PORT);
    talk::serve(&network, async |line| match line.split_once(' ') {
        Some(("put", note)) => store.save(note).await.map(|()| "kept".into()),
        None if line == "get" => store.load().await,
        _ => Ok("say: get, put TEXT, or stop".into()),
    })
    .await
}
