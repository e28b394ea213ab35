//! The source of random bytes.

use std::cell::RefCell;
use std::rc::Rc;

use bounce::Spacing;
use testkit::fake_virtio::{FakeRng, Style, Used};
use virtio::{Error, Rng};

use crate::setup::{STYLES, rig_of};

#[test]
fn bytes_come_from_the_device() {
    for &style in STYLES {
        let rig = rig_of(style, <Rng>::needs(Spacing::Packed).wanted);
        let device = rig.plug(1, Rc::new(RefCell::new(FakeRng::default())));
        let mut rng = rig.rng(1).unwrap();
        let mut into = [0xee; 10];
        assert_eq!(rng.read(&mut into), Ok(10));
        assert_eq!(into, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let mut more = [0xee; 100];
        assert_eq!(rng.read(&mut more), Ok(64));
        assert_eq!((more[0], more[63], more[64]), (10, 73, 0xee));
        assert_eq!(rng.read(&mut []), Ok(0));
        assert_eq!(device.faults(), 0);
    }
}

/// Case 9.
#[test]
fn a_source_that_says_nothing_ends_at_its_deadline() {
    let rig = rig_of(Style::Qemu, <Rng>::needs(Spacing::Packed).wanted);
    let device = rig.plug(1, Rc::new(RefCell::new(FakeRng::default())));
    let mut rng = rig.rng(1).unwrap();
    device.pause(true);
    assert_eq!(rng.read(&mut [0; 8]), Err(Error::TimedOut));
    assert_eq!(device.status(), 0);
    device.pause(false);
    assert_eq!(rng.read(&mut [0; 8]), Err(Error::TimedOut));
}

/// Cases 4 and 6.
#[test]
fn a_source_that_claims_more_than_it_was_asked_for_ends() {
    let rig = rig_of(Style::Qemu, <Rng>::needs(Spacing::Packed).wanted);
    let device = rig.plug(1, Rc::new(RefCell::new(FakeRng::default())));
    let mut rng = rig.rng(1).unwrap();
    device.lie(|l| l.completions = Some(Box::new(|used| vec![Used { len: 9, ..used }])));
    let lie = Error::UsedLength { len: 9, limit: 8 };
    assert_eq!(rng.read(&mut [0; 8]), Err(lie));
}

#[test]
fn a_source_that_gives_less_says_so() {
    let rig = rig_of(Style::Qemu, <Rng>::needs(Spacing::Packed).wanted);
    let device = rig.plug(1, Rc::new(RefCell::new(FakeRng::default())));
    let mut rng = rig.rng(1).unwrap();
    device.lie(|l| l.completions = Some(Box::new(|used| vec![Used { len: 3, ..used }])));
    let mut into = [0xee; 8];
    assert_eq!(rng.read(&mut into), Ok(3));
    assert_eq!(into, [0, 1, 2, 0xee, 0xee, 0xee, 0xee, 0xee]);
}
