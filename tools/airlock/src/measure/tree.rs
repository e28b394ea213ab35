//! Does the device tree describe the machine that is asked about?
//!
//! A tree from another run gives a RIM that no realm will ever have, and nothing in the number tells.

use super::MeasureOptions;
use ::measure::vmm::Layout;
use anyhow::{Context, Result, ensure};
use devtree::{Machine, Tree};
use ipa::IpaSpace;

/// Checks `dtb` against `options` and against where the monitor puts things. Gives its boot arguments:
/// lkvm puts words of its own in front, so they are more than the user's.
///
/// # Errors
/// The tree cannot be read, or it says something else.
pub fn check(dtb: &[u8], options: &MeasureOptions, layout: &Layout<'_>) -> Result<String> {
    let width = u64::from(layout.params.ipa_bits);
    let space = IpaSpace::realm(width).ok();
    let space = space.context("the realm has no such address space")?;
    let tree = Tree::new(dtb).and_then(|tree| tree.machine(space));
    let tree = tree.map_err(|error| anyhow::anyhow!("cannot read the device tree: {error}"))?;
    machine(&tree, options)?;
    contents(&tree, options, layout)?;
    Ok(tree.boot_arguments.as_str().to_owned())
}

fn machine(tree: &Machine, options: &MeasureOptions) -> Result<()> {
    let memory: u64 = tree.memory.iter().map(|range| range.len()).sum();
    ensure!(
        memory == options.memory,
        "the device tree is of a machine with {memory} bytes of memory, not {}",
        options.memory
    );
    ensure!(
        u32::try_from(tree.cpus) == Ok(options.vcpus),
        "the device tree is of a machine with {} processors, not {}",
        tree.cpus,
        options.vcpus
    );
    Ok(())
}

fn contents(tree: &Machine, options: &MeasureOptions, layout: &Layout<'_>) -> Result<()> {
    let arguments = tree.boot_arguments.as_str();
    let asked = options.append.as_deref().unwrap_or_default();
    ensure!(
        arguments.trim_end().ends_with(asked.trim()),
        "the device tree has the boot arguments `{}`, which do not end in `{asked}`",
        arguments.escape_debug()
    );
    let found = tree.initrd.map(|initrd| initrd.base());
    let placed = layout.initrd.map(|initrd| initrd.at());
    ensure!(
        found == placed,
        "the device tree has the initial file system at {found:x?}, the monitor would put it at {placed:x?}"
    );
    Ok(())
}
