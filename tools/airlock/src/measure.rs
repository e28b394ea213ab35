//! `airlock measure`: the RIM that an image must have, from the file alone.

pub mod corim;
mod tree;

use crate::network::Network;
use crate::options::{DEFAULT_CPU, Mode, monitor_option};
use crate::{guest_tree, image, machine, qemu, units};
use ::measure::vmm::{self, Event, Files, Layout, Machine, Order};
use ::measure::{Algorithm, Digest, Rmm, rem};
use anyhow::{Context, Result, ensure};
use base64ct::{Base64, Encoding};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Who builds the realm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Vmm {
    /// kvmtool: `lkvm run --realm`.
    Lkvm,
    /// QEMU `virt` with `rme-guest`.
    Qemu,
    /// The test monitor of this project.
    Monitor,
}

/// The order of lkvm's steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LkvmOrder {
    /// All RAM first: since the branches of 2025.
    Newest,
    /// Image first, other RAM left empty: the branches eac5 and v2.
    Old,
}

/// The RMM's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rules {
    /// RMM 1.0; TF-RMM up to 0.8.
    #[value(name = "1.0")]
    V1_0,
    /// RMM 2.0: RIPAS does not count.
    #[value(name = "2.0")]
    V2_0,
}

/// The hash algorithm of the realm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// Options of `airlock measure`.
#[derive(Args, Clone, Debug)]
pub struct MeasureOptions {
    /// The kernel: a raw arm64 image, or the ELF file that it is made of.
    pub image: PathBuf,
    /// Who builds the realm.
    #[arg(long, value_enum)]
    pub vmm: Vmm,
    /// Whose rules.
    #[arg(long, value_enum, default_value = "1.0")]
    pub rmm: Rules,
    /// Memory of the realm (K, M or G).
    #[arg(long, value_parser = units::size)]
    pub memory: u64,
    /// Processors. They show in the device tree alone: only the first one is measured.
    #[arg(long, default_value_t = 1)]
    pub vcpus: u32,
    /// The device tree: of `lkvm run ... --dump-dtb FILE`, or of QEMU's `-machine dumpdtb=FILE`. For the
    /// monitor, without it, QEMU is asked.
    #[arg(long, value_name = "FILE")]
    pub dtb: Option<PathBuf>,
    /// The initial file system.
    #[arg(long, value_name = "FILE")]
    pub initrd: Option<PathBuf>,
    /// Boot arguments: prints the REM 1 that the image gives itself from them.
    #[arg(long, allow_hyphen_values = true, value_name = "ARGS")]
    pub append: Option<String>,
    /// Processor model, as QEMU names it; it shows in the device tree (--vmm monitor).
    #[arg(long, default_value = DEFAULT_CPU)]
    pub cpu: String,
    /// An option of the monitor that the guest sees, such as psci=hvc; can be given more than once.
    #[arg(long, value_name = "KEY=VALUE", value_parser = monitor_option)]
    pub monitor: Vec<String>,
    /// One more word of QEMU's command line that shows in the device tree (--vmm monitor).
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    pub qemu_arg: Vec<String>,
    /// The QEMU to ask for its device tree (--vmm monitor).
    #[arg(long, env = "QEMU", value_name = "PATH")]
    pub qemu: Option<PathBuf>,
    /// The hash algorithm; without it, the one that the monitor takes.
    #[arg(long, value_enum)]
    pub hash: Option<Hash>,
    /// Breakpoints minus 1, from 0 to 15: the field BRPs of ID_AA64DFR0_EL1 as the realm reads it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(..=15))]
    pub bps: Option<u8>,
    /// Watchpoints minus 1, from 0 to 15: the field WRPs of ID_AA64DFR0_EL1 as the realm reads it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(..=15))]
    pub wps: Option<u8>,
    /// Address bits of the realm, shared half included; without it, what the monitor takes.
    #[arg(long, value_name = "BITS")]
    pub width: Option<u8>,
    /// PMU counters, from 0 to 31, for a realm with a PMU.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(..=31))]
    pub pmu_counters: Option<u8>,
    /// SVE vector length in quadwords minus 1, from 0 to 15, for a realm with SVE.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(..=15))]
    pub sve_vl: Option<u8>,
    /// The realm may have devices of its own (--trust-device under the test monitor).
    #[arg(long)]
    pub devices: bool,
    /// The order of lkvm's steps.
    #[arg(long, value_enum, default_value = "newest")]
    pub lkvm_order: LkvmOrder,
    /// Lists every extension in order, with its type, its address, and the value behind it.
    #[arg(long)]
    pub explain: bool,
    /// Writes the reference values of a key broker there, as JSON.
    #[arg(long, value_name = "FILE")]
    pub reference_values: Option<PathBuf>,
    /// Writes them there as a CoRIM, which a Veraison service can be provisioned with.
    #[arg(long, value_name = "FILE")]
    pub corim: Option<PathBuf>,
}

