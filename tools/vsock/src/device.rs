//! The device: its two rings, the guest's memory, and its connections.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::host::{Client, Dialed, Host};
use crate::link::Link;
use crate::memory::Memory;
use crate::ring::{Ring, Stop};
use crate::say::Say;
use crate::table::Table;
use crate::translations::Miss;

/// Packets for the guest go here.
const TO_GUEST: usize = 0;
const OF_GUEST: usize = 1;
/// The rings that QEMU leaves to us; it keeps the third, of events.
pub const RINGS: usize = 2;
/// Connections that a guest may have.
const MOST: usize = 256;
/// Packets of the guest that are taken before others have their turn.
const TURN: usize = 256;
/// How long a translation may be missing.
const MISSING: Duration = Duration::from_secs(5);

/// The device of one guest.
pub struct Device {
    /// The guest's memory.
    pub memory: Memory,
    /// Its rings.
    pub rings: [Ring; RINGS],
    /// Its connections.
    pub table: Table,
    /// What was asked of QEMU and has not come, and since when.
    asked: Vec<Miss>,
    missing: Option<Instant>,
    say: Say,
}

impl Device {
    /// The device of a guest that is called `cid`; `say` tells the user what is odd.
    ///
    /// # Errors
    /// None that a machine has.
    pub fn new(cid: u64, say: fn(&str)) -> Result<Self> {
        Ok(Self {
            memory: Memory::default(),
            rings: [Ring::new()?, Ring::new()?],
            table: Table::new(cid),
            asked: Vec::new(),
            missing: None,
            say: Say::new(say),
        })
    }

    /// Whether the guest's driver is there.
    pub fn runs(&self) -> bool {
        self.rings.iter().all(Ring::runs)
    }

    /// Whether it has to be looked at again soon, whatever happens.
    pub fn is_in_a_hurry(&self) -> bool {
        let mut links = self.table.links();
        let asks = links.any(|(_, link)| !link.connection.is_open());
        asks || self.missing.is_some() || !self.table.draining.is_empty()
    }

    /// A ring ends; says where it would have gone on. The guest forgets its connections, and so do we.
    pub fn stop(&mut self, ring: usize) -> Option<u16> {
        self.table.clear();
        self.missing = None;
        self.rings.get_mut(ring).map(Ring::stop)
    }

    /// A translation has come: what waits for it can go on.
    pub fn translated(&mut self) {
        self.asked.clear();
        self.missing = None;
    }

    /// Brings everything up to date. Says which translations are to be asked for, and whether there is more to do.
    pub fn pass(&mut self, host: &mut Host) -> (Vec<Miss>, bool) {
        for dialed in host.dialed() {
            self.take_place(dialed);
        }
        let draining = &mut self.table.draining;
        draining.retain_mut(super::link::Draining::goes_on);
        if !self.runs() {
            host.forget_greeters();
            return (Vec::new(), false);
        }
        for client in host.clients() {
            self.take_client(client);
        }
        let heard = self.hear(host);
        self.move_bytes();
        let result = heard.and_then(|more| self.speak().map(|()| more));
        let result = result.and_then(|more| self.ring().map(|()| more));
        let more = match result {
            Ok(more) => more,
            Err((ring, stop)) => {
                self.stopped(ring, stop);
                false
            }
        };
        (self.new_misses(), more)
    }

    fn take_place(&mut self, dialed: Dialed) {
        let link = self.table.link(dialed.ends);
        let link = link.filter(|link| link.dial == Some(dialed.number));
        match (dialed.stream, link) {
            (Ok(stream), Some(link)) => link.dialed(stream),
            (Err(why), Some(_)) => {
                self.say.line(&why);
                self.table.cut(dialed.ends);
            }
            // The guest has given it up.
            (_, None) => {}
        }
    }

    fn take_client(&mut self, client: Client) {
        // One too many finds the door shut.
        if self.table.count() < MOST {
            let ends = self.table.ask(client.stream, client.port);
            if let Some(link) = self.table.link(ends).filter(|_| client.is_told) {
                link.greet(&format!("OK {}\n", ends.host));
            }
        }
    }

    /// Takes the guest's packets; says whether there are more.
    fn hear(&mut self, host: &mut Host) -> Result<bool, (usize, Stop)> {
        let Self {
            memory,
            rings,
            table,
            say,
            ..
        } = self;
        let Some(ring) = rings.get_mut(OF_GUEST) else {
            return Ok(false);
        };
        for _ in 0..TURN {
            let mut new = None;
            let taken = ring.take(memory.guest(), |bytes| {
                new = table.hear(bytes, &|text| say.line(text))
            });
            if !taken.map_err(|stop| (OF_GUEST, stop))? {
                return Ok(false);
            }
            let Some(ends) = new else {
                continue;
            };
            let dialed = match table.count() > MOST {
                true => Err(Some("the guest has too many connections".to_owned())),
                false => host.dial(ends),
            };
            match (dialed, table.link(ends)) {
                (Ok(number), Some(link)) => link.dial = Some(number),
                (Ok(_), None) => {}
                (Err(why), _) => {
                    why.iter().for_each(|why| say.line(why));
                    table.cut(ends);
                }
            }
        }
        Ok(true)
    }

