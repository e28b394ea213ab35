//! Disks: what they are, and whether they can be read.

use alloc::format;
use alloc::string::String;

use airlock::{
    BlockDevice, DeviceError, DeviceKind, Diagnosis, Disk, DiskError, Realm, Reason, SECTOR_SIZE,
};

const DISK: &str = "disk";
const READ: &str = "disk read";

/// Probes every disk. Nothing is written.
pub async fn probe(realm: &Realm, diagnosis: &mut Diagnosis) {
    let refused = refused(realm, DeviceKind::Block, DISK, diagnosis);
    if realm.disks().is_empty() && !refused {
        let cause = "the VMM has no virtio-blk device on PCI bus 0 (lkvm: --disk FILE)";
        diagnosis.missing(DISK, String::from("none found"), cause);
    }
    for disk in realm.disks() {
        probe_one(disk, diagnosis).await;
    }
}

async fn probe_one(disk: &Disk, diagnosis: &mut Diagnosis) {
    let kind = if disk.read_only() {
        "read-only"
    } else {
        "writable"
    };
    let found = format!("{} sectors, {kind}", disk.capacity());
    if disk.capacity() == 0 {
        let cause = "the image file is empty, or the VMM gives the capacity too late";
        return diagnosis.wrong(DISK, found, cause);
    }
    diagnosis.ok(DISK, found);
    match read(disk).await {
        Ok(()) => diagnosis.ok(READ, String::from("first sector read, flushed")),
        Err(error) => {
            let cause = "the VMM does not serve the queue: it may want DMA addresses without the shared bit (dma=low)";
            diagnosis.wrong(READ, format!("{error}"), cause);
        }
    }
}

async fn read(disk: &Disk) -> Result<(), DiskError> {
    let mut sector = [0; SECTOR_SIZE];
    disk.read(0, &mut sector).await?;
    disk.flush().await
}

/// Adds a row for each device of `kind` that is there and is not driven; says whether there is one.
pub fn refused(
    realm: &Realm,
    kind: DeviceKind,
    name: &'static str,
    diagnosis: &mut Diagnosis,
) -> bool {
    let mut any = false;
    for refusal in realm.refusals().iter().filter(|r| r.kind == kind) {
        let found = format!("{}: {}", refusal.name, refusal.reason);
        diagnosis.wrong(name, found, cause(refusal.reason));
        any = true;
    }
    any
}

/// What is likely to be wrong with the VMM when a device is refused.
fn cause(reason: Reason) -> &'static str {
    match reason {
        Reason::Device(error) => cause_in_device(error),
        Reason::Pool(_) | Reason::Place { .. } | Reason::PoolTooSmall { .. } => {
            "the device tree gives it a restricted pool that it cannot have"
        }
        Reason::NoRoom { .. } => "the bounce region is too small: leave bounce=SIZE away",
        Reason::Distrusted(_) => "trust= wants more of the device than it, or its host, has shown",
        Reason::Late => "a device before it did not answer in time",
    }
}

fn cause_in_device(error: DeviceError) -> &'static str {
    match error {
        DeviceError::LegacyOnly | DeviceError::MissingFeature { bit: 32 } => {
            "the device speaks virtio of before 1.0: QEMU disable-legacy=on, lkvm --virtio-transport pci"
        }
        DeviceError::MissingFeature { bit: 33 } => {
            "the device would go round the shared region: QEMU iommu_platform=on, lkvm --realm"
        }
        DeviceError::Pci(_) | DeviceError::MissingPart(_) => {
            "its registers lie where they cannot: the VMM and its device tree do not agree"
        }
        DeviceError::Bounce(_) => "the bounce region is too small: leave bounce=SIZE away",
        _ => "the device does not keep to virtio 1.2: another version of the VMM may",
    }
}
