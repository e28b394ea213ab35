//! The text files of the repository.

use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Text files by their path from the root.
#[derive(Default)]
pub struct Tree {
    files: BTreeMap<String, String>,
    /// Files that are there and have no lines to check.
    binary: BTreeSet<String>,
}

impl Tree {
    /// Reads all files that git knows, or would take, below `root`.
    ///
    /// # Errors
    /// This is no git checkout.
    pub fn read(root: &Path) -> Result<Self> {
        let output = Command::new("git")
            .arg("-C")
            .arg(root)
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .output()
            .context("cannot run git")?;
        ensure!(
            output.status.success(),
            "git ls-files: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let mut tree = Self::default();
        for path in output
            .stdout
            .split(|&byte| byte == 0)
            .filter(|path| !path.is_empty())
        {
            let path = String::from_utf8_lossy(path).into_owned();
            // A deleted file is not there.
            match std::fs::read_to_string(root.join(&path)) {
                Ok(text) => drop(tree.files.insert(path, text)),
                Err(_) if root.join(&path).is_file() => drop(tree.binary.insert(path)),
                Err(_) => {}
            }
        }
        Ok(tree)
    }

    /// Adds one file; for tests.
    #[cfg(test)]
    pub fn with(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), text.to_owned());
        self
    }

    /// All files, by path.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Files with this extension.
    pub fn with_extension(&self, extension: &str) -> impl Iterator<Item = (&str, &str)> {
        let wanted = Some(std::ffi::OsStr::new(extension));
        self.files()
            .filter(move |(path, _)| Path::new(path).extension() == wanted)
    }

    /// The text of one file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether there is a file, or a folder with files, at `path`.
    pub fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        path.is_empty()
            || self.files.contains_key(path)
            || self.binary.contains(path)
            || self
                .files
                .range(folder.clone()..)
                .next()
                .is_some_and(|(p, _)| p.starts_with(&folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_there_though_it_has_no_lines() {
        let folder = tempfile::tempdir().unwrap();
        let git = Command::new("git")
            .arg("init")
            .arg("-q")
            .arg(folder.path())
            .status();
        assert!(git.unwrap().success());
        std::fs::write(folder.path().join("a.png"), [0x89, 0xff]).unwrap();
        let tree = Tree::read(folder.path()).unwrap();
        assert!(tree.has("a.png") && !tree.has("b.png"));
        assert_eq!(tree.files().count(), 0);
    }

    #[test]
    fn folders_are_there_when_a_file_is_in_them() {
        let tree = Tree::default().with("a/b/c.rs", "");
        assert!(tree.has("a") && tree.has("a/b/") && tree.has("a/b/c.rs"));
        assert!(!tree.has("a/c") && !tree.has("a/b/c"));
    }
}
