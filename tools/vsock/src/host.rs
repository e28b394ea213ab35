//! The sockets of this host: who listens for clients, and who is dialed for the guest.

use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{EventfdFlags, eventfd};

use crate::address::{Address, Listener, Stream};
use crate::connection::Ends;
use crate::link::is_not_now;
use crate::way::Way;

/// Places that may be dialed at a time: each has a thread until it answers.
const MOST_DIALING: usize = 32;
/// How long a client may take to say which port it wants, and how long that may be.
const GREETING: Duration = Duration::from_secs(5);
const LONGEST_GREETING: usize = 32;

/// A client that is to reach the guest.
pub struct Client {
    /// Its socket.
    pub stream: Stream,
    /// The guest's port.
    pub port: u32,
    /// Whether it wants to hear that it is connected.
    pub is_told: bool,
}

/// A place that was dialed for the guest.
pub struct Dialed {
    /// For which connection.
    pub ends: Ends,
    /// Which of the dials it was: another connection may have the same ends by now.
    pub number: u64,
    /// The place, or why it is not to be had.
    pub stream: Result<Stream, String>,
}

/// A client that has not said yet which port it wants.
struct Greeter {
    stream: Stream,
    line: Vec<u8>,
    since: Instant,
}

/// The sockets of this host.
pub struct Host {
    ways: Vec<Way>,
    /// Each with the guest's port; `None` where the client says it.
    listeners: Vec<(Listener, Option<u32>)>,
    greeters: Vec<Greeter>,
    sender: Sender<Dialed>,
    answers: Receiver<Dialed>,
    dialing: usize,
    dials: u64,
    /// Readable once there is an answer.
    wake: Arc<OwnedFd>,
}

impl Host {
    /// Listens for the guest.
    ///
    /// # Errors
    /// An address cannot be listened at; the text says which.
    pub fn new(ways: Vec<Way>) -> Result<Self> {
        let mut listeners = Vec::new();
        for way in &ways {
            let (address, port) = match way {
                Way::Guest(port, address) => (address.clone(), Some(*port)),
                Way::Any(path) => (Address::Unix(path.clone()), None),
                Way::Host(..) => continue,
            };
            let listener = address.listen();
            let listener = listener.with_context(|| format!("cannot listen at {address}"))?;
            listeners.push((listener, port));
        }
        let (sender, answers) = channel();
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self {
            ways,
            listeners,
            greeters: Vec::new(),
            sender,
            answers,
            dialing: 0,
            dials: 0,
            wake: Arc::new(wake),
        })
    }

    /// What is worth waiting for; clients only if the guest is there.
    pub fn waits_for(&self, clients: bool) -> Vec<BorrowedFd<'_>> {
        let listeners = self.listeners.iter().map(|(listener, _)| listener.as_fd());
        let greeters = self.greeters.iter().map(|greeter| greeter.stream.as_fd());
        let clients = listeners.chain(greeters).filter(|_| clients);
        clients.chain([self.wake.as_fd()]).collect()
    }

    /// Whether somebody has a deadline.
    pub fn is_in_a_hurry(&self) -> bool {
        !self.greeters.is_empty()
    }

    /// Dials the place that a port of the host leads to; says which dial it is.
    ///
    /// # Errors
    /// It leads nowhere; with the reason, unless nothing leads anywhere, which whoever gave no way knows.
    pub fn dial(&mut self, ends: Ends) -> Result<u64, Option<String>> {
        let port = ends.host;
        let address = self.ways.iter().find_map(|way| way.of_host_port(port));
        let nowhere = || {
            let why =
                format!("port {port} of the host leads nowhere: say where by host:{port}=ADDRESS");
            (!self.ways.is_empty()).then_some(why)
        };
        let address = address.ok_or_else(nowhere)?;
        if self.dialing >= MOST_DIALING {
            return Err(Some(format!(
                "port {port}: too many places are being dialed"
            )));
        }
        self.dialing += 1;
        self.dials += 1;
        let number = self.dials;
        let (sender, wake) = (self.sender.clone(), Arc::clone(&self.wake));
        thread::spawn(move || {
            let stream = address.connect();
            let stream =
                stream.map_err(|error| format!("port {port} of the host, {address}: {error}"));
            // Nobody waits any more where this fails.
            let _ = sender.send(Dialed {
                ends,
                number,
                stream,
            });
            let _ = rustix::io::write(&wake, &1_u64.to_ne_bytes());
        });
        Ok(number)
    }

    /// The guest has gone: nobody needs those who have not said where they want to go.
    pub fn forget_greeters(&mut self) {
        self.greeters.clear();
    }

    /// Places that have answered.
    pub fn dialed(&mut self) -> Vec<Dialed> {
        // It only says that it is worth looking.
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
        let answered: Vec<_> = self.answers.try_iter().collect();
        self.dialing = self.dialing.saturating_sub(answered.len());
        answered
    }

    /// Clients that have come, and know where they want to go.
    pub fn clients(&mut self) -> Vec<Client> {
        let mut clients = Vec::new();
        for (listener, port) in &self.listeners {
            while let Ok(stream) = listener.accept() {
                match *port {
                    Some(port) => clients.push(Client {
                        stream,
                        port,
                        is_told: false,
                    }),
                    None => self.greeters.push(Greeter {
                        stream,
                        line: Vec::new(),
                        since: Instant::now(),
                    }),
                }
            }
        }
        for mut greeter in std::mem::take(&mut self.greeters) {
            match greeter.hear() {
                Ok(Some(port)) => clients.push(Client {
                    stream: greeter.stream,
                    port,
                    is_told: true,
                }),
                Ok(None) if greeter.since.elapsed() < GREETING => self.greeters.push(greeter),
                Ok(None) | Err(_) => {}
            }
        }
        clients
    }
}

