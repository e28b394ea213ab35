//! What was added to the measurements, in order.
//!
//! A measurement is a number that only somebody who knows what went into it can read. The log is that
//! knowledge. It proves nothing by itself: a verifier replays it and compares with the token.

use alloc::{format, string::String, vec::Vec};

use rsi::{HashAlgorithm, RemIndex};
use serde::Serialize;

use crate::{
    measurement::{Digest, MeasureError},
    text::printable,
};

/// The most events that are kept.
const MOST_EVENTS: usize = 256;
/// The longest note of an event, in characters.
const LONGEST_NOTE: usize = 64;

/// One extension of a measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which measurement was extended.
    pub rem: RemIndex,
    /// The digest that it was extended by.
    pub digest: Digest,
    /// What that is the digest of, for people: at most 64 printable characters.
    pub note: String,
}

/// The events since boot, oldest first; at most 256.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventLog {
    events: Vec<Event>,
}

impl EventLog {
    /// A log without events.
    pub const fn new() -> Self {
        Self { events: Vec::new() }
    }

    /// The events, oldest first.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Whether no event fits any more.
    pub fn is_full(&self) -> bool {
        self.events.len() >= MOST_EVENTS
    }

    /// Adds an event.
    pub(crate) fn push(&mut self, rem: RemIndex, digest: Digest, note: &str) {
        self.events.push(Event {
            rem,
            digest,
            note: printable(note, LONGEST_NOTE),
        });
    }

    /// The values that REM 1 to 4 have if the log is complete and true.
    ///
    /// # Errors
    /// [`MeasureError::UnknownHash`].
    pub fn replay(&self, algorithm: HashAlgorithm) -> Result<[Digest; 4], MeasureError> {
        let mut rems = [Digest::zero(algorithm)?; 4];
        for event in &self.events {
            let slot = usize::from(event.rem.get()).checked_sub(1);
            if let Some(rem) = slot.and_then(|slot| rems.get_mut(slot)) {
                *rem = rem.extended(algorithm, event.digest.as_bytes())?;
            }
        }
        Ok(rems)
    }

    /// The log as a JSON array, for whoever is to replay it.
    pub fn to_json(&self) -> String {
        let events: Vec<_> = self.events.iter().map(JsonEvent::from).collect();
        serde_json::to_string(&events).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct JsonEvent<'a> {
    rem: u8,
    digest: String,
    note: &'a str,
}

impl<'a> From<&'a Event> for JsonEvent<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            rem: event.rem.get(),
            digest: format!("{}", event.digest),
            note: &event.note,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA256: HashAlgorithm = HashAlgorithm::Sha256;

    fn two_events() -> EventLog {
        let mut log = EventLog::new();
        for (rem, data) in [(1, b"a"), (2, b"b")] {
            let digest = Digest::of(SHA256, data).unwrap();
            log.push(RemIndex::new(rem).unwrap(), digest, "a \"note\"\n");
        }
        log
    }

    #[test]
    fn a_replay_extends_each_measurement_by_its_own_events() {
        let rems = two_events().replay(SHA256).unwrap();
        let zero = Digest::zero(SHA256).unwrap();
        let by = |data: &[u8]| {
            let digest = Digest::of(SHA256, data).unwrap();
            zero.extended(SHA256, digest.as_bytes()).unwrap()
        };
        assert_eq!(rems, [by(b"a"), by(b"b"), zero, zero]);
    }

    #[test]
    fn the_log_is_json_whatever_its_notes_say() {
        let json: serde_json::Value = serde_json::from_str(&two_events().to_json()).unwrap();
        assert_eq!(json[1]["rem"], 2);
        assert_eq!(json[0]["note"], "a \"note\"?");
        assert_eq!(
            json[0]["digest"],
            "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
        );
    }
}
