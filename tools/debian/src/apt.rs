//! Debian packages of another architecture, without touching the machine's own package state.
//!
//! Lists, archives and unpacked files live in one folder of the build. The mirror is the one that the
//! machine's own apt uses, so nothing here names a host.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::version::{self, Wanted};

/// Suites that have a new enough kernel, and busybox.
const SUITES: [&str; 2] = ["sid", "trixie-backports"];
const BUSYBOX: &str = "busybox-static";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// apt, with its state in a folder of ours.
pub(crate) struct Apt {
    folder: PathBuf,
}

impl Apt {
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        ensure!(
            Path::new(KEYRING).is_file(),
            "this needs a Debian with apt and {KEYRING} (package debian-archive-keyring)"
        );
        for part in ["lists/partial", "archives/partial", "debs"] {
            std::fs::create_dir_all(folder.join(part))?;
        }
        let folder = folder.canonicalize()?;
        let mirror = mirror()?;
        let sources: String = SUITES
            .iter()
            .map(|suite| format!("deb [arch=arm64 signed-by={KEYRING}] {mirror} {suite} main\n"))
            .collect();
        std::fs::write(folder.join("sources.list"), sources)?;
        Ok(Self { folder })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.join("debs"));
        let place =
            |option: &str, part: &str| format!("-o{option}={}", self.folder.join(part).display());
        command.args([
            place("Dir::Etc::SourceList", "sources.list"),
            place("Dir::State::lists", "lists"),
            place("Dir::State::status", "status"),
            place("Dir::Cache::archives", "archives"),
        ]);
        command.args([
            "-oDir::Etc::SourceParts=/dev/null",
            "-oDir::Cache::pkgcache=",
            "-oDir::Cache::srcpkgcache=",
            "-oAPT::Architecture=arm64",
            "-oAPT::Architectures::=arm64",
            "-oAPT::Sandbox::User=",
            "-oAPT::Update::Error-Mode=any",
            "-oAcquire::Retries=1",
            "-oAcquire::Languages=none",
            "-oAcquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
            "-qq",
        ]);
        command
    }

    pub(crate) fn run(&self, program: &str, words: &[&str]) -> Result<()> {
        // apt reads the state of installed packages: here there are none.
        std::fs::write(self.folder.join("status"), "")?;
        let status = self.command(program).args(words).status();
        let status = status.with_context(|| format!("cannot run {program}"))?;
        ensure!(status.success(), "{program} {} failed", words.join(" "));
        Ok(())
    }

    fn names(&self, prefix: &str) -> Result<String> {
        let output = self
            .command("apt-cache")
            .args(["pkgnames", prefix])
            .output();
        let output = output.context("cannot run apt-cache")?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The kernel's packages and busybox. The kernel is one package, or is split by content.
    pub(crate) fn wanted(&self, wanted: Wanted) -> Result<Vec<String>> {
        let known = self.names("linux-")?;
        let Some(image) = version::newest(known.lines(), wanted) else {
            bail!(
                "Debian has no arm64 kernel for virtual machines of release {wanted}; it has {}",
                releases(&known)
            );
        };
        version::check(image)?;
        let split = ["linux-binary-", "linux-modules-"];
        let parts = split.map(|prefix| image.replacen("linux-image-", prefix, 1));
        let there = |part: &String| known.lines().any(|name| name == part);
        let mut wanted = vec![BUSYBOX.to_owned(), image.to_owned()];
        wanted.extend(parts.into_iter().filter(there));
        Ok(wanted)
    }

    pub(crate) fn unpack(&self) -> Result<()> {
        for entry in std::fs::read_dir(self.folder.join("debs"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                let mut command = Command::new("dpkg-deb");
                command.arg("-x").arg(&path).arg(self.folder.join("root"));
                let status = command.status().context("cannot run dpkg-deb")?;
                ensure!(status.success(), "cannot unpack {}", path.display());
            }
        }
        Ok(())
    }
}

/// The mirror that the machine's own apt uses for Debian.
fn mirror() -> Result<String> {
    let output = Command::new("apt-get")
        .args(["indextargets", "--format", "$(REPO_URI)"])
        .output()
        .context("this needs apt, as Debian has it")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match debian_mirror(&text) {
        Some(mirror) => Ok(mirror.to_owned()),
        None => bail!("the machine's apt knows no mirror of Debian"),
    }
}

/// The first address that ends in the name of Debian's main archive.
fn debian_mirror(addresses: &str) -> Option<&str> {
    addresses
        .lines()
        .find(|line| line.trim_end_matches('/').ends_with("/debian"))
}

/// What could have been asked for, for people.
fn releases(known: &str) -> String {
    let kernels = known
        .lines()
        .filter(|name| name.starts_with("linux-image-") && name.ends_with("-cloud-arm64"));
    kernels.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_the_main_archive_and_not_a_neighbour() {
        let seen = "http://m.example/debian-security/\nhttp://m.example/debian/\n";
        assert_eq!(debian_mirror(seen), Some("http://m.example/debian/"));
        assert_eq!(debian_mirror("http://m.example/ubuntu\n"), None);
    }
}
