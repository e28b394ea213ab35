//! QEMU's command line for each way to boot.

use crate::balloon;
use crate::network::{Forward, Network};
use crate::options::Mode;
use crate::ports::Ports;
use crate::qemu;
use crate::share::{self, Share};
use crate::trace::witness::{INCOMING, OUTGOING, REQUESTS, beside};
use crate::units::MIB;
use crate::verdict::WrongArguments;
use crate::vsock;
use anyhow::{Result, ensure};
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// Memory of the monitor, below the guest's.
pub const MONITOR_MEMORY: u64 = 64 * MIB;
/// Where the monitor expects the guest's image: 2 MiB into the guest's memory.
const GUEST_IMAGE: u64 = 0x4420_0000;
/// Where an image lies that boots without QEMU's own loader.
const BARE_IMAGE: u64 = 0x4020_0000;
/// The last page below it holds the few instructions that enter it.
const BARE_ENTRY: u64 = 0x401f_f000;

/// Where an image runs. QEMU's own loader puts it at the same place as ours.
#[must_use]
pub const fn load_address(mode: Mode) -> u64 {
    match mode {
        Mode::Realm => GUEST_IMAGE,
        Mode::Vm => BARE_IMAGE,
    }
}

/// Memory of the guest in a plain machine: from what the smallest image and its device tree need in QEMU
/// to what the PCI windows leave where they are.
const PLAIN: RangeInclusive<u64> = 5 * MIB..=255 * 1024 * MIB;
/// With everything below 4 GiB.
const PLAIN_NARROW: RangeInclusive<u64> = 5 * MIB..=3 * 1024 * MIB;
/// In a realm: from what the monitor's layout needs to what its tables reach.
const REALM: RangeInclusive<u64> = 16 * MIB..=1024 * MIB;

/// Where the image lies once the machine runs, if QEMU's loader or the monitor's places it.
#[must_use]
pub fn image_address(mode: Mode) -> u64 {
    match mode {
        Mode::Realm => GUEST_IMAGE,
        Mode::Vm => BARE_IMAGE,
    }
}

/// Everything that QEMU is told.
#[derive(Clone, Debug)]
pub struct Machine {
    /// As a realm or plainly.
    pub mode: Mode,
    /// Memory of the guest, in bytes.
    pub memory: u64,
    /// Everything below 4 GiB: a realm of 33 address bits.
    pub narrow: bool,
    /// Processor model.
    pub cpu: String,
    /// Raw image of the payload.
    pub image: PathBuf,
    /// Raw image of the monitor; only in a realm.
    pub monitor: Option<PathBuf>,
    /// Options of the monitor.
    pub monitor_options: Vec<String>,
    /// Boot arguments of the payload.
    pub append: String,
    /// Disks, in order.
    pub disks: Vec<PathBuf>,
    /// Folders, in order.
    pub shares: Vec<Share>,
    /// The socket device, if there is one.
    pub vsock: Option<vsock::Device>,
    /// Whether there is a balloon.
    pub balloon: bool,
    /// The network card's other end.
    pub net: Network,
    /// Ports of the host that lead into the guest.
    pub forwards: Vec<Forward>,
    /// The console device, and its ports.
    pub ports: Ports,
    /// More devices.
    pub devices: Vec<String>,
    /// More words for the command line.
    pub words: Vec<String>,
    /// Words that have QEMU write down what it sees.
    pub witnesses: Vec<OsString>,
    /// Instead of QEMU's loader: the entry stub and the bytes that the kernel gets as device tree.
    pub bare: Option<Bare>,
}

/// Files for a boot with a device tree of our own choice.
#[derive(Clone, Debug)]
pub struct Bare {
    /// Code made by [`Machine::entry_stub`].
    pub stub: PathBuf,
    /// The device tree.
    pub device_tree: PathBuf,
}

