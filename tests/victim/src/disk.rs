//! Steps on a disk.

use alloc::vec::Vec;

use airlock::{BlockDevice, Disk, DiskError};
use hostile::content::SECTOR;
use hostile::plan::{self, STEPS, Step};

use crate::{Accepted, Failure, memory};

/// Does all steps on disk `number`; what it gives is checked, unless it is trusted.
pub async fn run(number: u8, disk: &Disk, trust: bool, failure: &mut Failure) {
    let mut accepted = Accepted::default();
    for step in 0..STEPS {
        let right = plan::bytes(number, step);
        match one(disk, plan::step(step), &right).await {
            Ok(came) if trust || came == right => accepted.add(step, &came),
            Ok(_) => failure.note(format_args!("disk {number}: wrong content")),
            Err(error) => {
                failure.note(format_args!("disk {number}: {error}"));
                if disk.failure().is_some() {
                    break;
                }
            }
        }
    }
    if let Err(error) = disk.flush().await {
        failure.note(format_args!("disk {number}: flush: {error}"));
    }
    accepted.tell(format_args!("disk{number}"));
}

/// What the disk gives at the end of a step.
async fn one(disk: &Disk, step: Step, right: &[u8]) -> Result<Vec<u8>, DiskError> {
    if step.write {
        disk.write(step.sector, right).await?;
    }
    let mut bytes = memory::buffer(step.sectors * SECTOR);
    disk.read(step.sector, &mut bytes).await?;
    Ok(bytes)
}
