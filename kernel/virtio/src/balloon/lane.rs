//! One queue of a balloon: the numbers of the pages of one block, and the device's word that it saw them.

use bounce::{Purpose, Spacing, World};

use super::PAGES;
use crate::device::Device;
use crate::lanes::{self, Shape};
use crate::queue::{Interrupts, ring_bytes};
use crate::{Error, Features};

/// Bytes of a list of the pages of a block, four for each number.
const LIST: usize = 4 * PAGES as usize;
/// There is one list at a time.
const LISTS: Shape = Shape {
    count: 1,
    each: LIST,
    entries: 2,
};

/// One queue, and the slot that lists are told in.
pub(super) struct Lane<W: World>(lanes::Lane<W>);

impl<W: World> Lane<W> {
    /// Bytes of a pool for one.
    pub(super) fn bytes(spacing: Spacing) -> usize {
        LISTS.bytes(ring_bytes(), spacing)
    }

    /// Sets queue `index` up.
    pub(super) fn start(device: &Device<W>, index: u16, features: Features) -> Result<Self, Error> {
        let lane = lanes::Lane::start(device, index, LISTS, features, Interrupts::Wanted)?;
        lane.label(Purpose::Pages);
        Ok(Self(lane))
    }

    /// Sets it up anew, after a reset.
    pub(super) fn restart(&mut self, device: &Device<W>, features: Features) -> Result<(), Error> {
        self.0.restart(device, features)
    }

    /// Tells the device the pages of a block, from `first` on.
    pub(super) fn tell(&mut self, first: u32) -> Result<(), Error> {
        let mut list = [0; LIST];
        let pages = (0..PAGES).map(|page| first.saturating_add(page));
        for (into, page) in list.chunks_exact_mut(4).zip(pages) {
            into.copy_from_slice(&page.to_le_bytes());
        }
        self.0.lend_full(0, &[&list])?;
        self.0.notify()
    }

    /// Takes the device's word for what was told; says whether it came.
    pub(super) fn take(&mut self) -> Result<bool, Error> {
        Ok(self.0.take()?.is_some())
    }

    /// Rings the doorbell once more: one may have been lost.
    pub(super) fn ring(&mut self) {
        self.0.ring();
    }

    /// Doorbells rung.
    pub(super) fn rung(&self) -> u64 {
        self.0.rung()
    }
}
