//! `mutants`: plants known bugs, one at a time, and sees that a test kills each.
//!
//! The list, `tests/mutants.toml`, has bugs that other projects had and bugs that a review planted here.
//! Each is planted in a copy of the source, and the test that it names must fail there and pass without
//! it. A run that was ended goes on where it was, as long as the source is the same.
#![forbid(unsafe_code)]

mod account;
mod list;
mod record;
mod scratch;
mod trial;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::list::Mutant;
use crate::record::{Entry, Record};
use crate::scratch::Scratch;
use crate::trial::Outcome;

/// Plants known bugs, one at a time, and sees that a test kills each.
#[derive(Parser)]
struct Arguments {
    /// Only the bugs with this text in their names, files or tests; those that were tried stay known.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Only sees whether each bug still has its place in the source; runs nothing.
    #[arg(long)]
    places: bool,
    /// Writes the table there, as Markdown.
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// Where build results go; target/mutants/target without it.
    #[arg(long, value_name = "DIR")]
    target_dir: Option<PathBuf>,
    /// Keeps how many bugs of the whole list were killed, for docs/hostile-host.md.
    #[arg(long, conflicts_with_all = ["only", "places"])]
    keep: bool,
    /// Keeps what cargo-mutants came to in these output folders, for docs/hostile-host.md; plants nothing.
    #[arg(long, value_name = "DIR", num_args = 1..)]
    account: Vec<PathBuf>,
}

