//! All connections of one guest.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use virtio::vsock_packet::{HEADER, Header, Operation};

use crate::address::Stream;
use crate::connection::{Connection, Ends, HOST, Heard};
use crate::link::{Draining, Link};

/// First of the ports that connections to the guest come from.
const FIRST_PORT: u32 = 1 << 30;
/// Resets that are kept until the guest has room for them.
const STRAYS: usize = 256;

/// All connections of one guest.
pub struct Table {
    cid: u64,
    links: BTreeMap<Ends, Link>,
    /// Who waits for bytes of a guest that has gone.
    pub draining: Vec<Draining>,
    strays: VecDeque<Header>,
    /// Whom the guest heard last, of those who have data.
    last: Option<Ends>,
    next_port: u32,
}

/// What the guest is told: by whom.
pub enum Saying {
    Stray,
    Of(Ends, Header),
}

impl Table {
    /// No connections of the guest that is called `cid`.
    pub fn new(cid: u64) -> Self {
        Self {
            cid,
            links: BTreeMap::new(),
            draining: Vec::new(),
            strays: VecDeque::new(),
            last: None,
            next_port: FIRST_PORT,
        }
    }

    /// All connections.
    pub fn links(&self) -> impl Iterator<Item = (&Ends, &Link)> {
        self.links.iter()
    }

    /// How many there are, those included that a guest has left and that are written out still.
    pub fn count(&self) -> usize {
        self.links.len() + self.draining.len()
    }

    /// One connection.
    pub fn link(&mut self, ends: Ends) -> Option<&mut Link> {
        self.links.get_mut(&ends)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.links.clear();
        self.strays.clear();
    }

    /// Asks the guest for a connection to `port` for a client.
    pub fn ask(&mut self, stream: Stream, port: u32) -> Ends {
        let ends = loop {
            let ends = Ends {
                host: self.next_port,
                guest: port,
            };
            self.next_port = self.next_port.checked_add(1).unwrap_or(FIRST_PORT);
            if !self.links.contains_key(&ends) {
                break ends;
            }
        };
        let connection = Connection::to_guest(ends, self.cid);
        self.links
            .insert(ends, Link::from_place(connection, stream));
        ends
    }

    /// Takes a packet of the guest. `say` hears what is odd. Gives the connection whose place is to be dialed, if it
    /// is a new one.
    pub fn hear(&mut self, bytes: &[u8], say: &dyn Fn(&str)) -> Option<Ends> {
        let (header, data) = bytes.split_first_chunk::<HEADER>()?;
        let header = Header::from_bytes(header)?;
        let data = data.get(..usize::try_from(header.len).ok()?)?;
        let Header { source, target, .. } = header;
        if source.cid != self.cid || target.cid != HOST {
            self.answer_stray(&header);
            return None;
        }
        let ends = Ends {
            host: target.port,
            guest: source.port,
        };
        match self
            .links
            .get_mut(&ends)
            .map(|link| link.connection.hear(&header, data))
        {
            None if header.operation == Operation::Request => {
                let connection = Connection::of_guest(&header);
                self.links.insert(ends, Link::dialing(connection));
                return Some(ends);
            }
            None => self.answer_stray(&header),
            Some(Heard::Fine) => {}
            Some(Heard::Reset) => drop(self.links.remove(&ends)),
            Some(Heard::Left) => {
                if let Some(link) = self.cut(ends) {
                    self.draining.extend(link.drain());
                }
            }
            Some(Heard::Broken(why)) => {
                say(&format!("the guest's port {} is cut: {why}", ends.guest));
                self.cut(ends);
            }
        }
        None
    }

    /// Ends a connection, and has the guest told.
    pub fn cut(&mut self, ends: Ends) -> Option<Link> {
        let link = self.links.remove(&ends)?;
        self.owe(link.connection.reset());
        Some(link)
    }

    /// A packet to nobody.
    fn answer_stray(&mut self, header: &Header) {
        if header.operation != Operation::Reset {
            self.owe(header.refusal());
        }
    }

    fn owe(&mut self, reset: Header) {
        if self.strays.len() < STRAYS {
            self.strays.push_back(reset);
        }
    }

    /// Whether there is something to say to the guest.
    pub fn has_news(&mut self) -> bool {
        let mut links = self.links.values_mut();
        !self.strays.is_empty() || links.any(|link| link.connection.has_news())
    }

