//! A disk that is trusted: its driver has private memory, and it is watched.

use bounce::{Pool, Private, Spacing};
use realm::{Disk, Distrust};
use trust::PrivateDevice;
use virtio::{Block, Direct, Environment, Transport};

use alloc::rc::Rc;

use crate::bus::Found;
use crate::driver::Running;
use crate::private;
use crate::trusted::Trusted;

/// Private bytes for buffers that users of a trusted disk hand over: two of the longest requests.
const BUFFERS: usize = 2 * virtio::MAX_REQUEST;

/// A driver that runs, and its memory.
pub type Started = (Block<Direct>, Pool<Private>);

/// Starts a disk that was trusted at boot, and has it watched.
///
/// # Errors
///
/// [`Distrust`]
pub fn start(
    found: Found,
    trusted: &Trusted,
    environment: Environment,
    running: &mut Running,
) -> Result<(), Distrust> {
    let device = found.trusted.ok_or(Distrust::NoRealm)?;
    let (name, transport) = (found.name, found.transport);
    let ((driver, pool), device) = drive(&name, (device, transport), trusted, environment)?;
    let Some(disk) = Disk::trusted(driver) else {
        trusted.give_up(device);
        return Err(Distrust::NotBuilt);
    };
    trusted.watch(device, Rc::new(disk.clone()), pool);
    running.add(name, None, Rc::new(disk.clone()));
    running.given.disks.push(disk);
    Ok(())
}

/// Starts a driver for a trusted disk, with private memory: its own, and that of users' buffers. A device for
/// which that fails ends; any other is given back, to be watched.
///
/// # Errors
///
/// [`Distrust`]
pub fn drive(
    name: &str,
    (device, transport): (PrivateDevice, Transport),
    trusted: &Trusted,
    environment: Environment,
) -> Result<(Started, PrivateDevice), Distrust> {
    match try_drive(name, transport, &device, trusted, environment) {
        Ok((driver, pool)) => {
            log::info!("{name}: {} KiB of private memory", pool.size() >> 10);
            Ok(((driver, pool), device))
        }
        Err(why) => {
            trusted.give_up(device);
            Err(why)
        }
    }
}

fn try_drive(
    name: &str,
    transport: Transport,
    device: &PrivateDevice,
    trusted: &Trusted,
    environment: Environment,
) -> Result<Started, Distrust> {
    let driver = Block::<Direct>::needs(Spacing::Packed).wanted;
    let bytes = (driver + BUFFERS).next_multiple_of(4096);
    let region = private::region(bytes, trusted.clock()).map_err(|_| Distrust::NoMemory)?;
    let pool = device.pool(&region, name, region.len());
    let pool = pool.map_err(|_| Distrust::NoMemory)?;
    let driver = Block::<Direct>::start(transport, &pool, environment)?;
    Ok((driver, pool))
}