impl Machine {
    /// Checks what QEMU or the monitor would fail on.
    ///
    /// # Errors
    /// A sentence that says what is possible.
    pub fn check(&self) -> Result<()> {
        self.check_memory()?;
        ensure!(
            self.bare.is_none() || self.mode == Mode::Vm,
            wrong("--device-tree needs --mode vm; in a realm the monitor hands out the tree")
        );
        ensure!(
            self.monitor_options.is_empty() || self.mode == Mode::Realm,
            wrong("--monitor and --oracle need --mode realm; a plain machine has no monitor")
        );
        self.disks
            .iter()
            .try_for_each(|disk| crate::disk::check(disk))?;
        self.ports.check()?;
        self.net.check(&self.forwards)
    }

    fn check_memory(&self) -> Result<()> {
        // The tables of the monitor have blocks of 2 MiB.
        let (range, unit, of) = match self.mode {
            Mode::Realm => (REALM, 2 * MIB, "an even number of MiB"),
            Mode::Vm if self.narrow => (PLAIN_NARROW, MIB, "whole MiB"),
            Mode::Vm => (PLAIN, MIB, "whole MiB"),
        };
        ensure!(
            range.contains(&self.memory) && self.memory.is_multiple_of(unit),
            WrongArguments(format!(
                "--memory must be {of} from {}M to {}M",
                range.start() / MIB,
                range.end() / MIB
            ))
        );
        Ok(())
    }

    /// All arguments.
    #[must_use]
    pub fn arguments(&self) -> Vec<OsString> {
        let mut line = Line::default();
        line.option("-machine", self.machine_type());
        line.option("-cpu", &self.cpu);
        line.option("-m", format!("{}M", self.total_memory() / MIB));
        for word in [
            "-nodefaults",
            "-no-reboot",
            "-display",
            "none",
            "-monitor",
            "none",
        ] {
            line.0.push(word.into());
        }
        for device in self.ports.character_devices() {
            line.option("-chardev", device);
        }
        line.option("-serial", self.ports.serial());
        self.add_boot(&mut line);
        self.add_devices(&mut line);
        line.0
    }

    /// Has QEMU write down, beside `trace`, each frame of the card, by its direction, and each request of a disk.
    pub fn witness(&mut self, trace: &Path) {
        // What QEMU's end of the card receives is what the guest sends.
        let card = self.net != Network::None;
        for (queue, what) in [("rx", OUTGOING), ("tx", INCOMING)]
            .into_iter()
            .filter(|_| card)
        {
            let mut object = OsString::from(format!(
                "filter-dump,id=trace-{queue},netdev=n0,queue={queue},file="
            ));
            object.push(qemu::escaped(&beside(trace, what)));
            self.witnesses.extend(["-object".into(), object]);
        }
        for event in ["virtio_blk_handle_read", "virtio_blk_handle_write"] {
            self.witnesses.extend(["-trace".into(), event.into()]);
        }
        self.witnesses
            .extend(["-D".into(), beside(trace, REQUESTS).into()]);
    }

    fn machine_type(&self) -> String {
        let world = match self.mode {
            Mode::Realm => "virt,virtualization=on,gic-version=3,iommu=smmuv3",
            Mode::Vm => "virt,gic-version=3",
        };
        // A device tree without random seeds is the same each time, and so is its measurement.
        let narrow = if self.narrow { ",highmem=off" } else { "" };
        let shared = self.vsock.as_ref();
        let shared = shared.map(|_| format!(",memory-backend={}", vsock::MEMORY));
        let shared = shared.unwrap_or_default();
        format!("{world},dtb-randomness=off{narrow}{shared}")
    }

    /// Bytes of memory that QEMU has, the monitor's included.
    #[must_use]
    pub fn total_memory(&self) -> u64 {
        match self.mode {
            Mode::Realm => self.memory.saturating_add(MONITOR_MEMORY),
            Mode::Vm => self.memory,
        }
    }

