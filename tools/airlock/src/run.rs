//! `airlock run`: build, boot, listen, judge.

use crate::balloon;
use crate::console::Transcript;
use crate::debugger;
use crate::features;
use crate::image;
use crate::job::Job;
use crate::machine::{Bare, Machine};
use crate::options::{Mode, RunOptions};
use crate::ports::Ports;
use crate::qemu::{self, End, Session};
use crate::report::Report;
use crate::share;
use crate::symbols::{self, Caller, Symbols};
use crate::trace::record;
use crate::trusted;
use crate::verdict::Verdict;
use crate::vsock;
use crate::workspace::{self, Workspace};
use ::vsock::Backend;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub verdict: Verdict,
    /// What the guest said.
    pub console: Transcript,
    /// What the monitor counted, in a realm.
    pub report: Option<Report>,
    /// Who called what broke, innermost first, if something did.
    pub callers: Vec<Caller>,
    /// Time that QEMU ran.
    pub elapsed: Duration,
}

/// Runs one payload from source to verdict, and tells on the console what happens.
///
/// # Errors
/// Something that the run needs is not there; the text says what to do.
pub fn run(options: &RunOptions) -> Result<Outcome> {
    qemu::catch_interrupts()?;
    run_once(options)
}

/// As [`run`], for a caller that has its own way with signals, such as a test.
///
/// # Errors
/// As [`run`].
pub fn run_once(options: &RunOptions) -> Result<Outcome> {
    let options = &with_payload(options)?;
    let prepared = Prepared::new(options)?;
    prepared.announce(options);
    if let Some(folder) = &options.keep_logs {
        make_folder(folder)?;
    }
    let arguments = prepared.machine.arguments();
    if options.verbose {
        eprintln!("airlock: {}", qemu::shell_line(&prepared.qemu, &arguments));
    }
    if let (Some(socket), Some(size)) = (prepared.qmp.clone(), options.balloon) {
        balloon::ask(socket, size, prepared.machine.total_memory());
    }
    let mut callers = Vec::new();
    let session = qemu::run(&prepared.qemu, &arguments, options.limit(), |_, line| {
        if let Some(found) = symbols::callers(&prepared.symbols, line) {
            callers = found;
            symbols::print(&callers);
        } else if options.verbose || !line.starts_with("report: ") {
            println!("{line}");
        }
    })?;
    if let Some(path) = &options.trace {
        println!("airlock: trace {}", record::told(path));
    }
    let outcome = Outcome {
        callers,
        ..prepared.judge(options, &session)
    };
    if let Some(folder) = &options.keep_logs {
        keep_logs(
            folder,
            &qemu::shell_line(&prepared.qemu, &arguments),
            &session,
        )?;
    }
    Ok(outcome)
}

/// Runs one payload and shows nothing of it.
///
/// # Errors
/// As [`run`].
pub fn silently(options: &RunOptions) -> Result<Session> {
    let prepared = Prepared::new(options)?;
    let arguments = prepared.machine.arguments();
    qemu::run(&prepared.qemu, &arguments, options.limit(), |_, _| {})
}

/// The options, with the payload of the folder where it is the only one there.
fn with_payload(options: &RunOptions) -> Result<RunOptions> {
    let mut options = options.clone();
    if options.payload.is_none() && options.image.is_none() {
        options.payload = Workspace::find()?.only_payload();
    }
    Ok(options)
}

/// All that a run needs, ready.
struct Prepared {
    qemu: PathBuf,
    machine: Machine,
    /// The ELF file of the image, if it is there.
    symbols: PathBuf,
    /// The payload's source, if a payload of the workspace boots.
    source: Option<String>,
    job: Job,
    /// What the socket device leads to; ends with this.
    _vsock: Option<Backend>,
    /// Where QEMU is asked to move the balloon.
    qmp: Option<PathBuf>,
    /// Deleted at the end, also after an error.
    _folder: TempDir,
}

