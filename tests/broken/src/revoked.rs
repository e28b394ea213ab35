//! A disk that is trusted is read, and then trusted no more.

use airlock::{BlockDevice, Realm, println};
use alloc::vec;

/// Bytes that are read by each of the two ways.
const LEN: usize = 256 << 10;

/// Reads the disk, takes the trust in it back if it is `revoked`, and then takes its own power away before
/// anything else is cleared.
pub async fn run(realm: &Realm, revoked: bool) -> Result<(), &'static str> {
    let disk = realm.disks().first().ok_or("there is no disk")?;
    if !disk.is_trusted() {
        return Err("the disk is not trusted");
    }
    let buffer = disk.buffer(LEN).map_err(|_| "there is no buffer")?;
    let read = disk.read_owned(0, buffer).await;
    let buffer = read.buffer.ok_or("the buffer is gone")?;
    let mut copy = vec![0; LEN];
    disk.read(0, &mut copy)
        .await
        .map_err(|_| "it does not read")?;
    if copy.first() == Some(&0) || buffer.bytes() != copy {
        return Err("that is not what the disk holds");
    }
    drop(copy);
    if revoked {
        disk.revoke().await;
    }
    // A buffer of its own is the user's until it is dropped.
    drop(buffer);
    if revoked && disk.read(0, &mut [0; 512]).await.is_ok() {
        return Err("the disk is read by nobody who may");
    }
    println!("broken: the disk was read");
    let _ = rsi::psci::system_off(&arch::Smc);
    Err("the power cannot be taken away")
}