/// What became of a bug.
enum Fate {
    Killed {
        by: String,
        seconds: u64,
        /// How many of them were for building.
        building: u64,
    },
    /// It lives, or it could not be tried: why.
    Lives(String),
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()?;
    if !arguments.account.is_empty() {
        account::keep_crates(&source, &arguments.account)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mutants = list::read(&source.join("tests/mutants.toml"))?;
    let chosen = mutants
        .iter()
        .filter(|mutant| mutant.is_of(&arguments.only));
    let mut chosen: Vec<&Mutant> = chosen.collect();
    // What was built for one bug serves the next of the same file and test.
    chosen.sort_by_key(|mutant| (&mutant.test, &mutant.file));
    let fates = if arguments.places {
        places(&source, &chosen)
    } else {
        try_all(&source, &chosen, &arguments)?
    };
    let alive = fates
        .iter()
        .filter(|fate| matches!(fate, Fate::Lives(_)))
        .count();
    if let Some(file) = &arguments.table {
        std::fs::create_dir_all(file.parent().unwrap_or(&source))?;
        std::fs::write(file, table(&chosen, &fates)).with_context(|| file.display().to_string())?;
    }
    let what = if arguments.places {
        "have their place"
    } else {
        "killed"
    };
    println!("mutants: {} of {} {what}", fates.len() - alive, fates.len());
    if arguments.keep {
        account::keep_planted(&source, fates.len(), fates.len() - alive)?;
    }
    Ok(ExitCode::from(u8::from(alive != 0)))
}

/// Whether each bug has its place.
fn places(source: &Path, mutants: &[&Mutant]) -> Vec<Fate> {
    let found = |mutant: &Mutant| {
        let text = std::fs::read_to_string(source.join(&mutant.file)).unwrap_or_default();
        match mutant.plant(&text) {
            Some(_) => Fate::Killed {
                by: String::from("(not tried)"),
                seconds: 0,
                building: 0,
            },
            None => no_place(mutant),
        }
    };
    let fates: Vec<Fate> = mutants.iter().map(|mutant| found(mutant)).collect();
    for (mutant, fate) in mutants.iter().zip(&fates) {
        if let Fate::Lives(why) = fate {
            println!("{}: {why}", mutant.name);
        }
    }
    fates
}

fn no_place(mutant: &Mutant) -> Fate {
    Fate::Lives(format!(
        "its place is not in {}, or not there once: mend the list",
        mutant.file
    ))
}

fn try_all(source: &Path, mutants: &[&Mutant], arguments: &Arguments) -> Result<Vec<Fate>> {
    let folder = source.join("target/mutants");
    std::fs::create_dir_all(&folder)?;
    let target = arguments.target_dir.clone();
    let target = target.unwrap_or_else(|| folder.join("target"));
    // cargo knows a crate by its place in its workspace, so it would take one copy's for the other's.
    ensure!(
        target != source.join("target"),
        "the build results of bugs must not lie with those of the source: name another --target-dir"
    );
    let mut bench = Bench {
        scratch: Scratch::refresh(source, folder.join("tree"))?,
        record: Record::open(folder.join("record.json")),
        target,
    };
    let mut fates = Vec::new();
    for (number, mutant) in (1..).zip(mutants) {
        print!("{number:3}/{} {} … ", mutants.len(), mutant.name);
        std::io::Write::flush(&mut std::io::stdout())?;
        let fate = bench.try_one(mutant)?;
        match &fate {
            Fate::Killed {
                by,
                seconds,
                building,
            } => println!("killed by {by} in {seconds} s, {building} s of them to build"),
            Fate::Lives(why) => println!("LIVES: {why}"),
        }
        fates.push(fate);
    }
    Ok(fates)
}

/// Where bugs are tried.
struct Bench {
    scratch: Scratch,
    record: Record,
    target: PathBuf,
}

impl Bench {
    fn try_one(&mut self, mutant: &Mutant) -> Result<Fate> {
        let good = self.scratch.read(&mutant.file)?;
        let Some(bad) = mutant.plant(&good) else {
            return Ok(no_place(mutant));
        };
        let before = self.outcome(&mutant.test, &mutant.test)?;
        match before.outcome {
            Outcome::Passed(0) => return Ok(Fate::Lives("it names no test".into())),
            Outcome::Passed(_) => {}
            other => return Ok(Fate::Lives(format!("without it already: {other:?}"))),
        }
        self.scratch.write(&mutant.file, &bad)?;
        let tried = self.outcome(&mutant.text(), &mutant.test);
        self.scratch.write(&mutant.file, &good)?;
        let Entry {
            outcome,
            seconds,
            building,
        } = tried?;
        let killed = |by| Fate::Killed {
            by,
            seconds,
            building,
        };
        Ok(match outcome {
            Outcome::Failed(by) => killed(by),
            Outcome::Hung => killed("the time limit".into()),
            Outcome::Passed(tests) => Fate::Lives(format!("{tests} tests pass with it")),
            Outcome::NotBuilt(error) => Fate::Lives(format!("it does not compile: {error}")),
        })
    }

    /// What comes of `test` on the source as it is now; `what` is how that is known by.
    fn outcome(&mut self, what: &str, test: &str) -> Result<Entry> {
        let digest = self.scratch.digest().to_owned();
        if let Some(known) = self.record.get(&digest, what) {
            return Ok(known.clone());
        }
        let begun = Instant::now();
        let (outcome, building) = trial::run(self.scratch.root(), &self.target, test)?;
        let entry = Entry {
            outcome,
            seconds: begun.elapsed().as_secs(),
            building: building.as_secs(),
        };
        self.record.put(&digest, what, entry.clone())?;
        Ok(entry)
    }
}

/// The table, as Markdown.
fn table(mutants: &[&Mutant], fates: &[Fate]) -> String {
    let mut text = String::from("| bug | whose | where | killed by |\n| --- | --- | --- | --- |\n");
    for (mutant, fate) in mutants.iter().zip(fates) {
        let by = match fate {
            Fate::Killed { by, .. } => format!("`{by}`"),
            Fate::Lives(why) => format!("**lives**: {why}"),
        };
        let Mutant {
            name, from, file, ..
        } = mutant;
        let _always_fits = writeln!(text, "| {name} | {from} | `{file}` | {by} |");
    }
    text
}