impl Prepared {
    fn new(options: &RunOptions) -> Result<Self> {
        let qemu = qemu::find(options.qemu.as_deref())?;
        let folder = tempfile::Builder::new().prefix("airlock-").tempdir()?;
        let mut machine = machine(options);
        machine.vsock = vsock::Device::of_options(&options.vsock, folder.path());
        machine.check()?;
        let (image, monitor) = images(options, folder.path())?;
        let symbols = Symbols::beside(options.image.as_deref().unwrap_or(&image));
        (machine.image, machine.monitor) = (image, monitor);
        if let Some(path) = &options.trace {
            record::prepare(path, &mut machine)?;
        }
        let job = Job::prepare(options, &qemu, folder.path(), &mut machine)?;
        let qmp = balloon::socket(options, folder.path());
        let listening = balloon::words(options, qmp.as_ref());
        machine.witnesses.extend(listening);
        if let Some(path) = &options.trace {
            machine.witness(path);
        }
        let vsock = machine.vsock.as_ref();
        let vsock = vsock.map(vsock::Device::start).transpose()?;
        if let Some(tree) = &options.device_tree {
            let stub = folder.path().join("entry.bin");
            std::fs::write(&stub, machine.entry_stub())?;
            machine.bare = Some(Bare {
                stub,
                device_tree: tree.clone(),
            });
            machine.check()?;
        }
        Ok(Self {
            qemu,
            machine,
            symbols,
            source: source(options),
            job,
            _vsock: vsock,
            qmp,
            _folder: folder,
        })
    }

    fn announce(&self, options: &RunOptions) {
        let bytes = std::fs::read(&self.machine.image).unwrap_or_default();
        let covers = image::check(&bytes).map_or(0, |header| header.image_size);
        println!(
            "airlock: image {} has {} KiB, takes {} KiB of memory",
            self.machine.image.display(),
            bytes.len() / 1024,
            covers / 1024
        );
        if let Some(description) = self.job.description() {
            println!("airlock: {description}");
        }
        let world = match options.mode {
            Mode::Realm => "as a realm under the test monitor",
            Mode::Vm => "as a plain machine",
        };
        let version = qemu::version(&self.qemu).unwrap_or_default();
        println!(
            "airlock: boots {world}, {} MiB, {version}",
            options.memory >> 20
        );
        if let Some(port) = options.gdb {
            let source = self.source.as_deref();
            let command = debugger::command(port, &self.symbols, options.mode, source);
            println!("airlock: waits for a debugger; in another terminal: {command}");
        }
    }

    fn judge(&self, options: &RunOptions, session: &Session) -> Outcome {
        let report = session.console.report();
        let mut verdict = verdict(options, session, report.as_ref());
        if let Some(report) = &report {
            println!("{report}");
        }
        if verdict == Verdict::Ok {
            match self.job.check(options.mode, report.as_ref()) {
                Ok(Some(found)) => println!("host: {found}"),
                Ok(None) => {}
                Err(wrong) => verdict = Verdict::HostCheckFailed(wrong),
            }
        }
        println!(
            "airlock: {verdict} ({}.{} s)",
            session.elapsed.as_secs(),
            session.elapsed.subsec_millis() / 100
        );
        Outcome {
            verdict,
            console: session.console.clone(),
            report,
            callers: Vec::new(),
            elapsed: session.elapsed,
        }
    }
}

fn verdict(options: &RunOptions, session: &Session, report: Option<&Report>) -> Verdict {
    match session.end {
        End::Interrupted => Verdict::Interrupted,
        // Nobody stops it here; whoever did would have seen too little for more.
        End::TimedOut | End::Stopped => Verdict::of_late(&session.console, report),
        End::PoweredOff(status) if !status.success() => {
            session
                .complaints
                .iter()
                .for_each(|line| eprintln!("qemu: {line}"));
            Verdict::SetUp
        }
        End::PoweredOff(_) => Verdict::of(&session.console, report, options.mode == Mode::Realm),
    }
}

