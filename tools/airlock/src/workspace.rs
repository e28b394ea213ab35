//! Finds the programs of the workspace, and writes their images.

mod build;

use crate::cli::ImageOptions;
use crate::image;
use crate::symbols::Symbols;
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Target of every kernel image.
const KERNEL_TARGET: &str = "aarch64-unknown-none";
/// Target of the monitor: it must not touch vector registers, which are the guest's.
const MONITOR_TARGET: &str = "aarch64-unknown-none-softfloat";

/// The image that breaks rules on demand; like the monitor, it leaves vector registers alone.
const ROGUE: &str = "rogue";

/// What `cargo metadata` says of this workspace.
#[derive(Debug, Deserialize)]
pub struct Workspace {
    workspace_root: PathBuf,
    target_directory: PathBuf,
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
    #[serde(default)]
    src_path: Option<PathBuf>,
}

/// A program that boots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    package: String,
    binary: String,
    target: &'static str,
}

impl Workspace {
    /// Asks cargo for the workspace around the current folder.
    ///
    /// # Errors
    /// There is none, or it is not Airlock's.
    pub fn find() -> Result<Self> {
        let output = Command::new(cargo())
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .output()
            .context("cannot run cargo; install Rust by rustup (https://rustup.rs)")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "run this inside the Airlock workspace: {}",
            complaint.trim()
        );
        let found: Self = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
        let ours = found
            .packages
            .iter()
            .any(|package| package.name == "airlock-cli");
        ensure!(
            ours,
            "{} is not the Airlock workspace",
            found.workspace_root.display()
        );
        Ok(found)
    }

    /// The folder of the source.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.workspace_root
    }

    /// Folder of all that is built.
    #[must_use]
    pub fn target(&self) -> &Path {
        &self.target_directory
    }

    /// Folder for images and logs.
    #[must_use]
    pub fn out(&self) -> PathBuf {
        self.target_directory.join("airlock")
    }

    /// The program that is called `name`, in payloads/ or, for tests, in tests/.
    ///
    /// # Errors
    /// There is none; the text lists those that are there.
    pub fn program(&self, name: &str) -> Result<Program> {
        for folder in ["payloads", "tests"] {
            let mut found = self.binaries(folder);
            if let Some((package, _)) = found.find(|(_, binary)| *binary == name) {
                let target = if package == ROGUE {
                    MONITOR_TARGET
                } else {
                    KERNEL_TARGET
                };
                let (package, binary) = (package.to_owned(), name.to_owned());
                return Ok(Program {
                    package,
                    binary,
                    target,
                });
            }
        }
        let names = self.payload_names().join(", ");
        bail!("there is no payload `{name}`; there are: {names}")
    }

    /// Names of all payloads.
    #[must_use]
    pub fn payload_names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self
            .binaries("payloads")
            .map(|(_, binary)| binary)
            .collect();
        names.sort_unstable();
        names
    }

    /// The file with the `main` of the program that is called `name`.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<PathBuf> {
        let program = self.program(name).ok()?;
        let package = self
            .packages
            .iter()
            .find(|one| one.name == program.package)?;
        let target = package.targets.iter().find(|one| one.name == name)?;
        target.src_path.clone()
    }

    /// The test monitor.
    #[must_use]
    pub fn monitor() -> Program {
        Program {
            package: "monitor".into(),
            binary: "monitor".into(),
            target: MONITOR_TARGET,
        }
    }

    /// The image that breaks rules on demand, for the tests.
    #[must_use]
    pub fn rogue() -> Program {
        Program {
            package: ROGUE.into(),
            binary: ROGUE.into(),
            target: MONITOR_TARGET,
        }
    }

    /// Packages and binaries of a folder of the workspace.
    fn binaries(&self, folder: &str) -> impl Iterator<Item = (&str, &str)> {
        let folder = self.workspace_root.join(folder);
        let inside = move |package: &&Package| package.manifest_path.starts_with(&folder);
        self.packages.iter().filter(inside).flat_map(|package| {
            let binaries = package
                .targets
                .iter()
                .filter(|target| target.kind == ["bin"]);
            binaries.map(|target| (package.name.as_str(), target.name.as_str()))
        })
    }

    /// Builds `program` and writes its raw image to `folder`; beside it its ELF file, for the symbols.
    ///
    /// # Errors
    /// The build fails, or what it made is no image.
    pub fn write_image(&self, program: &Program, folder: &Path, verbose: bool) -> Result<PathBuf> {
        let elf = self.build(program, verbose)?;
        let path = folder.join(format!("{}.img", program.binary));
        write_raw(&elf, &path)?;
        write_whole(&Symbols::beside(&path), &std::fs::read(&elf)?)?;
        Ok(path)
    }
}

