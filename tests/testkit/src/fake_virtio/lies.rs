//! What a device can be told to do wrong.

/// An entry of the used ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Head of the chain that is said to be done.
    pub id: u32,
    /// Bytes that are said to be written.
    pub len: u32,
}

/// Changes a register on its way to the driver: offset in the common configuration, honest value.
pub type RegisterLie = Box<dyn FnMut(u64, u32) -> u32>;
/// Changes a completion into none, one or several.
pub type CompletionLie = Box<dyn FnMut(Used) -> Vec<Used>>;
/// Changes the used index on its way into the ring.
pub type IndexLie = Box<dyn FnMut(u16) -> u16>;

/// What a device does wrong; nothing, at first.
#[derive(Default)]
pub struct Lies {
    /// What registers read as.
    pub registers: Option<RegisterLie>,
    /// What completions say.
    pub completions: Option<CompletionLie>,
    /// What the used index says.
    pub index: Option<IndexLie>,
    /// How many doorbells are not heard.
    pub deaf: u32,
    /// Whether writing 0 to the status does nothing.
    pub never_resets: bool,
    /// Whether its configuration space may say that something else is where its doorbells are, so that these
    /// meet stores of any width.
    pub misplaced: bool,
}

impl Lies {
    pub(super) fn register(&mut self, at: u64, honest: u32) -> u32 {
        match &mut self.registers {
            Some(lie) => lie(at, honest),
            None => honest,
        }
    }

    pub(super) fn completion(&mut self, honest: Used) -> Vec<Used> {
        match &mut self.completions {
            Some(lie) => lie(honest),
            None => vec![honest],
        }
    }

    /// Whether the next doorbell is heard.
    pub(super) fn hears(&mut self) -> bool {
        let heard = self.deaf == 0;
        self.deaf = self.deaf.saturating_sub(1);
        heard
    }

    pub(super) fn index(&mut self, honest: u16) -> u16 {
        match &mut self.index {
            Some(lie) => lie(honest),
            None => honest,
        }
    }
}
