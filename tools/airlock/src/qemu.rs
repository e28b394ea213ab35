//! Starts QEMU, and ends it in every case.

use crate::console::{self, Transcript};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

const NAME: &str = "qemu-system-aarch64";
/// How often we look at the clock and at Ctrl-C while the guest is silent.
const TICK: Duration = Duration::from_millis(50);
/// Time for QEMU to go once its console is closed.
const GRACE: Duration = Duration::from_secs(5);

/// Lines read and not yet shown. A guest that says more waits for us.
const WAITING_LINES: usize = 1024;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A path as the value of an option.
pub(crate) fn escaped(path: &Path) -> OsString {
    match path.to_str() {
        Some(text) => escaped_text(text).into(),
        None => path.into(),
    }
}

/// A text as the value of an option: QEMU ends a value at a comma, and reads two as one.
pub(crate) fn escaped_text(text: &str) -> String {
    text.replace(',', ",,")
}

/// Makes Ctrl-C, and a polite kill, end the run instead of leaving QEMU behind.
///
/// # Errors
/// Someone else has taken the signal.
pub fn catch_interrupts() -> Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed)).context("cannot catch Ctrl-C")
}

/// Whether the user has asked for the end.
#[must_use]
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Finds the QEMU to use: the one that was asked for, or the one on PATH.
///
/// # Errors
/// There is none; the text says how to get it.
pub fn find(wanted: Option<&Path>) -> Result<PathBuf> {
    let path = match wanted {
        Some(path) if path.is_file() => path.to_owned(),
        Some(path) => match on_path(path) {
            Some(found) => found,
            None => bail!(
                "there is no QEMU at `{}`; leave out --qemu or QEMU= to use the one on PATH",
                path.display()
            ),
        },
        None => match on_path(Path::new(NAME)) {
            Some(found) => found,
            None => bail!(
                "there is no {NAME}; install it: make setup (Debian: apt-get install qemu-system-arm)"
            ),
        },
    };
    Ok(path)
}

