//! Debian packages of another architecture, without touching the machine's own package state.
//!
//! Lists, archives and unpacked files live in one folder of the build. The mirror is the one that the
//! machine's own apt uses, so nothing here names a host.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// Suites that have a new enough kernel, and busybox.
const SUITES: [&str; 2] = ["sid", "trixie-backports"];
/// The package that always depends on the newest kernel for virtual machines.
const KERNEL: &str = "linux-image-cloud-arm64";
const BUSYBOX: &str = "busybox-static";
/// The first release whose guest side is complete.
const OLDEST: (u32, u32) = (7, 2);
/// Says that everything was unpacked.
const COMPLETE: &str = "complete";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// What the guest is made of.
#[derive(Clone, Debug)]
pub struct Packages {
    /// The kernel, an arm64 Image.
    pub kernel: PathBuf,
    /// The folder of its modules.
    pub modules: PathBuf,
    /// A statically linked busybox.
    pub busybox: PathBuf,
    /// Version of the kernel.
    pub version: String,
}

/// Finds the packages in `folder`, or gets them.
///
/// # Errors
/// They cannot be had; the text says why, and what to do.
pub fn packages(folder: &Path) -> Result<Packages> {
    if let Some(found) = find(folder)? {
        return Ok(found);
    }
    println!("test-linux: gets Debian's arm64 kernel and busybox (once, 35 MB)");
    let apt = Apt::new(folder)?;
    apt.run("apt-get", &["update"]).context(
        "Debian's package lists cannot be had; without its mirror there is no guest to test",
    )?;
    for package in apt.wanted()? {
        apt.run("apt-get", &["download", &package])?;
    }
    apt.unpack()?;
    // Without this file, whatever is there is what an interrupted run left.
    std::fs::write(folder.join(COMPLETE), "")?;
    find(folder)?.context("the packages have no kernel image or no busybox where they should be")
}

fn find(folder: &Path) -> Result<Option<Packages>> {
    let root = folder.join("root");
    if !folder.join(COMPLETE).is_file() {
        return Ok(None);
    }
    let Some(modules) = only_entry(&root.join("usr/lib/modules"))? else {
        return Ok(None);
    };
    let version = modules.file_name().unwrap_or_default().to_string_lossy();
    let version = version.into_owned();
    let places = [
        modules.join("vmlinuz"),
        root.join(format!("boot/vmlinuz-{version}")),
    ];
    let kernel = places.into_iter().find(|path| path.is_file());
    let busybox = ["usr/bin/busybox", "bin/busybox"].map(|path| root.join(path));
    let busybox = busybox.into_iter().find(|path| path.is_file());
    Ok(kernel.zip(busybox).map(|(kernel, busybox)| Packages {
        kernel,
        modules,
        busybox,
        version,
    }))
}

fn only_entry(folder: &Path) -> Result<Option<PathBuf>> {
    if !folder.is_dir() {
        return Ok(None);
    }
    let entries: std::io::Result<Vec<_>> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    Ok(entries?.into_iter().max())
}

/// apt, with its state in a folder of ours.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    fn new(folder: &Path) -> Result<Self> {
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

    fn run(&self, program: &str, words: &[&str]) -> Result<()> {
        // apt reads the state of installed packages: here there are none.
        std::fs::write(self.folder.join("status"), "")?;
        let status = self.command(program).args(words).status();
        let status = status.with_context(|| format!("cannot run {program}"))?;
        ensure!(status.success(), "{program} {} failed", words.join(" "));
        Ok(())
    }

    fn show(&self, package: &str) -> Result<String> {
        let output = self.command("apt-cache").args(["show", package]).output();
        let output = output.context("cannot run apt-cache")?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The kernel's packages and busybox. The kernel is one package, or is split by content.
    fn wanted(&self) -> Result<Vec<String>> {
        let meta = self.show(KERNEL)?;
        let image = newest_image(&meta).context("there is no arm64 kernel for virtual machines")?;
        check_version(image)?;
        let split = ["linux-binary-", "linux-modules-"];
        let parts = split.map(|prefix| image.replacen("linux-image-", prefix, 1));
        let mut wanted = vec![BUSYBOX.to_owned(), image.to_owned()];
        for part in parts {
            if !self.show(&part)?.is_empty() {
                wanted.push(part);
            }
        }
        Ok(wanted)
    }

    fn unpack(&self) -> Result<()> {
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

/// The kernel image that the newest version of the meta package depends on.
fn newest_image(meta: &str) -> Option<&str> {
    let depends = meta.lines().find(|line| line.starts_with("Depends:"))?;
    let packages = depends.trim_start_matches("Depends:").split(',');
    packages
        .filter_map(|package| package.split_whitespace().next())
        .find(|package| package.starts_with("linux-image-"))
}

fn check_version(image: &str) -> Result<()> {
    let version = image.trim_start_matches("linux-image-");
    let mut numbers = version
        .split(['.', '-', '+', '~'])
        .map(|part| part.parse::<u32>().ok());
    let release = numbers.next().flatten().zip(numbers.next().flatten());
    ensure!(
        release.is_some_and(|release| release >= OLDEST),
        "{image} is older than {}.{}",
        OLDEST.0,
        OLDEST.1
    );
    Ok(())
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

    #[test]
    fn the_meta_package_names_its_kernel() {
        let meta = "Package: linux-image-cloud-arm64\n\
                    Depends: linux-base-cloud-arm64, linux-image-7.2.13+deb14-cloud-arm64 (= 7.2.13-1)\n";
        let image = newest_image(meta);
        assert_eq!(image, Some("linux-image-7.2.13+deb14-cloud-arm64"));
    }

    #[test]
    fn an_old_kernel_is_refused() {
        assert!(check_version("linux-image-7.2.13+deb14-cloud-arm64").is_ok());
        assert!(check_version("linux-image-8.0-cloud-arm64").is_ok());
        assert!(check_version("linux-image-6.1.0-40-cloud-arm64").is_err());
        assert!(check_version("linux-image-cloud-arm64").is_err());
    }
}
