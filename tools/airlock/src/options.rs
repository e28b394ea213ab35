//! Options of `airlock run`, which other commands take as well.

use crate::network::Network;
use crate::serve::Behaviour;
use crate::units;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// The processor of all runs that ask for no other.
pub const DEFAULT_CPU: &str = "max,pauth-impdef=on";

/// The payload of `make run`.
const MAIN_JOB: &str = "keybroker";
/// The same where there is no realm, so nothing that could be attested.
const MAIN_JOB_OF_MACHINES: &str = "fetch";

/// How the image boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// As a realm, under the test monitor at EL2, behind an SMMU.
    Realm,
    /// As a guest of a plain QEMU `virt` machine: no EL2, no RSI.
    Vm,
}

/// The machine that boots the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Board {
    /// QEMU's `virt`.
    QemuVirt,
}

/// Options of `airlock run`.
#[derive(Args, Clone, Debug)]
pub struct RunOptions {
    /// The payload to build and boot: a program of payloads/ or tests/. Without it, keybroker; as a
    /// plain machine, fetch.
    #[arg(long, value_name = "NAME")]
    pub payload: Option<String>,
    /// Boots this ELF file or raw image instead of building one.
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
    /// Boots under this monitor instead of building one (--mode realm).
    #[arg(long, value_name = "FILE")]
    pub monitor_image: Option<PathBuf>,
    /// The machine.
    #[arg(long, value_enum, default_value = "qemu-virt")]
    pub board: Board,
    /// As a realm or as a plain machine; the image has the same bytes.
    #[arg(long, value_enum, default_value = "realm")]
    pub mode: Mode,
    /// Memory of the guest (K, M or G); the monitor's own comes on top.
    #[arg(long, default_value = "64M", value_parser = units::size)]
    pub memory: u64,
    /// Processors of the guest; a payload starts the others itself.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8))]
    pub cpus: u32,
    /// A raw disk image for a block device; can be given more than once.
    #[arg(long, value_name = "FILE")]
    pub disk: Vec<PathBuf>,
    /// A folder of this host that the guest may use, by 9p; can be given more than once.
    #[arg(long, value_name = "NAME=DIR", value_parser = crate::share::parse)]
    pub share: Vec<crate::share::Share>,
    /// Asks the guest for so much of its memory (K, M or G) by a balloon device, and allows it by the boot
    /// argument balloon=, unless --append has one.
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    pub balloon: Option<u64>,
    /// Has QEMU listen for its machine protocol (QMP) at this socket, for scripts that move a balloon, say.
    #[arg(long, value_name = "FILE")]
    pub qmp: Option<PathBuf>,
    /// user, none, tap:NAME, udp:LOCAL:PEER (frames as UDP packets on loopback), or unplugged.
    #[arg(long, default_value = "user")]
    pub net: Network,
    /// Forwards tcp:HOST:GUEST or udp:HOST:GUEST from a port of this host's loopback (with --net user).
    #[arg(long, value_name = "PROTOCOL:HOST:GUEST")]
    pub forward: Vec<crate::network::Forward>,
    /// A named port of the guest's console device, and where it leads: NAME=file:PATH, NAME=unix:PATH or
    /// NAME=tcp:PORT (QEMU listens there), or NAME=stdio; can be given more than once.
    #[arg(long, value_name = "NAME=WHERE")]
    pub port: Vec<crate::ports::Port>,
    /// Gives the guest a vsock device, and says which port leads where: guest:PORT=ADDRESS (who connects there reaches
    /// this port of the guest), host:PORT=ADDRESS (where the guest's connections to this port of the host lead) or
    /// unix:PATH (a client says CONNECT PORT first; the guest's connections lead to PATH_PORT). ADDRESS is tcp:PORT,
    /// tcp:HOST:PORT or unix:PATH. Can be given more than once; alone, no port leads anywhere.
    #[arg(long, value_name = "WAY", num_args = 0..=1, default_missing_value = "", value_parser = crate::vsock::parse)]
    pub vsock: Vec<crate::vsock::MaybeWay>,
    /// Boot arguments for the runtime (README.md lists them) and for the payload (the top of its
    /// src/main.rs).
    #[arg(
        long,
        default_value = "",
        allow_hyphen_values = true,
        value_name = "ARGS"
    )]
    pub append: String,
    /// An option of the monitor, such as reject=always; can be given more than once. The list is in
    /// tools/monitor/README.md.
    #[arg(long, value_name = "KEY=VALUE", value_parser = monitor_option)]
    pub monitor: Vec<String>,
    /// Makes this virtio function one that the realm may trust (0000:00:02.0), with evidence of a test
    /// maker, and has the realm trust it: adds the boot argument `trust=`, unless --append has one, or
    /// leaves it to the payload, as `fetch.trust=` does.
    #[arg(long, value_name = "PLACE")]
    pub trust_device: Option<String>,
    /// Binds a PCI function to a restricted pool, `FUNCTION=SIZE[@ADDRESS]`, such as 0000:00:02.0=2M: in the
    /// device tree and in the SMMU; can be given more than once (--mode realm).
    #[arg(long, value_name = "FUNCTION=SIZE", value_parser = restricted_dma)]
    pub restricted_dma: Vec<String>,
    /// Has the monitor look in all shared pages for secrets that it knows, and for any byte that no device was
    /// told: each is a violation (--mode realm; docs/dma.md).
    #[arg(long)]
    pub oracle: bool,
    /// Keeps in this file what crosses the boundary, event by event, and beside it what QEMU sees of cards and
    /// disks. `airlock trace FILE` shows it, also while it grows.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Ends QEMU after this time (60s, 500ms, 2m).
    #[arg(long, default_value = "60s", value_parser = units::time)]
    pub timeout: Duration,
    /// Writes console.log, qemu.log, command.txt and report.json there.
    #[arg(long, value_name = "DIR")]
    pub keep_logs: Option<PathBuf>,
    /// Processor model, as QEMU names it.
    #[arg(long, default_value = DEFAULT_CPU)]
    pub cpu: String,
    /// Address bits of the realm: 41, or 33 with everything below 4 GiB.
    #[arg(long, default_value = "41", value_parser = ["33", "41"])]
    pub width: String,
    /// The QEMU to use.
    #[arg(long, env = "QEMU", value_name = "PATH")]
    pub qemu: Option<PathBuf>,
    /// One more device, as QEMU's -device takes it; can be given more than once.
    #[arg(long, value_name = "DEVICE")]
    pub device: Vec<String>,
    /// One more word for QEMU's command line, as it is; can be given more than once.
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    pub qemu_arg: Vec<String>,
    /// Gives the kernel these bytes as its device tree (--mode vm only).
    #[arg(long, value_name = "FILE")]
    pub device_tree: Option<PathBuf>,
    /// How the file server behaves (payload fetch).
    #[arg(long, value_enum, default_value = "honest")]
    pub serve: Behaviour,
    /// Seed of the file that the server has; without it, a new one each time (payload fetch). Or that of a
    /// random attack.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Starts a key broker that gives the key `skywalker` to this image, with these boot arguments, and tells
    /// the payload where it is by keybroker.url=. The payload keybroker has one without this.
    #[arg(long)]
    pub broker: bool,
    /// The image that the key broker is to know, if not the one that boots (with a broker).
    #[arg(long, value_name = "FILE")]
    pub reference_image: Option<PathBuf>,
    /// The boot arguments that the key broker is to know by REM 1, if not those of this run (with a
    /// broker).
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    pub reference_append: Option<String>,
    /// Lets devices, interrupts, RMM and shared memory lie to the payload `victim`: `random` (--seed says
    /// which), `honest`, lies such as disk.used-length@3=0xffff with commas between them, or a file of them.
    #[arg(long, value_name = "SCRIPT")]
    pub attack: Option<String>,
    /// The most lies of an attack.
    #[arg(long, default_value = "4000", value_name = "N")]
    pub events: u32,
    /// Keeps the tokens that the key broker is sent there, for `keybroker verify` (with a broker).
    #[arg(long, value_name = "DIR")]
    pub dump_evidence: Option<PathBuf>,
    /// Waits for a debugger on this port of loopback, and prints the line that starts it; no time limit.
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "1234")]
    pub gdb: Option<u16>,
    /// Shows the commands and the whole report.
    #[arg(short, long)]
    pub verbose: bool,
}

