//! Reads of the disk. What they bring is not looked at: the disk behind it is QEMU's `null-co`.

use alloc::vec;
use core::cell::Cell;

use airlock::{BlockDevice, Disk, Realm, SECTOR_SIZE};
use workload::amounts::Amounts;
use workload::mark::mark;
use workload::phase::Phase;
use workload::sectors::Places;
use workload::together::together;

use crate::error::Error;

const LARGE: usize = 128 * 1024;
const SMALL: usize = 4096;
/// The part of a job that warms up.
const WARM_UP: u64 = 4;

/// Large reads in order, one at a time.
pub async fn in_order(realm: &Realm, amounts: &Amounts) -> Result<(), Error> {
    let disk = realm.disk()?;
    read_in_order(&disk, amounts.bytes / WARM_UP).await?;
    mark(Phase::Read128K);
    let done = read_in_order(&disk, amounts.bytes).await;
    mark(Phase::Other);
    done
}

async fn read_in_order(disk: &Disk, bytes: u64) -> Result<(), Error> {
    // Handed over, so that a disk that is trusted reads into it; one of the host's copies, as into any other.
    let mut buffer = disk.buffer(LARGE)?;
    let sectors = (LARGE / SECTOR_SIZE) as u64;
    let places = (disk.capacity() / sectors).max(1);
    for number in 0..bytes / LARGE as u64 {
        let read = disk.read_owned(number % places * sectors, buffer).await;
        read.result?;
        buffer = read.buffer.ok_or(airlock::DiskError::Broken)?;
    }
    Ok(())
}

/// Small reads anywhere, as many at a time as `phase` says.
pub async fn anywhere(realm: &Realm, amounts: &Amounts, phase: Phase) -> Result<(), Error> {
    let disk = realm.disk()?;
    at_depth(&disk, amounts.count / WARM_UP, phase.depth()).await?;
    mark(phase);
    let done = at_depth(&disk, amounts.count, phase.depth()).await;
    mark(Phase::Other);
    done
}

async fn at_depth(disk: &Disk, count: u64, depth: usize) -> Result<(), Error> {
    let sectors = (SMALL / SECTOR_SIZE) as u64;
    let left = Cell::new(count);
    let places = Cell::new(Some(Places::new(disk.capacity(), sectors)));
    let next = || {
        let (mut sequence, remaining) = (places.take()?, left.get());
        let place = sequence.next();
        places.set(Some(sequence));
        left.set(remaining.checked_sub(1)?);
        place
    };
    let reader = || async {
        let mut buffer = vec![0; SMALL];
        while let Some(place) = next() {
            disk.read(place * sectors, &mut buffer).await?;
        }
        Ok::<(), Error>(())
    };
    let all = together((0..depth).map(|_| reader())).await;
    all.into_iter().collect()
}
