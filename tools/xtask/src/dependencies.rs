//! Dependencies: from where, under which licence, with which features, and why.

use crate::finding::Finding;
use crate::metadata::{Metadata, Package};
use crate::tree::Tree;
use spdx::{Expression, ParseMode};
use std::collections::BTreeMap;

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// Licences that ask for no more than a notice.
const LICENCES: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BlueOak-1.0.0",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Zlib",
];
/// Folders whose crates become part of an image.
const IMAGE_FOLDERS: [&str; 3] = ["kernel", "payloads", "boards"];
/// Crates that may be in an image in two versions. `NAME: reason`, one a line.
const DUPLICATES: &str = "tools/xtask/duplicates.txt";
const MANIFEST: &str = "Cargo.toml";

/// Runs all checks of this module. `image` is the workspace as the kernel's target sees it.
pub fn check(metadata: &Metadata, image: &Metadata, tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = metadata
        .packages
        .iter()
        .filter_map(foreign_source)
        .collect();
    findings.extend(metadata.packages.iter().filter_map(licence));
    let ours: Vec<&Package> = image_members(image).collect();
    findings.extend(ours.iter().flat_map(|package| default_features(package)));
    let roots = ours.iter().map(|package| package.id.clone());
    findings.extend(duplicates(
        &image.linked_into(roots),
        tree.text(DUPLICATES).unwrap_or_default(),
    ));
    findings.extend(reasons(tree.text(MANIFEST).unwrap_or_default()));
    findings
}

fn image_members(metadata: &Metadata) -> impl Iterator<Item = &Package> {
    metadata.members().filter(|package| {
        let inside = package.manifest_path.strip_prefix(&metadata.workspace_root);
        inside.is_ok_and(|path| IMAGE_FOLDERS.iter().any(|folder| path.starts_with(folder)))
    })
}

/// Only crates.io: what is published there stays there.
fn foreign_source(package: &Package) -> Option<Finding> {
    let source = package.source.as_deref()?;
    (source != REGISTRY).then(|| {
        Finding::at(
            &package.name,
            format!("comes from {source}, not from crates.io"),
        )
    })
}

fn licence(package: &Package) -> Option<Finding> {
    package.source.as_ref()?;
    let Some(text) = &package.license else {
        return Some(Finding::at(&package.name, "has no licence"));
    };
    let allowed = |wanted: &spdx::LicenseReq| LICENCES.contains(&wanted.to_string().as_str());
    let good = Expression::parse_mode(text, ParseMode::LAX)
        .is_ok_and(|expression| expression.evaluate(allowed));
    (!good).then(|| {
        Finding::at(
            &package.name,
            format!("its licence `{text}` is not on the list"),
        )
    })
}

/// What an image takes from a crate is what was chosen, not what the crate thinks is usual.
fn default_features(package: &Package) -> Vec<Finding> {
    let dependencies = package.dependencies.iter();
    dependencies
        .filter(|dependency| dependency.kind.is_none() && dependency.path.is_none())
        .filter(|dependency| dependency.uses_default_features)
        .map(|dependency| {
            let text = format!("takes `{}` with its default features", dependency.name);
            Finding::at(&package.name, text)
        })
        .collect()
}

fn duplicates(linked: &[&Package], allowed: &str) -> Vec<Finding> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in linked {
        versions
            .entry(&package.name)
            .or_default()
            .push(&package.version);
    }
    let known: Vec<&str> = allowed
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(": "))
        .filter(|(_, reason)| !reason.trim().is_empty())
        .map(|(name, _)| name)
        .collect();
    let twice = versions.iter().filter(|(_, versions)| versions.len() > 1);
    let mut findings: Vec<Finding> = twice
        .clone()
        .filter(|(name, _)| !known.contains(name))
        .map(|(name, versions)| {
            let list = versions.join(" and ");
            Finding::at(
                name,
                format!("is in the image as {list}; align them, or explain in {DUPLICATES}"),
            )
        })
        .collect();
    let duplicated: Vec<&str> = twice.map(|(name, _)| *name).collect();
    findings.extend(
        known
            .iter()
            .filter(|name| !duplicated.contains(*name))
            .map(|name| {
                Finding::at(
                    name,
                    format!("is in the image once; remove it from {DUPLICATES}"),
                )
            }),
    );
    findings
}

