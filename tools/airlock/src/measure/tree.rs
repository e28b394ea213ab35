//! Does the device tree describe the machine that is asked about?
//!
//! A tree from another run gives a RIM that no realm will ever have, and nothing in the number tells.

use super::MeasureOptions;
use ::measure::vmm::Layout;
use anyhow::{Context, Result, ensure};
use devtree::{Machine, Tree};
use dtoolkit::Node;
use dtoolkit::fdt::Fdt;
use ipa::IpaSpace;

/// Properties of `/chosen` that a monitor fills with random bytes.
const SEEDS: [&str; 2] = ["kaslr-seed", "rng-seed"];

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

/// The random seeds in `dtb`, by the names of their properties.
pub fn seeds(dtb: &[u8]) -> Vec<&'static str> {
    let Ok(tree) = Fdt::new(dtb) else {
        return Vec::new();
    };
    let Some(chosen) = tree.find_node("/chosen") else {
        return Vec::new();
    };
    let mut seeds = SEEDS.to_vec();
    seeds.retain(|name| chosen.property(name).is_some());
    seeds
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