/// What an image must measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurements {
    /// The initial measurement.
    pub rim: Digest,
    /// Each step on the way to it.
    pub events: Vec<Event>,
    /// REM 1 behind the boot arguments, if they are known.
    pub rem1: Option<Digest>,
}

/// Computes what `options` ask for, prints it, and writes the reference values.
///
/// # Errors
/// A file cannot be read or written, or something that is measured is not known.
pub fn measure(options: &MeasureOptions) -> Result<()> {
    let measurements = compute(options)?;
    for warning in warnings(options)? {
        eprintln!("airlock: warning: {warning}");
    }
    if options.explain {
        for (number, event) in measurements.events.iter().enumerate() {
            println!("{number:6} {event}");
        }
    }
    let rim = measurements.rim;
    println!("rim {}", rim.algorithm().name());
    println!("rim hex {rim}");
    println!("rim base64 {}", base64(&rim));
    if let Some(rem1) = measurements.rem1 {
        println!("rem1 hex {rem1}");
    }
    let write = |file: &PathBuf, content: &[u8]| {
        std::fs::write(file, content).with_context(|| format!("cannot write {}", file.display()))
    };
    if let Some(file) = &options.reference_values {
        write(file, reference_values(&[rim]).as_bytes())?;
    }
    if let Some(file) = &options.corim {
        write(file, &corim::corim(&measurements))?;
        println!("corim profile {}", corim::PROFILE);
    }
    Ok(())
}

/// What makes a number that was computed well worth little.
fn warnings(options: &MeasureOptions) -> Result<Vec<String>> {
    let Some(path) = &options.dtb else {
        return Ok(Vec::new());
    };
    let dtb = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(tree::seeds(&dtb)
        .iter()
        .map(|seed| {
            format!(
                "{} has /chosen/{seed}, which is another one at each start, so no second realm has this \
                 RIM; start and dump QEMU with -machine virt,dtb-randomness=off (lkvm: without --kaslr-seed)",
                path.display()
            )
        })
        .collect())
}

/// Computes what the image of `options` must measure.
///
/// # Errors
/// A file cannot be read, or something that is measured is not known.
pub fn compute(options: &MeasureOptions) -> Result<Measurements> {
    let read = |path: &PathBuf| {
        std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let file = read(&options.image)?;
    let image = image::from_file(&file).with_context(|| format!("{}", options.image.display()))?;
    let dtb = options.dtb.as_ref().map(read).transpose()?;
    let dtb = match (options.vmm, dtb) {
        (Vmm::Monitor, Some(qemus)) => Some(guest_tree::of_qemus(&qemus)?),
        (Vmm::Monitor, None) => Some(monitors_tree(options, &image)?),
        (Vmm::Lkvm | Vmm::Qemu, dtb) => dtb,
    };
    let initrd = options.initrd.as_ref().map(read).transpose()?;
    let files = Files {
        image: &image,
        initrd: initrd.as_deref(),
        dtb: dtb.as_deref(),
    };
    ensure!(options.vcpus > 0, "--vcpus must be at least 1");
    let layout = layout(options, &files)?;
    let in_tree = files.dtb.map(|dtb| tree::check(dtb, options, &layout));
    let arguments = in_tree.transpose()?;
    let rules = match options.rmm {
        Rules::V1_0 => Rmm::V1_0,
        Rules::V2_0 => Rmm::V2_0,
    };
    let mut events = Vec::new();
    let rim = layout.measure(rules, &mut |event| events.push(event));
    Ok(Measurements {
        rim,
        events,
        rem1: arguments.map(|arguments| rem_of_arguments(rim.algorithm(), &arguments)),
    })
}

/// The value of REM 1 once the image has added the digest of its boot arguments.
#[must_use]
pub fn rem_of_arguments(algorithm: Algorithm, arguments: &str) -> Digest {
    let digest = algorithm.hash(arguments.as_bytes());
    rem::extend(&Digest::zero(algorithm), digest.as_bytes())
}

/// The file of reference values that a key broker reads, in the form of Arm's demonstration.
#[must_use]
pub fn reference_values(rims: &[Digest]) -> String {
    let rims: Vec<String> = rims.iter().map(base64).collect();
    let values = serde_json::json!({ "reference-values": rims });
    format!("{values:#}\n")
}

fn layout<'a>(options: &MeasureOptions, files: &Files<'a>) -> Result<Layout<'a>> {
    let machine = parameters(options)?;
    let layout = match options.vmm {
        Vmm::Lkvm => vmm::lkvm(files, &machine, order(options.lkvm_order)),
        Vmm::Qemu => vmm::qemu(files, &machine),
        Vmm::Monitor => {
            ensure!(files.initrd.is_none(), "the monitor loads no --initrd");
            vmm::monitor(files, &machine)
        }
    };
    layout.map_err(|error| match error {
        vmm::Error::DeviceTreeMissing => anyhow::anyhow!("{error}; {}", dtb_hint(options.vmm)),
        _ => error.into(),
    })
}

