//! Every small list of capabilities.
//!
//! **Proved**, for lists over eight places, four of them good, from any of the 256 values of the first
//! pointer: the walk gives the list when every entry lies behind the header on a multiple of 4 and the list
//! ends, and an error otherwise; and it never reads more than 48 entries.

use pci::{Ecam, Function};
use testkit::fake_pci::{BarModel, ConfigSpace, FakePci};

use crate::setup::at;

/// Good places for entries: the first, its neighbour, one in the middle, the last.
const PLACES: [u8; 4] = [0x40, 0x44, 0x80, 0xfc];
/// Where an entry can point: to the end, to a good place, into the header, off a multiple of 4.
const POINTERS: [u8; 8] = [0, 0x40, 0x44, 0x80, 0xfc, 0x3c, 0x41, 0xff];

struct Nothing;

impl BarModel for Nothing {
    fn read(&self, _bar: u8, _at: u64, _size: u8) -> u32 {
        0
    }

    fn write(&self, _bar: u8, _at: u64, _size: u8, _value: u32) {}
}

/// What the walk must give: the places in order, or nothing.
fn expected(first: u8, next: &[u8; 4]) -> Option<Vec<u8>> {
    let mut places = Vec::new();
    let mut at = first;
    while at != 0 {
        if at < 0x40 || !at.is_multiple_of(4) || places.contains(&at) {
            return None;
        }
        places.push(at);
        // Whatever is no place of ours holds zeros, so a list ends there.
        at = PLACES
            .iter()
            .position(|place| *place == at)
            .map_or(0, |i| next[i]);
    }
    Some(places)
}

fn check(pci: &FakePci, first: u8, next: &[u8; 4]) {
    let bdf = at(1);
    pci.change(bdf, |config| {
        config.bytes()[0x34] = first;
        for (place, next) in PLACES.iter().zip(next) {
            config.bytes()[usize::from(*place) + 1] = *next;
        }
    });
    let ecam = Ecam::new(pci.ecam(0), 0, 0).expect("one bus");
    let identity = pci::scan(&ecam).functions[0];
    let before = pci.accesses();
    let found = Function::new(&ecam, identity).capabilities();
    // Status, the first pointer, and the entries.
    assert!(pci.accesses() - before <= 2 + 48, "{first:x} {next:x?}");
    let found = found
        .ok()
        .map(|list| list.iter().map(|entry| entry.at).collect());
    assert_eq!(found, expected(first, next), "{first:x} {next:x?}");
}

#[test]
fn every_small_list_of_capabilities_is_walked_to_its_end_or_refused() {
    let mut config = ConfigSpace::endpoint(0x1af4, 0x1041, 0x02_0000);
    config.bytes()[6] = 1 << 4;
    let pci = FakePci::default();
    pci.plug(at(1), config, std::rc::Rc::new(Nothing));
    for code in 0..POINTERS.len().pow(4) {
        let next =
            std::array::from_fn(|i| POINTERS[code / POINTERS.len().pow(i as u32) % POINTERS.len()]);
        check(&pci, 0x40, &next);
        // The other ways in, for a part of the lists.
        if code % 64 == 0 {
            (0..=u8::MAX).for_each(|first| check(&pci, first, &next));
        }
    }
}
