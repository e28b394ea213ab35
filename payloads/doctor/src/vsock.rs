//! The socket device: whether it is there, and who we are to the host.

use alloc::format;
use alloc::string::String;

use airlock::{DeviceKind, Diagnosis, Realm};

use crate::disk;

const VSOCK: &str = "vsock";

/// Tells our number. Nobody is connected to.
pub fn probe(realm: &Realm, diagnosis: &mut Diagnosis) {
    let refused = disk::refused(realm, DeviceKind::Vsock, VSOCK, diagnosis);
    match realm.vsock_cid() {
        Some(cid) if (3..u64::from(u32::MAX)).contains(&cid) => {
            let found = format!("we are {cid}, the host is 2; all that goes there is shared");
            diagnosis.ok(VSOCK, found);
        }
        Some(cid) => {
            let cause = "0, 1 and 2 are nobody's, and numbers have 32 bits: the VMM gave none (lkvm: --vsock NUMBER)";
            diagnosis.wrong(VSOCK, format!("the host says that we are {cid}"), cause);
        }
        None if refused => {}
        None => {
            let note = "streams to the host without a network (lkvm: --vsock NUMBER)";
            diagnosis.remark(VSOCK, String::from("none found"), note);
        }
    }
}
