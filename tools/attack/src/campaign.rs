//! Machine after machine, until enough lies were told.

use crate::session::{self, Images, Machine, Session};
use crate::state::{Bad, State};
use crate::{Options, html, table};
use airlock_cli::attack::{Round, rounds, shrink};
use airlock_cli::workspace::{Workspace, write_raw};
use airlock_cli::{qemu, run};
use anyhow::{Context, Result};
use hostile::script::Script;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Runs that may be spent on one outcome that must not be, to find a shorter script.
const PATIENCE: u32 = 30;
/// So many of them are shrunk; more are only told.
const SHRUNK: usize = 10;

/// A campaign that is running.
struct Campaign<'a> {
    images: Images<'a>,
    folder: &'a Path,
    options: &'a Options,
    state: Mutex<State>,
}

/// Runs a campaign; says whether all that must not be was not.
pub fn run(options: &Options) -> Result<bool> {
    qemu::catch_interrupts()?;
    let workspace = Workspace::find()?;
    let folder = folder(options, &workspace);
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("state.json");
    let mut state = if options.fresh {
        State::default()
    } else {
        State::read(&path)?
    };
    state.next_seed = state.next_seed.max(options.seed);
    (state.commit, state.date) = (commit(), today());
    let (victim, monitor) = images(options, &workspace, &folder)?;
    let campaign = Campaign {
        images: Images {
            victim: &victim,
            monitor: &monitor,
        },
        folder: &folder,
        options,
        state: Mutex::new(state),
    };
    let jobs = options
        .jobs
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    println!(
        "attack: {} lies and {} rounds of the sweep in all, {jobs} machines at a time, state in {}",
        options.events,
        options.swept(),
        path.display()
    );
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(|| campaign.work())).collect();
        workers
            .into_iter()
            .try_for_each(|worker| match worker.join() {
                Ok(done) => done,
                Err(_) => anyhow::bail!("a worker panicked"),
            })
    })?;
    campaign.finish()
}

/// Attacks `images` until something comes to what must not be, or 100,000 lies were told; gives what is known
/// then.
pub fn hunt(options: &Options, images: Images<'_>, folder: &Path) -> Result<State> {
    const ENOUGH: u64 = 100_000;
    let options = Options {
        events: ENOUGH,
        stop: true,
        ..options.clone()
    };
    std::fs::create_dir_all(folder)?;
    let campaign = Campaign {
        images,
        folder,
        options: &options,
        state: Mutex::new(State {
            next_seed: options.seed,
            ..State::default()
        }),
    };
    campaign.work()?;
    Ok(campaign.state().clone())
}

/// Where a campaign is kept.
pub fn folder(options: &Options, workspace: &Workspace) -> PathBuf {
    options
        .out
        .clone()
        .unwrap_or_else(|| workspace.out().join("attack"))
}

/// Copies of the images, which a build meanwhile does not change.
fn images(options: &Options, workspace: &Workspace, folder: &Path) -> Result<(PathBuf, PathBuf)> {
    let victim = folder.join("victim.img");
    match &options.image {
        Some(file) => write_raw(file, &victim)?,
        None => drop(workspace.write_image(&workspace.program("victim")?, folder, false)?),
    }
    Ok((victim, monitor_image(options, workspace, folder)?))
}

/// The monitor's.
pub fn monitor_image(options: &Options, workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let monitor = folder.join("monitor.img");
    match &options.monitor_image {
        Some(file) => write_raw(file, &monitor)?,
        None => drop(workspace.write_image(&Workspace::monitor(), folder, false)?),
    }
    Ok(monitor)
}

/// The commit that is checked out.
pub fn commit() -> String {
    told("git", &["describe", "--always", "--dirty"])
}

/// The day.
pub fn today() -> String {
    told("date", &["+%F"])
}

/// What a program says, or nothing.
fn told(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or(String::new(), |output| {
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    })
}

impl Campaign<'_> {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // A worker that panicked has left it whole: it is changed by one call at a time.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) -> Result<()> {
        while let Some(machine) = self.next() {
            let began = Instant::now();
            let session = session::run(self.images, &machine)?;
            if qemu::interrupted() {
                return Ok(());
            }
            self.take(&machine, &session, began.elapsed().as_secs())?;
        }
        Ok(())
    }

    /// The next machine, if there is to be one.
    fn next(&self) -> Option<Machine> {
        let mut state = self.state();
        let bad = self.options.stop && !state.bad.is_empty();
        if bad || qemu::interrupted() {
            return None;
        }
        state.next(self.options)
    }

    fn take(&self, machine: &Machine, session: &Session, seconds: u64) -> Result<()> {
        let mut bad = self.state().add(&machine.name(), session, seconds);
        if let Some(broke) = &session.broke {
            let told = u32::try_from(session.rounds.len()).unwrap_or(u32::MAX);
            bad.extend(self.alone(&machine.alone(told), broke)?);
        }
        for round in bad {
            let found = self.look_into(machine, &round)?;
            println!("attack: {} {}: {round}", found.world, round.round);
            self.state().keep(found);
        }
        let state = self.state();
        state.write(&self.folder.join("state.json"))?;
        println!(
            "attack: {} of {} lies, {} rounds, {} of {} of the sweep; ok {}, errors {}, stops {}; bad {}; {} lines of code, {} endings",
            state.events,
            self.options.events,
            state.rounds,
            state.sweep.rounds,
            self.options.swept(),
            state.count("ok"),
            state.count("error"),
            state.count("stop"),
            state.bad.len(),
            state.sites.len(),
            state.endings.len()
        );
        Ok(())
    }

    /// A machine did not tell of a round: it is run again alone, so that a slow computer is not taken for a
    /// guest that hangs.
    fn alone(&self, machine: &Machine, broke: &str) -> Result<Option<Round>> {
        let again = session::run(self.images, machine)?;
        if qemu::interrupted() {
            return Ok(None);
        }
        let seconds = 0;
        let mut bad = self.state().add(&machine.name(), &again, seconds);
        Ok(match again.broke {
            None => bad.pop(),
            Some(again) => Some(Round {
                round: machine.script.to_string(),
                outcome: String::from("hang"),
                why: format!("the machine ended without a verdict: {broke}; alone: {again}"),
                ..Round::default()
            }),
        })
    }

    /// Looks for the lies that do it.
    fn look_into(&self, machine: &Machine, round: &Round) -> Result<Bad> {
        let lies = round.lies()?;
        let patience = if self.state().bad.len() < SHRUNK {
            PATIENCE
        } else {
            0
        };
        let short = shrink(&lies, patience, |some| {
            let again = machine.with(Script::Lies(some.to_vec()));
            let options = session::options(self.images, &again)?;
            let session = run::silently(&options)?;
            Ok(rounds(&session.console)
                .last()
                .is_some_and(|again| again.outcome == round.outcome))
        })?;
        Ok(Bad {
            world: machine.name(),
            seed: round.round.trim_start_matches("random:").to_owned(),
            outcome: round.outcome.clone(),
            events: round.events,
            why: round.to_string(),
            lies: Script::Lies(short).to_string(),
        })
    }

    fn finish(&self) -> Result<bool> {
        let state = self.state();
        state.write(&self.folder.join("state.json"))?;
        let write = |name: &str, text: String| {
            let path = self.folder.join(name);
            std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
        };
        write("report.md", table::whole(&state))?;
        write("report.json", serde_json::to_string_pretty(&*state)?)?;
        write("report.html", html::page(&state))?;
        println!("{}", table::outcomes(&state));
        println!("attack: reports in {}", self.folder.display());
        Ok(state.bad.is_empty())
    }
}
