//! The device tree that a guest of the test monitor gets, made on the host.
//!
//! The monitor makes it of QEMU's, and QEMU's is the same for the same machine. So QEMU is asked for its
//! tree, and the monitor's own code makes the guest's of it.

use crate::machine::Machine;
use crate::network::Network;
use crate::options::Mode;
use crate::qemu::{self, End};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// QEMU writes the tree and ends; it runs nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Room for the guest's tree.
const ROOM: usize = monitor::layout::GUEST_TREE_MAX;

/// The tree that the guest gets when `machine` boots as a realm in `qemu`.
///
/// # Errors
/// QEMU does not start, or the monitor would refuse the machine; the text says why.
pub fn of_machine(qemu: &Path, machine: &Machine) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("machine.dtb");
    let mut words = without_pci(machine).arguments();
    let mut dump = OsString::from("dumpdtb=");
    dump.push(&file);
    words.extend(["-machine".into(), dump]);
    let session = qemu::run(qemu, &words, PATIENCE, |_, _| ())?;
    match session.end {
        End::PoweredOff(status) if status.success() => {}
        _ => bail!(
            "QEMU does not tell its device tree, which is measured: {}",
            session.complaints.join("; ")
        ),
    }
    let tree = std::fs::read(&file).context("QEMU wrote no device tree")?;
    of_qemus(&tree)
}

/// The tree that the guest gets where QEMU's own, of `-machine dumpdtb=FILE`, is `tree`.
///
/// # Errors
/// The monitor would refuse the machine; the text says why.
pub fn of_qemus(tree: &[u8]) -> Result<Vec<u8>> {
    let refused = |refusal: monitor::monitor::Refusal<'_>| anyhow::anyhow!("monitor: {refusal}");
    let plan = monitor::monitor::Plan::read(tree).map_err(refused)?;
    let mut bytes = vec![0; ROOM];
    let size = plan.write_tree(&mut bytes).map_err(refused)?;
    bytes.truncate(size);
    Ok(bytes)
}

/// The machine as far as it shows in the tree: PCI devices do not, and may be in use.
fn without_pci(machine: &Machine) -> Machine {
    Machine {
        mode: Mode::Realm,
        monitor: Some(
            machine
                .monitor
                .clone()
                .unwrap_or_else(|| machine.image.clone()),
        ),
        disks: Vec::new(),
        vsock: None,
        net: Network::None,
        forwards: Vec::new(),
        ports: crate::ports::Ports::default(),
        bare: None,
        ..machine.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// QEMU 10 with EL2 and an SMMU, 512 MiB.
    const QEMUS: &[u8] = include_bytes!("../../../kernel/devtree/tests/data/qemu-virt-el2.dtb");

    #[test]
    fn a_tree_that_the_monitor_refuses_is_refused_with_its_words() {
        let error = of_qemus(&[0; 64]).unwrap_err().to_string();
        assert!(error.contains("no magic number"), "{error}");
    }

    #[test]
    fn the_guest_s_tree_has_the_guest_s_memory_and_no_smmu() {
        let tree = of_qemus(QEMUS).unwrap();
        assert_eq!(of_qemus(QEMUS).unwrap(), tree);
        let space = ipa::IpaSpace::realm(41).unwrap();
        let machine = devtree::Tree::new(&tree).and_then(|tree| tree.machine(space));
        let memory = machine.unwrap().memory;
        assert_eq!(
            (memory[0].base().get(), memory[0].len()),
            (0x4400_0000, 448 << 20)
        );
        assert!(!tree.windows(6).any(|bytes| bytes == b"smmuv3"));
    }
}
