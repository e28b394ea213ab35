//! Mapping of device registers: in the shared half, and those of a trusted device in the protected one.
// UNSAFETY: says of mapped addresses that they are device memory.
#![expect(
    unsafe_code,
    reason = "only here is it known that a run was mapped as device memory"
)]

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::ops::Range;
use core::ptr::NonNull;

use ipa::IpaSpace;
use pci::{MapError, Mapper};

use crate::{AddressSpace, Content, Mmio};

/// What maps device registers.
#[derive(Clone)]
pub struct Devices {
    map: Rc<RefCell<AddressSpace>>,
    space: IpaSpace,
    memory: Rc<Vec<Range<u64>>>,
    /// Registers that are the realm's alone.
    held: Rc<Vec<Range<u64>>>,
}

impl Devices {
    /// Maps into `map`, in the shared half of `space`, and never over `memory`: what the device
    /// tree says is RAM, and the image.
    pub fn new(map: Rc<RefCell<AddressSpace>>, space: IpaSpace, memory: Vec<Range<u64>>) -> Self {
        Self {
            map,
            space,
            memory: Rc::new(memory),
            held: Rc::default(),
        }
    }

    /// The same, but for `held`: what lies wholly in one of these runs is mapped in the protected
    /// half, because the RMM says that a trusted device is there.
    #[must_use]
    pub fn holding(&self, held: Vec<Range<u64>>) -> Self {
        Self {
            held: Rc::new(held),
            ..self.clone()
        }
    }

    /// What tells the half of `len` bytes at `address` from the protected one.
    fn bit(&self, address: u64, len: u64) -> u64 {
        let end = address.saturating_add(len);
        let holds = |held: &Range<u64>| held.start <= address && end <= held.end;
        if self.held.iter().any(holds) {
            0
        } else {
            self.space.shared_bit()
        }
    }

    /// The page-aligned addresses, as they are mapped, of a run that may be.
    fn pages(&self, address: u64, len: u64) -> Option<Range<u64>> {
        let end = address
            .checked_add(len)?
            .checked_next_multiple_of(ipa::GRANULE_SIZE)?;
        let start = address - address % ipa::GRANULE_SIZE;
        let meets_memory = self.memory.iter().any(|m| start < m.end && m.start < end);
        if len == 0 || start == 0 || meets_memory || end > self.space.protected_limit() {
            return None;
        }
        let bit = self.bit(address, len);
        Some(start | bit..end.checked_add(bit)?)
    }
}

impl Mapper for Devices {
    type Registers = Mmio;

    fn map(&self, address: u64, len: u64) -> Result<Mmio, MapError> {
        let error = MapError { address, len };
        let pages = self.pages(address, len).ok_or(error)?;
        let mut map = self.map.try_borrow_mut().map_err(|_| error)?;
        map.map(pages, Content::Device).map_err(|_| error)?;
        let base = (address | self.bit(address, len)) as *mut u8;
        let base = NonNull::new(base)
            .filter(|_| address.is_multiple_of(4))
            .ok_or(error)?;
        // SAFETY: the run was just mapped as device memory and is never unmapped; `pages` refused
        // whatever meets memory of the program.
        Ok(unsafe { Mmio::new(base, len) })
    }
}
