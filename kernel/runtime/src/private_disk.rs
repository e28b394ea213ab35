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

/// Starts a trusted disk, with private memory, and has it watched.
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
    let (disk, pool) = match drive(&name, transport, &device, trusted, environment) {
        Ok(driven) => driven,
        Err(error) => {
            trusted.give_up(device);
            return Err(error);
        }
    };
    log::info!("{name}: {} KiB of private memory", pool.size() >> 10);
    trusted.watch(device, disk.clone());
    running.private.push(pool);
    running.add(name, None, Rc::new(disk.clone()));
    running.given.disks.push(disk);
    Ok(())
}

/// A driver for a trusted disk, and its memory: its own, and that of users' buffers.
fn drive(
    name: &str,
    transport: Transport,
    device: &PrivateDevice,
    trusted: &Trusted,
    environment: Environment,
) -> Result<(Disk, Pool<Private>), Distrust> {
    let driver = Block::<Direct>::needs(Spacing::Packed).wanted;
    let bytes = (driver + BUFFERS).next_multiple_of(4096);
    let region = private::region(bytes, trusted.clock()).map_err(|_| Distrust::NoMemory)?;
    let pool = device.pool(&region, name, region.len());
    let pool = pool.map_err(|_| Distrust::NoMemory)?;
    let disk = Block::<Direct>::start(transport, &pool, environment)?;
    let disk = Disk::trusted(disk).ok_or(Distrust::NotBuilt)?;
    Ok((disk, pool))
}