/// A bare name is looked up as the shell does.
fn on_path(name: &Path) -> Option<PathBuf> {
    if name.components().count() != 1 {
        return None;
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// The first line of `qemu --version`.
///
/// # Errors
/// It does not run.
pub fn version(qemu: &Path) -> Result<String> {
    let output = Command::new(qemu).arg("--version").output();
    let output = output.with_context(|| format!("cannot run {}", qemu.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text
        .lines()
        .next()
        .unwrap_or("QEMU of unknown version")
        .to_owned())
}

/// The command as a person would type it.
#[must_use]
pub fn shell_line(qemu: &Path, arguments: &[OsString]) -> String {
    let mut line = qemu.display().to_string();
    for word in arguments {
        let word = word.to_string_lossy();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+%@".contains(c);
        let _always_fits = if !word.is_empty() && word.chars().all(plain) {
            write!(line, " {word}")
        } else {
            write!(line, " '{}'", word.replace('\'', r"'\''"))
        };
    }
    line
}

/// How QEMU ended.
#[derive(Debug)]
pub enum End {
    /// By itself, with this status.
    PoweredOff(ExitStatus),
    /// We ended it: the time limit passed.
    TimedOut,
    /// We ended it: the user asked.
    Interrupted,
    /// We ended it: whoever watches the console had seen enough.
    Stopped,
}

/// What came of a run.
#[derive(Debug)]
pub struct Session {
    /// How it ended.
    pub end: End,
    /// What the guest said.
    pub console: Transcript,
    /// What QEMU itself said.
    pub complaints: Vec<String>,
    /// From start to end.
    pub elapsed: Duration,
}

/// Runs QEMU to its end, and hands each line of the console to `show` with its time since the start.
///
/// # Errors
/// QEMU cannot be started.
pub fn run(
    qemu: &Path,
    arguments: &[OsString],
    limit: Duration,
    mut show: impl FnMut(Duration, &str),
) -> Result<Session> {
    run_while(qemu, arguments, limit, |at, line| {
        show(at, line);
        ControlFlow::Continue(())
    })
}

/// As [`run`], and ends QEMU when `watch` breaks.
///
/// # Errors
/// QEMU cannot be started.
pub fn run_while(
    qemu: &Path,
    arguments: &[OsString],
    limit: Duration,
    mut watch: impl FnMut(Duration, &str) -> ControlFlow<()>,
) -> Result<Session> {
    let started = Instant::now();
    let mut running = Running::start(qemu, arguments)?;
    let mut session = Session {
        end: End::TimedOut,
        console: Transcript::default(),
        complaints: Vec::new(),
        elapsed: Duration::ZERO,
    };
    session.end = loop {
        match running.said.recv_timeout(TICK) {
            Ok(Said::Console(line)) => {
                let seen = watch(started.elapsed(), &line);
                session.console.push(&line);
                if seen.is_break() {
                    break End::Stopped;
                }
            }
            Ok(Said::Complaint(line)) => session.complaints.push(line),
            Err(RecvTimeoutError::Timeout) => {}
            // Ctrl-C reaches QEMU too, and it may be the first to react.
            Err(RecvTimeoutError::Disconnected) if ended_by_signal(&session.complaints) => {
                break End::Interrupted;
            }
            Err(RecvTimeoutError::Disconnected) => break running.wait()?,
        }
        if interrupted() {
            break End::Interrupted;
        }
        if started.elapsed() >= limit {
            break End::TimedOut;
        }
    };
    session.elapsed = started.elapsed();
    Ok(session)
}

/// QEMU ends in good order when it gets a signal, and says so.
fn ended_by_signal(complaints: &[String]) -> bool {
    let signal = |line: &String| line.contains(": terminating on signal ");
    complaints.iter().any(signal)
}

enum Said {
    Console(String),
    Complaint(String),
}

/// A QEMU that we started. It does not outlive this value, not even through a panic.
struct Running {
    child: Child,
    said: Receiver<Said>,
}

impl Running {
    fn start(qemu: &Path, arguments: &[OsString]) -> Result<Self> {
        let mut child = Command::new(qemu)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", qemu.display()))?;
        let (sender, said) = sync_channel(WAITING_LINES);
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let running = Self { child, said };
        listen(stdout.context("no console")?, sender.clone(), Said::Console);
        listen(stderr.context("no error output")?, sender, Said::Complaint);
        Ok(running)
    }

    /// Both outputs are closed: QEMU is about to be gone.
    fn wait(&mut self) -> Result<End> {
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().context("cannot wait for QEMU")? {
                return Ok(End::PoweredOff(status));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(End::TimedOut)
    }
}

fn listen(
    source: impl std::io::Read + Send + 'static,
    sender: SyncSender<Said>,
    kind: fn(String) -> Said,
) {
    thread::spawn(move || console::each_line(source, |line| sender.send(kind(line)).is_ok()));
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have gone by itself; then there is nothing to end, and both calls say so.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    fn shell(script: &str, limit: Duration) -> Session {
        run(
            Path::new("/bin/sh"),
            &["-c".into(), script.into()],
            limit,
            |_, _| {},
        )
        .unwrap()
    }

    #[test]
    fn lines_arrive_and_the_status_too() {
        let session = shell(
            "echo one; echo two; echo bad >&2; exit 3",
            Duration::from_secs(20),
        );
        assert_eq!(session.console.lines(), ["one", "two"]);
        assert_eq!(session.complaints, ["bad"]);
        assert!(matches!(session.end, End::PoweredOff(status) if status.code() == Some(3)));
    }

    #[test]
    fn a_signal_that_qemu_got_first_is_an_interrupt_too() {
        let script = "echo 'qemu-system-aarch64: terminating on signal 2' >&2";
        let session = shell(script, Duration::from_secs(20));
        assert!(matches!(session.end, End::Interrupted));
    }

    #[test]
    fn the_time_limit_ends_what_was_started() {
        let started = Instant::now();
        let session = shell("echo $$; exec sleep 60", Duration::from_millis(300));
        assert!(matches!(session.end, End::TimedOut));
        assert!(started.elapsed() < Duration::from_secs(20));
        let process = format!("/proc/{}", session.console.lines()[0]);
        assert!(!Path::new(&process).exists(), "{process} is still there");
    }

    #[test]
    fn whoever_watches_can_end_what_was_started() {
        let session = run_while(
            Path::new("/bin/sh"),
            &["-c".into(), "echo one; echo two; exec sleep 60".into()],
            Duration::from_secs(20),
            |_, line| match line {
                "two" => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            },
        )
        .unwrap();
        assert!(matches!(session.end, End::Stopped));
        assert_eq!(session.console.lines(), ["one", "two"]);
    }

    #[test]
    fn a_panic_ends_what_was_started() {
        let (sender, receiver) = channel();
        let panicked = thread::spawn(move || {
            let script = ["-c".into(), "echo $$; exec sleep 60".into()];
            run(
                Path::new("/bin/sh"),
                &script,
                Duration::from_secs(60),
                |_, line| {
                    sender.send(line.to_owned()).unwrap();
                    panic!("on purpose");
                },
            )
        });
        assert!(panicked.join().is_err());
        let process = format!("/proc/{}", receiver.recv().unwrap());
        assert!(!Path::new(&process).exists(), "{process} is still there");
    }

    #[test]
    fn a_missing_qemu_is_told_with_what_to_do() {
        let error = find(Some(Path::new("/no/such/qemu")))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("/no/such/qemu") && error.contains("leave out --qemu"),
            "{error}"
        );
    }

    #[test]
    fn the_shown_command_can_be_pasted() {
        let line = shell_line(
            Path::new("qemu"),
            &["-append".into(), "it's log=x".into(), "".into()],
        );
        assert_eq!(line, r"qemu -append 'it'\''s log=x' ''");
    }
}