/// Each dependency's line says what it is for. Ours need no reason; those for the registry have a version, too.
fn reasons(manifest: &str) -> Vec<Finding> {
    let mut inside = false;
    let mut findings = Vec::new();
    for (line, number) in manifest.lines().zip(1..) {
        if line.starts_with('[') {
            inside = line.trim() == "[workspace.dependencies]";
        } else if inside && line.contains("version = ") && !line.contains("path = ") {
            let reason = line.split_once(" # ").map(|(_, reason)| reason.trim());
            if reason.is_none_or(str::is_empty) {
                let name = line.split_whitespace().next().unwrap_or_default();
                let text = format!("`{name}` has no reason; add one behind ` # `");
                findings.push(Finding::in_line(MANIFEST, number, text));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn package(value: serde_json::Value) -> Package {
        serde_json::from_value(value).unwrap()
    }

    fn with_licence(licence: &str) -> Package {
        package(json!({
            "id": "x", "name": "x", "version": "1.0.0", "manifest_path": "/x/Cargo.toml",
            "source": REGISTRY, "license": licence,
        }))
    }

    #[test]
    fn licences_that_ask_for_a_notice_are_good() {
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-2.0-only OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
        ] {
            assert_eq!(licence(&with_licence(good)), None, "{good}");
        }
    }

    #[test]
    fn other_licences_are_found() {
        for bad in [
            "GPL-3.0-only",
            "MIT AND GPL-2.0-only",
            "MPL-2.0",
            "something",
            "",
        ] {
            assert!(licence(&with_licence(bad)).is_some(), "{bad}");
        }
    }

    #[test]
    fn a_crate_from_git_is_found() {
        let mut package = with_licence("MIT");
        package.source = Some("git+https://example.org/x#123".into());
        assert!(
            foreign_source(&package)
                .unwrap()
                .to_string()
                .contains("not from crates.io")
        );
        package.source = None;
        assert_eq!(foreign_source(&package), None);
    }

    #[test]
    fn default_features_are_found_in_what_the_image_takes() {
        let package = package(json!({
            "id": "k", "name": "k", "version": "0.1.0", "manifest_path": "/x/kernel/k/Cargo.toml",
            "dependencies": [
                {"name": "bad", "uses_default_features": true},
                {"name": "good", "uses_default_features": false},
                {"name": "ours", "uses_default_features": true, "path": "/x/kernel/ours"},
                {"name": "test-only", "uses_default_features": true, "kind": "dev"},
            ],
        }));
        let found: Vec<String> = default_features(&package)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, ["k: takes `bad` with its default features"]);
    }

    #[test]
    fn two_versions_in_the_image_need_an_explanation() {
        let mut other = with_licence("MIT");
        other.version = "2.0.0".into();
        let first = with_licence("MIT");
        let linked = [&first, &other];
        assert_eq!(duplicates(&linked, "").len(), 1);
        assert_eq!(duplicates(&linked, "# x: why\nx: ").len(), 1);
        assert_eq!(duplicates(&linked, "x: y needs the old one"), []);
        assert_eq!(duplicates(&linked[..1], "x: y needs the old one").len(), 1);
    }

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let manifest = "[workspace.dependencies]\na = { version = \"1\" } # needed\nb = { version = \"1\" }\nc = { path = \"c\", version = \"1\" }\n[profile.dev]\nversion = 1\n";
        let found: Vec<String> = reasons(manifest).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            ["Cargo.toml:3: `b` has no reason; add one behind ` # `"]
        );
    }

    #[test]
    fn macros_and_build_scripts_are_not_in_the_image() {
        let metadata: Metadata = serde_json::from_value(json!({
            "workspace_root": "/x", "workspace_members": ["k"],
            "packages": [
                {"id": "k", "name": "k", "version": "1", "manifest_path": "/x/kernel/k/Cargo.toml"},
                {"id": "m", "name": "m", "version": "1", "manifest_path": "/m", "targets": [{"kind": ["proc-macro"]}]},
                {"id": "syn", "name": "syn", "version": "1", "manifest_path": "/s"},
                {"id": "cc", "name": "cc", "version": "1", "manifest_path": "/c"},
                {"id": "l", "name": "l", "version": "1", "manifest_path": "/l"},
            ],
            "resolve": {"nodes": [
                {"id": "k", "deps": [
                    {"pkg": "m", "dep_kinds": [{"kind": null}]},
                    {"pkg": "cc", "dep_kinds": [{"kind": "build"}]},
                    {"pkg": "l", "dep_kinds": [{"kind": null}]},
                ]},
                {"id": "m", "deps": [{"pkg": "syn", "dep_kinds": [{"kind": null}]}]},
            ]},
        }))
        .unwrap();
        let linked = metadata.linked_into(["k".to_owned()]);
        let names: Vec<&str> = linked.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["k", "l"]);
    }
}
