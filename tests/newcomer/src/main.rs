//! The image: what boots.
#![no_std]
#![no_main]

#[airlock::main]
async fn main(realm: airlock::Realm) -> Result<(), airlock::Error> {
    newcomer::run(realm).await
}