/// The tree that the guest of the monitor gets, made of the one that QEMU tells.
fn monitors_tree(options: &MeasureOptions, image: &[u8]) -> Result<Vec<u8>> {
    let qemu = qemu::find(options.qemu.as_deref())?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("image");
    std::fs::write(&file, image)?;
    let processors = ["-smp".to_owned(), options.vcpus.to_string()];
    let machine = machine::Machine {
        mode: Mode::Realm,
        memory: options.memory,
        narrow: options.width == Some(33),
        cpu: options.cpu.clone(),
        image: file,
        monitor: None,
        monitor_options: options.monitor.clone(),
        append: options.append.clone().unwrap_or_default(),
        disks: Vec::new(),
        shares: Vec::new(),
        vsock: None,
        balloon: false,
        net: Network::None,
        forwards: Vec::new(),
        ports: crate::ports::Ports::default(),
        devices: Vec::new(),
        words: [&processors, &options.qemu_arg[..]].concat(),
        bare: None,
        witnesses: Vec::new(),
    };
    machine.check()?;
    guest_tree::of_machine(&qemu, &machine)
}

const fn order(order: LkvmOrder) -> Order {
    match order {
        LkvmOrder::Newest => Order::RamFirst,
        LkvmOrder::Old => Order::KernelTail,
    }
}

const fn dtb_hint(vmm: Vmm) -> &'static str {
    match vmm {
        Vmm::Lkvm => "get it by `lkvm run ... --dump-dtb FILE` and give it as --dtb FILE",
        Vmm::Qemu | Vmm::Monitor => {
            "get it by `qemu-system-aarch64 ... -machine virt,dumpdtb=FILE` and give it as --dtb FILE"
        }
    }
}

fn parameters(options: &MeasureOptions) -> Result<Machine> {
    let (breakpoints, watchpoints) = debug_fields(options)?;
    Ok(Machine {
        memory: options.memory,
        ipa_bits: options.width,
        algorithm: options.hash.map(|hash| match hash {
            Hash::Sha256 => Algorithm::Sha256,
            Hash::Sha512 => Algorithm::Sha512,
        }),
        breakpoints,
        watchpoints,
        pmu_counters: options.pmu_counters,
        sve_vl: options.sve_vl,
        devices: options.devices,
    })
}

/// The host's processor decides these, so only the monitor's are known.
fn debug_fields(options: &MeasureOptions) -> Result<(u8, u8)> {
    let (bps, wps) = match options.vmm {
        Vmm::Monitor => vmm::MONITOR_DEBUG,
        Vmm::Lkvm | Vmm::Qemu => {
            ensure!(
                options.bps.is_some() && options.wps.is_some(),
                "breakpoints and watchpoints are measured and depend on the host: \
                 give --bps N and --wps N, the fields BRPs and WRPs (number minus 1) of \
                 ID_AA64DFR0_EL1 as a realm on it reads them"
            );
            (0, 0)
        }
    };
    Ok((options.bps.unwrap_or(bps), options.wps.unwrap_or(wps)))
}

fn base64(digest: &Digest) -> String {
    Base64::encode_string(digest.as_bytes())
}

#[cfg(test)]
mod tests;
