//! Places of this host that streams lead to, or come from.

use std::fmt;
use std::fs::Metadata;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

/// How long a place may take to let us in.
const CONNECTING: Duration = Duration::from_secs(3);
/// How often to try a place at which as many wait as can.
const AGAIN: Duration = Duration::from_millis(20);

/// A place of this host: `tcp:PORT` (of loopback), `tcp:HOST:PORT` or `unix:PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A host and a port of TCP.
    Tcp(String, u16),
    /// A Unix socket.
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not tcp:PORT, tcp:HOST:PORT or unix:PATH");
        match text.split_once(':') {
            Some(("unix", path)) if !path.is_empty() => Ok(Self::Unix(path.into())),
            Some(("tcp", rest)) => {
                let loopback = Ipv4Addr::LOCALHOST.to_string();
                let (host, port) = match rest.rsplit_once(':') {
                    Some((host, port)) => (host.trim_matches(['[', ']']).to_owned(), port),
                    None => (loopback, rest),
                };
                match port.parse() {
                    Ok(port) if port != 0 && !host.is_empty() => Ok(Self::Tcp(host, port)),
                    _ => Err(wrong()),
                }
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "tcp:[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "tcp:{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Address {
    /// Connects; the stream does not block.
    ///
    /// # Errors
    /// Nobody is there, or nobody answers within three seconds.
    pub fn connect(&self) -> io::Result<Stream> {
        let stream = match self {
            Self::Unix(path) => Stream::Unix(connect_unix(path)?),
            Self::Tcp(host, port) => Stream::Tcp(connect_tcp(host, *port)?),
        };
        stream.unblocked()
    }

    /// Listens; a socket that a process has left behind is replaced.
    ///
    /// # Errors
    /// Somebody listens there already, or it is no place to listen at.
    pub fn listen(&self) -> io::Result<Listener> {
        match self {
            Self::Tcp(host, port) => {
                let listener = TcpListener::bind((host.as_str(), *port))?;
                listener.set_nonblocking(true)?;
                Ok(Listener::Tcp(listener))
            }
            Self::Unix(path) => {
                remove_left_behind(path)?;
                let listener = UnixListener::bind(path)?;
                listener.set_nonblocking(true)?;
                Ok(Listener::Unix(listener, path.clone()))
            }
        }
    }
}

/// Removes a socket that nobody listens at. A file of any other kind is the user's, and stays.
fn remove_left_behind(path: &Path) -> io::Result<()> {
    let is_socket = |file: Metadata| file.file_type().is_socket();
    let is_there = std::fs::symlink_metadata(path).is_ok_and(is_socket);
    let refuses = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    if is_there && UnixStream::connect(path).is_err_and(refuses) {
        std::fs::remove_file(path)?;
    }
    Ok(())
}

/// Connects within three seconds, also where as many wait as can.
fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    let begun = Instant::now();
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    loop {
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        match connect(&socket, &address) {
            Ok(()) => return Ok(UnixStream::from(socket)),
            Err(Errno::AGAIN) if begun.elapsed() < CONNECTING => thread::sleep(AGAIN),
            Err(error) => return Err(error.into()),
        }
    }
}

fn connect_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECTING) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Somebody who listens, without blocking.
#[derive(Debug)]
pub enum Listener {
    /// At a port of TCP.
    Tcp(TcpListener),
    /// At a Unix socket, which goes with it.
    Unix(UnixListener, PathBuf),
}

impl Listener {
    /// The next connection, if there is one.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] without one.
    pub fn accept(&self) -> io::Result<Stream> {
        let stream = match self {
            Self::Tcp(listener) => Stream::Tcp(listener.accept()?.0),
            Self::Unix(listener, _) => Stream::Unix(listener.accept()?.0),
        };
        stream.unblocked()
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener, _) => listener.as_fd(),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // Whoever removed it first has done our work.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A stream of this host, without blocking.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

impl Stream {
    fn unblocked(self) -> io::Result<Self> {
        match &self {
            Self::Tcp(stream) => {
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
            }
            Self::Unix(stream) => stream.set_nonblocking(true)?,
        }
        Ok(self)
    }

    /// Says that nothing more will be written.
    pub fn end(&self) {
        // Who has gone needs not be told.
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(into),
            Self::Unix(stream) => stream.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(from),
            Self::Unix(stream) => stream.write(from),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        for text in [
            "tcp:127.0.0.1:80",
            "tcp:[::1]:80",
            "unix:/a:b",
            "tcp:host:1",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!("tcp:7".parse(), "tcp:127.0.0.1:7".parse::<Address>());
        for wrong in [
            "",
            "7",
            "tcp:",
            "tcp:0",
            "tcp::7",
            "tcp:h:70000",
            "unix:",
            "udp:7",
        ] {
            let error = wrong.parse::<Address>().unwrap_err();
            assert!(error.contains("unix:PATH"), "{error}");
        }
    }

    #[test]
    fn a_socket_that_nobody_listens_at_is_replaced_and_one_in_use_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        drop(UnixListener::bind(&path).unwrap());
        let address = Address::Unix(path.clone());
        let listener = address.listen().unwrap();
        assert!(address.listen().is_err());
        drop(listener);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_of_the_user_is_not_taken_for_a_socket_that_was_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("thesis.txt");
        std::fs::write(&path, "years of work").unwrap();
        assert!(Address::Unix(path.clone()).listen().is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"years of work");
    }

    #[test]
    fn a_place_at_which_as_many_wait_as_can_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let full = UnixListener::bind(&path).unwrap();
        rustix::net::listen(&full, 0).unwrap();
        let _first = Address::Unix(path.clone()).connect().unwrap();
        assert!(Address::Unix(path).connect().is_err());
    }
}
