//! Echo by vsock.

use core::time::Duration;

use airlock::{Realm, VsockListener, println};
use embassy_futures::join::join4;

use crate::error::Error;
use crate::stop::Stop;
use crate::{Served, add, tcp};

/// The host's number.
const HOST: u64 = 2;
const FAREWELL: Duration = Duration::from_millis(50);

/// Serves four connections at once.
pub async fn serve(realm: &Realm, port: u16, served: &Served, stop: &Stop) -> Result<(), Error> {
    let listener = realm.vsock_listen(port.into())?;
    println!("echo: vsock on port {port}");
    let connection = || async {
        let ended = serve_one_by_one(realm, &listener, served, stop).await;
        stop.fail(ended);
    };
    join4(connection(), connection(), connection(), connection()).await;
    Ok(())
}

/// Calls a port of the host, and gives back what it says.
pub async fn dial(realm: &Realm, port: u16, served: &Served, stop: &Stop) -> Result<(), Error> {
    let mut stream = realm.vsock_connect(HOST, port.into()).await?;
    add(&served.connections, 1);
    tcp::echo(&mut stream, served).await?;
    drop(stream);
    realm.sleep(FAREWELL).await;
    stop.said();
    Ok(())
}

async fn serve_one_by_one(
    realm: &Realm,
    listener: &VsockListener,
    served: &Served,
    stop: &Stop,
) -> Result<(), Error> {
    loop {
        let mut stream = listener.accept().await?;
        add(&served.connections, 1);
        // What goes wrong with one peer does not concern the others.
        if tcp::echo(&mut stream, served).await.unwrap_or(false) {
            drop(stream);
            // The answer has to leave before the power does.
            realm.sleep(FAREWELL).await;
            stop.said();
        }
    }
}
