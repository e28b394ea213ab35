//! The guests that are compared, and the machine that they all get: one QEMU, the same card and disk.

use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};

use airlock_cli::machine::Machine;
use airlock_cli::network::Network;
use airlock_cli::options::Mode;
use airlock_cli::ports::{Port, Ports};
use airlock_cli::trace::record;
use airlock_cli::trusted::measurement;
use clap::ValueEnum;
use serde::Serialize;

use crate::inside;

/// Who runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
pub enum Guest {
    /// Airlock in a plain machine.
    Airlock,
    /// Airlock as a realm, under the test monitor.
    AirlockRealm,
    /// The same with a disk that it trusts: nothing of that is copied.
    AirlockTrusted,
    /// Linux as it is: devices reach all of its memory.
    Linux,
    /// Linux whose devices reach bounce buffers only.
    LinuxBounced,
    /// Linux as a realm, under the test monitor; bounced, because it has to be.
    LinuxRealm,
}

impl Guest {
    /// Whether it runs under the monitor.
    #[must_use]
    pub const fn mode(self) -> Mode {
        match self {
            Self::AirlockRealm | Self::AirlockTrusted | Self::LinuxRealm => Mode::Realm,
            _ => Mode::Vm,
        }
    }

    /// Whether it is Linux.
    #[must_use]
    pub const fn is_linux(self) -> bool {
        matches!(self, Self::Linux | Self::LinuxBounced | Self::LinuxRealm)
    }

    /// Whether its devices must use a bounce pool.
    #[must_use]
    pub const fn is_bounced(self) -> bool {
        !matches!(self, Self::Linux)
    }

    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Airlock => "Airlock, machine",
            Self::AirlockRealm => "Airlock, realm",
            Self::AirlockTrusted => "Airlock, realm, private disk",
            Self::Linux => "Linux, unbounced",
            Self::LinuxBounced => "Linux, bounced",
            Self::LinuxRealm => "Linux, realm",
        }
    }
}

/// What was built and fetched, once for all runs.
#[derive(Clone, Debug)]
pub struct Parts {
    /// QEMU.
    pub qemu: PathBuf,
    /// Raw image of the payload.
    pub payload: PathBuf,
    /// Raw image of the monitor.
    pub monitor: PathBuf,
    /// Linux' kernel and its user space; nothing where no Linux is compared.
    pub linux: Option<Linux>,
}

/// Linux as a guest.
#[derive(Clone, Debug)]
pub struct Linux {
    /// The kernel.
    pub kernel: PathBuf,
    /// Its user space.
    pub initramfs: PathBuf,
    /// Its version.
    pub version: String,
}

/// How a machine differs from run to run.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Memory of the guest, in bytes.
    pub memory: u64,
    /// The largest packet.
    pub mtu: u32,
    /// Boot arguments of the workload.
    pub workload: String,
    /// More boot arguments, of Airlock only.
    pub append: String,
    /// More of the network card's properties.
    pub card: String,
    /// Whether the guest's console is shown.
    pub console: bool,
    /// Where a trace of Airlock's crossings is kept, if there is to be one.
    pub trace: Option<String>,
    /// Physical memory that the guest shares with its devices, once that is known.
    pub window: Option<Range<u64>>,
}

/// The processor of all runs: no instruction of it moves kilobytes at once, as `max` has them.
pub const CPU: &str = "cortex-a57";
/// Bytes of the disk that reads as zeros.
const DISK: u64 = 4 << 30;
/// Where it is.
const DISK_PLACE: &str = "0000:00:02.0";
/// 128 MiB of bounce buffers for Linux; a number equal to its own choice would count as not given.
const BOUNCE: &str = "swiotlb=65536,force";

impl Guest {
    /// QEMU's whole command line, without the plugin.
    #[must_use]
    pub fn arguments(self, parts: &Parts, setting: &Setting) -> Vec<OsString> {
        let workload = format!("{} bench.peer={}", setting.workload, inside::peer());
        let (image, append, initramfs) = match &parts.linux {
            Some(linux) if self.is_linux() => (
                &linux.kernel,
                self.linux_line(&workload),
                Some(&linux.initramfs),
            ),
            _ => (&parts.payload, self.airlock_line(&workload, setting), None),
        };
        let realm = self.mode() == Mode::Realm;
        Machine {
            mode: self.mode(),
            memory: setting.memory,
            narrow: false,
            cpu: CPU.into(),
            image: image.clone(),
            monitor: realm.then(|| parts.monitor.clone()),
            monitor_options: self.monitor_options(),
            append,
            shares: Vec::new(),
            balloon: false,
            disks: Vec::new(),
            net: Network::None,
            forwards: Vec::new(),
            ports: ports(setting),
            devices: Vec::new(),
            words: devices(setting, initramfs.map(PathBuf::as_path)),
            bare: None,
            vsock: None,
            witnesses: Vec::new(),
        }
        .arguments()
    }

