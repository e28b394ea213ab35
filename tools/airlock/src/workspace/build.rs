//! Builds a program with cargo, so that the same source gives the same bytes.

use super::{KERNEL_TARGET, MONITOR_TARGET, Program, Target, Workspace, cargo};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

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
    /// Builds `program` and returns its ELF file.
    ///
    /// One at a time: cargo merges the features of programs that it builds together, and the bytes of
    /// an image must not depend on its neighbours.
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
        ensure!(status.signal().is_none(), "the build was interrupted");
        ensure!(
            status.success(),
            "`{}` does not build; cargo says why above",
            program.binary
        );
        executable.with_context(|| format!("cargo made no executable `{}`", program.binary))
    }

    /// The command that lists the crates in the image of `program`, with their licences.
    #[must_use]
    pub fn tree_command(&self, program: &Program) -> Command {
        let mut command = Command::new(cargo());
        command
            .current_dir(&self.workspace_root)
            .args([
                "tree", "--locked", "--prefix", "none", "--format", "{p}|{l}",
            ])
            .args(["--edges", "normal,no-proc-macro"])
            .args(["--target", program.target, "-p", &program.package]);
        command
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
            .args(
                program
                    .features
                    .iter()
                    .flat_map(|name| ["--features", name.as_str()]),
            )
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
        let here = self.workspace_root.clone();
        let (payload, airlock) = match self.checkout() {
            Some(checkout) if !self.is_airlock() => (Some(here), checkout),
            _ => (None, here),
        };
        let rules = [
            (airlock, "/airlock"),
            (cargo_home()?, "/cargo"),
            (sysroot.join("lib/rustlib/src/rust"), library.as_str()),
        ];
        let payload = payload.map(|folder| (folder, "/payload"));
        // The last rule that fits counts, and this one says more than that of all of cargo's.
        let registries = self.registries()?;
        let registries = registries.into_iter().map(|folder| (folder, "/deps"));
        let flags: Vec<String> = rules
            .into_iter()
            .chain(payload)
            .chain(registries)
            .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()))
            .collect();
        // A list of strings in JSON is one in TOML.
        Ok(format!(
            "target.{target}.rustflags={}",
            serde_json::to_string(&flags)?
        ))
    }

    /// The folders that hold the source of crates of others. An image names each file that can panic: without
    /// the name that cargo gives to the folder of a registry, which is longer than the rest.
    fn registries(&self) -> Result<BTreeSet<PathBuf>> {
        // A realm is a payload and the monitor, of one workspace mostly: cargo takes a third of a second to say it for
        // both.
        static KNOWN: Mutex<BTreeMap<PathBuf, BTreeSet<PathBuf>>> = Mutex::new(BTreeMap::new());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folders) = known.get(&self.workspace_root) {
            return Ok(folders.clone());
        }
        let output = Command::new(cargo())
            .current_dir(&self.workspace_root)
            .args(["metadata", "--format-version", "1"])
            .args(["--filter-platform", KERNEL_TARGET])
            .args(["--filter-platform", MONITOR_TARGET])
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run cargo")?;
        ensure!(output.status.success(), "cargo does not find all crates");
        let all = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
        let folders = folders_of_registries(&all);
        known.insert(self.workspace_root.clone(), folders.clone());
        Ok(folders)
    }
}

/// What `cargo metadata` says of all packages.
#[derive(Deserialize)]
struct All {
    packages: Vec<Source>,
}

#[derive(Deserialize)]
struct Source {
    source: Option<String>,
    manifest_path: PathBuf,
}

fn folders_of_registries(all: &All) -> BTreeSet<PathBuf> {
    let of_registries = all.packages.iter().filter(|package| {
        let source = package.source.as_deref().unwrap_or_default();
        source.starts_with("registry+") || source.starts_with("sparse+")
    });
    // FOLDER/NAME-VERSION/Cargo.toml
    let folders = of_registries.filter_map(|package| package.manifest_path.ancestors().nth(2));
    folders.map(Path::to_path_buf).collect()
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

    #[test]
    fn folders_of_registries_are_those_above_packages_of_others() {
        let text = r#"{"packages":[
            {"source":null,"manifest_path":"/w/kernel/net/Cargo.toml"},
            {"source":"git+https://example.org/x","manifest_path":"/c/git/checkouts/x/1/Cargo.toml"},
            {"source":"registry+https://example.org/index","manifest_path":"/c/src/index-1/a-1.0.0/Cargo.toml"},
            {"source":"registry+https://example.org/index","manifest_path":"/c/src/index-1/b-1.0.0/Cargo.toml"},
            {"source":"sparse+https://example.org/","manifest_path":"/c/src/other-2/c-1.0.0/Cargo.toml"}
        ]}"#;
        let found = folders_of_registries(&serde_json::from_str(text).unwrap());
        let wanted = ["/c/src/index-1", "/c/src/other-2"].map(PathBuf::from);
        assert_eq!(found, wanted.into());
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
