//! What the host lends to a payload, and what it looks at afterwards.

use crate::cli::{Mode, RunOptions};
use crate::disk;
use crate::fetch::Fetch;
use crate::keyrelease::KeyRelease;
use crate::machine::Machine;
use crate::network::Network;
use crate::report::Report;
use crate::units::MIB;
use crate::verdict::WrongArguments;
use anyhow::{Result, ensure};
use std::path::Path;

/// Bytes of the disk that `doctor` is lent.
const DISK: u64 = 16 * MIB;
const NO_BROKER: &str = "the payload keybroker has nobody to ask with --net none; leave it out";

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
    pub fn prepare(options: &RunOptions, folder: &Path, machine: &mut Machine) -> Result<Self> {
        let given = |key: &str| options.append.contains(key);
        let online = options.net != Network::None;
        match options.payload_name() {
            "fetch" if online && !given("fetch.url=") => Self::fetch(options, folder, machine),
            "keybroker" if !given("keybroker.url=") => {
                ensure!(online, WrongArguments(String::from(NO_BROKER)));
                let job = KeyRelease::prepare(options, &machine.image)?;
                machine.append = job.boot_arguments(&machine.append);
                Ok(Self::KeyRelease(job))
            }
            "doctor" if machine.disks.is_empty() => {
                let path = folder.join("disk.img");
                disk::create(&path, DISK)?;
                machine.disks.push(path);
                Ok(Self::None)
            }
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
