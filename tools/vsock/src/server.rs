//! The loop: QEMU, the rings, and the sockets of the host.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::device::Device;
use crate::front::Front;
use crate::host::Host;
use crate::message;
use crate::way::Way;

/// How often to look where somebody has a deadline.
const SOON: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 250_000_000,
};
const AT_ONCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// What a back end is to do.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where QEMU finds it.
    pub socket: PathBuf,
    /// The guest's number: 3 or more.
    pub cid: u32,
    /// Which port leads where.
    pub ways: Vec<Way>,
    /// Tells the user what is odd: a connection that leads nowhere, a guest that breaks a rule.
    pub say: fn(&str),
}

/// A back end that runs until it is dropped.
pub struct Backend {
    stop: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
    socket: PathBuf,
}

impl Backend {
    /// Listens at its socket and at the addresses of its ways.
    ///
    /// # Errors
    /// One of them is in use; the text says which.
    pub fn start(config: Config) -> Result<Self> {
        let socket = config.socket.clone();
        let listener = UnixListener::bind(&socket)
            .with_context(|| format!("cannot listen at {}", socket.display()))?;
        let host = Host::new(config.ways.clone());
        let host = host.inspect_err(|_| remove(&socket))?;
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || serve(&listener, host, &config, &stopped));
        Ok(Self {
            stop,
            thread: Some(thread),
            socket,
        })
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        // A thread that has ended needs not be told, and one that panicked has said so.
        let _ = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
        let _ = self.thread.take().map(JoinHandle::join);
        remove(&self.socket);
    }
}

fn remove(socket: &Path) {
    // Whoever removed it first has done our work.
    let _ = std::fs::remove_file(socket);
}

/// Serves one QEMU after the other.
fn serve(listener: &UnixListener, mut host: Host, config: &Config, stop: &OwnedFd) {
    loop {
        let stream = match next(listener, stop) {
            Ok(Some(stream)) => stream,
            Ok(None) => return,
            Err(error) => return (config.say)(&format!("{error}")),
        };
        match talk(stream, &mut host, config, stop) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => (config.say)(&format!("{error:#}")),
        }
    }
}

/// The next QEMU, or `None` at the end.
fn next(listener: &UnixListener, stop: &OwnedFd) -> io::Result<Option<UnixStream>> {
    let mut waits = [reads(listener), reads(stop)];
    poll_all(&mut waits, None)?;
    if ready(&waits, 1) {
        return Ok(None);
    }
    let (stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(message::PATIENCE))?;
    stream.set_write_timeout(Some(message::PATIENCE))?;
    Ok(Some(stream))
}

/// Talks to one QEMU until it goes; `false` if we were told to end.
fn talk(stream: UnixStream, host: &mut Host, config: &Config, stop: &OwnedFd) -> Result<bool> {
    let cid = u64::from(config.cid);
    let mut front = Front::new(stream, cid);
    let mut device = Device::new(cid, config.say)?;
    loop {
        let (missed, more) = device.pass(host);
        front.ask(&missed)?;
        let is_in_a_hurry = device.is_in_a_hurry() || host.is_in_a_hurry();
        let patience = match (more, is_in_a_hurry) {
            (true, _) => Some(&AT_ONCE),
            (false, true) => Some(&SOON),
            (false, false) => None,
        };
        let woken = wait(&front, &device, host, stop, patience)?;
        if woken.is_stopped {
            return Ok(false);
        }
        for (ring, is_kicked) in device.rings.iter().zip(woken.kicks) {
            if is_kicked {
                ring.take_kick();
            }
        }
        if woken.is_asked && !front.take(&mut device)? {
            return Ok(true);
        }
    }
}

/// Why a wait ended, as far as it matters: sockets are tried without waiting.
struct Woken {
    is_stopped: bool,
    is_asked: bool,
    kicks: [bool; 2],
}

fn wait(
    front: &Front,
    device: &Device,
    host: &Host,
    stop: &OwnedFd,
    patience: Option<&Timespec>,
) -> io::Result<Woken> {
    let kicks: Vec<(usize, BorrowedFd<'_>)> = device
        .rings
        .iter()
        .enumerate()
        .filter(|(_, ring)| ring.runs())
        .filter_map(|(number, ring)| Some((number, ring.kick.as_ref()?.as_fd())))
        .collect();
    let sockets = host.waits_for(device.runs());
    let places: Vec<_> = device.interests().collect();
    let mut waits = vec![reads(stop), reads(front.stream())];
    waits.extend(kicks.iter().map(|(_, kick)| reads(kick)));
    waits.extend(sockets.iter().map(reads));
    waits.extend(places.iter().map(|(fd, read, write)| {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, *read);
        flags.set(PollFlags::OUT, *write);
        PollFd::new(fd, flags)
    }));
    poll_all(&mut waits, patience)?;
    let mut woken = Woken {
        is_stopped: ready(&waits, 0),
        is_asked: ready(&waits, 1),
        kicks: [false; 2],
    };
    for (at, (number, _)) in kicks.iter().enumerate() {
        if let Some(kick) = woken.kicks.get_mut(*number) {
            *kick = ready(&waits, 2 + at);
        }
    }
    Ok(woken)
}

fn reads<Fd: AsFd>(fd: &Fd) -> PollFd<'_> {
    PollFd::new(fd, PollFlags::IN)
}

fn ready(waits: &[PollFd<'_>], at: usize) -> bool {
    waits.get(at).is_some_and(|wait| !wait.revents().is_empty())
}

fn poll_all(waits: &mut [PollFd<'_>], patience: Option<&Timespec>) -> io::Result<()> {
    match poll(waits, patience) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_qemu_that_stops_in_the_middle_of_a_message_is_not_waited_for_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v");
        let listener = UnixListener::bind(&path).unwrap();
        let stop = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        let _qemu = UnixStream::connect(&path).unwrap();
        let stream = next(&listener, &stop).unwrap().unwrap();
        assert_eq!(stream.read_timeout().unwrap(), Some(message::PATIENCE));
        assert_eq!(stream.write_timeout().unwrap(), Some(message::PATIENCE));
    }
}
