//! The plugin for QEMU's TCG: built here, because no distribution has one.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

const SOURCE: &str = include_str!("../plugin/count.c");
/// Interfaces that the source is written for, the newest first. QEMU 7.2 has 1, QEMU 10.0 has 2 to 4.
const INTERFACES: [u32; 4] = [4, 3, 2, 1];

/// A plugin that the QEMU at hand loads.
#[derive(Clone, Debug)]
pub struct Plugin {
    file: PathBuf,
    /// What was found, for people: the interface used, and those that QEMU has.
    pub interface: String,
}

impl Plugin {
    /// Builds it in `folder` for the first interface that `qemu` takes.
    ///
    /// # Errors
    /// There is no C compiler, or QEMU has no plugins.
    pub fn build(qemu: &Path, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let source = folder.join("count.c");
        std::fs::write(&source, SOURCE)?;
        let mut reasons = Vec::new();
        for interface in INTERFACES {
            let file = folder.join(format!("count-{interface}.so"));
            compile(&source, &file, interface)?;
            match probe(qemu, &file)? {
                Ok(interface) => return Ok(Self { file, interface }),
                Err(reason) => reasons.push(reason),
            }
        }
        bail!(
            "{} loads no plugin; it has to be built with TCG plugins, as Debian's is: {}",
            qemu.display(),
            reasons.join("; ")
        )
    }

    /// The value of QEMU's `-plugin`.
    #[must_use]
    pub fn option(&self, options: &str, out: &Path) -> String {
        format!("{},out={},{options}", self.file.display(), out.display())
    }
}

fn compile(source: &Path, file: &Path, interface: u32) -> Result<()> {
    let mut command = Command::new("cc");
    command
        .args(["-std=gnu11", "-O2", "-fPIC", "-shared"])
        .arg("-fvisibility=hidden")
        .arg(format!("-DPLUGIN_API={interface}"))
        .arg("-o")
        .arg(file)
        .arg(source);
    let status = command
        .status()
        .context("there is no C compiler for QEMU's plugin; Debian: apt-get install gcc")?;
    ensure!(status.success(), "the plugin does not compile");
    Ok(())
}

/// Lets QEMU load it; the plugin then says what QEMU has, and ends it.
fn probe(qemu: &Path, file: &Path) -> Result<Result<String, String>> {
    let output = Command::new(qemu)
        .args(["-machine", "none", "-display", "none", "-plugin"])
        .arg(format!("{},probe=on", file.display()))
        .output()
        .with_context(|| format!("cannot run {}", qemu.display()))?;
    Ok(found(&String::from_utf8_lossy(&output.stderr)))
}

/// What the plugin said, or QEMU instead of it.
fn found(complaints: &str) -> Result<String, String> {
    let told = complaints
        .lines()
        .find_map(|line| line.strip_prefix("count: "));
    let told = told.map(str::to_owned);
    told.ok_or_else(|| complaints.lines().last().unwrap_or("nothing").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interface_is_what_the_plugin_found() {
        let said = "count: interface 1 of 0 to 1\nqemu: Could not load plugin: error code 1\n";
        assert_eq!(found(said), Ok("interface 1 of 0 to 1".to_owned()));
        let said = "qemu: plugin requires API version 4, but this QEMU supports only up to 1\n";
        assert!(found(said).unwrap_err().contains("requires API version 4"));
    }

    #[test]
    fn the_plugin_compiles_for_each_interface_without_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        for interface in INTERFACES {
            let (source, file) = (folder.path().join("c.c"), folder.path().join("c.so"));
            std::fs::write(
                &source,
                format!("#pragma GCC diagnostic error \"-Wall\"\n{SOURCE}"),
            )
            .unwrap();
            compile(&source, &file, interface).unwrap();
        }
    }
}
