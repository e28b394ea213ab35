//! The wired interrupt of a device: a hint to look at its rings.

use core::cell::Cell;

use crate::structures::Structure;

/// Ref: virtio 1.2, 4.1.4.5 "ISR status capability".
const CONFIG_CHANGED: u8 = 1 << 1;

/// The wired interrupt of a device. Losing one or inventing one changes no state but a hint.
pub struct Interrupt {
    isr: Structure,
    config_changed: Cell<bool>,
}

impl Interrupt {
    pub(crate) fn new(isr: Structure) -> Self {
        Self {
            isr,
            config_changed: Cell::new(false),
        }
    }

    /// Lowers the interrupt line, by one read; says whether the device had raised it.
    pub fn acknowledge(&self) -> bool {
        let cause = self.isr.read8(0);
        if cause & CONFIG_CHANGED != 0 {
            self.config_changed.set(true);
        }
        cause != 0
    }

    /// Whether the device announced a change of its configuration or status since the last call.
    pub(crate) fn take_config_changed(&self) -> bool {
        self.config_changed.take()
    }
}
