//! `airlock profile`: where the instructions of a payload go, by function, with a flame graph.
//!
//! QEMU's TCG counts; the plugin follows calls and returns. What the compiler inlined is shown as the
//! function that it was in the source, where the line tables know it.

mod flame;
mod symbols;
mod tree;

use crate::cli::{Mode, RunOptions};
use crate::machine;
use crate::qemu;
use crate::run;
use crate::verdict::{Verdict, WrongArguments};
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::path::PathBuf;
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
    let program = workspace.program(&options.name)?;
    let file = workspace.build(&program, run_options.verbose)?;
    let plugin = Plugin::build(
        &qemu::find(run_options.qemu.as_deref())?,
        &out.join("plugin"),
    )?;
    let folder = tempfile::tempdir()?;
    let counts = folder.path().join("counts");
    let realm = run_options.mode == Mode::Realm;
    let what = if realm {
        format!("profile=all,{MONITOR}")
    } else {
        "profile=all".to_owned()
    };
    let words = ["-plugin".to_owned(), plugin.option(&what, &counts)];
    run_options.qemu_arg.extend(words);
    let verdict = run::run_once(&run_options)?.verdict;
    let text = std::fs::read_to_string(&counts)
        .context("the plugin wrote no counts: QEMU did not end in good order")?;
    let symbols = Symbols::load(&file, machine::load_address(run_options.mode))?;
    let tree = Tree::build(&Record::parse(&text)?.calls, &symbols);
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