    /// Whether its disk is one that it trusts.
    #[must_use]
    pub const fn trusts(self) -> bool {
        matches!(self, Self::AirlockTrusted)
    }

    fn monitor_options(self) -> Vec<String> {
        let option = self.trusts().then(|| format!("monitor.trust={DISK_PLACE}"));
        option.into_iter().collect()
    }

    fn airlock_line(self, workload: &str, setting: &Setting) -> String {
        let measurement = || format!(" trust={DISK_PLACE}:measurement=sha256:{}", measurement());
        let trust = self.trusts().then(measurement).unwrap_or_default();
        format!("ip={} {workload} {}{trust}", inside::GUEST, setting.append)
    }

    fn linux_line(self, workload: &str) -> String {
        let bounce = match self {
            Self::Linux => "",
            _ => BOUNCE,
        };
        format!("console=ttyAMA0 panic=-1 quiet {bounce} {workload}")
    }
}

/// The port that a trace goes through.
fn ports(setting: &Setting) -> Ports {
    let trace = setting.trace.iter();
    let named = trace.map(|path| Port::to_file(record::PORT, path));
    Ports {
        console: false,
        named: named.collect(),
    }
}

/// The same devices for everybody.
fn devices(setting: &Setting, initramfs: Option<&Path>) -> Vec<String> {
    let mtu = match setting.mtu {
        1500 => String::new(),
        mtu => format!(",host_mtu={mtu}"),
    };
    let mut words = vec![
        "-netdev".to_owned(),
        format!("tap,id=n0,ifname={},script=no,downscript=no", inside::TAP),
        "-device".to_owned(),
        format!(
            "virtio-net-pci,netdev=n0,disable-legacy=on,iommu_platform=on,romfile={mtu}{}",
            setting.card
        ),
        "-blockdev".to_owned(),
        format!("driver=null-co,node-name=d0,size={DISK},read-zeroes=on"),
        "-device".to_owned(),
        "virtio-blk-pci,drive=d0,disable-legacy=on,iommu_platform=on".to_owned(),
    ];
    if let Some(initramfs) = initramfs {
        words.push("-initrd".to_owned());
        words.push(initramfs.display().to_string());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(guest: Guest) -> String {
        let parts = Parts {
            qemu: "qemu".into(),
            payload: "bench.img".into(),
            monitor: "monitor.img".into(),
            linux: Some(Linux {
                kernel: "vmlinuz".into(),
                initramfs: "init.cpio".into(),
                version: "7.3".into(),
            }),
        };
        let setting = Setting {
            memory: 512 << 20,
            mtu: 1500,
            workload: "bench.jobs=send".into(),
            append: "log=error".into(),
            card: String::new(),
            console: false,
            trace: None,
            window: None,
        };
        let words = guest.arguments(&parts, &setting).into_iter();
        let words: Vec<_> = words.map(|word| word.into_string().unwrap()).collect();
        words.join(" ")
    }

    #[test]
    fn everybody_has_the_same_devices() {
        let devices = |guest| {
            let line = line(guest);
            let from = line.find("-netdev").unwrap();
            let to = line.find("virtio-blk-pci").unwrap();
            line[from..to].to_owned()
        };
        let all = Guest::value_variants();
        assert!(
            all.iter()
                .all(|guest| devices(*guest) == devices(Guest::Linux))
        );
    }

    #[test]
    fn linux_bounces_unless_it_is_the_one_that_does_not() {
        assert!(!line(Guest::Linux).contains("swiotlb"));
        assert!(line(Guest::LinuxBounced).contains("swiotlb=65536,force"));
        assert!(line(Guest::LinuxRealm).contains("loader,file=vmlinuz"));
        assert!(line(Guest::AirlockRealm).contains("-- ip=10.99.0.2/24 bench.jobs=send"));
    }
}