impl RunOptions {
    /// How long QEMU may run.
    #[must_use]
    pub fn limit(&self) -> Duration {
        match self.gdb {
            Some(_) => Duration::MAX,
            None => self.timeout,
        }
    }

    /// The payload that boots. An image without a name is nobody's main job.
    #[must_use]
    pub fn payload_name(&self) -> &str {
        match (&self.payload, &self.image) {
            (Some(name), _) => name,
            (None, None) if self.mode == Mode::Vm => MAIN_JOB_OF_MACHINES,
            (None, None) => MAIN_JOB,
            (None, Some(_)) => "",
        }
    }
}

/// A function and the size of its pool; the monitor says what else is wrong.
fn restricted_dma(text: &str) -> Result<String, String> {
    let parts = text.split_once('=').filter(|(function, size)| {
        function.starts_with("0000:00:") && size.starts_with(|first: char| first.is_ascii_digit())
    });
    match parts {
        Some(_) if !text.contains(char::is_whitespace) => Ok(text.to_owned()),
        _ => Err(format!(
            "`{text}` is not `FUNCTION=SIZE[@ADDRESS]`, such as 0000:00:02.0=2M@0x46000000"
        )),
    }
}

/// The monitor takes words `monitor.KEY=VALUE`; the user may write them with or without `monitor.`.
pub(crate) fn monitor_option(text: &str) -> Result<String, String> {
    let option = text.strip_prefix("monitor.").unwrap_or(text);
    let good = option
        .split_once('=')
        .is_some_and(|(key, value)| !key.is_empty() && !value.is_empty());
    if !good || option.contains(char::is_whitespace) {
        return Err(format!("`{text}` is not KEY=VALUE"));
    }
    Ok(format!("monitor.{option}"))
}

/// Options of `airlock image`.
#[derive(Args, Clone, Debug)]
pub struct ImageOptions {
    /// Payloads to build; all of payloads/ when none is named.
    pub payloads: Vec<String>,
    /// Features to build in, as far as a payload's Cargo.toml has them: `trace,trust`. Such an image has them
    /// in its name.
    #[arg(long, value_delimiter = ',', value_name = "FEATURE")]
    pub features: Vec<String>,
    /// Also builds the test monitor.
    #[arg(long)]
    pub monitor: bool,
    /// Where the images go; target/airlock without it.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
