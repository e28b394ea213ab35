//! QEMU's machine protocol, as far as it takes to move a balloon.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Between two tries to connect.
const TRY: Duration = Duration::from_millis(20);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(10);

/// A connection to QEMU.
#[derive(Debug)]
pub struct Qmp(BufReader<UnixStream>);

impl Qmp {
    /// Connects to the socket that QEMU makes at `path` when it starts.
    ///
    /// # Errors
    /// It is not there after `patience`, or does not speak QMP.
    pub fn connect(path: &Path, patience: Duration) -> Result<Self> {
        let deadline = Instant::now() + patience;
        let stream = loop {
            match UnixStream::connect(path) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() > deadline => {
                    return Err(error).with_context(|| format!("no QEMU at {}", path.display()));
                }
                Err(_) => thread::sleep(TRY),
            }
        };
        stream.set_read_timeout(Some(ANSWER))?;
        let mut qmp = Self(BufReader::new(stream));
        let greeting = qmp.read()?;
        if greeting.get("QMP").is_none() {
            bail!("{} is no QMP socket", path.display());
        }
        qmp.execute("qmp_capabilities", &json!({}))?;
        Ok(qmp)
    }

    /// Has QEMU do `command`; gives what it returns.
    ///
    /// # Errors
    /// QEMU refuses, or is gone.
    pub fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        let line = json!({"execute": command, "arguments": arguments}).to_string();
        let stream = self.0.get_mut();
        stream.write_all(line.as_bytes())?;
        stream.write_all(b"\n")?;
        loop {
            let mut answer = self.read()?;
            // Events come between.
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            if let Some(error) = answer.get("error") {
                bail!("QEMU refuses {command}: {error}");
            }
        }
    }

    /// Leaves the guest `bytes` of its memory, as far as it goes along.
    ///
    /// # Errors
    /// As [`Self::execute`].
    pub fn leave(&mut self, bytes: u64) -> Result<()> {
        self.execute("balloon", &json!({"value": bytes})).map(drop)
    }

    /// Bytes that the guest has, by its own word.
    ///
    /// # Errors
    /// As [`Self::execute`].
    pub fn left(&mut self) -> Result<u64> {
        let answer = self.execute("query-balloon", &json!({}))?;
        let actual = answer.get("actual").and_then(Value::as_u64);
        actual.context("QEMU does not say how large the balloon is")
    }

    fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        let len = self
            .0
            .read_line(&mut line)
            .context("QEMU does not answer")?;
        if len == 0 {
            bail!("QEMU has closed its socket");
        }
        Ok(serde_json::from_str(&line)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    /// A QEMU that says `lines`, one for each line that it hears, after a greeting.
    fn qemu(lines: &'static [&'static str]) -> (tempfile::TempDir, Qmp) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qmp");
        let listener = UnixListener::bind(&path).unwrap();
        thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut heard = BufReader::new(stream.try_clone().unwrap());
            let mut stream = stream;
            stream.write_all(b"{\"QMP\": {}}\n").unwrap();
            for said in ["{\"return\": {}}"].iter().chain(lines) {
                let mut line = String::new();
                heard.read_line(&mut line).unwrap();
                writeln!(stream, "{said}").unwrap();
            }
        });
        let qmp = Qmp::connect(&path, Duration::from_secs(5)).unwrap();
        (folder, qmp)
    }

    #[test]
    fn events_between_are_no_answers() {
        let (_folder, mut qmp) =
            qemu(&["{\"event\": \"BALLOON_CHANGE\"}\n{\"return\": {\"actual\": 4096}}"]);
        assert_eq!(qmp.left().unwrap(), 4096);
    }

    #[test]
    fn a_refusal_is_told_and_so_is_silence() {
        let (_folder, mut qmp) = qemu(&["{\"error\": {\"desc\": \"No balloon\"}}"]);
        let error = qmp.leave(5).unwrap_err().to_string();
        assert!(error.contains("No balloon"), "{error}");
        assert!(qmp.left().is_err());
        assert!(Qmp::connect(Path::new("/nowhere/at/all"), Duration::ZERO).is_err());
    }
}
