//! The socket device: whether it is there, who we are to the host, and whether the host answers.

use alloc::format;
use alloc::string::String;

use airlock::{DeviceKind, Diagnosis, Realm, StreamError};

use crate::disk;

const VSOCK: &str = "vsock";

/// The host's number, and a port at which nobody need listen: to be refused is an answer.
const HOST: u64 = 2;
const PORT: u32 = 1;

/// Tells our number, and what the host says to a request for a connection.
pub async fn probe(realm: &Realm, diagnosis: &mut Diagnosis) {
    let refused = disk::refused(realm, DeviceKind::Vsock, VSOCK, diagnosis);
    match realm.vsock_cid() {
        Some(cid) if (3..u64::from(u32::MAX)).contains(&cid) => {
            match realm.vsock_connect(HOST, PORT).await {
                Ok(_) | Err(StreamError::Refused) => {
                    let found = format!(
                        "we are {cid}, the host is 2 and answers; all that goes there is shared"
                    );
                    diagnosis.ok(VSOCK, found);
                }
                Err(error) => {
                    let found = format!("we are {cid}; a request for a connection: {error}");
                    let cause =
                        "the VMM has the device and nobody behind it; nothing else here needs it";
                    diagnosis.remark(VSOCK, found, cause);
                }
            }
        }
        Some(cid) => {
            let cause = "0, 1 and 2 are nobody's, and numbers have 32 bits: the VMM gave none (lkvm: --vsock NUMBER)";
            diagnosis.wrong(VSOCK, format!("the host says that we are {cid}"), cause);
        }
        None if refused => {}
        None => {
            let note = "streams to the host without a network (airlock run: --vsock; lkvm: --vsock NUMBER)";
            diagnosis.remark(VSOCK, String::from("none found"), note);
        }
    }
}
