//! Messages instead of a wire: which vector the configuration and each queue send by.

use core::cell::Cell;

use pci::{Message, MsiX};

/// What a vector register reads when there is none.
///
/// Ref: virtio 1.2, 4.1.5.1.2 "MSI-X Vector Configuration".
pub(crate) const NO_VECTOR: u16 = 0xffff;

/// The vectors of a device. Messages are used from [`Messages::enable`] to the first vector that the
/// device refuses.
pub(crate) struct Messages {
    msi_x: Option<MsiX>,
    /// Vectors in use; 0 if messages are not.
    used: Cell<u16>,
}

impl Messages {
    pub(crate) fn new(msi_x: Option<MsiX>) -> Self {
        let used = Cell::new(0);
        Self { msi_x, used }
    }

    /// Vectors that the device has.
    pub(crate) fn vectors(&self) -> u16 {
        self.msi_x.as_ref().map_or(0, MsiX::vectors)
    }

    /// Turns them on, each vector with its message.
    pub(crate) fn enable(&self, messages: &[Message]) {
        if let Some(msi_x) = &self.msi_x {
            msi_x.enable(messages);
            let given = u16::try_from(messages.len()).unwrap_or(u16::MAX);
            self.used.set(given.min(msi_x.vectors()));
        }
    }

    /// Turns them off: the device refused a vector, and its wire is used.
    pub(crate) fn give_up(&self) {
        self.used.set(0);
        if let Some(msi_x) = &self.msi_x {
            msi_x.disable();
        }
    }

    /// The vector for the configuration, if messages are used.
    pub(crate) fn of_config(&self) -> Option<u16> {
        (self.used.get() != 0).then_some(0)
    }

    /// The vector for queue `queue`, if messages are used: its own while there are enough.
    pub(crate) fn of_queue(&self, queue: u16) -> Option<u16> {
        let last = self.used.get().checked_sub(1)?;
        Some(queue.saturating_add(1).min(last))
    }
}
