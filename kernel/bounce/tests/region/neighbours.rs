//! What a device could see: the granules that a slot lies in, whole, while the slot is lent.

use std::rc::Rc;

use bounce::{Pool, Region, Slot, Spacing};
use testkit::shared::{HostMemory, shared_memory};
use testkit::wire::FakeClock;

use crate::{NET, TOLD};

const GRANULE: u64 = 4096;
const DISK: &str = "0000:00:02.0";

/// Lengths and alignments as drivers lease them: rings, heads, frames, a segment.
const SLOTS: [(usize, usize); 7] = [
    (1540, 64),
    (17, 16),
    (512, 8),
    (2048, 64),
    (2048, 64),
    (5000, 64),
    (1, 1),
];

/// A slot full of a byte of its own, and where it lies.
struct Canary {
    slot: Slot,
    byte: u8,
}

fn canaries(pool: &Pool, first: u8) -> Vec<Canary> {
    let slots = SLOTS.iter().zip(first..);
    slots
        .map(|(&(len, align), byte)| {
            let slot = pool.lease(len, align).unwrap();
            slot.copy_out(0, &vec![byte; len]).unwrap();
            Canary { slot, byte }
        })
        .collect()
}

/// The canaries in the granules of `of`, its own left out.
fn seen(host: &HostMemory, of: &Canary) -> Vec<u8> {
    let start = of.slot.address(0).unwrap().get();
    let end = start + of.slot.len() as u64;
    let (start, end) = (start - start % GRANULE, end.next_multiple_of(GRANULE));
    let mut seen = host.read(start, usize::try_from(end - start).unwrap());
    seen.retain(|byte| *byte != 0 && *byte != of.byte);
    seen.sort_unstable();
    seen.dedup();
    seen
}

/// A region with a card and a disk, all of whose slots are full of canaries: 1 to 7, and 101 to 107.
fn machine(spacing: Spacing) -> (Region, HostMemory, [Vec<Canary>; 2]) {
    let (window, host) = shared_memory(32, TOLD);
    // What nobody leases is as the host left it.
    host.write(TOLD, &[0; 32 << 12]);
    let region = Region::spaced(window, Rc::new(FakeClock::default()), spacing).unwrap();
    let card = canaries(&region.pool(NET, 64 << 10).unwrap(), 1);
    let disk = canaries(&region.pool(DISK, 64 << 10).unwrap(), 101);
    (region, host, [card, disk])
}

#[test]
fn a_device_sees_nothing_beside_a_strict_slot() {
    let (_region, host, devices) = machine(Spacing::Strict);
    for canary in devices.iter().flatten() {
        assert_eq!(seen(&host, canary), [0; 0], "slot of {}", canary.byte);
    }
}

#[test]
fn beside_a_packed_slot_a_device_sees_slots_of_its_own_and_of_no_other() {
    let (_region, host, [card, disk]) = machine(Spacing::Packed);
    for (device, own) in [(&card, 1..=7), (&disk, 101..=107)] {
        for canary in device {
            let seen = seen(&host, canary);
            assert!(seen.iter().all(|byte| own.contains(byte)), "{seen:?}");
        }
        // This is what strict costs memory for.
        assert!(!seen(&host, &device[0]).is_empty());
    }
}

#[test]
fn a_strict_slot_that_is_sent_less_shows_nothing_of_before() {
    let (_region, host, devices) = machine(Spacing::Strict);
    for canary in devices.iter().flatten() {
        canary.slot.copy_out(0, &[0xee]).unwrap();
        canary.slot.seal(1).unwrap();
        let start = canary.slot.address(0).unwrap().get();
        let shown = host.read(start, canary.slot.len());
        assert!(shown[1..].iter().all(|byte| *byte == 0), "{}", canary.byte);
    }
}
