//! Finds the programs of the workspace and builds their images with cargo.

use crate::cli::ImageOptions;
use crate::image;
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Target of every kernel image.
const KERNEL_TARGET: &str = "aarch64-unknown-none";
/// Target of the monitor: it must not touch vector registers, which are the guest's.
const MONITOR_TARGET: &str = "aarch64-unknown-none-softfloat";

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
}

/// A program that boots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    package: String,
    binary: String,
    target: &'static str,
}

/// One line of `cargo build --message-format=json`.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    target: Option<Target>,
    #[serde(default)]
    executable: Option<PathBuf>,
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
                let (package, binary) = (package.to_owned(), name.to_owned());
                return Ok(Program {
                    package,
                    binary,
                    target: KERNEL_TARGET,
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
            package: "rogue".into(),
            binary: "rogue".into(),
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

    /// Builds `program` and returns its ELF file.
    ///
    /// # Errors
    /// The build fails; cargo has said why.
    pub fn build(&self, program: &Program, verbose: bool) -> Result<PathBuf> {
        let mut command = self.build_command(program)?;
        if verbose {
            eprintln!("airlock: {command:?}");
        }
        let mut child = command.spawn().context("cannot run cargo")?;
        let messages = BufReader::new(child.stdout.take().context("cargo says nothing")?);
        let executable = executable(messages, &program.binary);
        let status = child.wait().context("cannot wait for cargo")?;
        ensure!(
            status.success(),
            "`{}` does not build; cargo says why above",
            program.binary
        );
        executable.with_context(|| format!("cargo made no executable `{}`", program.binary))
    }

    fn build_command(&self, program: &Program) -> Result<Command> {
        let mut command = Command::new(cargo());
        command
            .current_dir(&self.workspace_root)
            // Flags of the user's shell would change the image, and with it the measurement.
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .args([
                "build",
                "--profile",
                "image",
                "--message-format",
                "json-render-diagnostics",
            ])
            .args([
                "--target",
                program.target,
                "-p",
                &program.package,
                "--bin",
                &program.binary,
            ])
            .arg("--config")
            .arg(self.path_rules(program.target)?)
            // What a later compiler will not accept is a matter for `cargo build`, not for `run`.
            .args(["--config", "future-incompat-report.frequency=\"never\""])
            .stdout(Stdio::piped());
        Ok(command)
    }

    /// Keeps the folders of this machine out of the image: the same source gives the same bytes.
    fn path_rules(&self, target: &str) -> Result<String> {
        let sysroot = PathBuf::from(rustc(&["--print", "sysroot"])?.trim());
        let version = rustc(&["-vV"])?;
        let commit = version
            .lines()
            .find_map(|line| line.strip_prefix("commit-hash: "));
        let library = format!("/rustc/{}", commit.unwrap_or("unknown"));
        let rules = [
            (self.workspace_root.clone(), "/airlock"),
            (cargo_home()?, "/cargo"),
            (sysroot.join("lib/rustlib/src/rust"), library.as_str()),
        ];
        let flags: Vec<String> = rules
            .iter()
            .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()))
            .collect();
        // A list of strings in JSON is one in TOML.
        Ok(format!(
            "target.{target}.rustflags={}",
            serde_json::to_string(&flags)?
        ))
    }

    /// Builds `program` and writes its raw image to `folder`.
    ///
    /// # Errors
    /// The build fails, or what it made is no image.
    pub fn write_image(&self, program: &Program, folder: &Path, verbose: bool) -> Result<PathBuf> {
        let elf = self.build(program, verbose)?;
        let path = folder.join(format!("{}.img", program.binary));
        write_raw(&elf, &path)?;
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
    // Under its name an image is always complete, also for someone who boots it at this moment.
    let part = to.with_extension(format!("part{}", std::process::id()));
    std::fs::write(&part, image)
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

fn executable(messages: impl BufRead, binary: &str) -> Option<PathBuf> {
    let mut found = None;
    for line in messages.lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<Message>(&line) else {
            continue;
        };
        let ours = message.target.is_some_and(|target| target.name == binary);
        if message.reason == "compiler-artifact" && ours {
            found = message.executable.or(found);
        }
    }
    found
}

fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn rustc(arguments: &[&str]) -> Result<String> {
    let output = Command::new("rustc")
        .args(arguments)
        .output()
        .context("cannot run rustc")?;
    ensure!(
        output.status.success(),
        "rustc {} fails",
        arguments.join(" ")
    );
    Ok(String::from_utf8(output.stdout)?)
}

fn cargo_home() -> Result<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
        .context("there is neither CARGO_HOME nor HOME")
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

    #[test]
    fn the_executable_is_read_from_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"dep","kind":["lib"]},"executable":null}"#,
            "\nnot json\n",
            r#"{"reason":"compiler-artifact","target":{"name":"hello","kind":["bin"]},"executable":"/w/hello"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(
            executable(messages.as_bytes(), "hello"),
            Some("/w/hello".into())
        );
        assert_eq!(executable(messages.as_bytes(), "other"), None);
    }
}
