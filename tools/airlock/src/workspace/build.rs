//! Builds a program with cargo, so that the same source gives the same bytes.

use super::{Program, Target, Workspace, cargo};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

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
        let flags: Vec<String> = rules
            .iter()
            .chain(&payload)
            .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()))
            .collect();
        // A list of strings in JSON is one in TOML.
        Ok(format!(
            "target.{target}.rustflags={}",
            serde_json::to_string(&flags)?
        ))
    }
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
