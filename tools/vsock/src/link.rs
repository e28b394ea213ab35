//! A connection with its place of this host.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::address::Stream;
use crate::connection::Connection;

/// How long a guest may take to answer.
const ASKING: Duration = Duration::from_secs(5);
/// How long a place may take nothing of what a guest that has gone left.
const DRAINING: Duration = Duration::from_secs(10);

/// A connection with its place of this host.
pub struct Link {
    /// What was said.
    pub connection: Connection,
    stream: Option<Stream>,
    /// The dial whose answer is for it.
    pub dial: Option<u64>,
    /// What the place hears before the guest's bytes.
    greeting: VecDeque<u8>,
    /// Whether the place was told that the guest sends nothing more.
    has_ended: bool,
    since: Instant,
}

impl Link {
    /// A connection whose place is not there yet.
    pub fn dialing(connection: Connection) -> Self {
        Self::new(connection, None)
    }

    /// A connection that a place asks for.
    pub fn from_place(connection: Connection, stream: Stream) -> Self {
        Self::new(connection, Some(stream))
    }

    fn new(connection: Connection, stream: Option<Stream>) -> Self {
        Self {
            connection,
            stream,
            dial: None,
            greeting: VecDeque::new(),
            has_ended: false,
            since: Instant::now(),
        }
    }

    /// The place is there.
    pub fn dialed(&mut self, stream: Stream) {
        self.stream = Some(stream);
        self.connection.dialed();
    }

    /// The place hears this first.
    pub fn greet(&mut self, text: &str) {
        self.greeting.extend(text.as_bytes());
    }

    /// The place, and whether it is to be read from and written to; `None` if neither.
    pub fn interest(&self) -> Option<(BorrowedFd<'_>, bool, bool)> {
        let stream = self.stream.as_ref()?;
        let reads = self.connection.wants() != 0;
        let writes = !self.greeting.is_empty() || !self.connection.for_host().is_empty();
        (reads || writes).then(|| (stream.as_fd(), reads, writes))
    }

    /// Moves bytes in both directions, as far as they go without waiting.
    ///
    /// # Errors
    /// The place has gone.
    pub fn move_bytes(&mut self) -> io::Result<()> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        if write_out(stream, &mut self.greeting)? {
            return Ok(());
        }
        while !self.connection.for_host().is_empty() {
            match stream.write(self.connection.for_host()) {
                Ok(count) => self.connection.note_taken(count),
                Err(error) if is_not_now(&error) => break,
                Err(error) => return Err(error),
            }
        }
        if self.connection.host_hears_the_end() && !self.has_ended {
            self.has_ended = true;
            stream.end();
        }
        let mut bytes = vec![0; self.connection.wants()];
        if bytes.is_empty() {
            return Ok(());
        }
        match stream.read(&mut bytes) {
            Ok(0) => self.connection.host_ended(),
            Ok(count) => self.connection.send(bytes.get(..count).unwrap_or_default()),
            Err(error) if is_not_now(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Whether the guest has not answered for too long.
    pub fn is_late(&self) -> bool {
        self.stream.is_some() && !self.connection.is_open() && self.since.elapsed() > ASKING
    }

    /// The guest has left: what it sent is still to be written.
    pub fn drain(mut self) -> Option<Draining> {
        let mut bytes = self.greeting;
        bytes.extend(self.connection.take_rest());
        let stream = self.stream.filter(|_| !bytes.is_empty())?;
        let since = Instant::now();
        Some(Draining {
            stream,
            bytes,
            since,
        })
    }
}

/// Bytes of a guest that has gone.
pub struct Draining {
    stream: Stream,
    bytes: VecDeque<u8>,
    since: Instant,
}

impl Draining {
    /// The place that they go to.
    pub fn place(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Writes what goes without waiting; says whether there is more, and hope for it.
    pub fn goes_on(&mut self) -> bool {
        let before = self.bytes.len();
        let goes_on = write_out(&mut self.stream, &mut self.bytes).unwrap_or(false);
        if self.bytes.len() < before {
            self.since = Instant::now();
        }
        goes_on && self.since.elapsed() < DRAINING
    }
}

/// Writes what goes without waiting; says whether there is more.
fn write_out(stream: &mut Stream, bytes: &mut VecDeque<u8>) -> io::Result<bool> {
    while !bytes.is_empty() {
        match stream.write(bytes.as_slices().0) {
            Ok(count) => drop(bytes.drain(..count)),
            Err(error) if is_not_now(&error) => return Ok(true),
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Whether it may go at another time.
pub fn is_not_now(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    use crate::connection::Ends;

    fn long_ago(span: Duration) -> Instant {
        Instant::now().checked_sub(span).unwrap()
    }

    /// What a guest left for a place that has taken nothing since then, and the place.
    fn left(since: Instant) -> (Draining, UnixStream) {
        let (ours, place) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let draining = Draining {
            stream: Stream::Unix(ours),
            // More than a socket of this host keeps.
            bytes: vec![7; 4 << 20].into(),
            since,
        };
        (draining, place)
    }

    #[test]
    fn a_place_that_takes_nothing_of_what_a_guest_left_is_given_up() {
        let (mut draining, mut place) = left(Instant::now());
        assert!(draining.goes_on(), "it has time");
        draining.since = long_ago(DRAINING);
        assert!(!draining.goes_on());
        // One that takes some has time again.
        place.read_exact(&mut [0; 64 << 10]).unwrap();
        assert!(draining.goes_on());
    }

    #[test]
    fn a_guest_that_does_not_answer_a_client_is_late() {
        let connection = Connection::to_guest(Ends { host: 1, guest: 2 }, 3);
        let (ours, _client) = UnixStream::pair().unwrap();
        let mut link = Link::from_place(connection, Stream::Unix(ours));
        assert!(!link.is_late());
        link.since = long_ago(ASKING);
        assert!(link.is_late());
    }
}
