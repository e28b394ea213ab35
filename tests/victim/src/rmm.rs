//! Calls of the RSI that a payload can cause.

use airlock::{Mode, Realm};
use attest::Challenge;

use crate::Failure;

/// Extends and reads measurements; asks for a token, if that is wanted.
pub fn run(realm: &Realm, failure: &mut Failure) {
    if realm.facts().mode == Mode::Machine {
        return;
    }
    if let Err(error) = realm.measure(2, b"victim") {
        failure.note(format_args!("measure: {error}"));
    }
    if let Err(error) = realm.measurements() {
        failure.note(format_args!("measurements: {error}"));
    }
    if realm.args().get("victim.token") == Some("yes")
        && let Err(error) = realm.attest(&Challenge::new([7; 64]))
    {
        failure.note(format_args!("token: {error}"));
    }
}
