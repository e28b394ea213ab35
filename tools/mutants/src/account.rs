//! What is kept in the repository of bugs that were planted, here and by cargo-mutants: `tests/hostile/mutants.json`, of
//! which `cargo run -p xtask -- hostile-host` makes a table.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

const FILE: &str = "tests/hostile/mutants.json";

/// All that is kept.
#[derive(Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
struct Account {
    /// Nothing if the list of this repository was never tried as a whole.
    #[serde(default)]
    planted: Option<Planted>,
    /// Crates that cargo-mutants was let at, by name.
    #[serde(default)]
    crates: Vec<Mutated>,
}

/// What came of the list of this repository.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
struct Planted {
    bugs: usize,
    killed: usize,
    commit: String,
    date: String,
}

/// What came of the bugs that cargo-mutants makes of a crate.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
struct Mutated {
    #[serde(rename = "crate")]
    name: String,
    mutants: usize,
    caught: usize,
    missed: usize,
    unviable: usize,
    timeout: usize,
    commit: String,
    date: String,
}

/// `outcomes.json` of cargo-mutants, as far as it is counted.
#[derive(Deserialize)]
struct Outcomes {
    outcomes: Vec<Outcome>,
    end_time: Option<String>,
}

#[derive(Deserialize)]
struct Outcome {
    scenario: Scenario,
    summary: String,
}

#[derive(Deserialize)]
enum Scenario {
    /// The tests without a bug.
    Baseline,
    Mutant {
        package: String,
    },
}

/// Keeps that `killed` of `bugs` planted bugs were killed.
///
/// # Errors
///
/// The file cannot be read or written.
pub fn keep_planted(source: &Path, bugs: usize, killed: usize) -> Result<()> {
    let mut account = read(source)?;
    let (commit, date) = now(source);
    account.planted = Some(Planted {
        bugs,
        killed,
        commit,
        date,
    });
    write(source, &account)
}

/// Keeps what is in the output folders `folders` of cargo-mutants, in the place of what was known of the same crates.
///
/// # Errors
///
/// A folder has no `outcomes.json`, or none that can be read, or the file cannot be read or written.
pub fn keep_crates(source: &Path, folders: &[PathBuf]) -> Result<()> {
    let mut account = read(source)?;
    let (commit, date) = now(source);
    for folder in folders {
        let path = outcomes(folder);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let (crates, whole) = count(&text).with_context(|| path.display().to_string())?;
        if !whole {
            eprintln!("mutants: {} has not ended yet", path.display());
        }
        for mut one in crates {
            (one.commit, one.date) = (commit.clone(), date.clone());
            println!(
                "mutants: {}: {} caught, {} missed, of {}",
                one.name, one.caught, one.missed, one.mutants
            );
            account.crates.retain(|old| old.name != one.name);
            account.crates.push(one);
        }
    }
    account.crates.sort_by(|a, b| a.name.cmp(&b.name));
    write(source, &account)
}

/// Where the outcomes are: in the folder that cargo-mutants was given, or in the one that it makes there.
fn outcomes(folder: &Path) -> PathBuf {
    let direct = folder.join("outcomes.json");
    if direct.is_file() {
        direct
    } else {
        folder.join("mutants.out/outcomes.json")
    }
}

/// The crates in `text`, and whether the run has ended.
fn count(text: &str) -> Result<(Vec<Mutated>, bool)> {
    let all: Outcomes = serde_json::from_str(text)?;
    let mut crates: BTreeMap<String, Mutated> = BTreeMap::new();
    for Outcome { scenario, summary } in all.outcomes {
        let Scenario::Mutant { package } = scenario else {
            continue;
        };
        let one = crates.entry(package.clone()).or_default();
        one.name = package;
        one.mutants += 1;
        match summary.as_str() {
            "CaughtMutant" => one.caught += 1,
            "Unviable" => one.unviable += 1,
            "Timeout" => one.timeout += 1,
            // Whatever else there is: nobody caught it.
            _ => one.missed += 1,
        }
    }
    Ok((crates.into_values().collect(), all.end_time.is_some()))
}

/// The commit that is checked out, and the day.
fn now(source: &Path) -> (String, String) {
    let told = |program: &str, arguments: &[&str]| {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(source)
            .output();
        output.map_or(String::new(), |output| {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        })
    };
    let commit = told("git", &["describe", "--always", "--dirty"]);
    (commit, told("date", &["+%F"]))
}

fn read(source: &Path) -> Result<Account> {
    match fs::read_to_string(source.join(FILE)) {
        Ok(text) => serde_json::from_str(&text).context(FILE),
        Err(_) => Ok(Account::default()),
    }
}

fn write(source: &Path, account: &Account) -> Result<()> {
    let text = serde_json::to_string_pretty(account)?;
    fs::write(source.join(FILE), text + "\n").context(FILE)?;
    println!("mutants: cargo run -p xtask -- hostile-host makes the table of {FILE}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What cargo-mutants writes, with `outcomes` of these crates.
    fn written(outcomes: &[(&str, &str)]) -> String {
        let each = outcomes.iter().map(|(package, summary)| {
            format!(
                r#",{{"scenario":{{"Mutant":{{"name":"x","package":"{package}","file":"f"}}}},"summary":"{summary}","log_path":"l"}}"#
            )
        });
        format!(
            r#"{{"outcomes":[{{"scenario":"Baseline","summary":"Success"}}{}],"total_mutants":9,"end_time":null}}"#,
            each.collect::<String>()
        )
    }

    #[test]
    fn mutants_are_counted_by_crate_and_the_run_without_one_is_not() {
        let text = written(&[
            ("rsi", "CaughtMutant"),
            ("rsi", "MissedMutant"),
            ("rsi", "Unviable"),
            ("pci", "Timeout"),
            ("pci", "something new"),
        ]);
        let (crates, whole) = count(&text).unwrap();
        assert!(!whole);
        let numbers = crates.iter().map(|one| {
            let Mutated {
                name,
                mutants,
                caught,
                missed,
                unviable,
                timeout,
                ..
            } = one;
            (
                name.as_str(),
                [mutants, caught, missed, unviable, timeout].map(|n| *n),
            )
        });
        let expected = [("pci", [2, 0, 1, 0, 1]), ("rsi", [3, 1, 1, 1, 0])];
        assert_eq!(numbers.collect::<Vec<_>>(), expected);
        assert!(count("{}").is_err());
    }

    #[test]
    fn each_part_of_the_account_is_written_without_the_others() {
        let source = tempfile::tempdir().unwrap();
        let root = source.path();
        fs::create_dir_all(root.join("tests/hostile")).unwrap();
        let out = root.join("out");
        fs::create_dir_all(out.join("mutants.out")).unwrap();
        let put = |outcomes: &[(&str, &str)]| {
            fs::write(out.join("mutants.out/outcomes.json"), written(outcomes)).unwrap();
            keep_crates(root, std::slice::from_ref(&out)).unwrap();
        };
        put(&[("rsi", "MissedMutant"), ("pci", "CaughtMutant")]);
        keep_planted(root, 75, 74).unwrap();
        put(&[("rsi", "CaughtMutant")]);
        let account = read(root).unwrap();
        assert_eq!(account.planted.unwrap().killed, 74);
        let caught = account
            .crates
            .iter()
            .map(|one| (one.name.as_str(), one.caught));
        assert_eq!(caught.collect::<Vec<_>>(), [("pci", 1), ("rsi", 1)]);
        assert!(keep_crates(root, &[root.join("nowhere")]).is_err());
    }
}
