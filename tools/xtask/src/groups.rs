//! Which crates are built for which target.

use crate::metadata::{Metadata, Package};
use std::path::Path;

/// Crates that are built together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// On the host: what plain `cargo test` takes, and the tests that boot images.
    Host,
    /// In an image, with the target's instructions.
    Image,
    /// Without vector registers: at EL2, and the image that breaks rules.
    Monitor,
}

impl Group {
    /// The group of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "host" => Some(Self::Host),
            "image" => Some(Self::Image),
            "monitor" => Some(Self::Monitor),
            _ => None,
        }
    }
}

/// `-p NAME@VERSION` for each crate of the group, for cargo: somebody else may use the same name.
pub fn package_arguments(metadata: &Metadata, group: Group) -> String {
    let members = metadata
        .members()
        .filter(|package| is_in(metadata, package, group));
    members
        .map(|package| format!("-p {}@{}", package.name, package.version))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A crate can be in two groups: the monitor's rules are tested on the host, and run at EL2.
fn is_in(metadata: &Metadata, package: &Package, group: Group) -> bool {
    let folder = package.manifest_path.parent().unwrap_or(Path::new(""));
    let folder = folder
        .strip_prefix(&metadata.workspace_root)
        .unwrap_or(folder);
    let on_host = metadata.workspace_default_members.contains(&package.id)
        || folder == Path::new("tests/qemu");
    // Images without vector registers: the monitor, and the one that breaks rules.
    let soft = folder == Path::new("tools/monitor") || folder == Path::new("tests/rogue");
    match group {
        Group::Host => on_host,
        Group::Monitor => soft,
        Group::Image => !on_host && !soft,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn crates_outside_of_the_default_members_are_for_the_target() {
        let package = |name: &str, folder: &str| json!({"id": name, "name": name, "version": "1", "manifest_path": format!("/x/{folder}/Cargo.toml")});
        let metadata: Metadata = serde_json::from_value(json!({
            "workspace_root": "/x",
            "workspace_members": ["ipa", "arch", "monitor", "rogue", "qemu-tests"],
            "workspace_default_members": ["ipa", "monitor"],
            "packages": [
                package("ipa", "kernel/ipa"), package("arch", "kernel/arch"),
                package("monitor", "tools/monitor"), package("rogue", "tests/rogue"),
                package("qemu-tests", "tests/qemu"),
                package("log", "elsewhere/log"),
            ],
            "resolve": {"nodes": []},
        }))
        .unwrap();
        assert_eq!(
            package_arguments(&metadata, Group::Host),
            "-p ipa@1 -p monitor@1 -p qemu-tests@1"
        );
        assert_eq!(package_arguments(&metadata, Group::Image), "-p arch@1");
        assert_eq!(
            package_arguments(&metadata, Group::Monitor),
            "-p monitor@1 -p rogue@1"
        );
    }
}
