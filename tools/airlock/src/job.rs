//! What the host lends to a payload, and what it looks at afterwards.

use crate::disk;
use crate::fetch::Fetch;
use crate::keyrelease::KeyRelease;
use crate::machine::Machine;
use crate::network::Network;
use crate::options::{Mode, RunOptions};
use crate::report::Report;
use crate::serve::Behaviour;
use crate::share::Share;
use crate::units::MIB;
use crate::verdict::WrongArguments;
use crate::vsock;
use anyhow::{Result, ensure};
use std::path::Path;

/// Bytes of the disk that `doctor` is lent.
const DISK: u64 = 16 * MIB;
/// The folder that `doctor` is lent.
const SHARE: &str = "doctor";
/// Options that describe the key broker of this run, and mean nothing without one.
const BROKERS: [&str; 3] = ["--reference-image", "--reference-append", "--dump-evidence"];
/// Options that describe the file server of this run.
const SERVERS: [&str; 2] = ["--serve", "--seed"];
const NO_BROKER: &str =
    "there is nobody to ask for a key with --net none; leave it out, or give --vsock";
const TWO_BROKERS: &str =
    "--broker starts a key broker, and keybroker.url= names another; leave one out";

/// The host's side of a run.
pub enum Job {
    /// The payload needs nothing of us.
    None,
    /// A file server, and a disk that must hold the file.
    Fetch(Fetch),
    /// A key broker.
    KeyRelease(KeyRelease),
}

impl Job {
    /// Prepares what the payload needs and the user did not give, and adds it to `machine`.
    ///
    /// # Errors
    /// No port is free, or there is no room for a disk.
    pub fn prepare(
        options: &RunOptions,
        qemu: &Path,
        folder: &Path,
        machine: &mut Machine,
    ) -> Result<Self> {
        let kind = Kind::of(options);
        check_options(options, kind)?;
        match options.payload_name() {
            _ if kind == Kind::Fetch => Self::fetch(options, folder, machine),
            _ if kind == Kind::KeyRelease => {
                let asks = online(options) || machine.vsock.is_some();
                ensure!(asks, WrongArguments(String::from(NO_BROKER)));
                KeyRelease::prepare(options, qemu, machine).map(Self::KeyRelease)
            }
            "doctor" => lend_to_doctor(folder, machine).map(|()| Self::None),
            _ => Ok(Self::None),
        }
    }

    fn fetch(options: &RunOptions, folder: &Path, machine: &mut Machine) -> Result<Self> {
        let job = Fetch::prepare(folder, options.disk.first(), options.serve, options.seed)?;
        if machine.disks.is_empty() {
            machine.disks.push(job.disk().to_owned());
        }
        let append = format!("{} {}", machine.append, job.boot_argument());
        machine.append = append.trim().to_owned();
        Ok(Self::Fetch(job))
    }

    /// One line on what is lent.
    #[must_use]
    pub fn description(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Fetch(job) => Some(job.description()),
            Self::KeyRelease(job) => Some(job.description()),
        }
    }

    /// Looks at what the payload left behind after it said ok: `Ok` says what is there, if there is
    /// anything to look at.
    ///
    /// # Errors
    /// It is not what it must be; the text says what it is.
    pub fn check(&self, mode: Mode, report: Option<&Report>) -> Result<Option<String>, String> {
        match self {
            Self::Fetch(job) => job.check().map(Some),
            Self::KeyRelease(job) if mode == Mode::Realm => job.check(report).map(Some),
            Self::KeyRelease(_) | Self::None => Ok(None),
        }
    }
}

/// A disk, a folder and somebody behind a socket device for `doctor` to look at, where the user gave none.
fn lend_to_doctor(folder: &Path, machine: &mut Machine) -> Result<()> {
    let nobody = || vsock::Device::new(Vec::new(), folder);
    machine.vsock.get_or_insert_with(nobody);
    if machine.disks.is_empty() {
        let path = folder.join("disk.img");
        disk::create(&path, DISK)?;
        machine.disks.push(path);
    }
    let mut words = machine.append.split_whitespace();
    if machine.shares.is_empty() && !words.any(|word| word.starts_with("share=")) {
        let folder = folder.join(SHARE);
        std::fs::create_dir(&folder)?;
        std::fs::write(folder.join("note.txt"), "For the doctor to find.\n")?;
        let name = SHARE.to_owned();
        machine.shares.push(Share { name, folder });
        machine.append = format!("{} share={SHARE}", machine.append)
            .trim()
            .to_owned();
    }
    Ok(())
}

