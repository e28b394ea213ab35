//! Which kernel: the newest, or a release that was asked for.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, ensure};

/// The first release whose guest side is complete.
const OLDEST: (u32, u32) = (7, 2);
/// What a kernel's package is called in front of its version.
const IMAGE: &str = "linux-image-";
/// The kernels that are made for virtual machines.
const FLAVOUR: &str = "-cloud-arm64";

/// The kernel that somebody wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// The newest that Debian has.
    #[default]
    Newest,
    /// The newest of one release, such as 7.2.
    Release(u32, u32),
}

impl Wanted {
    /// What the environment variable `LINUX` asks for; the newest without it.
    ///
    /// # Errors
    /// It is not a release.
    pub fn from_environment() -> Result<Self> {
        let text = std::env::var("LINUX").unwrap_or_default();
        text.parse().map_err(anyhow::Error::msg)
    }
}

impl FromStr for Wanted {
    type Err = String;

    /// Reads `newest`, nothing, or `MAJOR.MINOR`.
    fn from_str(text: &str) -> Result<Self, String> {
        if matches!(text, "" | "newest") {
            return Ok(Self::Newest);
        }
        let numbers = text.split_once('.');
        let numbers = numbers.and_then(|(major, minor)| major.parse().ok().zip(minor.parse().ok()));
        match numbers {
            Some(release) if release < OLDEST => Err(format!(
                "Linux {text} is too old: a realm needs {}.{}",
                OLDEST.0, OLDEST.1
            )),
            Some((major, minor)) => Ok(Self::Release(major, minor)),
            None => Err(format!("`{text}` is not a release, such as 7.2")),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newest => write!(f, "newest"),
            Self::Release(major, minor) => write!(f, "{major}.{minor}"),
        }
    }
}

/// The package of the newest kernel among `packages` that is `wanted`.
pub(crate) fn newest<'a>(
    packages: impl Iterator<Item = &'a str>,
    wanted: Wanted,
) -> Option<&'a str> {
    let known = packages.filter_map(|package| Some((numbers(package)?, package)));
    let fitting = known.filter(|(numbers, _)| match wanted {
        Wanted::Newest => true,
        Wanted::Release(major, minor) => numbers.starts_with(&[major, minor]),
    });
    fitting.max().map(|(_, package)| package)
}

/// Checks that a realm can run the kernel in `package`.
pub(crate) fn check(package: &str) -> Result<()> {
    let release = numbers(package).and_then(|all| Some((*all.first()?, *all.get(1)?)));
    ensure!(
        release.is_some_and(|release| release >= OLDEST),
        "{package} is older than {}.{}",
        OLDEST.0,
        OLDEST.1
    );
    Ok(())
}

/// All numbers of a kernel's version, in order; nothing for what is no kernel for virtual machines.
fn numbers(package: &str) -> Option<Vec<u32>> {
    let version = package.strip_prefix(IMAGE)?.strip_suffix(FLAVOUR)?;
    let parts = version.split(|c: char| !c.is_ascii_digit());
    Some(parts.filter_map(|part| part.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: [&str; 6] = [
        "linux-image-7.2.9+deb13-cloud-arm64",
        "linux-image-7.2.13+deb14-cloud-arm64",
        "linux-image-7.2.13+deb14-cloud-arm64-dbg",
        "linux-image-cloud-arm64",
        "linux-image-7.3.4+deb13-cloud-arm64",
        "linux-image-6.12.107+deb13-cloud-arm64",
    ];

    #[test]
    fn the_newest_is_the_highest_number_and_not_the_last_word() {
        let found = newest(SEEN.into_iter(), Wanted::Newest);
        assert_eq!(found, Some("linux-image-7.3.4+deb13-cloud-arm64"));
    }

    #[test]
    fn an_older_release_can_be_asked_for() {
        let found = newest(SEEN.into_iter(), Wanted::Release(7, 2));
        assert_eq!(found, Some("linux-image-7.2.13+deb14-cloud-arm64"));
        assert_eq!(newest(SEEN.into_iter(), Wanted::Release(7, 9)), None);
    }

    #[test]
    fn an_old_kernel_is_refused() {
        assert!(check("linux-image-7.2.13+deb14-cloud-arm64").is_ok());
        assert!(check("linux-image-8.0-cloud-arm64").is_ok());
        assert!(check("linux-image-6.1.0-40-cloud-arm64").is_err());
        assert!(check("linux-image-cloud-arm64").is_err());
    }

    #[test]
    fn a_wish_is_read_as_it_is_written() {
        assert_eq!("".parse(), Ok(Wanted::Newest));
        assert_eq!("7.2".parse(), Ok(Wanted::Release(7, 2)));
        assert_eq!(Wanted::Release(7, 2).to_string(), "7.2");
        for bad in ["7", "7.x", "6.12", "seven"] {
            assert!(bad.parse::<Wanted>().is_err(), "{bad}");
        }
    }
}
