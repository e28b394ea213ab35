//! What `cargo metadata` says of the workspace.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

/// Target of every kernel image.
const KERNEL_TARGET: &str = "aarch64-unknown-none";

/// The workspace with all its dependencies.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    pub workspace_root: PathBuf,
    pub packages: Vec<Package>,
    pub workspace_members: BTreeSet<String>,
    #[serde(default)]
    pub workspace_default_members: BTreeSet<String>,
    pub resolve: Resolve,
}

/// One package.
#[derive(Debug, Deserialize)]
pub struct Package {
    pub id: String,
    pub name: String,
    pub version: String,
    pub manifest_path: PathBuf,
    #[serde(default)]
    pub license: Option<String>,
    #[serde(default)]
    pub source: Option<String>,
    #[serde(default)]
    pub dependencies: Vec<Dependency>,
    #[serde(default)]
    pub targets: Vec<Target>,
}

/// One thing that a package builds.
#[derive(Debug, Deserialize)]
pub struct Target {
    pub kind: Vec<String>,
}

/// One line of a package's `[dependencies]`.
#[derive(Debug, Deserialize)]
pub struct Dependency {
    pub name: String,
    /// `None` is a normal one, not for tests or for building.
    #[serde(default)]
    pub kind: Option<String>,
    pub uses_default_features: bool,
    /// A path: one of ours.
    #[serde(default)]
    pub path: Option<PathBuf>,
}

/// Who depends on whom, with features settled.
#[derive(Debug, Deserialize)]
pub struct Resolve {
    pub nodes: Vec<Node>,
}

/// The dependencies of one package.
#[derive(Debug, Deserialize)]
pub struct Node {
    pub id: String,
    #[serde(default)]
    pub deps: Vec<Edge>,
}

/// One dependency.
#[derive(Debug, Deserialize)]
pub struct Edge {
    pub pkg: String,
    #[serde(default)]
    pub dep_kinds: Vec<Kind>,
}

/// Why it is needed.
#[derive(Debug, Deserialize)]
pub struct Kind {
    #[serde(default)]
    pub kind: Option<String>,
}

impl Metadata {
    /// For every target.
    ///
    /// # Errors
    /// Cargo fails, or `Cargo.lock` is not up to date.
    pub fn read() -> Result<Self> {
        Self::ask(&[])
    }

    /// For the target of the kernel images.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_for_image() -> Result<Self> {
        Self::ask(&["--filter-platform", KERNEL_TARGET])
    }

    fn ask(more: &[&str]) -> Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--locked", "--format-version", "1"])
            .args(more)
            .output()
            .context("cannot run cargo")?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        serde_json::from_slice(&output.stdout).context("cargo metadata")
    }

    /// Packages of the workspace.
    pub fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id))
    }

    /// All that is compiled into the packages `roots`: no build scripts, macros, or tests.
    pub fn linked_into(&self, roots: impl IntoIterator<Item = String>) -> Vec<&Package> {
        let nodes: BTreeMap<&str, &Node> = self
            .resolve
            .nodes
            .iter()
            .map(|node| (node.id.as_str(), node))
            .collect();
        let packages: BTreeMap<&str, &Package> = self
            .packages
            .iter()
            .map(|package| (package.id.as_str(), package))
            .collect();
        let mut reached: BTreeMap<&str, &Package> = BTreeMap::new();
        let mut waiting: Vec<String> = roots.into_iter().collect();
        while let Some(id) = waiting.pop() {
            let Some((&id, &package)) = packages.get_key_value(id.as_str()) else {
                continue;
            };
            if package.is_macro() || reached.insert(id, package).is_some() {
                continue;
            }
            let edges = nodes
                .get(id)
                .map(|node| node.deps.as_slice())
                .unwrap_or_default();
            waiting.extend(
                edges
                    .iter()
                    .filter(|edge| edge.is_linked())
                    .map(|edge| edge.pkg.clone()),
            );
        }
        reached.into_values().collect()
    }
}

impl Package {
    /// Runs inside the compiler, not in the image.
    fn is_macro(&self) -> bool {
        self.targets
            .iter()
            .any(|target| target.kind.iter().any(|kind| kind == "proc-macro"))
    }
}

impl Edge {
    fn is_linked(&self) -> bool {
        self.dep_kinds.iter().any(|kind| kind.kind.is_none())
    }
}
