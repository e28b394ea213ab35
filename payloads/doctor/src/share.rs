//! Folders that the host shares.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use airlock::{DeviceKind, Diagnosis, Realm, ShareError};

use crate::disk::refused;

const SHARE: &str = "shared folder";
/// Names that are counted.
const MOST: usize = 1000;

/// Probes each folder that `share=` let in. Nothing is written.
pub async fn probe(realm: &Realm, diagnosis: &mut Diagnosis) {
    refused(realm, DeviceKind::NineP, SHARE, diagnosis);
    let names: Vec<Rc<str>> = realm.share_names().collect();
    for name in &names {
        match list(realm, name).await {
            Ok(count) => {
                let found = format!("`{name}`: {count} names; the host reads and writes it");
                diagnosis.ok(SHARE, found);
            }
            Err(error) => {
                let cause = "the VMM serves no 9P2000.L there (QEMU: -fsdev local, lkvm: --9p)";
                diagnosis.wrong(SHARE, format!("`{name}`: {error}"), cause);
            }
        }
    }
    for name in asked(realm).filter(|name| !names.iter().any(|known| **known == **name)) {
        let cause = "share= names a folder that the VMM does not give (lkvm: --9p DIR,NAME)";
        diagnosis.missing(SHARE, format!("`{name}`: none found"), cause);
    }
}

/// The names that the user gave.
fn asked(realm: &Realm) -> impl Iterator<Item = String> {
    let names = realm.args().get("share").unwrap_or_default();
    let names = names.split(',').filter(|name| !name.is_empty());
    names.map(String::from).collect::<Vec<_>>().into_iter()
}

async fn list(realm: &Realm, name: &str) -> Result<usize, ShareError> {
    let share = realm.share(name).await?;
    Ok(share.list("", MOST).await?.len())
}
