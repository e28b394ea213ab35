//! The command as a user sees it: exit status, the one line that says what to do, and nothing left
//! running. A script stands in for QEMU, so that these tests need none.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A folder with a script for QEMU and an image that it does not look at.
struct Stage {
    folder: TempDir,
}

impl Stage {
    /// `script` is what QEMU does.
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let qemu = folder.path().join("qemu");
        let version = "[ \"$1\" = --version ] && echo 'a script' && exit";
        fs::write(&qemu, format!("#!/bin/sh\n{version}\n{script}\n")).expect("a script");
        fs::set_permissions(&qemu, fs::Permissions::from_mode(0o755)).expect("a program");
        // Zeros, `image_size`, zeros, the magic number, zeros: 64 bytes.
        let image = [
            &[0; 16][..],
            &256_u64.to_le_bytes(),
            &[0; 32],
            b"ARMd",
            &[0; 4],
        ]
        .concat();
        fs::write(folder.path().join("image"), image).expect("an image");
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, mode: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_airlock"));
        command
            .env_remove("QEMU")
            .args(["run", "--mode", mode, "--timeout", "20s"]);
        for (option, file) in [
            ("--qemu", "qemu"),
            ("--image", "image"),
            ("--monitor-image", "image"),
        ] {
            command.arg(option).arg(self.path(file));
        }
        command
    }

    fn run(&self, mode: &str) -> Output {
        self.command(mode).output().expect("the command starts")
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it exits by itself")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_exit_status_is_the_verdict() {
    let report = r#"report: {"violations":[]}"#;
    let violation = r#"report: {"violations":["a device wrote to a private page"]}"#;
    for (mode, script, status) in [
        ("vm", "echo 'payload: ok'".to_owned(), 0),
        ("vm", "echo 'payload: failed: no lease'".to_owned(), 1),
        ("vm", "echo 'fault: data abort'".to_owned(), 5),
        ("vm", "echo 'payload: ok'; exit 1".to_owned(), 6),
        ("realm", format!("echo 'payload: ok'; echo '{report}'"), 0),
        (
            "realm",
            format!("echo 'payload: ok'; echo '{violation}'"),
            3,
        ),
        ("realm", "echo 'payload: ok'".to_owned(), 8),
    ] {
        let output = Stage::new(&script).run(mode);
        assert_eq!(code(&output), status, "{script}: {}", text(&output.stdout));
    }
}

#[test]
fn what_qemu_complains_of_is_shown() {
    let output = Stage::new("echo 'qemu: no such machine' >&2; exit 1").run("vm");
    assert!(text(&output.stderr).contains("no such machine"));
}

#[test]
fn what_is_missing_or_wrong_is_told_in_one_line() {
    let stage = Stage::new("echo 'payload: ok'");
    for (option, value, what_to_do, status) in [
        ("--disk", "/no/such/disk.img", "truncate -s 64M", 6),
        ("--net", "tap:nosuchtap9", "ip tuntap add", 6),
        ("--memory", "16385K", "whole MiB", 2),
        ("--monitor", "rsi=2.0", "--mode realm", 2),
    ] {
        let output = stage
            .command("vm")
            .args([option, value])
            .output()
            .expect("it starts");
        let said = text(&output.stderr);
        assert_eq!(code(&output), status, "{said}");
        assert!(
            said.contains(what_to_do) && said.lines().count() == 1,
            "{said}"
        );
    }
    let output = stage
        .command("vm")
        .env("PATH", "")
        .output()
        .expect("it starts");
    assert_eq!(
        code(&output),
        0,
        "a QEMU that is named needs no PATH: {}",
        text(&output.stderr)
    );
}

#[test]
fn a_missing_qemu_is_told_with_how_to_get_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_airlock"))
        .env_remove("QEMU")
        .env("CARGO", env!("CARGO"))
        .env("PATH", "")
        .args(["run", "--mode", "vm"])
        .output()
        .expect("the command starts");
    assert_eq!(code(&output), 6);
    assert!(
        text(&output.stderr).contains("make setup"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn logs_are_kept_on_demand() {
    let stage = Stage::new("echo 'payload: ok'; echo 'report: {\"violations\":[]}'");
    let logs = stage.path("logs");
    let output = stage
        .command("realm")
        .arg("--keep-logs")
        .arg(&logs)
        .output()
        .expect("it starts");
    assert_eq!(code(&output), 0);
    let read = |name: &str| fs::read_to_string(logs.join(name)).expect("a log");
    assert!(read("console.log").starts_with("payload: ok\n"));
    assert!(read("command.txt").contains("virtualization=on"));
    assert_eq!(read("report.json"), "{\"violations\":[]}\n");
}

#[test]
fn a_polite_kill_takes_qemu_along() {
    let stage = Stage::new("echo $$ > \"$(dirname \"$0\")/pid\"; exec sleep 60");
    let mut airlock = stage
        .command("vm")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts");
    let qemu = wait_for_text(&stage.path("pid"));
    let killed = Command::new("kill")
        .arg(airlock.id().to_string())
        .status()
        .expect("kill runs");
    assert!(killed.success());
    assert_eq!(airlock.wait().expect("it ends").code(), Some(130));
    assert!(
        !Path::new("/proc").join(&qemu).exists(),
        "process {qemu} is still there"
    );
}

/// The first line of a file that is about to be written.
fn wait_for_text(path: &Path) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        match fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
            _ => thread::sleep(Duration::from_millis(10)),
        }
    }
    panic!("{} is not there", path.display());
}
