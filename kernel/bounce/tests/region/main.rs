//! The bounce region, seen from the realm and from the host.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and so do its fixtures"
)]

mod accounting;
mod buffer;
mod ended;
mod lease;
mod model;
mod neighbours;
mod scribble;
mod spacing;
mod window;
mod worlds;

use std::rc::Rc;

use bounce::{Pool, Region};
use testkit::shared::{HostMemory, shared_memory};
use testkit::wire::FakeClock;

/// Who looks at what is copied in here.
const LOOK: &str = "the test looks at it";
/// What devices are told for the first byte: the shared half of a realm of 33 bits.
const TOLD: u64 = 0x1_8800_0000;

const NET: &str = "0000:00:01.0";

/// A region of some pages, the host's view of it, and its clock.
fn region(pages: usize) -> (Region, HostMemory, Rc<FakeClock>) {
    let (window, host) = shared_memory(pages, TOLD);
    let clock = Rc::new(FakeClock::default());
    let region = Region::new(window, clock.clone()).unwrap();
    (region, host, clock)
}

/// A pool of one page, in a region of its own.
fn pool() -> (Region, Pool, HostMemory) {
    let (region, host, _) = region(1);
    let pool = region.pool(NET, 4096).unwrap();
    (region, pool, host)
}
