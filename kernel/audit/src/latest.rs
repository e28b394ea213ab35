//! The latest event, while copies may still go on with it.

use core::cell::Cell;

use crate::event::Words;
use crate::{Label, Purpose};

/// The latest event, as words that a copy that goes on with it changes one of.
#[derive(Debug, Default)]
pub(crate) struct Latest {
    at: Cell<u64>,
    place: Cell<u64>,
    /// 0 if there is none: no event has no bytes.
    what: Cell<u64>,
    /// Where its last copy ended.
    end: Cell<u64>,
}

impl Latest {
    /// Whether there is one.
    pub(crate) fn is_there(&self) -> bool {
        self.what.get() != 0
    }

    /// Begins an event of `len` bytes at `address`.
    pub(crate) fn begin(&self, event: Words, address: u64, len: u32) {
        self.at.set(event.at);
        self.place.set(event.place);
        self.what.set(event.what);
        self.end.set(address.wrapping_add(len.into()));
    }

    /// Adds `len` bytes at `address`, copied for `label`, if they go on with it; says whether they did. `copy` is
    /// what an event of them would be.
    #[inline]
    pub(crate) fn extend(&self, copy: Words, (address, len): (u64, u32), label: Label) -> bool {
        let known = Words {
            at: 0,
            place: self.place.get(),
            what: self.what.get(),
        };
        let goes_on = match label.purpose {
            // Another request of this number would have a head before its data.
            Purpose::Data => known.same_label(copy),
            _ => known.same_label(copy) && self.end.get() == address,
        };
        let Some(what) = known.longer(len).filter(|_| goes_on && self.is_there()) else {
            return false;
        };
        self.what.set(what);
        self.end.set(address.wrapping_add(len.into()));
        true
    }

    /// Takes it out: it gets no longer.
    pub(crate) fn take(&self) -> Option<Words> {
        let what = self.what.take();
        (what != 0).then(|| Words {
            at: self.at.get(),
            place: self.place.get(),
            what,
        })
    }
}
