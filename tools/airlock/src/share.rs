//! Folders of this host that the guest is given, by 9p.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::qemu;

/// A folder, and the name by which the guest asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The name: letters, digits, `-`, `_`, `.`; 31 bytes at most.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
}

/// Reads `NAME=DIR`.
///
/// # Errors
/// It is not that; the text says what is wrong.
pub fn parse(text: &str) -> Result<Share, String> {
    let (name, folder) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is not NAME=DIR"))?;
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    // QEMU takes no more bytes.
    if name.is_empty() || name.len() > 31 || !name.chars().all(good) {
        return Err(format!(
            "`{name}` is no name of a share: letters, digits, - _ and . , 31 at most"
        ));
    }
    let folder = PathBuf::from(folder);
    if !folder.is_dir() {
        return Err(format!("there is no folder {}", folder.display()));
    }
    let name = name.to_owned();
    Ok(Share { name, folder })
}

/// The boot argument that lets the guest use the folders, unless `append` has one.
#[must_use]
pub fn append(shares: &[Share], append: String) -> String {
    let given = append
        .split_whitespace()
        .any(|word| word.starts_with("share="));
    if shares.is_empty() || given {
        return append;
    }
    let names: Vec<_> = shares.iter().map(|s| s.name.as_str()).collect();
    let append = format!("{append} share={}", names.join(","));
    append.trim_start().to_owned()
}

/// QEMU's words for folder `number`; `platform` is what every device of the machine has.
#[must_use]
pub fn words(number: usize, share: &Share, platform: &str) -> [(&'static str, OsString); 2] {
    let mut fsdev = OsString::from(format!(
        "local,id=share{number},security_model=none,multidevs=remap,path="
    ));
    fsdev.push(qemu::escaped(&share.folder));
    let device = format!(
        "virtio-9p-pci,fsdev=share{number},mount_tag={},disable-legacy=on{platform}",
        share.name
    );
    [("-fsdev", fsdev), ("-device", device.into())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_name_and_a_folder_that_is_there() {
        let share = parse("web=/").unwrap();
        assert_eq!(
            (share.name.as_str(), share.folder),
            ("web", PathBuf::from("/"))
        );
        for wrong in ["web", "=/", "a,b=/", "a b=/", "web=/nowhere/at/all"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        let long = format!("{}=/", "x".repeat(32));
        assert!(parse(&long).is_err());
    }

    #[test]
    fn a_comma_in_a_folder_is_not_an_option() {
        let share = Share {
            name: "web".into(),
            folder: "a,b".into(),
        };
        let [(_, fsdev), (_, device)] = words(0, &share, ",iommu_platform=on");
        assert!(fsdev.into_string().unwrap().ends_with("path=a,,b"));
        let device = device.into_string().unwrap();
        assert!(device.contains("mount_tag=web") && device.ends_with("iommu_platform=on"));
    }
}
