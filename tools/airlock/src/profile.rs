//! `airlock profile`: where the instructions of a payload go, by function, with a flame graph; and by processor,
//! where there is more than one.
//!
//! QEMU's TCG counts; the plugin follows calls and returns. What the compiler inlined is shown as the
//! function that it was in the source, where the line tables know it.

mod flame;
mod lines;
mod symbols;
mod tree;

use crate::attack;
use crate::features;
use crate::machine;
use crate::options::{Mode, RunOptions};
use crate::qemu;
use crate::run;
use crate::verdict::{Verdict, WrongArguments};
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tcg::counts::Record;
use tcg::plugin::Plugin;

use symbols::Symbols;
use tree::Tree;

/// Options of `airlock profile`.
#[derive(Args, Clone, Debug)]
pub struct ProfileOptions {
    /// The payload to build, boot and look at.
    #[arg(value_name = "PAYLOAD")]
    pub name: String,
    /// Functions that are printed.
    #[arg(long, default_value_t = 25)]
    pub top: usize,
    /// Where the flame graph goes; target/airlock/profile-PAYLOAD.svg without it.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Writes which lines of the source ran into this file, as lcov does, and nothing else; with --attack as well.
    #[arg(long, value_name = "FILE")]
    pub lines: Option<PathBuf>,
    /// How the payload boots: as for `airlock run`.
    #[command(flatten)]
    pub run: RunOptions,
}

/// Code of the monitor; it is no part of the payload's profile.
const MONITOR: &str = "split=0x40000000-0x44000000";

/// Runs the payload with QEMU counting, prints its functions, and writes the flame graph.
///
/// # Errors
/// It does not build or boot, or QEMU has no plugins.
pub fn profile(options: &ProfileOptions) -> Result<Verdict> {
    qemu::catch_interrupts()?;
    profile_once(options)
}

/// As [`profile`], without catching interrupts: for callers that already do.
///
/// # Errors
/// As there.
pub fn profile_once(options: &ProfileOptions) -> Result<Verdict> {
    let workspace = Workspace::find()?;
    let out = workspace.out();
    let mut run_options = options.run.clone();
    ensure!(
        run_options.image.is_none() && run_options.payload.is_none(),
        WrongArguments("profile takes the payload's name alone: airlock profile NAME".to_owned())
    );
    run_options.payload = Some(options.name.clone());
    let wanted = features::wanted(&run_options);
    let program = workspace.program_with(&options.name, &wanted)?;
    let file = workspace.build(&program, run_options.verbose)?;
    let plugin = Plugin::build(
        &qemu::find(run_options.qemu.as_deref())?,
        &out.join("plugin"),
    )?;
    let folder = tempfile::tempdir()?;
    let counts = folder.path().join("counts");
    // The plugin follows the calls of one processor; counts are kept for each.
    let many = run_options.cpus > 1;
    let functions = match &options.lines {
        Some(_) => "ran=on",
        None if many => "counts=on",
        None => "profile=all",
    };
    let what = match run_options.mode {
        Mode::Realm => format!("{functions},{MONITOR}"),
        Mode::Vm => functions.to_owned(),
    };
    let words = ["-plugin".to_owned(), plugin.option(&what, &counts)];
    run_options.qemu_arg.extend(words);
    let verdict = match &run_options.attack {
        Some(_) => attack::run_once(&run_options)?.verdict,
        None => run::run_once(&run_options)?.verdict,
    };
    let text = std::fs::read_to_string(&counts)
        .context("the plugin wrote no counts: QEMU did not end in good order")?;
    let record = Record::parse(&text)?;
    if let Some(out) = &options.lines {
        let base = machine::load_address(run_options.mode);
        let count = lines::write(&record.ran, &file, base, out)?;
        println!("airlock: {count} lines ran, in {}", out.display());
        return Ok(verdict);
    }
    if many {
        print!("{}", by_processor(&record));
        println!("airlock: QEMU TCG, plugin {}", plugin.interface);
        return Ok(verdict);
    }
    let symbols = Symbols::load(&file, machine::load_address(run_options.mode))?;
    let tree = Tree::build(&record.calls, &symbols);
    print!("{}", tree.table(options.top));
    let svg = options
        .svg
        .clone()
        .unwrap_or_else(|| out.join(format!("profile-{}.svg", options.name)));
    std::fs::write(&svg, flame::graph(&tree, &options.name))
        .with_context(|| format!("cannot write {}", svg.display()))?;
    println!(
        "airlock: QEMU TCG, plugin {}; flame graph: {}",
        plugin.interface,
        svg.display()
    );
    Ok(verdict)
}

/// Where the instructions of `record` went, by function of the ELF file `program`: a table of the first `top`.
///
/// # Errors
/// The file is no program of ours.
pub fn functions(record: &Record, program: &Path, mode: Mode, top: usize) -> Result<String> {
    let symbols = Symbols::load(program, machine::load_address(mode))?;
    Ok(Tree::build(&record.calls, &symbols).table(top))
}

/// What each processor did of the payload's instructions, one line each; the monitor's are not in it.
fn by_processor(record: &Record) -> String {
    let mut sums: BTreeMap<usize, u64> = BTreeMap::new();
    for counts in record.phases.values() {
        for (number, (guest, _)) in counts.cpus.iter().enumerate() {
            *sums.entry(number).or_default() += guest.instructions;
        }
    }
    let lines = sums.iter();
    lines
        .map(|(number, sum)| format!("processor {number}: {sum} instructions\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_of_all_phases_are_added_for_each_processor() {
        let text = "api 1 0 1\nphase 0 1 5\ncpu 0 100 1 2 9 0 0\nphase 2 1 9\n\
            cpu 0 50 0 1 7 3 4\ncpu 1 7 0 0 3 0 0\n";
        let table = by_processor(&Record::parse(text).unwrap());
        assert_eq!(
            table,
            "processor 0: 150 instructions\nprocessor 1: 7 instructions\n"
        );
    }
}
