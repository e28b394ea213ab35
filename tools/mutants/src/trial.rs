//! One run of the tests.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// How long a run may take, building included.
const LIMIT: Duration = Duration::from_secs(600);
const TICK: Duration = Duration::from_millis(50);

/// What came of a run.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// So many tests passed, and none failed.
    Passed(usize),
    /// This one failed, and maybe others.
    Failed(String),
    /// No test ended it: it took too long.
    Hung,
    /// It did not compile; the first line that says why.
    NotBuilt(String),
}

/// Runs `cargo test` with `words` in `folder`, with the build results in `target`; says how long building took, too.
///
/// # Errors
///
/// cargo cannot be started.
pub fn run(folder: &Path, target: &Path, words: &str) -> Result<(Outcome, Duration)> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(folder).arg("test").arg("--no-fail-fast");
    cargo.args(words.split_whitespace());
    cargo.env("CARGO_TARGET_DIR", target);
    // A property is tried on few inputs: a bug that only one of thousands shows is worth a plain test.
    cargo
        .env("PROPTEST_CASES", "32")
        // Nobody debugs a bug that was planted, and almost all the time goes into building.
        .env("CARGO_PROFILE_DEV_DEBUG", "none")
        .env("RUST_BACKTRACE", "0")
        .env("CARGO_TERM_COLOR", "never");
    cargo
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let begun = Instant::now();
    // A group of its own, so that what cargo starts ends with it.
    let mut child = cargo
        .process_group(0)
        .spawn()
        .context("cannot start cargo")?;
    let (said, complained) = (listen(child.stdout.take()), listen(child.stderr.take()));
    let good = wait(&mut child)?;
    let said = said.join().unwrap_or_default();
    let complained = complained.join().unwrap_or_default();
    let built = complained.built.unwrap_or_else(Instant::now);
    let outcome = match good {
        None => Outcome::Hung,
        Some(_) => judge(&said.text, &complained.text),
    };
    Ok((outcome, built.saturating_duration_since(begun)))
}

/// What cargo said on one of its streams, and when it said that all is built.
#[derive(Default)]
struct Heard {
    text: String,
    built: Option<Instant>,
}

fn listen(from: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Heard> {
    thread::spawn(move || {
        let mut heard = Heard::default();
        let Some(from) = from else {
            return heard;
        };
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        // What was read until it broke is what there is.
        while matches!(from.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line);
            if text.trim_start().starts_with("Finished ") {
                heard.built.get_or_insert_with(Instant::now);
            }
            heard.text.push_str(&text);
            line.clear();
        }
        heard
    })
}

/// Waits for the end; `None` if it takes too long.
fn wait(child: &mut Child) -> Result<Option<bool>> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        if begun.elapsed() > LIMIT {
            let group = format!("-{}", child.id());
            Command::new("kill")
                .args(["-KILL", "--", &group])
                .status()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(TICK);
    }
}

/// Reads what the test programs say.
fn judge(said: &str, complained: &str) -> Outcome {
    let failed = said.lines().find_map(|line| {
        let name = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
        Some(name.to_owned())
    });
    if let Some(name) = failed {
        return Outcome::Failed(name);
    }
    let results = said.lines().filter_map(|line| {
        let rest = line.strip_prefix("test result: ok. ")?;
        rest.split(' ').next()?.parse::<usize>().ok()
    });
    let results: Vec<usize> = results.collect();
    let error = complained.lines().find(|line| line.starts_with("error"));
    match error {
        // A test program that was ended by a signal has no line for its test.
        Some(error) if error.contains("test failed") => {
            Outcome::Failed("(the program died)".into())
        }
        Some(error) => Outcome::NotBuilt(error.to_owned()),
        None => Outcome::Passed(results.iter().sum()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_test_that_failed_is_named() {
        let said = "running 2 tests\ntest a::b ... ok\ntest a::c ... FAILED\ntest result: FAILED. 1 passed";
        assert_eq!(
            judge(said, "error: test failed"),
            Outcome::Failed("a::c".into())
        );
    }

    #[test]
    fn tests_that_passed_are_counted_over_all_programs() {
        let said = "test result: ok. 2 passed; 0 failed\n\ntest result: ok. 3 passed; 0 failed\n";
        assert_eq!(judge(said, ""), Outcome::Passed(5));
    }

    #[test]
    fn what_does_not_compile_is_no_test_that_failed() {
        let error = "error[E0308]: mismatched types";
        assert_eq!(judge("", error), Outcome::NotBuilt(error.into()));
        assert_eq!(
            judge("", "error: test failed, to rerun"),
            Outcome::Failed("(the program died)".into())
        );
    }
}
