//! A folder of the host before somebody asks for it.

use alloc::rc::Rc;
use core::cell::Cell;

use virtio::NineP;

/// A device, and whether somebody has its folder.
pub struct Shared {
    device: Rc<NineP>,
    taken: Cell<bool>,
}

impl Shared {
    /// One that nobody has.
    pub fn new(device: Rc<NineP>) -> Self {
        let taken = Cell::new(false);
        Self { device, taken }
    }

    /// Its name.
    pub(crate) fn name(&self) -> Rc<str> {
        self.device.name()
    }

    pub(crate) fn device(&self) -> Rc<NineP> {
        Rc::clone(&self.device)
    }

    /// Takes it; `None` if somebody has it.
    pub(crate) fn claim(&self) -> Option<Claim<'_>> {
        (!self.taken.replace(true)).then_some(Claim(Some(&self.taken)))
    }
}

/// A folder that is being asked for, and is free again if that comes to nothing.
pub(crate) struct Claim<'s>(Option<&'s Cell<bool>>);

impl Claim<'_> {
    pub(crate) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Some(taken) = self.0 {
            taken.set(false);
        }
    }
}
