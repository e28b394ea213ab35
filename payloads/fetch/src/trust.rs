//! Whether the disk is trusted: `fetch.trust=`.

use airlock::{DeviceEvidence, DeviceMeasurement, Disk, println};

use crate::digest::Digest;
use crate::error::Error;

/// Asks the disk what it is, before anything is read or written. It is trusted if it is what is `wanted`;
/// for `ask` it stays a disk of the host, and works.
pub async fn decide(disk: &Disk, wanted: &str) -> Result<(), Error> {
    let wanted = match wanted {
        "ask" => None,
        text => {
            let digits = text.strip_prefix("sha256:").and_then(Digest::parse);
            Some(DeviceMeasurement::new(digits.ok_or(Error::Trust)?.bytes()))
        }
    };
    let locked = disk.quiesce()?.evidence().await?;
    show(locked.evidence());
    match wanted {
        Some(wanted) => locked.accept(wanted).await?,
        None => locked.refuse().await?,
    };
    Ok(())
}

fn show(evidence: &DeviceEvidence) {
    println!("fetch: the disk is {}", evidence.measurement());
    for block in evidence.blocks() {
        let (index, kind, bytes) = (block.index, block.kind, block.value.len());
        println!("fetch: it measured {bytes} bytes as block {index}, of kind {kind}");
    }
    for range in evidence.report().ranges() {
        let (bar, pages) = (range.bar, range.len >> 12);
        let whose = match range.non_tee || range.msi_x {
            true => "which the host reaches",
            false => "which would be ours alone",
        };
        println!("fetch: it has {pages} pages of registers in BAR {bar}, {whose}");
    }
}
