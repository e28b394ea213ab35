//! The balloon: whether there is one, and what it may have.

use alloc::format;
use alloc::string::String;

use airlock::{DeviceKind, Diagnosis, Realm};

use crate::disk;

const BALLOON: &str = "balloon";

/// Tells how much memory the host may have, and has.
pub fn probe(realm: &Realm, diagnosis: &mut Diagnosis) {
    let refused = disk::refused(realm, DeviceKind::Balloon, BALLOON, diagnosis);
    match realm.balloon() {
        Some(now) if now.lost != 0 => {
            let found = format!("{} MiB are lost", now.lost >> 20);
            let cause = "the host did not take memory as it must, or did not give it back";
            diagnosis.wrong(BALLOON, found, cause);
        }
        Some(now) => {
            let (most, out) = (now.most >> 20, now.out >> 20);
            let found = format!("the host may have {most} MiB of ours, and has {out}");
            diagnosis.ok(BALLOON, found);
        }
        None if refused => {}
        None => {
            let note = "the host gets nothing back: balloon=SIZE allows it (lkvm: --balloon)";
            diagnosis.remark(BALLOON, String::from("none that is used"), note);
        }
    }
}
