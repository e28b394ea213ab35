//! Disks whose content the test sees.

use std::cell::RefCell;
use std::rc::Rc;

use testkit::fake_virtio::FakeBlock;

/// What the test holds of a disk: its content, and a switch for its failure.
#[derive(Clone)]
pub struct Disk(Rc<RefCell<FakeBlock>>);

impl Disk {
    /// A disk with `content`, filled up with zeros to whole sectors of 512 bytes.
    pub(crate) fn new(content: &[u8]) -> (Self, Rc<RefCell<FakeBlock>>) {
        let sectors = content.len().div_ceil(512);
        let mut device = FakeBlock::new(sectors);
        device.content = content.to_vec();
        device.content.resize(sectors * 512, 0);
        let device = Rc::new(RefCell::new(device));
        (Self(Rc::clone(&device)), device)
    }

    /// What is on it.
    pub fn content(&self) -> Vec<u8> {
        self.0.borrow().content.clone()
    }

    /// Changes what is on it, as its host can at any time.
    pub fn change(&self, change: impl FnOnce(&mut [u8])) {
        change(&mut self.0.borrow_mut().content);
    }

    /// Lets every request fail from now on, or none.
    pub fn fail(&self, fails: bool) {
        // 1 is VIRTIO_BLK_S_IOERR.
        self.0.borrow_mut().status = if fails { |_| Some(1) } else { Some };
    }

    /// How often it was told to keep what it has.
    pub fn flushes(&self) -> u64 {
        self.0.borrow().flushes
    }
}
