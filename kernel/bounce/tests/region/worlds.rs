//! Private regions: the same accounting, and nothing crosses.

use std::rc::Rc;

use crate::LOOK;
use audit::Keep;
use bounce::{Private, Region, Window};
use testkit::shared::private_memory;
use testkit::wire::FakeClock;

const TOLD: u64 = 0x4000_0000;

#[test]
fn a_private_copy_is_counted_and_not_traced() {
    let (window, _): (Window<Private>, _) = private_memory(1, TOLD);
    let region = Region::new(window, Rc::new(FakeClock::default())).unwrap();
    region.trace().enable(Keep::Copies, 8);
    let slot = region.pool("0000:00:02.0", 4096).unwrap().lease(64, 8);
    let slot = slot.unwrap();
    slot.copy_out(0, &[7; 64]).unwrap();
    slot.copy_in(0, &mut [0; 64]).unwrap().opaque(LOOK);
    let [(_, counters)] = region.counters().try_into().unwrap();
    assert_eq!((counters.bytes_out, counters.bytes_in), (64, 64));
    assert_eq!(counters.copies, 2);
    assert_eq!(region.trace().pop(), None, "nothing crossed the boundary");
    assert_eq!(slot.address(3).unwrap().get(), TOLD + 3);
}
