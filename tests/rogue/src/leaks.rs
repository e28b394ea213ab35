//! Six ways in which private bytes get into shared pages, each beside the same work done as it should be.
//!
//! The device here takes whatever it is told and has no use for it.

use crate::device::Entropy;
use crate::hardware::{self, Width};
use crate::realm::Realm;

/// A mistake of a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leak {
    /// A slot is lent again, and what it was used for before is still in it.
    Slot,
    /// Bytes between the fields of a structure are sent along, as they were in private memory.
    Padding,
    /// More is copied out than is sent.
    Length,
    /// A queue is set up where something else was.
    Ring,
    /// A buffer is sent that was never filled.
    Heap,
    /// Something is sent that must not be.
    Key,
}

/// Private memory that nobody has written to: 1 MiB behind the image.
const FRESH: u64 = 0x10_0000;
/// Bytes of a message.
const MESSAGE: u64 = 24;
const LETTERS: u64 = 0x4141_4141_4141_4141;
/// What the monitor is told to be secret: «leak-key», twice.
const KEY: u64 = u64::from_le_bytes(*b"leak-key");

/// Sends a message, or has one written, with the mistake `leak` or without one. A single request, which the monitor
/// sees before the device does.
pub fn run(realm: &Realm, leak: Leak, broken: bool) -> Result<(), &'static str> {
    let queue = realm.share(Realm::page(1))?;
    let slots = realm.share(Realm::page(2))?;
    let (out, answer) = (slots, slots + 0x800);
    if leak == Leak::Ring && broken {
        put(queue + 0x40, &[LETTERS]);
    }
    let mut device = Entropy::open(realm, queue)?;
    let stale = |at: u64| hardware::load(Realm::page(0) + FRESH + at, Width::Double);
    put(out, &[LETTERS, LETTERS, LETTERS]);
    let told = (out, MESSAGE);
    match leak {
        Leak::Slot => {
            if !broken {
                put(out, &[0, 0, 0]);
            }
            return device.fill(out, 64);
        }
        Leak::Padding if broken => put(out + 8, &[stale(8)]),
        Leak::Length if broken => put(out + MESSAGE, &[LETTERS]),
        Leak::Heap if broken => put(out, &[stale(0), stale(8), stale(16)]),
        Leak::Key if broken => put(out + 8, &[KEY, KEY]),
        Leak::Padding | Leak::Length | Leak::Ring | Leak::Heap | Leak::Key => {}
    }
    device.tell(told, answer)
}

fn put(at: u64, words: &[u64]) {
    for (at, word) in (at..).step_by(8).zip(words) {
        hardware::store(at, Width::Double, *word);
    }
}