/// What the payload needs of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Nothing, or a disk at most.
    Other,
    /// A file server.
    Fetch,
    /// A key broker.
    KeyRelease,
}

impl Kind {
    /// Who names a server of his own needs none of ours.
    fn of(options: &RunOptions) -> Self {
        let given = |key| given(options, key);
        match options.payload_name() {
            "fetch" if online(options) && !given("fetch.url=") => Self::Fetch,
            "keybroker" if !given("keybroker.url=") => Self::KeyRelease,
            _ if options.broker => Self::KeyRelease,
            _ => Self::Other,
        }
    }
}

/// Whether the user gives a boot argument that begins so.
fn given(options: &RunOptions, key: &str) -> bool {
    let mut words = options.append.split_whitespace();
    words.any(|word| word.starts_with(key))
}

fn online(options: &RunOptions) -> bool {
    options.net != Network::None
}

/// Refuses options that would be ignored: who gives one believes that it did something.
fn check_options(options: &RunOptions, kind: Kind) -> Result<()> {
    ensure!(
        !(options.broker && given(options, "keybroker.url=")),
        WrongArguments(String::from(TWO_BROKERS))
    );
    let given = [
        options.reference_image.is_some(),
        options.reference_append.is_some(),
        options.dump_evidence.is_some(),
    ];
    let broker = given
        .iter()
        .position(|given| *given)
        .and_then(|at| BROKERS.get(at));
    if let Some(option) = broker.filter(|_| kind != Kind::KeyRelease) {
        return Err(ignored(
            option,
            "key broker",
            "payload keybroker without keybroker.url=, or --broker",
        ));
    }
    let given = [options.serve != Behaviour::Honest, options.seed.is_some()];
    let server = given
        .iter()
        .position(|given| *given)
        .and_then(|at| SERVERS.get(at));
    if let Some(option) = server.filter(|_| kind != Kind::Fetch) {
        return Err(ignored(
            option,
            "file server",
            "payload fetch without fetch.url=",
        ));
    }
    Ok(())
}

fn ignored(option: &str, whose: &str, when: &str) -> anyhow::Error {
    let text = format!("{option} is for the {whose} that `airlock run` starts: for the {when}");
    WrongArguments(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Arguments, Command};
    use clap::Parser;

    fn checked(line: &[&str]) -> Result<()> {
        let words = [&["airlock", "run"], line].concat();
        match Arguments::try_parse_from(words).unwrap().command {
            Command::Run(options) => check_options(&options, Kind::of(&options)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_broker_is_started_for_any_payload_unless_another_is_named() {
        checked(&["--payload", "hello", "--broker", "--dump-evidence", "x"]).unwrap();
        let named = ["--append", "keybroker.url=http://10.0.2.2:1", "--broker"];
        let error = checked(&named).unwrap_err();
        assert!(error.to_string().contains("leave one out"), "{error}");
    }

    #[test]
    fn options_of_a_broker_that_does_not_run_are_refused() {
        for option in BROKERS {
            checked(&[option, "x"]).unwrap();
            let elsewhere = [
                "--append",
                "keybroker.url=http://10.0.2.2:8088",
                option,
                "x",
            ];
            for line in [&elsewhere[..], &["--payload", "hello", option, "x"]] {
                let error = checked(line).unwrap_err();
                assert!(error.is::<WrongArguments>(), "{error}");
                let text = error.to_string();
                assert!(
                    text.contains(option) && text.contains("keybroker.url="),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn options_of_a_file_server_that_does_not_run_are_refused() {
        for line in [["--serve", "short"], ["--seed", "7"]] {
            checked(&[&["--payload", "fetch"], &line[..]].concat()).unwrap();
            let error = checked(&line).unwrap_err().to_string();
            assert!(
                error.contains(line[0]) && error.contains("fetch.url="),
                "{error}"
            );
        }
    }
}
