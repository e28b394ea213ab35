//! Prints what the realm knows about itself, and ends.
#![no_std]
#![no_main]

use airlock::{Realm, println};

#[airlock::main]
async fn main(realm: Realm) -> Result<(), airlock::Error> {
    let mut number = [0; 8];
    realm.random(&mut number)?;
    println!("hello: {}", realm.facts());
    println!(
        "hello: a random number nobody else knows has {} bytes",
        number.len()
    );
    println!("hello: boot arguments: {}", realm.args().text());
    Ok(())
}
