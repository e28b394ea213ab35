//! The devices of the realm: each gets a pool of its own, and is started.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::time::Duration;

use clock::Clock;
use realm::{Reason, Refusal};
use virtio::Kind;

use crate::bus::Found;
use crate::driver::{Granted, Running, Start};
use crate::interrupts::Interrupts;
use crate::passage::ByPayload;
use crate::sharing::Share;
use crate::trusted::Trusted;
use crate::{features, private_disk};

/// How long all devices together may take to start; each has deadlines of its own within that.
const ALL: Duration = Duration::from_secs(10);

/// Starts every device, those that are trusted first. One that does not start is noted beside those
/// that were `refused` before, and left out: a host that breaks one device keeps the others, as long
/// as there is time for them.
pub fn start_all(
    start: &Start<'_>,
    interrupts: Option<&Rc<Interrupts>>,
    shares: Vec<Share>,
    (accepted, trusted): (Vec<Found>, Option<Rc<Trusted>>),
    refused: Vec<Refusal>,
) -> Running {
    let mut running = Running {
        refused,
        ..Running::default()
    };
    let deadline = start.clock.deadline(ALL);
    let mut passages = None;
    if let Some(trusted) = trusted.filter(|_| features::TRUST) {
        for found in accepted {
            attach(interrupts, &found);
            let (name, kind) = (Rc::clone(&found.name), found.transport.kind());
            let started = private_disk::start(found, &trusted, start.environment, &mut running);
            if let Err(why) = started {
                running.refused.push(Refusal::told(name, kind, why));
            }
        }
        passages = Some(Rc::clone(&trusted));
        running.watch = Some(trusted);
    }
    for share in shares {
        let name = Rc::clone(&share.found.name);
        let kind = share.found.transport.kind();
        if start.clock.now() > deadline {
            let refusal = Refusal::told(name, kind, Reason::Late);
            running.refused.push(refusal);
            continue;
        }
        let driver = share.found.driver;
        if driver.interrupts {
            attach(interrupts, &share.found);
        }
        let passage = passages.as_ref().filter(|_| kind == Kind::Block);
        let passage = passage.map(|trusted| {
            let both = (&share.found, &share.pool);
            ByPayload::new(trusted, interrupts, both, start)
        });
        let granted = Granted {
            name: share.found.name,
            transport: share.found.transport,
            pool: share.pool,
        };
        match (driver.start)(granted, start, &mut running) {
            Ok(()) => {
                log::debug!("{name}: started");
                if let Some((passage, disk)) = passage.zip(running.given.disks.last()) {
                    disk.led_by(Rc::new(passage));
                }
            }
            Err(error) => running.refused.push(Refusal::told(name, kind, error)),
        }
    }
    if let Some(interrupts) = interrupts {
        interrupts.connect();
    }
    running
}

/// Connects a device's interrupts.
fn attach(interrupts: Option<&Rc<Interrupts>>, found: &Found) {
    if let Some(interrupts) = interrupts {
        let interrupt = found.transport.interrupt();
        interrupts.attach(&found.name, found.id, found.interrupt, interrupt);
    }
}
