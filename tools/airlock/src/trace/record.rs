//! The host's end of a trace, while a guest runs.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::machine::Machine;
use crate::network::Network;
use crate::verdict::WrongArguments;

/// How often the listener looks whether it is over.
const TICK: Duration = Duration::from_millis(20);
/// How long the guest's last bytes may take once it has ended.
const GRACE: Duration = Duration::from_secs(2);
/// Most bytes that are kept of a trace: the guest may send for ever.
const MOST: u64 = 8 << 30;

/// What lies beside a trace: frames that went out, frames that came, requests of disks.
pub const OUTGOING: &str = "out.pcap";
/// Frames that came.
pub const INCOMING: &str = "in.pcap";
/// Requests of disks.
pub const REQUESTS: &str = "disk";

/// A file beside the trace, with what QEMU saw.
#[must_use]
pub fn beside(trace: &Path, what: &str) -> PathBuf {
    let mut name = trace.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    name.into()
}

/// Keeps what a guest tells of its trace. Ends with this value.
pub struct Recorder {
    path: PathBuf,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<u64>>>,
}

impl Recorder {
    /// Makes the file, and has `machine` tell of its trace.
    ///
    /// # Errors
    /// There is no card to tell it through, the file cannot be made, or no port is free.
    pub fn start(path: &Path, machine: &mut Machine) -> Result<Self> {
        anyhow::ensure!(
            machine.net == Network::User,
            WrongArguments("--trace needs --net user: the trace comes through it".to_owned())
        );
        anyhow::ensure!(
            !machine
                .append
                .split_whitespace()
                .any(|word| word.starts_with("trace=")),
            WrongArguments("--trace and a boot argument trace= contradict each other".to_owned())
        );
        let file = File::create(path).with_context(|| format!("cannot make {}", path.display()))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let append = format!("{} trace=stream:tcp://10.0.2.2:{port}", machine.append);
        machine.append = append.trim().to_owned();
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        let thread = thread::spawn(move || keep(&listener, file, &ended));
        Ok(Self {
            path: path.to_owned(),
            over,
            thread: Some(thread),
        })
    }

    /// Waits for the last bytes of a guest that ended; says what there is.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.over.store(true, Ordering::Relaxed);
        let kept = self.thread.take().and_then(|thread| thread.join().ok());
        let path = self.path.display();
        match kept {
            Some(Ok(0)) => format!("{path}: the guest told nothing of its trace"),
            Some(Ok(bytes)) => format!("{path}: {} KiB; look: airlock trace {path}", bytes >> 10),
            Some(Err(error)) => format!("{path}: not complete: {error}"),
            None => format!("{path}: not complete"),
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Takes one connection, and keeps what comes until it ends or nothing more can come.
fn keep(listener: &TcpListener, mut file: File, over: &AtomicBool) -> io::Result<u64> {
    let Some(mut stream) = accept(listener, over)? else {
        return Ok(0);
    };
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(GRACE))?;
    let (mut kept, mut piece) = (0, vec![0; 64 * 1024]);
    loop {
        let got = match stream.read(&mut piece) {
            Ok(0) => return Ok(kept),
            Ok(got) => got,
            Err(error) if is_idle(&error) && !over.load(Ordering::Relaxed) => continue,
            Err(error) if is_idle(&error) => return Ok(kept),
            Err(error) => return Err(error),
        };
        kept += got as u64;
        if kept > MOST {
            return Err(io::Error::other(format!(
                "only {} GiB are kept",
                MOST >> 30
            )));
        }
        file.write_all(piece.get(..got).unwrap_or_default())?;
    }
}

fn accept(listener: &TcpListener, over: &AtomicBool) -> io::Result<Option<TcpStream>> {
    loop {
        match listener.accept() {
            Ok((stream, _)) => return Ok(Some(stream)),
            Err(error) if is_idle(&error) && !over.load(Ordering::Relaxed) => thread::sleep(TICK),
            Err(error) if is_idle(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

fn is_idle(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}
