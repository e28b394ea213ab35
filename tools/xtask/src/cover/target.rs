//! Whole images in QEMU, honest and attacked: `airlock profile --lines` says which lines ran.

use crate::places::Place;
use crate::reached::Book;
use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

/// Where a run's lines go, from the root.
const LINES: &str = "target/places/run.info";
/// The beginning of the paths that images are built with.
const BUILT_AT: &str = "/airlock/";

/// Runs: what they show (`image RUN`, `attack WORLD`), and the arguments of `airlock profile`.
const RUNS: [(&str, &[&str]); 8] = [
    ("image realm", &["fetch"]),
    ("image machine", &["fetch", "--mode", "vm"]),
    (
        "image processors",
        &["fetch", "--cpus", "2", "--append", "fetch.hash=4M"],
    ),
    // It ends at the first call, and prints why.
    ("image stranger", &["hello", "--monitor", "rsi=2.0"]),
    (
        "attack realm",
        &[
            "victim",
            "--attack",
            "random",
            "--seed",
            "1",
            "--append",
            "victim.token=yes",
        ],
    ),
    (
        "attack trusting",
        &[
            "victim",
            "--attack",
            "random",
            "--seed",
            "2",
            "--append",
            "victim.trust=yes",
            "--monitor",
            "data=honest",
        ],
    ),
    (
        "attack plain",
        &[
            "victim",
            "--attack",
            "random",
            "--seed",
            "3",
            "--monitor",
            "rsi=none",
            "--monitor",
            "stage2=open",
        ],
    ),
    (
        "attack race",
        &[
            "victim",
            "--attack",
            "random",
            "--seed",
            "4",
            "--monitor",
            "race=yes",
        ],
    ),
];
/// Attacks that follow one another in a machine.
const ROUNDS: &str = "rounds=8";

/// Lines that ran, by file from the root.
type Lines = BTreeMap<String, BTreeSet<usize>>;

/// Whether a run has this name: `image RUN` or `attack WORLD`.
pub fn is_run(name: &str) -> bool {
    RUNS.iter().any(|(run, _)| *run == name)
}

/// Boots those images that are wanted, and notes in `book`, which has an entry for each of `places`, what they reached.
///
/// # Errors
///
/// The command is not there, or a run ends without saying which lines ran.
pub fn add(
    book: &mut Book,
    root: &Path,
    places: &[Place],
    is_wanted: impl Fn(&str) -> bool,
) -> Result<()> {
    for (name, arguments) in RUNS.iter().filter(|(name, _)| is_wanted(name)) {
        book.places
            .iter_mut()
            .for_each(|entry| entry.forget_run(name));
        println!("places: {name}");
        let lines = run(root, arguments).with_context(|| (*name).to_owned())?;
        for (entry, place) in book.places.iter_mut().zip(places) {
            let ran = lines.get(&place.path);
            if ran.is_some_and(|ran| ran.contains(&place.line)) {
                entry.reached.insert((*name).to_owned());
            }
        }
    }
    Ok(())
}

/// The lines that a run reaches. How it ends is no matter: some are to fail.
fn run(root: &Path, arguments: &[&str]) -> Result<Lines> {
    let file = root.join(LINES);
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // That of the run before.
    let _ = std::fs::remove_file(&file);
    let mut command = Command::new("cargo");
    command.current_dir(root).args([
        "run",
        "--quiet",
        "--package",
        "airlock-cli",
        "--bin",
        "airlock",
        "--",
    ]);
    command
        .arg("profile")
        .args(arguments)
        .arg("--lines")
        .arg(&file);
    if arguments.contains(&"--attack") {
        command.args(["--monitor", ROUNDS, "--timeout", "300s"]);
    }
    let output = command
        .stdin(Stdio::null())
        .output()
        .context("cannot run cargo")?;
    let text = std::fs::read_to_string(&file);
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(text.is_ok(), "no lines were written: {said}");
    Ok(parse(&text?))
}

/// Reads `SF:FILE` and `DA:LINE,COUNT`.
fn parse(text: &str) -> Lines {
    let mut lines = Lines::new();
    let mut file = String::new();
    for line in text.lines() {
        if let Some(path) = line.strip_prefix("SF:") {
            path.strip_prefix(BUILT_AT)
                .unwrap_or(path)
                .clone_into(&mut file);
        } else if let Some(ran) = line.strip_prefix("DA:")
            && let Some((line, _)) = ran.split_once(',')
            && let Ok(line) = line.parse()
        {
            lines.entry(file.clone()).or_default().insert(line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_files_from_the_root() {
        let lines =
            parse("SF:/airlock/kernel/a.rs\nDA:2,1\nDA:7,1\nend_of_record\nSF:/x/b.rs\nDA:1,1\n");
        assert_eq!(lines["kernel/a.rs"], BTreeSet::from([2, 7]));
        assert_eq!(lines["/x/b.rs"], BTreeSet::from([1]));
    }
}
