//! Echo by a port of the console device.

use core::time::Duration;

use airlock::Realm;

use crate::error::Error;
use crate::stop::Stop;
use crate::{Served, add, tcp};

/// How often to look whether somebody on the host listens again.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves whoever listens at port `name`, one after the other.
pub async fn serve(realm: &Realm, name: &str, served: &Served, stop: &Stop) -> Result<(), Error> {
    let mut port = realm.port(name).await?;
    add(&served.connections, 1);
    loop {
        if tcp::echo(&mut port, served).await? {
            stop.said();
            return Ok(());
        }
        realm.sleep(PAUSE).await;
    }
}