    /// The next packet for the guest, of at most `most` bytes. It is said once [`Self::note_said`] is called.
    pub fn packet(&self, most: usize) -> Option<(Saying, Vec<u8>)> {
        if let Some(stray) = self.strays.front() {
            return Some((Saying::Stray, stray.to_bytes().to_vec()));
        }
        let room = most.saturating_sub(HEADER);
        let begin = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let after = self.links.range((begin, Bound::Unbounded));
        for (ends, link) in after.chain(self.links.iter()) {
            if let Some((header, data)) = link.connection.packet(room) {
                let bytes = [&header.to_bytes(), data.as_slice()].concat();
                return Some((Saying::Of(*ends, header), bytes));
            }
        }
        None
    }

    /// The guest has been told.
    pub fn note_said(&mut self, saying: &Saying) {
        match saying {
            Saying::Stray => drop(self.strays.pop_front()),
            Saying::Of(ends, header) => {
                self.last = Some(*ends);
                if let Some(link) = self.links.get_mut(ends) {
                    link.connection.note_said(header);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;
    use virtio::VsockAddress;

    fn packet(operation: Operation, cid: u64, ports: (u32, u32)) -> Vec<u8> {
        let header = Header {
            source: VsockAddress { cid, port: ports.0 },
            target: VsockAddress {
                cid: HOST,
                port: ports.1,
            },
            len: 0,
            operation,
            flags: 0,
            room: 1000,
            taken: 0,
        };
        header.to_bytes().to_vec()
    }

    fn next(table: &mut Table) -> Option<Header> {
        let (saying, bytes) = table.packet(4096)?;
        table.note_said(&saying);
        Header::from_bytes(bytes.first_chunk()?)
    }

    fn heard(table: &mut Table, bytes: &[u8]) -> Option<Ends> {
        table.hear(bytes, &|_| ())
    }

    #[test]
    fn a_packet_to_nobody_is_answered_by_a_reset_and_a_reset_is_not() {
        let mut table = Table::new(3);
        for bytes in [
            packet(Operation::Data, 3, (1, 2)),
            packet(Operation::Request, 4, (1, 2)),
        ] {
            assert_eq!(heard(&mut table, &bytes), None);
            let answer = next(&mut table).unwrap();
            assert_eq!(answer.operation, Operation::Reset);
            assert_eq!((answer.source.port, answer.target.port), (2, 1));
        }
        heard(&mut table, &packet(Operation::Reset, 3, (1, 2)));
        assert!(!table.has_news());
    }

    #[test]
    fn what_is_no_packet_is_nothing() {
        let mut table = Table::new(3);
        let mut longer = packet(Operation::Request, 3, (1, 2));
        longer[24] = 1;
        for bytes in [&[0; 44][..], &[1; 43], &[], &longer] {
            assert_eq!(heard(&mut table, bytes), None);
        }
        assert!(!table.has_news());
    }

    #[test]
    fn a_port_that_leads_nowhere_is_refused() {
        let mut table = Table::new(3);
        let ends = heard(&mut table, &packet(Operation::Request, 3, (1, 2))).unwrap();
        assert!(table.cut(ends).is_some());
        assert_eq!(next(&mut table).unwrap().operation, Operation::Reset);
        assert!(table.link(ends).is_none());
    }

    #[test]
    fn a_place_that_a_guest_has_left_counts_until_its_bytes_are_written() {
        let mut table = Table::new(3);
        let (own, _place) = UnixStream::pair().unwrap();
        let ends = table.ask(Stream::Unix(own), 7);
        heard(&mut table, &packet(Operation::Response, 3, (7, ends.host)));
        table.link(ends).unwrap().greet("OK");
        let mut leaves = packet(Operation::Shutdown, 3, (7, ends.host));
        leaves[32] = 3;
        heard(&mut table, &leaves);
        assert_eq!((table.links().count(), table.count()), (0, 1));
        table.draining.retain_mut(Draining::goes_on);
        assert_eq!(table.count(), 0);
    }

    #[test]
    fn those_who_have_something_to_say_take_turns() {
        let mut table = Table::new(3);
        let streams: Vec<_> = (0..2).map(|_| UnixStream::pair().unwrap()).collect();
        for (port, (own, _)) in (0_u32..).zip(&streams) {
            let stream = Stream::Unix(own.try_clone().unwrap());
            let ends = table.ask(stream, port);
            assert_eq!(next(&mut table).unwrap().operation, Operation::Request);
            let response = packet(Operation::Response, 3, (port, ends.host));
            assert_eq!(heard(&mut table, &response), None);
            let link = table.link(ends).unwrap();
            link.connection.send(&[0; 3]);
        }
        let all: Vec<_> = table.links().map(|(ends, _)| *ends).collect();
        let mut said = Vec::new();
        while let Some(header) = next(&mut table) {
            said.push(header.target.port);
            let link = table.link(all[header.target.port as usize]).unwrap();
            if said.len() < 4 {
                link.connection.send(&[0; 3]);
            }
        }
        assert_eq!(said[..4], [0, 1, 0, 1]);
    }
}