impl Greeter {
    /// Reads `CONNECT PORT`, and not a byte more: what follows is for the guest.
    fn hear(&mut self) -> io::Result<Option<u32>> {
        let wrong = || io::Error::from(ErrorKind::InvalidData);
        while self.line.len() < LONGEST_GREETING {
            let mut byte = [0];
            match self.stream.read(&mut byte) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) if byte == *b"\n" => {
                    let line = std::str::from_utf8(&self.line).map_err(|_| wrong())?;
                    let port = line.trim_end().strip_prefix("CONNECT ");
                    let port = port.and_then(|port| port.parse().ok());
                    return port.map(Some).ok_or_else(wrong);
                }
                Ok(_) => self.line.extend(byte),
                Err(error) if is_not_now(&error) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    fn greeted(words: &[u8]) -> io::Result<Option<u32>> {
        let (ours, mut client) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        client.write_all(words).unwrap();
        let mut greeter = Greeter {
            stream: Stream::Unix(ours),
            line: Vec::new(),
            since: Instant::now(),
        };
        let heard = greeter.hear();
        if heard.is_ok() {
            let mut rest = Vec::new();
            let _all_that_there_is = greeter.stream.read_to_end(&mut rest);
            assert_eq!(
                rest,
                words.splitn(2, |b| *b == b'\n').nth(1).unwrap_or_default()
            );
        }
        heard
    }

    #[test]
    fn a_client_says_which_port_it_wants_and_the_rest_is_the_guest_s() {
        assert_eq!(greeted(b"CONNECT 1024\nhello\n").unwrap(), Some(1024));
        assert_eq!(greeted(b"CONNECT 7\r\n").unwrap(), Some(7));
        assert_eq!(greeted(b"CONNECT 7").unwrap(), None);
        for wrong in [&b"hello\n"[..], b"CONNECT -1\n", b"CONNECT\n", &[b'C'; 40]] {
            assert!(greeted(wrong).is_err());
        }
    }

    #[test]
    fn a_port_that_leads_nowhere_is_told_with_the_words_that_mend_it() {
        let ends = Ends { host: 9, guest: 1 };
        let mut host = Host::new(vec!["host:8=tcp:8".parse().unwrap()]).unwrap();
        let refused = host.dial(ends).unwrap_err().unwrap();
        assert!(refused.contains("host:9=ADDRESS"), "{refused}");
        let mut nowhere = Host::new(Vec::new()).unwrap();
        assert_eq!(nowhere.dial(ends), Err(None));
    }

    #[test]
    fn an_address_in_use_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let way: Way = format!("unix:{}", folder.path().join("s").display())
            .parse()
            .unwrap();
        let _first = Host::new(vec![way.clone()]).unwrap();
        let error = Host::new(vec![way]).err().unwrap().to_string();
        assert!(error.contains("cannot listen at unix:"), "{error}");
    }
}