    fn add_boot(&self, line: &mut Line) {
        match (&self.monitor, &self.bare) {
            (Some(monitor), _) => {
                line.option("-kernel", monitor);
                line.load(&self.image, GUEST_IMAGE, "");
                let options = self.monitor_options.join(" ");
                line.option("-append", format!("{options} -- {}", self.append).trim());
            }
            (None, Some(bare)) => {
                line.load(&bare.stub, BARE_ENTRY, ",cpu-num=0");
                line.load(&self.image, BARE_IMAGE, "");
                line.load(&bare.device_tree, self.tree_address(), "");
            }
            (None, None) => {
                line.option("-kernel", &self.image);
                line.option("-append", &self.append);
            }
        }
    }

    /// Where the chosen device tree lies: in the upper half of memory.
    fn tree_address(&self) -> u64 {
        0x4000_0000 + self.memory / 2
    }

    /// Instructions that enter the image as a boot loader does, with the device tree's address in x0.
    #[must_use]
    pub fn entry_stub(&self) -> Vec<u8> {
        entry_stub(self.tree_address(), BARE_IMAGE)
    }

    fn add_devices(&self, line: &mut Line) {
        // In a realm a device must use the addresses that the SMMU translates.
        let platform = match self.mode {
            Mode::Realm => ",iommu_platform=on",
            Mode::Vm => "",
        };
        if let Some(netdev) = self.net.netdev(&self.forwards) {
            line.option("-netdev", netdev);
            line.option(
                "-device",
                format!("virtio-net-pci,netdev=n0,disable-legacy=on{platform},romfile="),
            );
        }
        for (number, disk) in self.disks.iter().enumerate() {
            line.option("-drive", drive(number, disk));
            line.option(
                "-device",
                format!("virtio-blk-pci,drive=d{number},disable-legacy=on{platform}"),
            );
        }
        for device in self.ports.devices(platform) {
            line.option("-device", device);
        }
        for (number, share) in self.shares.iter().enumerate() {
            for (name, value) in share::words(number, share, platform) {
                line.option(name, value);
            }
        }
        if let Some(vsock) = &self.vsock {
            for (name, value) in vsock.words(self.total_memory(), platform) {
                line.option(name, value);
            }
        }
        if self.balloon {
            line.option("-device", balloon::device(platform));
        }
        // First the words: a device may need what they define.
        line.0.extend(self.witnesses.iter().cloned());
        line.0.extend(self.words.iter().map(OsString::from));
        for device in &self.devices {
            line.option("-device", device);
        }
    }
}

fn wrong(text: &str) -> WrongArguments {
    WrongArguments(text.to_owned())
}

/// A command line that grows.
#[derive(Default)]
struct Line(Vec<OsString>);

impl Line {
    fn option(&mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) {
        self.0.push(name.into());
        self.0.push(value.as_ref().into());
    }

    /// Puts a file's bytes at an address before the machine starts.
    fn load(&mut self, file: &Path, address: u64, more: &str) {
        let mut value = OsString::from("loader,file=");
        value.push(qemu::escaped(file));
        value.push(format!(",addr={address:#x},force-raw=on{more}"));
        self.option("-device", value);
    }
}

fn drive(number: usize, disk: &Path) -> OsString {
    let mut value = OsString::from(format!("if=none,id=d{number},format=raw,file="));
    value.push(qemu::escaped(disk));
    value
}