/// The machine as far as the options say it; images and the main job come on top.
fn machine(options: &RunOptions) -> Machine {
    Machine {
        mode: options.mode,
        memory: options.memory,
        narrow: options.width == "33",
        cpu: options.cpu.clone(),
        image: PathBuf::new(),
        monitor: None,
        monitor_options: [
            trusted::monitor_options(options),
            pools(options),
            oracle(options),
        ]
        .concat(),
        append: balloon::append(
            options.balloon,
            share::append(&options.share, trusted::append(options)),
        ),
        balloon: options.balloon.is_some(),
        disks: options.disk.clone(),
        shares: options.share.clone(),
        vsock: None,
        net: options.net.clone(),
        forwards: options.forward.clone(),
        ports: ports(options),
        devices: options.device.clone(),
        words: words(options),
        witnesses: Vec::new(),
        bare: None,
    }
}

/// The console device, if the boot arguments want one, and its ports.
fn ports(options: &RunOptions) -> Ports {
    let mut words = options.append.split_whitespace();
    Ports {
        console: words.any(|word| word == "console=hvc0"),
        named: options.port.clone(),
    }
}

/// The monitor's words for functions that are bound to a pool.
fn pools(options: &RunOptions) -> Vec<String> {
    let pools = options.restricted_dma.iter();
    pools.map(|pool| format!("monitor.pool={pool}")).collect()
}

/// The monitor's word for the leak oracle.
fn oracle(options: &RunOptions) -> Vec<String> {
    let word = options.oracle.then(|| "monitor.oracle=on".to_owned());
    word.into_iter().collect()
}

/// More words for QEMU: the user's, those for a debugger, and more processors than one.
fn words(options: &RunOptions) -> Vec<String> {
    let debugger = options.gdb.map(debugger::words);
    let words = debugger.into_iter().flatten();
    let cpus = (options.cpus > 1).then(|| ["-smp".to_owned(), options.cpus.to_string()]);
    let words = words.chain(cpus.into_iter().flatten());
    words.chain(options.qemu_arg.iter().cloned()).collect()
}

/// The source of the payload that is named, for the debugger.
fn source(options: &RunOptions) -> Option<String> {
    options.gdb?;
    let file = Workspace::find().ok()?.source(options.payload_name())?;
    std::fs::read_to_string(file).ok()
}

/// Raw images of the payload and, for a realm, of the monitor.
fn images(options: &RunOptions, folder: &Path) -> Result<(PathBuf, Option<PathBuf>)> {
    let image = match &options.image {
        Some(file) => given(file, &folder.join("image.img"))?,
        None => {
            let workspace = Workspace::find()?;
            let name = options.payload_name();
            let program = workspace.program_with(name, &features::wanted(options))?;
            let folder = workspace.out();
            let known = program.image_in(&folder).is_file();
            let note = if known {
                ""
            } else {
                " (a first build takes some minutes)"
            };
            eprintln!("airlock: builds `{name}`{note}");
            workspace.write_image(&program, &folder, options.verbose)?
        }
    };
    let monitor = match (options.mode, &options.monitor_image) {
        (Mode::Vm, _) => None,
        (Mode::Realm, Some(file)) => Some(given(file, &folder.join("monitor.img"))?),
        (Mode::Realm, None) => {
            let workspace = Workspace::find()?.airlock()?;
            let monitor = Workspace::monitor();
            Some(workspace.write_image(&monitor, &workspace.out(), options.verbose)?)
        }
    };
    Ok((image, monitor))
}

/// The raw image of a file that the user named.
fn given(file: &Path, to: &Path) -> Result<PathBuf> {
    workspace::write_raw(file, to)?;
    Ok(to.to_owned())
}

/// Before the boot: logs of a run that cannot be kept are lost.
fn make_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

fn keep_logs(folder: &Path, command: &str, session: &Session) -> Result<()> {
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    let lines = session.console.lines();
    write("console.log", lines.join("\n") + "\n")?;
    write("qemu.log", session.complaints.join("\n"))?;
    write("command.txt", format!("{command}\n"))?;
    let report = lines
        .iter()
        .rev()
        .find_map(|line| line.strip_prefix("report: "));
    report.map_or(Ok(()), |json| write("report.json", format!("{json}\n")))
}
