//! Memory that is given to the host, and taken back: the order in which that is done, and who may touch it when.
// UNSAFETY: takes memory from the map that pointers stand on, and gives it to the heap.
#![expect(unsafe_code, reason = "gives memory away, and takes it back")]

use core::ops::Range;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

use alloc::boxed::Box;
use alloc::rc::Rc;
use arch::{Content, Smc};
use ipa::{GranuleRange, IpaSpace};
use plan::BLOCK;
use rsi::{Rsi, SetFlags};
use virtio::{Balloon, Lost, Memory};

use crate::heap::{self, Block};
use crate::memory::Map;
use crate::wake;

/// Who is asked when memory is short, once there is one; kept for good.
static BALLOON: AtomicPtr<Rc<Balloon<Spare>>> = AtomicPtr::new(null_mut());

/// The blocks that can be given away.
#[derive(Clone)]
pub struct Spare {
    map: Map,
    space: IpaSpace,
    rsi: Option<Rsi<Smc>>,
}

/// A block that is out: not mapped, and in a realm EMPTY. There is one for each such block, and no way from it to
/// memory but [`Memory::take_back`].
pub struct Out(u64);

impl Spare {
    /// The spare run of the heap, in the realm of `rsi` or a plain machine.
    pub const fn new(map: Map, space: IpaSpace, rsi: Option<Rsi<Smc>>) -> Self {
        Self { map, space, rsi }
    }

    fn granules(&self, run: &Range<u64>) -> Result<GranuleRange, Lost> {
        GranuleRange::new(self.space, run.start, run.end).map_err(|_| Lost)
    }
}

impl Memory for Spare {
    type Out = Out;

    /// The order is binding: unmap, make EMPTY, tell.
    fn give(&mut self) -> Result<Option<Out>, Lost> {
        let Ok(mut map) = self.map.try_borrow_mut() else {
            return Ok(None);
        };
        let Some(block) = heap::take_block() else {
            return Ok(None);
        };
        let run = block.base()..block.base() + BLOCK;
        // SAFETY: whoever has the block is its only owner, and nothing refers to it.
        if unsafe { map.unmap(run.clone()) }.is_err() {
            // It is as it was.
            heap::put_block(block);
            return Ok(None);
        }
        drop(map);
        // The value that stands for memory is given up, and `Out` takes its place.
        let out = Out(block.into_base());
        if let Some(rsi) = &self.rsi {
            let granules = self.granules(&run)?;
            let emptied = rsi.set_empty(granules, SetFlags::ChangeDestroyed);
            emptied.map_err(|_| Lost)?;
        }
        Ok(Some(out))
    }

    fn first_page(block: &Out) -> u32 {
        // `carve_blocks` takes none with a higher number.
        u32::try_from(block.0 >> 12).unwrap_or(u32::MAX)
    }

    fn take_back(&mut self, block: Out) -> Result<(), Lost> {
        let Out(base) = block;
        let run = base..base + BLOCK;
        let mut map = self.map.try_borrow_mut().map_err(|_| Lost)?;
        if let Some(rsi) = &self.rsi {
            let granules = self.granules(&run)?;
            let filled = rsi.set_ram(granules, SetFlags::ChangeDestroyed);
            filled.map_err(|_| Lost)?;
        }
        map.map(run, Content::Data).map_err(|_| Lost)?;
        drop(map);
        // SAFETY: an `Out` is made of a block of the heap alone, and consumed here; it is RAM by the RMM's word,
        // and mapped since just now.
        heap::put_block(unsafe { Block::regained(base) });
        Ok(())
    }
}

/// Has the heap ask `balloon` before an allocation fails, from now on.
pub fn relieve_by(balloon: &Rc<Balloon<Spare>>) {
    let kept = Box::leak(Box::new(Rc::clone(balloon)));
    BALLOON.store(kept, Ordering::Release);
    heap::set_relief(relieve);
}

/// Takes a block back, if there is one. Only the processor that drives the devices can.
fn relieve() -> bool {
    if !wake::is_first() {
        return false;
    }
    let balloon = BALLOON.load(Ordering::Acquire);
    // SAFETY: it is null, or what `relieve_by` keeps for good, and this processor is the one that it belongs to;
    // nobody ever has it mutably.
    unsafe { balloon.as_ref() }.is_some_and(|balloon| balloon.relieve())
}
