//! Finds the programs of the workspace, and writes their images.

mod build;

use crate::image;
use crate::options::ImageOptions;
use crate::symbols::Symbols;
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
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
    #[serde(default)]
    dependencies: Vec<Dependency>,
    #[serde(default)]
    features: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    path: Option<PathBuf>,
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
    /// Features of the package that it is built with, beyond those that it always has.
    features: Vec<String>,
}

impl Program {
    /// Its raw image in `folder`: one with other features has another name.
    #[must_use]
    pub fn image_in(&self, folder: &Path) -> PathBuf {
        let features = self.features.iter().map(|feature| format!("+{feature}"));
        folder.join(format!(
            "{}{}.img",
            self.binary,
            features.collect::<String>()
        ))
    }

    /// What the program is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.binary
    }
}

impl Workspace {
    /// Asks cargo for the workspace around the current folder: Airlock's own, or one whose payloads
    /// depend on it.
    ///
    /// # Errors
    /// There is none, or it has nothing to do with Airlock.
    pub fn find() -> Result<Self> {
        let found = Self::read(None)?;
        ensure!(
            found.is_airlock() || found.checkout().is_some(),
            "{} is not the Airlock workspace, and nothing in it depends on the package `airlock`; \
             `airlock new NAME` makes a payload",
            found.workspace_root.display()
        );
        Ok(found)
    }

    /// The workspace around `folder`.
    ///
    /// # Errors
    /// There is none.
    pub fn find_in(folder: &Path) -> Result<Self> {
        Self::read(Some(folder))
    }

    /// Airlock's own workspace: this one, or the one that its payloads depend on.
    ///
    /// # Errors
    /// There is none at that place.
    pub fn airlock(self) -> Result<Self> {
        match self.checkout() {
            Some(checkout) if !self.is_airlock() => Self::read(Some(&checkout)),
            _ => Ok(self),
        }
    }

    fn read(folder: Option<&Path>) -> Result<Self> {
        let mut command = Command::new(cargo());
        command.args(["metadata", "--no-deps", "--format-version", "1"]);
        if let Some(folder) = folder {
            command.current_dir(folder);
        }
        let output = command
            .output()
            .context("cannot run cargo; install Rust by rustup (https://rustup.rs)")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "run this inside the Airlock workspace, or in a payload's folder: {}",
            complaint.trim()
        );
        serde_json::from_slice(&output.stdout).context("cargo metadata")
    }

    fn is_airlock(&self) -> bool {
        let mut packages = self.packages.iter();
        packages.any(|package| package.name == "airlock-cli")
    }

    /// The folder of the Airlock that the payloads here depend on.
    fn checkout(&self) -> Option<PathBuf> {
        let dependencies = self
            .packages
            .iter()
            .flat_map(|package| &package.dependencies);
        let runtime = dependencies.filter(|one| one.name == "airlock");
        let path = runtime.filter_map(|one| one.path.as_deref()).next()?;
        path.ancestors().nth(2).map(Path::to_owned)
    }

    /// The folders that programs are looked for in.
    fn folders(&self) -> &'static [&'static str] {
        if self.is_airlock() {
            &["payloads", "tests"]
        } else {
            &[""]
        }
    }

    /// The payload of a workspace that has just one.
    #[must_use]
    pub fn only_payload(&self) -> Option<String> {
        match self.payload_names().as_slice() {
            [name] => Some((*name).to_owned()),
            _ => None,
        }
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

    /// The program that is called `name`: in Airlock's workspace of payloads/ or, for tests, of tests/.
    ///
    /// # Errors
    /// There is none; the text lists those that are there.
    pub fn program(&self, name: &str) -> Result<Program> {
        for folder in self.folders() {
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
                    features: Vec::new(),
                });
            }
        }
        let names = self.payload_names().join(", ");
        bail!("there is no payload `{name}`; there are: {names}")
    }

    /// As [`Self::program`], with those of the features `wanted` that its package has.
    ///
    /// # Errors
    /// As there.
    pub fn program_with(&self, name: &str, wanted: &[&str]) -> Result<Program> {
        let program = self.program(name)?;
        let mut packages = self.packages.iter();
        let package = packages.find(|one| one.name == program.package);
        let has = |feature: &&&str| package.is_some_and(|one| one.features.contains_key(**feature));
        let mut features: Vec<_> = wanted
            .iter()
            .filter(has)
            .map(|&one| one.to_owned())
            .collect();
        features.sort_unstable();
        Ok(Program {
            features,
            ..program
        })
    }

    /// Names of all payloads.
    #[must_use]
    pub fn payload_names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self
            .binaries(self.folders().first().copied().unwrap_or_default())
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
            features: Vec::new(),
        }
    }

    /// The image that breaks rules on demand, for the tests.
    #[must_use]
    pub fn rogue() -> Program {
        Program {
            package: ROGUE.into(),
            binary: ROGUE.into(),
            target: MONITOR_TARGET,
            features: Vec::new(),
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
        let path = program.image_in(folder);
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
    let wanted: Vec<&str> = options.features.iter().map(String::as_str).collect();
    let names: Vec<&str> = if options.payloads.is_empty() {
        workspace.payload_names()
    } else {
        named.collect()
    };
    for name in names {
        programs.push(workspace.program_with(name, &wanted)?);
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
            features: BTreeMap::new(),
            dependencies: Vec::new(),
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
                package("airlock-cli", "tools/airlock/Cargo.toml", &["airlock"]),
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
    fn a_payload_elsewhere_is_found_with_the_airlock_that_it_depends_on() {
        let text = r#"{"workspace_root": "/mine", "target_directory": "/mine/target", "packages": [{
            "name": "mine", "manifest_path": "/mine/Cargo.toml",
            "targets": [{"name": "mine", "kind": ["bin"]}],
            "dependencies": [{"name": "airlock", "path": "/checkout/kernel/airlock"}]}]}"#;
        let workspace: Workspace = serde_json::from_str(text).unwrap();
        assert_eq!(workspace.checkout().unwrap(), Path::new("/checkout"));
        assert_eq!(workspace.only_payload().unwrap(), "mine");
        assert_eq!(workspace.program("mine").unwrap().target, KERNEL_TARGET);
    }

    #[test]
    fn features_that_a_payload_has_not_are_left_out_and_the_others_are_in_the_name_of_its_image() {
        let text = r#"{"workspace_root": "/mine", "target_directory": "/mine/target", "packages": [{
            "name": "mine", "manifest_path": "/mine/Cargo.toml", "features": {"trust": [], "trace": []},
            "targets": [{"name": "mine", "kind": ["bin"]}]}]}"#;
        let workspace: Workspace = serde_json::from_str(text).unwrap();
        let image = |wanted: &[&str]| {
            let program = workspace.program_with("mine", wanted).unwrap();
            program.image_in(Path::new(""))
        };
        assert_eq!(
            image(&["trust", "share", "trace"]),
            Path::new("mine+trace+trust.img")
        );
        assert_eq!(image(&["share"]), Path::new("mine.img"));
    }

    #[test]
    fn an_unknown_payload_is_told_with_those_that_are_there() {
        let error = workspace().program("nothing").unwrap_err().to_string();
        assert_eq!(error, "there is no payload `nothing`; there are: keybroker");
    }
}
