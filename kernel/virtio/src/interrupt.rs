//! The interrupts of a device: hints to look at its rings.

use core::cell::Cell;

use pci::Message;

use crate::messages::Messages;
use crate::structures::Structure;

/// Ref: virtio 1.2, 4.1.4.5 "ISR status capability".
const CONFIG_CHANGED: u8 = 1 << 1;

/// The interrupts of a device: by its wire, or by messages (MSI-X). Losing one or inventing one
/// changes no state but a hint.
pub struct Interrupt {
    isr: Structure,
    messages: Messages,
    config_changed: Cell<bool>,
    /// Whether the registers may be gone.
    gone: Cell<bool>,
}

impl Interrupt {
    pub(crate) fn new(isr: Structure, messages: Messages) -> Self {
        Self {
            isr,
            messages,
            config_changed: Cell::new(false),
            gone: Cell::new(false),
        }
    }

    /// Vectors that the device has for messages; 0 if it has only a wire.
    pub fn vectors(&self) -> u16 {
        self.messages.vectors()
    }

    /// Lets the device interrupt by `messages`: the first for changes of its configuration, the next
    /// for its queues in order; queues beyond them share the last. Before the device is started, this
    /// decides how it interrupts; later, only where its messages go.
    pub fn use_messages(&self, messages: &[Message]) {
        self.messages.enable(messages);
    }

    /// Whether the device interrupts by messages. One that refused a vector when it was started uses
    /// its wire.
    pub fn uses_messages(&self) -> bool {
        self.messages.of_config().is_some()
    }

    /// Goes back to the wire: messages never arrived.
    pub fn give_messages_up(&self) {
        self.messages.give_up();
    }

    pub(crate) fn messages(&self) -> &Messages {
        &self.messages
    }

    /// Lowers the interrupt line, by one read; says whether the device had raised it.
    pub fn acknowledge(&self) -> bool {
        if self.gone.get() {
            return false;
        }
        let cause = self
            .isr
            .read8(0)
            .any_value("a hint to look, and nothing more");
        if cause & CONFIG_CHANGED != 0 {
            self.config_changed.set(true);
        }
        cause != 0
    }

    /// Notes that the message of `vector` came. Nothing is read: a message says it all.
    pub fn note_message(&self, vector: u16) {
        if vector == 0 {
            self.config_changed.set(true);
        }
    }

    /// Notes that the registers may be gone: nobody reads them any more.
    pub(crate) fn abandon(&self) {
        self.gone.set(true);
    }

    /// Whether the device announced a change of its configuration or status since the last call.
    pub(crate) fn take_config_changed(&self) -> bool {
        self.config_changed.take()
    }
}
