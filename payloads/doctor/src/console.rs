//! The console device: whether it is there, and its ports.

use alloc::format;
use alloc::string::String;

use airlock::{DeviceKind, Diagnosis, Realm};

use crate::disk;

const CONSOLE: &str = "console device";

/// Tells which ports there are. Nothing is written to them.
pub fn probe(realm: &Realm, diagnosis: &mut Diagnosis) {
    let refused = disk::refused(realm, DeviceKind::Console, CONSOLE, diagnosis);
    let ports = realm.ports();
    if !ports.is_empty() {
        let found = format!("ports {}; all that goes there is shared", ports.join(", "));
        return diagnosis.ok(CONSOLE, found);
    }
    if !refused {
        let note = "lines go to the serial port, an exit for each byte: give console=hvc0 (lkvm: --console virtio)";
        diagnosis.remark(CONSOLE, String::from("none found"), note);
    }
}