/// Flattens the ELF file (or copies the raw image) at `from` to `to`.
///
/// # Errors
/// The file cannot be read, or is no image.
pub fn write_raw(from: &Path, to: &Path) -> Result<()> {
    let file = std::fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    let image = image::from_file(&file).with_context(|| from.display().to_string())?;
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)?;
    }
    write_whole(to, &image)
}

/// Writes a file that is complete whenever it has its name, also for someone who reads it now.
fn write_whole(to: &Path, bytes: &[u8]) -> Result<()> {
    let part = to.with_added_extension(format!("part{}", std::process::id()));
    std::fs::write(&part, bytes)
        .and_then(|()| std::fs::rename(&part, to))
        .with_context(|| format!("cannot write {}", to.display()))
}

/// The command `airlock image`.
///
/// # Errors
/// A build fails.
pub fn write_images(options: &ImageOptions) -> Result<()> {
    let workspace = Workspace::find()?;
    let mut programs = Vec::new();
    let named = options.payloads.iter().map(String::as_str);
    let names: Vec<&str> = if options.payloads.is_empty() {
        workspace.payload_names()
    } else {
        named.collect()
    };
    for name in names {
        programs.push(workspace.program(name)?);
    }
    if options.monitor {
        programs.push(Workspace::monitor());
    }
    let folder = options.out.clone().unwrap_or_else(|| workspace.out());
    for program in &programs {
        let path = workspace.write_image(program, &folder, false)?;
        let bytes = std::fs::metadata(&path)?.len();
        println!("{} ({bytes} bytes)", path.display());
    }
    Ok(())
}

fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> Workspace {
        let package = |name: &str, path: &str, binaries: &[&str]| Package {
            name: name.into(),
            manifest_path: Path::new("/w").join(path),
            targets: binaries
                .iter()
                .map(|name| Target {
                    name: (*name).into(),
                    kind: vec!["bin".into()],
                    src_path: None,
                })
                .collect(),
        };
        Workspace {
            workspace_root: "/w".into(),
            target_directory: "/w/target".into(),
            packages: vec![
                package("keybroker", "tools/keybroker/Cargo.toml", &["keybroker"]),
                package(
                    "payload-keybroker",
                    "payloads/keybroker/Cargo.toml",
                    &["keybroker"],
                ),
                package(
                    "rogue",
                    "tests/rogue/Cargo.toml",
                    &["rogue-exec", "rogue-dma"],
                ),
            ],
        }
    }

    #[test]
    fn a_payload_is_not_mistaken_for_a_tool_of_its_name() {
        assert_eq!(
            workspace().program("keybroker").unwrap().package,
            "payload-keybroker"
        );
    }

    #[test]
    fn images_of_tests_are_found_by_the_name_of_their_binary() {
        assert_eq!(workspace().program("rogue-dma").unwrap().package, "rogue");
    }

    #[test]
    fn an_unknown_payload_is_told_with_those_that_are_there() {
        let error = workspace().program("nothing").unwrap_err().to_string();
        assert_eq!(error, "there is no payload `nothing`; there are: keybroker");
    }
}