    /// Moves bytes between the places of the host and their connections.
    fn move_bytes(&mut self) {
        let all: Vec<_> = self.table.links().map(|(ends, _)| *ends).collect();
        for ends in all {
            let Some(link) = self.table.link(ends) else {
                continue;
            };
            let is_lost = match link.connection.is_open() {
                true => link.move_bytes().is_err(),
                false => link.is_late(),
            };
            if is_lost {
                self.table.cut(ends);
            }
        }
    }

    /// Tells the guest what there is to tell.
    fn speak(&mut self) -> Result<(), (usize, Stop)> {
        let Self {
            memory,
            rings,
            table,
            ..
        } = self;
        let Some(ring) = rings.get_mut(TO_GUEST) else {
            return Ok(());
        };
        while table.has_news() {
            let mut said = None;
            let given = ring.give(memory.guest(), |room| {
                let (saying, bytes) = table.packet(room)?;
                said = Some(saying);
                Some(bytes)
            });
            if !given.map_err(|stop| (TO_GUEST, stop))? {
                break;
            }
            if let Some(saying) = said {
                table.note_said(&saying);
            }
        }
        Ok(())
    }

    /// Tells the guest's driver of what was used.
    fn ring(&mut self) -> Result<(), (usize, Stop)> {
        for (number, ring) in self.rings.iter_mut().enumerate() {
            let owed = ring.take_owed(self.memory.guest());
            if owed.map_err(|stop| (number, stop))? {
                let rung = ring.ring();
                rung.map_err(|error| (number, Stop::Broken(error.to_string())))?;
            }
        }
        Ok(())
    }

    fn stopped(&mut self, number: usize, stop: Stop) {
        let why = match stop {
            Stop::Broken(why) => why,
            Stop::Missing => {
                let since = *self.missing.get_or_insert_with(Instant::now);
                if since.elapsed() < MISSING {
                    return;
                }
                let missed = self.asked.first();
                missed.map_or_else(String::new, |miss| {
                    format!(
                        "nothing is mapped at {:#x} for {:?}",
                        miss.address, miss.access
                    )
                })
            }
        };
        self.say
            .line(&format!("the guest's ring {number} is given up: {why}"));
        if let Some(ring) = self.rings.get_mut(number) {
            ring.give_up();
        }
        self.table.clear();
        self.translated();
    }

    fn new_misses(&mut self) -> Vec<Miss> {
        let mut missed = self.memory.take_missed();
        missed.retain(|miss| !self.asked.contains(miss));
        self.asked.extend(&missed);
        missed
    }

    /// All connections with something to wait for.
    pub fn interests(&self) -> impl Iterator<Item = (std::os::fd::BorrowedFd<'_>, bool, bool)> {
        let draining = self.table.draining.iter();
        let draining = draining.map(|one| (one.place(), false, true));
        let links = self
            .table
            .links()
            .filter(|(_, link)| link.connection.is_open());
        links
            .filter_map(|(_, link)| Link::interest(link))
            .chain(draining)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    use crate::address::Stream;
    use crate::connection::Ends;
    use virtio::VsockAddress;
    use virtio::vsock_packet::{Header, Operation};

    const ENDS: Ends = Ends { host: 80, guest: 7 };

    /// The guest asks for a connection, which is dial number 2, after another one with the same ends.
    fn dialing() -> Device {
        let mut device = Device::new(3, |_| {}).unwrap();
        let request = Header {
            source: VsockAddress { cid: 3, port: 7 },
            target: VsockAddress { cid: 2, port: 80 },
            len: 0,
            operation: Operation::Request,
            flags: 0,
            room: 100,
            taken: 0,
        };
        let ends = device.table.hear(&request.to_bytes(), &|_| {});
        assert_eq!(ends, Some(ENDS));
        device.table.link(ENDS).unwrap().dial = Some(2);
        device
    }

    fn answer(device: &mut Device, number: u64, stream: Result<Stream, String>) {
        let ends = ENDS;
        device.take_place(Dialed {
            ends,
            number,
            stream,
        });
    }

    fn place() -> Result<Stream, String> {
        Ok(Stream::Unix(UnixStream::pair().unwrap().0))
    }

    #[test]
    fn the_answer_to_an_earlier_dial_is_not_for_a_connection_with_the_same_ends() {
        let mut device = dialing();
        answer(&mut device, 1, place());
        assert!(!device.table.link(ENDS).unwrap().connection.is_open());
        answer(&mut device, 1, Err("nobody is there".to_owned()));
        assert!(device.table.link(ENDS).is_some());
        answer(&mut device, 2, place());
        assert!(device.table.link(ENDS).unwrap().connection.is_open());
        let mut refused = dialing();
        answer(&mut refused, 2, Err("nobody is there".to_owned()));
        assert!(refused.table.link(ENDS).is_none());
    }
}
