//! Measurements, and a token.

use alloc::format;

use airlock::{Diagnosis, Mode, Realm};
use attest::Challenge;

const TOKEN: &str = "attestation token";

/// Probes what a verifier would ask for. An ordinary machine has none of it.
pub fn probe(realm: &Realm, diagnosis: &mut Diagnosis) {
    if realm.facts().mode == Mode::Machine {
        return;
    }
    match realm.measurements() {
        Ok(measurements) => diagnosis.ok("measurements", format!("RIM {}", measurements.rim)),
        Err(error) => {
            let cause = "the RMM does not let the realm read its measurements";
            diagnosis.wrong("measurements", format!("{error}"), cause);
        }
    }
    match realm.attest(&Challenge::new([0x5a; 64])) {
        Ok(token) => probe_form(&token, diagnosis),
        Err(error) => {
            let cause = "the RMM has no attestation keys: look at its boot log and at EL3 firmware";
            diagnosis.missing(TOKEN, format!("{error}"), cause);
        }
    }
}

fn probe_form(token: &attest::Token, diagnosis: &mut Diagnosis) {
    let len = token.as_bytes().len();
    match token.check_form() {
        Ok(()) => diagnosis.ok(TOKEN, format!("{len} bytes")),
        Err(error) => {
            let cause = "the RMM wraps tokens in an envelope that is newer than this image";
            diagnosis.wrong(TOKEN, format!("{len} bytes: {error}"), cause);
        }
    }
}
