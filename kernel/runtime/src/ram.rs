//! RAM: the heap's part of it, and the part that is shared.
// UNSAFETY: gives memory to the heap, and takes it from the realm.
#![expect(unsafe_code, reason = "gives memory away")]

use alloc::vec::Vec;
use core::ops::Range;
use core::ptr::NonNull;

use arch::{Content, Smc, image};
use bounce::Window;
use devtree::Machine;
use ipa::{GranuleRange, IpaSpace};
use plan::{Layout, LayoutError};
use rsi::{Rsi, SetFlags};

use crate::memory::{Map, pages};
use crate::{Error, heap};

/// Most bytes that are set aside for the bounce region where nobody asks for a size.
const MOST_RESERVE: u64 = 16 << 20;

/// What was set aside of RAM for the bounce region.
pub struct Ram {
    map: Map,
    space: IpaSpace,
    reserve: Range<u64>,
}

impl Ram {
    /// Maps the free RAM and gives all of it to the heap, but for a reserve of `wanted` bytes. In a
    /// realm all RAM was claimed before.
    ///
    /// # Errors
    ///
    /// [`Error::Layout`], [`Error::Map`].
    pub fn open(
        map: Map,
        space: IpaSpace,
        tree: &'static [u8],
        machine: &Machine,
        wanted: Option<u64>,
    ) -> Result<Self, Error> {
        let memory: Vec<_> = machine
            .memory
            .iter()
            .map(|ram| ram.base().get()..ram.top())
            .collect();
        let free = plan::free_runs(&memory, &taken(tree, machine));
        let layout = Layout::new(&free, wanted, MOST_RESERVE)?;
        for run in &layout.private {
            map.borrow_mut().map(run.clone(), Content::Data)?;
            // SAFETY: the device tree says that it is RAM; it is mapped since just now, and
            // neither the image, nor the tree, nor anything reserved lies in it.
            unsafe { heap::add(run.clone()) };
        }
        map.borrow_mut()
            .map_in_parts(layout.reserve.clone(), Content::Data)?;
        Ok(Self {
            map,
            space,
            reserve: layout.reserve,
        })
    }

    /// Bytes that can be shared at most.
    pub fn reserve(&self) -> u64 {
        self.reserve.end - self.reserve.start
    }

    /// Shares the upper `size` bytes of the reserve, whole blocks, and gives the rest of it to the
    /// heap. Devices are told addresses with the shared bit, unless `told_low`: the way of an older
    /// lkvm.
    ///
    /// The order is binding: unmap, make empty, map the alias. Where the alias is touched before
    /// the page is empty, the host takes the page for good.
    ///
    /// # Errors
    ///
    /// [`Error::Layout`] if the reserve is smaller than `size`; [`Error::Map`], [`Error::Rsi`].
    pub fn share(self, size: u64, rsi: Option<&Rsi<Smc>>, told_low: bool) -> Result<Window, Error> {
        let none = Error::Layout(LayoutError::NoRoom { wanted: size });
        let start = self.reserve.end.checked_sub(size).ok_or(none)?;
        if start < self.reserve.start {
            return Err(none);
        }
        let range = GranuleRange::new(self.space, start, self.reserve.end).map_err(|_| none)?;
        let alias = self.space.alias(range.base()).get();
        if let Some(rsi) = rsi {
            // SAFETY: nothing has ever referred to the reserve.
            unsafe { self.map.borrow_mut().unmap(start..self.reserve.end) }?;
            rsi.set_empty(range, SetFlags::ChangeDestroyed)?;
            self.map
                .borrow_mut()
                .map(alias..alias + size, Content::Data)?;
        }
        if self.reserve.start < start {
            // SAFETY: the rest stays private and mapped, and nothing else uses it.
            unsafe { heap::add(self.reserve.start..start) };
        }
        let base = NonNull::new(alias as *mut u8).ok_or(none)?;
        let len = usize::try_from(size).map_err(|_| none)?;
        let told = if told_low { start } else { alias };
        // SAFETY: the run is mapped for good at `alias`, a multiple of 2 MiB, and only this window
        // refers to it. In a realm its pages are shared by now.
        Ok(unsafe { Window::new(base, len, told) })
    }
}

/// What is in use before the heap is: the image, the device tree, and what the tree reserves.
fn taken(tree: &'static [u8], machine: &Machine) -> Vec<Range<u64>> {
    let bytes = tree.as_ptr_range();
    let reserved = machine.reserved.iter().chain(&machine.initrd);
    let mut taken: Vec<_> = reserved.map(|range| range.base()..range.top()).collect();
    taken.push(image::whole());
    taken.push(pages(&(bytes.start.addr() as u64..bytes.end.addr() as u64)));
    taken
}
