//! A disk of the host is asked what it is, and its user decides.

use airlock::{
    BlockDevice, DeviceMeasurement, Disk, DiskError, Distrust, QuiesceError, Realm, TrustError,
    println,
};
use alloc::vec;
use alloc::vec::Vec;
use embassy_futures::{poll_once, yield_now};

/// Bytes that are read.
const LEN: usize = 64 << 10;
/// How often it is asked and not trusted.
const TIMES: usize = 40;

/// Trusts the disk before anything of it is read, reads it, takes the trust back, and then takes its own power
/// away before anything else is cleared.
pub async fn accept(realm: &Realm) -> Result<(), &'static str> {
    let disk = first(realm)?;
    trust(realm, &disk).await?;
    let copied = bytes_copied(realm, &disk_name(realm)?);
    let buffer = disk.buffer(LEN).map_err(|_| "there is no buffer")?;
    let read = disk.read_owned(0, buffer).await;
    let buffer = read.buffer.ok_or("the buffer is gone")?;
    if read.result.is_err() || buffer.bytes().first() == Some(&0) {
        return Err("it does not read");
    }
    // The head of the request, and its status each way.
    if bytes_copied(realm, &disk_name(realm)?) - copied > 18 {
        return Err("something was copied");
    }
    drop(buffer);
    if !matches!(disk.quiesce(), Err(QuiesceError::Trusted)) {
        return Err("one that is trusted is asked again");
    }
    disk.revoke().await;
    if disk.read(0, &mut [0; 512]).await.is_ok() {
        return Err("the disk is read by nobody who may");
    }
    println!("broken: the disk was trusted, and is no more");
    let _ = rsi::psci::system_off(&arch::Smc);
    Err("the power cannot be taken away")
}

/// Asks while a request is in flight, asks and does not trust, and trusts at the end.
pub async fn refuse(realm: &Realm) -> Result<(), &'static str> {
    let disk = first(realm)?;
    let before = read(&disk).await?;
    in_flight(&disk, &before).await?;
    for _ in 0..TIMES {
        let quiet = disk.quiesce().map_err(told)?;
        if disk.read(0, &mut [0; 512]).await != Err(DiskError::AtRest) {
            return Err("a disk at rest is read");
        }
        let locked = quiet.evidence().await.map_err(why)?;
        locked.refuse().await.map_err(why)?;
        if disk.is_trusted() || read(&disk).await? != before {
            return Err("it does not go on");
        }
    }
    println!("broken: it is still a disk of the host");
    let quiet = disk.quiesce().map_err(told)?;
    quiet.resume().map_err(|_| "it does not go on from rest")?;
    if read(&disk).await? != before {
        return Err("it does not go on as it was");
    }
    trust(realm, &disk).await?;
    if !disk.is_trusted() || read(&disk).await? != before {
        return Err("it is not what it was");
    }
    println!("broken: the disk is trusted now");
    Ok(())
}

/// Trusts something else than the disk is.
pub async fn mistake(realm: &Realm) -> Result<(), &'static str> {
    let disk = first(realm)?;
    let locked = disk.quiesce().map_err(told)?.evidence();
    let locked = locked.await.map_err(why)?;
    let other = locked.accept(DeviceMeasurement::new([0; 32])).await;
    match other {
        Err(Distrust::Trust(TrustError::Unknown { .. })) => {}
        _ => return Err("another device is trusted"),
    }
    if disk.read(0, &mut [0; 512]).await != Err(DiskError::AtRest) || disk.restart().is_ok() {
        return Err("it is used again");
    }
    if is_logged(realm) {
        return Err("it is in the log");
    }
    println!("broken: nobody has the disk");
    Ok(())
}

/// What comes of asking.
pub async fn ask(realm: &Realm) -> Result<(), &'static str> {
    let disk = first(realm)?;
    trust(realm, &disk).await?;
    // The watch looks once a second.
    realm.sleep(core::time::Duration::from_millis(1500)).await;
    match disk.read(0, &mut [0; 512]).await {
        Ok(()) => Ok(()),
        Err(_) => Err("it is trusted no more"),
    }
}

async fn trust(realm: &Realm, disk: &Disk) -> Result<(), &'static str> {
    if is_logged(realm) {
        return Err("it is in the log before it is trusted");
    }
    let locked = disk.quiesce().map_err(told)?.evidence();
    let locked = locked.await.map_err(why)?;
    let evidence = locked.evidence();
    println!(
        "broken: the disk is {}, {} bytes measured, {} runs of registers",
        evidence.measurement(),
        evidence.record().len(),
        evidence.report().ranges().len()
    );
    let known = evidence.measurement();
    locked.accept(known).await.map_err(why)?;
    if !is_logged(realm) {
        return Err("it is not in the log");
    }
    Ok(())
}

/// A request is in flight: neither its future nor what is left of it is forgotten.
async fn in_flight(disk: &Disk, before: &[u8]) -> Result<(), &'static str> {
    let mut copy = vec![0; LEN];
    {
        let mut reading = core::pin::pin!(disk.read(0, &mut copy));
        if poll_once(reading.as_mut()).is_ready() {
            return Err("a disk that answers at once");
        }
        match disk.quiesce() {
            Err(QuiesceError::InFlight { requests: 1 }) => {}
            _ => return Err("it comes to rest with a request in flight"),
        }
        reading.await.map_err(|_| "the request was lost")?;
    }
    if copy != before {
        return Err("the request was not done");
    }
    let mut room = [0; 512];
    if poll_once(disk.read(0, &mut room)).is_ready() {
        return Err("a disk that answers at once");
    }
    // Its future is gone, and the disk has it still, or has just done it.
    match disk.quiesce() {
        Err(QuiesceError::InFlight { requests: 1 }) => {}
        Ok(quiet) => drop(quiet.resume().map_err(|_| "it does not go on")?),
        Err(other) => return Err(told(other)),
    }
    while disk.usage().in_flight != 0 {
        yield_now().await;
    }
    Ok(())
}

fn first(realm: &Realm) -> Result<Disk, &'static str> {
    let disk = realm.disk().map_err(|_| "there is no disk")?;
    match disk.is_trusted() {
        true => Err("it is trusted already"),
        false => Ok(disk),
    }
}

async fn read(disk: &Disk) -> Result<Vec<u8>, &'static str> {
    let mut copy = vec![0; LEN];
    let read = disk.read(0, &mut copy).await;
    read.map_err(|_| "it does not read")?;
    Ok(copy)
}

fn is_logged(realm: &Realm) -> bool {
    let log = realm.event_log();
    let mut events = log.events().iter();
    events.any(|event| event.rem.get() == 3)
}

fn disk_name(realm: &Realm) -> Result<alloc::rc::Rc<str>, &'static str> {
    let devices = realm.counters().devices;
    let mut disks = devices
        .into_iter()
        .filter(|device| matches!(device.work, airlock::Work::Block(_)));
    Ok(disks.next().ok_or("no disk is counted")?.name)
}

fn bytes_copied(realm: &Realm, name: &str) -> u64 {
    let devices = realm.counters().devices;
    let device = devices.iter().find(|device| *device.name == *name);
    device.map_or(0, |device| device.bounce.bytes_out + device.bounce.bytes_in)
}

fn told(error: QuiesceError) -> &'static str {
    println!("broken: not at rest: {error}");
    "it does not come to rest"
}

fn why(error: Distrust) -> &'static str {
    println!("broken: refused: {error}");
    "it is not trusted"
}
