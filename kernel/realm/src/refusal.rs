//! Devices that are there and are not driven.

use alloc::rc::Rc;
use core::fmt;

use devtree::{NodeName, PoolError};
use plan::PoolFault;
use virtio::{Error, Kind};

use crate::distrust::Distrust;

/// A device that is there and is not driven.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Its place, such as `0000:00:01.0`.
    pub name: Rc<str>,
    /// What it says it is.
    pub kind: Kind,
    /// Why it is not driven.
    pub reason: Reason,
}

/// Why a device is not driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It does not do what a device of its kind has to.
    Device(Error),
    /// It is bound to a restricted pool that is none, or it names pools in a way that means nothing.
    Pool(PoolError),
    /// It is bound to a restricted pool that cannot be where the device tree has it.
    Place {
        /// The pool's node.
        node: NodeName,
        /// The property that says where it is.
        property: &'static str,
        /// What is wrong there.
        fault: PoolFault,
    },
    /// Its restricted pool has no room for it.
    PoolTooSmall {
        /// The pool's node.
        node: NodeName,
        /// Bytes of the pool.
        size: usize,
        /// Bytes that would do for all devices that are bound to it.
        least: usize,
    },
    /// The general bounce region has no room for it.
    NoRoom {
        /// Bytes that would do for it.
        least: usize,
    },
    /// Other devices took all the time that boot has for them.
    Late,
    /// It was to be trusted, and is not. It does not become a device of the host by itself.
    Distrusted(Distrust),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(error) => error.fmt(f),
            Self::Pool(error) => error.fmt(f),
            Self::Place {
                node,
                property,
                fault,
            } => write!(f, "{node}: {property}: {fault}"),
            Self::PoolTooSmall { node, size, least } => write!(
                f,
                "{node}: reg or size: a pool of {} KiB is too small; {} KiB would do",
                size >> 10,
                least.div_ceil(1024)
            ),
            Self::NoRoom { least } => write!(
                f,
                "the bounce region has no {} KiB left for it; give more by bounce=SIZE, or more memory",
                least.div_ceil(1024)
            ),
            Self::Distrusted(why) => write!(f, "not trusted: {why}"),
            Self::Late => f.write_str("boot has spent its time on other devices"),
        }
    }
}

impl From<Error> for Reason {
    fn from(error: Error) -> Self {
        Self::Device(error)
    }
}

impl From<Distrust> for Reason {
    fn from(why: Distrust) -> Self {
        Self::Distrusted(why)
    }
}

impl Refusal {
    /// Notes the refusal, and tells of it.
    pub fn told(name: Rc<str>, kind: Kind, reason: impl Into<Reason>) -> Self {
        let reason = reason.into();
        log::warn!("{name}: not used: {reason}");
        Self { name, kind, reason }
    }
}
