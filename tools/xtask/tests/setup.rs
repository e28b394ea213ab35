//! `make setup` on machines that lack this or that. Programs that only say how they were called
//! stand in for the real ones.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// What the script needs of any system.
const SYSTEM: [&str; 5] = ["bash", "dirname", "env", "grep", "id"];
const TARGETS: &str = "echo aarch64-unknown-none; echo aarch64-unknown-none-softfloat";

/// A machine that has only what it is given.
struct Machine {
    folder: TempDir,
}

impl Machine {
    /// With Rust, both targets and a linker.
    fn with_rust() -> Self {
        let machine = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        for name in SYSTEM {
            symlink(real(name), machine.folder.path().join(name)).expect("a link");
        }
        machine
            .has(
                "rustup",
                &format!("[ \"$1 $2\" = 'target list' ] && {{ {TARGETS}; }}; exit 0"),
            )
            .has("rustc", "echo rustc")
            .has("cc", "exit 0")
    }

    /// A program that notes its call and runs `script`.
    fn has(self, name: &str, script: &str) -> Self {
        let path = self.folder.path().join(name);
        let calls = self.folder.path().join("calls");
        let text = format!(
            "#!/bin/sh\necho {name} \"$@\" >> '{}'\n{script}\n",
            calls.display()
        );
        fs::write(&path, text).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
        self
    }

    fn set_up(&self) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/setup");
        let mut command = Command::new(real("bash"));
        command
            .arg(script)
            .env_clear()
            .env("PATH", self.folder.path());
        command.output().expect("the script starts")
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default()
    }
}

/// Where a program of this system is.
fn real(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").expect("there is a PATH");
    let mut files = std::env::split_paths(&path).map(|folder| folder.join(name));
    files
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("there is no {name}"))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[test]
fn nothing_is_said_or_done_when_nothing_is_missing() {
    let machine = Machine::with_rust()
        .has("qemu-system-aarch64", "exit 0")
        .has("apt-get", "exit 0");
    let output = machine.set_up();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output), "");
    assert!(!machine.calls().contains("apt-get") && !machine.calls().contains("target add"));
}

#[test]
fn a_missing_target_is_added() {
    let machine = Machine::with_rust()
        .has(
            "rustup",
            "[ \"$1 $2\" = 'target list' ] && echo aarch64-unknown-none; exit 0",
        )
        .has("qemu-system-aarch64", "exit 0");
    let output = machine.set_up();
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        machine
            .calls()
            .contains("rustup target add aarch64-unknown-none-softfloat")
    );
}

#[test]
fn qemu_is_installed_by_apt_where_there_is_apt() {
    let machine = Machine::with_rust()
        .has("apt-get", "exit 0")
        .has("sudo", "exec \"$@\"");
    let output = machine.set_up();
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        machine
            .calls()
            .contains("--no-install-recommends qemu-system-arm"),
        "{}",
        machine.calls()
    );
    assert!(said(&output).contains("installs qemu-system-aarch64 by apt-get"));
}

#[test]
fn the_package_lists_are_fetched_when_the_package_is_unknown() {
    let first_fails = "case \"$1 $(grep -c apt-get \"$(dirname \"$0\")/calls\")\" in 'install 1') exit 100;; esac";
    let machine = Machine::with_rust()
        .has("apt-get", first_fails)
        .has("sudo", "exec \"$@\"");
    let output = machine.set_up();
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        machine.calls().contains("apt-get update"),
        "{}",
        machine.calls()
    );
}

#[test]
fn other_systems_are_told_their_own_command() {
    for (manager, command) in [
        ("dnf", "sudo dnf install qemu-system-aarch64-core"),
        ("pacman", "sudo pacman -S qemu-system-aarch64"),
        ("brew", "brew install qemu"),
    ] {
        let machine = Machine::with_rust().has(manager, "exit 0");
        let output = machine.set_up();
        assert!(!output.status.success());
        assert!(said(&output).contains(command), "{}", said(&output));
        assert!(
            !machine.calls().contains(manager),
            "nothing is installed unasked"
        );
    }
}

#[test]
fn a_machine_without_rust_is_told_where_to_get_it() {
    let machine = Machine::with_rust();
    fs::remove_file(machine.folder.path().join("rustup")).expect("it was there");
    let output = machine.set_up();
    assert!(!output.status.success());
    assert!(
        said(&output).contains("https://rustup.rs"),
        "{}",
        said(&output)
    );
}
