//! What boot found out: the realm, its memory, the shared region.

use alloc::format;

use airlock::{Diagnosis, Mode, Realm};

/// Tells what boot has passed. Had it failed, the runtime would have told so itself.
pub fn probe(realm: &Realm, diagnosis: &mut Diagnosis) {
    let facts = realm.facts();
    let Mode::Realm {
        rsi,
        ipa_width,
        hash,
        ..
    } = facts.mode
    else {
        diagnosis.remark(
            "realm",
            format!("{facts}"),
            "an ordinary machine: the host sees everything. For a realm, lkvm needs --realm, and its kernel RME",
        );
        return;
    };
    diagnosis.ok("RSI version", format!("{rsi}"));
    let found = format!("IPA width {ipa_width}, {hash}");
    diagnosis.ok("realm configuration", found);
    let found = format!("{} MiB of RAM claimed", facts.memory >> 20);
    diagnosis.ok("RIPAS changes", found);
    let found = format!(
        "{} KiB shared, content cleared",
        realm.counters().shared >> 10
    );
    diagnosis.ok("bounce region", found);
}
