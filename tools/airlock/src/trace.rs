//! `airlock trace`: what crossed the boundary, in every form that somebody may want to look at.

pub mod check;
mod csv;
mod live;
pub mod log;
mod page;
pub mod pcap;
mod pcapng;
pub mod record;
mod seen;
pub mod witness;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use crate::trace::log::Log;
use crate::verdict::Verdict;

/// Options of `airlock trace`.
#[derive(Args, Clone, Debug)]
pub struct TraceOptions {
    /// What `airlock run --trace FILE` keeps; it may still be running.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Writes each event as a line of a table; `-` is the standard output.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Writes the frames that crossed, as QEMU saw them, with what the guest says of each, for Wireshark.
    #[arg(long, value_name = "FILE")]
    pub pcapng: Option<PathBuf>,
    /// Writes one page with plots that needs nothing else.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Compares each event with what QEMU saw of cards and disks, both ways round.
    #[arg(long)]
    pub check: bool,
}

/// Shows or writes the trace.
///
/// # Errors
/// It cannot be read, or something cannot be written.
pub fn trace(options: &TraceOptions) -> Result<Verdict> {
    let forms = [&options.csv, &options.pcapng, &options.html];
    if forms.iter().all(|form| form.is_none()) && !options.check {
        live::follow(&options.file)?;
        return Ok(Verdict::Ok);
    }
    let (log, fault) = Log::read(&options.file)?;
    if let Some(fault) = fault {
        eprintln!(
            "airlock: {}: {fault}; what follows is left out",
            options.file.display()
        );
    }
    if !log.complete {
        eprintln!(
            "airlock: {}: the guest did not say that this is all",
            options.file.display()
        );
    }
    if let Some(path) = &options.csv {
        let mut out = output(path)?;
        csv::write(&log, &mut out)?;
        out.flush()?;
    }
    if let Some(path) = &options.pcapng {
        let mut out = output(path)?;
        let seen = seen::Frames::read(&options.file)?;
        pcapng::write(&log, &seen, &mut out)?;
        out.flush()?;
    }
    if let Some(path) = &options.html {
        let mut out = output(path)?;
        out.write_all(page::page(&log).as_bytes())?;
        out.flush()?;
    }
    if options.check {
        return Ok(check::told(&check::check(&log, &options.file)?));
    }
    Ok(Verdict::Ok)
}

/// Compares each event of the trace with what QEMU saw, both ways round.
///
/// # Errors
/// A file cannot be read.
pub fn check(file: &Path) -> Result<check::Findings> {
    let (log, fault) = Log::read(file)?;
    if let Some(fault) = fault {
        anyhow::bail!("{}: {fault}", file.display());
    }
    check::check(&log, file)
}

/// A file, or the standard output.
fn output(path: &Path) -> Result<Box<dyn Write>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufWriter::new(std::io::stdout())));
    }
    let file = File::create(path).with_context(|| format!("cannot make {}", path.display()))?;
    Ok(Box::new(BufWriter::new(file)))
}
