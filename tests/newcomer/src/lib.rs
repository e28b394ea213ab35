//! What this realm is for.
#![no_std]

use airlock::{Realm, println};

/// The payload. Tests call it, too: see tests/payload.rs.
pub async fn run(realm: Realm) -> Result<(), airlock::Error> {
    println!("newcomer in {}", realm.facts());
    println!("boot arguments: {}", realm.args().text());
    Ok(())
}
