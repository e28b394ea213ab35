//! Devices that are there and are not driven.

use alloc::rc::Rc;

use virtio::{Error, Kind};

/// A device that is there and is not driven.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Its place, such as `0000:00:01.0`.
    pub name: Rc<str>,
    /// What it says it is.
    pub kind: Kind,
    /// Why it is not driven.
    pub error: Error,
}

impl Refusal {
    /// Notes the refusal, and tells of it.
    pub(crate) fn told(name: Rc<str>, kind: Kind, error: Error) -> Self {
        log::warn!("{name}: not used: {error}");
        Self { name, kind, error }
    }
}
