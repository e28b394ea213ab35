//! The arguments of `airlock`.

use crate::measure::MeasureOptions;
use crate::options::{ImageOptions, RunOptions};
use crate::profile::ProfileOptions;
use crate::trace::TraceOptions;
use crate::verdict::EXIT_CODES;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Builds Airlock images, boots them in QEMU as a realm or as a plain machine, and gives a verdict.
#[derive(Debug, Parser)]
#[command(name = "airlock", version, after_help = EXIT_CODES)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Builds a payload, boots it, shows its console, and ends with its verdict.
    #[command(after_help = EXIT_CODES)]
    Run(Box<RunOptions>),
    /// Builds payloads and writes their raw images to target/airlock/NAME.img.
    #[command(visible_alias = "build")]
    Image(ImageOptions),
    /// Shows where the instructions of a payload go, by function, and draws a flame graph.
    Profile(Box<ProfileOptions>),
    /// Builds all payloads into a folder with digests, reference values and what is in them.
    Dist(DistOptions),
    /// Makes a payload in a folder of its own, outside of Airlock's.
    New(NewOptions),
    /// Lists the files of a folder by digests, in a file there, so that a realm can believe them
    /// (docs/share.md); prints the boot argument that names the list.
    Manifest(ManifestOptions),
    /// Shows what crossed the boundary in a run with --trace: while it runs, or as a table, frames, a page.
    Trace(TraceOptions),
    /// Computes the RIM that an image must have, from its file.
    Measure(Box<MeasureOptions>),
}

/// Options of `airlock dist`.
#[derive(Args, Clone, Debug)]
pub struct DistOptions {
    /// Where everything goes. An older folder of this command is made anew.
    #[arg(long, value_name = "DIR", default_value = "dist")]
    pub out: PathBuf,
}

/// Options of `airlock new`.
#[derive(Args, Clone, Debug)]
pub struct NewOptions {
    /// Name of the payload.
    pub name: String,
    /// The folder to make; NAME without it.
    #[arg(long, value_name = "DIR")]
    pub path: Option<PathBuf>,
    /// The checkout of Airlock that the payload depends on; without it, the one that this command is of.
    #[arg(long, value_name = "DIR")]
    pub airlock: Option<PathBuf>,
}

/// Options of `airlock manifest`.
#[derive(Args, Clone, Debug)]
pub struct ManifestOptions {
    /// The folder; `airlock.manifest` is written there.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Mode;
    use crate::units;

    /// The options that a command line gives.
    fn parse(line: &[&str]) -> Result<RunOptions, clap::Error> {
        let words = ["airlock", "run"].iter().chain(line);
        match Arguments::try_parse_from(words)?.command {
            Command::Run(options) => Ok(*options),
            other => panic!("this is not run: {other:?}"),
        }
    }

    #[test]
    fn the_main_job_needs_no_argument() {
        let options = parse(&[]).unwrap();
        assert_eq!(options.payload_name(), "keybroker");
        assert_eq!(options.mode, Mode::Realm);
        assert_eq!(options.memory, 64 * units::MIB);
    }

    #[test]
    fn a_plain_machine_has_nothing_to_attest_so_it_fetches() {
        let options = parse(&["--mode", "vm"]).unwrap();
        assert_eq!(options.payload_name(), "fetch");
    }

    #[test]
    fn an_image_without_a_name_is_not_the_main_job() {
        assert_eq!(parse(&["--image", "x.img"]).unwrap().payload_name(), "");
    }

    #[test]
    fn monitor_options_get_their_prefix_once() {
        let options = parse(&["--monitor", "rsi=2.0", "--monitor", "monitor.ipa=20"]).unwrap();
        assert_eq!(options.monitor, ["monitor.rsi=2.0", "monitor.ipa=20"]);
    }

    #[test]
    fn bad_values_are_refused_where_they_stand() {
        for line in [
            &["--memory", "lots"][..],
            &["--timeout", "0"],
            &["--monitor", "reject"],
            &["--width", "52"],
            &["--net", "wifi"],
            &["--forward", "tcp:80"],
        ] {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.contains(line[0]), "{error}");
        }
    }
}
