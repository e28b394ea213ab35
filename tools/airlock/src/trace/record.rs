//! The host's end of a trace, while a guest runs.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::machine::Machine;
use crate::ports::Port;
use crate::verdict::WrongArguments;

/// What the guest calls the port that it tells its trace through.
pub const PORT: &str = "airlock.trace";

/// Has the guest tell its trace, and QEMU write it to `path`; says so in `machine`.
///
/// # Errors
/// The boot arguments say something else, or the file cannot be made.
pub fn prepare(path: &Path, machine: &mut Machine) -> Result<()> {
    let mut words = machine.append.split_whitespace();
    ensure!(
        !words.any(|word| word.starts_with("trace=")),
        WrongArguments("--trace and a boot argument trace= contradict each other".to_owned())
    );
    let text = path.to_str().context("the name of a trace must be text")?;
    drop(File::create(path).with_context(|| format!("cannot make {text}"))?);
    machine.ports.named.push(Port::to_file(PORT, text));
    machine.append = format!("{} trace=stream", machine.append).trim().to_owned();
    Ok(())
}

/// One line on what there is now.
#[must_use]
pub fn told(path: &Path) -> String {
    let bytes = path.metadata().map_or(0, |file| file.len());
    let path = path.display();
    match bytes {
        0 => format!("{path}: the guest told nothing of its trace"),
        _ => format!("{path}: {} KiB; look: airlock trace {path}", bytes >> 10),
    }
}
