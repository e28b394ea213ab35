//! A folder whose queue has fewer entries than the driver has slots for.

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use bounce::Spacing;
use ninep::Transport;
use testkit::fake_virtio::{FakeNineP, Style};
use testkit::rig::Rig;
use virtio::NineP;

const SLOT: u8 = 1;

/// Four entries are two messages; the third waits, and what it wanted is noted.
#[test]
fn as_many_messages_are_on_their_way_as_the_queue_has_places_for() {
    let mut rig = Rig::with_memory(Style::Qemu, 256, 2 << 20);
    rig.queue_size = 4;
    let device = rig.plug(SLOT, Rc::new(RefCell::new(FakeNineP::new("web"))));
    let pool = rig.pool(NineP::<bounce::Shared>::needs(Spacing::Packed).wanted);
    let driver: NineP = NineP::start(rig.open(SLOT).unwrap(), &pool, rig.environment).unwrap();
    device.pause(true);
    // Statfs of a file that there is not: 11 bytes, and 5 that mean nothing.
    let mut heads = [[11, 0, 0, 0, 8, 0, 0, 0xff, 0xff, 0, 0]; 3];
    let mut replies = [([0; 7], [0; 100]); 3];
    let asked = heads.iter_mut().zip(&mut replies);
    let mut asked: Vec<_> = asked
        .map(|(head, (first, rest))| Box::pin(driver.exchange((head, &[0; 5]), [first, rest])))
        .collect();
    let mut context = Context::from_waker(Waker::noop());
    for one in &mut asked {
        assert!(pin!(one).poll(&mut context).is_pending());
    }
    assert_eq!(driver.counters().messages, 2);
    assert_eq!(pool.counters().shortage.unwrap().wanted, 16);
}
