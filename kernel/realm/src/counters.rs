//! What crossed the boundary.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::fmt;

use pci::Accesses;
use virtio::{
    BalloonCounters, BlkCounters, ConsoleCounters, NetCounters, NinePCounters, VsockCounters,
};

use crate::interrupts::{Means, Taken};

/// What crossed the boundary so far, device by device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    /// The devices, in the order in which they got their pools.
    pub devices: Vec<DeviceCounters>,
    /// Accesses to device registers. In a realm each is an exit to the host.
    pub accesses: Accesses,
    /// Interrupts taken.
    pub interrupts: Taken,
    /// What devices interrupt by.
    pub means: Means,
    /// Bytes of the bounce region and of restricted pools.
    pub shared: usize,
}

/// What crossed the boundary for one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceCounters {
    /// Its place, such as `0000:00:01.0`.
    pub name: Rc<str>,
    /// Copies through its pool.
    pub bounce: bounce::Counters,
    /// What it did.
    pub work: Work,
}

/// What a device did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A network card.
    Network(NetCounters),
    /// A block device.
    Block(BlkCounters),
    /// A console and its ports.
    Console(ConsoleCounters),
    /// A folder of the host.
    Share(NinePCounters),
    /// Streams to the host and from it.
    Vsock(VsockCounters),
    /// Memory that the host asks back.
    Balloon(BalloonCounters),
    /// Something else.
    Other,
}

impl fmt::Display for DeviceCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bounce = self.bounce;
        write!(f, "{}: {} bytes out, ", self.name, bounce.bytes_out)?;
        write!(
            f,
            "{} bytes in, {} copies; ",
            bounce.bytes_in, bounce.copies
        )?;
        match self.work {
            Work::Network(net) => write!(
                f,
                "{} frames sent, {} received, {} dropped, {} doorbells; ",
                net.sent, net.received, net.dropped, net.doorbells
            )?,
            Work::Block(block) => write!(
                f,
                "{} requests, {} failed, {} doorbells; ",
                block.requests, block.failed, block.doorbells
            )?,
            Work::Console(console) => write!(
                f,
                "{} bytes printed or written, {} read, {} messages ignored, {} doorbells; ",
                console.sent, console.received, console.ignored, console.doorbells
            )?,
            Work::Share(share) => write!(
                f,
                "{} messages, {} doorbells; ",
                share.messages, share.doorbells
            )?,
            Work::Vsock(vsock) => write!(
                f,
                "{} bytes sent, {} received, {} packets refused, {} doorbells; ",
                vsock.sent, vsock.received, vsock.refused, vsock.doorbells
            )?,
            Work::Balloon(balloon) => write!(
                f,
                "{} of {} MiB are the host's, {} MiB given, {} back, {} lost, {} blocks because memory was short, {} doorbells; ",
                balloon.out >> 20,
                balloon.most >> 20,
                balloon.given >> 20,
                balloon.regained >> 20,
                balloon.lost >> 20,
                balloon.relieved,
                balloon.doorbells
            )?,
            Work::Other => {}
        }
        let (leased, size) = (bounce.high_water >> 10, bounce.size >> 10);
        write!(
            f,
            "{leased} of {size} KiB leased, {} times short",
            bounce.exhausted
        )?;
        match bounce.shortage {
            Some(last) => write!(f, " (at last {last})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Counters {
    /// One line for each device, and one for the rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for device in &self.devices {
            writeln!(f, "{device}")?;
        }
        let (accesses, interrupts) = (self.accesses, self.interrupts);
        write!(
            f,
            "exits: {} register reads, {} register writes; interrupts: {} of devices, {} alarms, {} unexpected; {} KiB shared",
            accesses.reads,
            accesses.writes,
            interrupts.devices,
            interrupts.alarms,
            interrupts.unexpected,
            self.shared >> 10
        )
    }
}