/// `x0 = tree; x1, x2, x3 = 0; branch to image`.
fn entry_stub(tree: u64, image: u64) -> Vec<u8> {
    // `movz` and `movk` (shifted by 16) take 16 bits each; both addresses are below 4 GiB.
    let half =
        |value: u64, shift: u32| (u32::try_from((value >> shift) & 0xffff).unwrap_or(0)) << 5;
    let words = [
        0xd280_0000 | half(tree, 0),
        0xf2a0_0000 | half(tree, 16),
        0xd280_0001,
        0xd280_0002,
        0xd280_0003,
        0xd280_0004 | half(image, 0),
        0xf2a0_0004 | half(image, 16),
        0xd61f_0080, // br x4
    ];
    words
        .iter()
        .flat_map(|word: &u32| word.to_le_bytes())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(mode: Mode) -> Machine {
        Machine {
            mode,
            memory: 64 * MIB,
            narrow: false,
            cpu: "max".into(),
            image: "p.img".into(),
            monitor: (mode == Mode::Realm).then(|| "m.img".into()),
            monitor_options: vec!["monitor.rsi=1.0".into()],
            append: "log=debug".into(),
            disks: vec!["a,b".into()],
            shares: vec![Share {
                name: "web".into(),
                folder: "pages".into(),
            }],
            vsock: Some(vsock::Device::new(Vec::new(), Path::new("/f"))),
            witnesses: Vec::new(),
            balloon: true,
            net: Network::User,
            forwards: Vec::new(),
            ports: Ports::default(),
            devices: Vec::new(),
            words: Vec::new(),
            bare: None,
        }
    }

    fn line(machine: &Machine) -> String {
        let words: Vec<_> = machine
            .arguments()
            .into_iter()
            .map(|w| w.into_string().unwrap())
            .collect();
        words.join(" ")
    }

    #[test]
    fn a_realm_has_its_memory_above_the_monitors() {
        let line = line(&machine(Mode::Realm));
        assert!(
            line.contains("virtualization=on") && line.contains("iommu=smmuv3"),
            "{line}"
        );
        assert!(line.contains("-m 128M"), "{line}");
        assert!(
            line.contains("loader,file=p.img,addr=0x44200000,force-raw=on"),
            "{line}"
        );
        assert!(
            line.contains("-append monitor.rsi=1.0 -- log=debug"),
            "{line}"
        );
    }

    #[test]
    fn every_device_of_a_realm_goes_through_the_smmu() {
        let line = line(&machine(Mode::Realm));
        assert_eq!(
            line.matches("-device v").count(),
            line.matches("iommu_platform=on").count()
        );
    }

    #[test]
    fn a_plain_machine_has_no_el2_and_no_monitor() {
        let line = line(&machine(Mode::Vm));
        assert!(
            !line.contains("virtualization") && !line.contains("monitor."),
            "{line}"
        );
        assert!(line.contains("-kernel p.img -append log=debug"), "{line}");
    }

    #[test]
    fn a_comma_in_a_file_name_is_not_an_option() {
        assert!(line(&machine(Mode::Vm)).contains("file=a,,b"));
    }

    #[test]
    fn the_stub_enters_the_image_with_the_trees_address() {
        let words: Vec<u32> = entry_stub(0x4200_0000, 0x4020_0000)
            .chunks(4)
            .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
            .collect();
        // movz x0, #0; movk x0, #0x4200, lsl #16
        assert_eq!(words[..2], [0xd280_0000, 0xf2a8_4000]);
        // movz x4, #0; movk x4, #0x4020, lsl #16; br x4
        assert_eq!(words[5..], [0xd280_0004, 0xf2a8_0404, 0xd61f_0080]);
    }

    #[test]
    fn memory_out_of_range_is_told_with_the_range() {
        for (mode, memory, range) in [
            (Mode::Vm, 4 * MIB, "5M to 261120M"),
            (Mode::Vm, 5 * MIB + 4096, "whole MiB from 5M to 261120M"),
            (Mode::Vm, 261_121 * MIB, "5M to 261120M"),
            (
                Mode::Realm,
                17 * MIB,
                "an even number of MiB from 16M to 1024M",
            ),
            (Mode::Realm, 0, "16M to 1024M"),
            (Mode::Realm, 2048 * MIB, "16M to 1024M"),
        ] {
            let machine = Machine {
                memory,
                ..machine(mode)
            };
            let error = machine.check().unwrap_err();
            assert!(error.is::<WrongArguments>(), "{error}");
            assert!(error.to_string().contains(range), "{error}");
        }
    }

    #[test]
    fn options_of_the_monitor_are_refused_where_there_is_none() {
        let machine = Machine {
            monitor_options: vec![String::from("monitor.rsi=2.0")],
            disks: Vec::new(),
            ..machine(Mode::Vm)
        };
        let error = machine.check().unwrap_err().to_string();
        assert!(error.contains("--mode realm"), "{error}");
    }
}
