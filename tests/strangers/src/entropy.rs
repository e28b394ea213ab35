//! The fake source of bytes under a driver that is not ours.

use std::cell::RefCell;
use std::rc::Rc;

use testkit::fake_virtio::{FakeRng, Style};
use virtio_drivers::device::rng::VirtIORng;

use crate::hal::FakeHal;
use crate::machine::Machine;

/// Entries of its queue. Where queues cannot be made smaller, they have to have as many.
pub const ENTRIES: u16 = 8;

#[test]
fn a_strange_driver_gets_the_bytes_that_the_fake_gives() {
    for style in [Style::Qemu, Style::Lkvm] {
        let fake = Rc::new(RefCell::new(FakeRng::default()));
        let machine = Machine::with_queues(style, ENTRIES, fake);
        let mut source = VirtIORng::<FakeHal, _>::new(machine.transport()).expect("a source");
        for round in 0..50_u8 {
            let mut bytes = [0xee; 32];
            assert_eq!(source.request_entropy(&mut bytes).expect("bytes"), 32);
            let first = round.wrapping_mul(32);
            let counted: Vec<u8> = (0..32).map(|at| first.wrapping_add(at)).collect();
            assert_eq!(bytes, counted[..], "{style:?} {round}");
        }
        assert_eq!(machine.device.faults(), 0);
    }
}
