//! A copy of the source that bugs are planted in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

/// A copy of the source, as it is in the working tree.
pub struct Scratch {
    root: PathBuf,
    digest: String,
}

impl Scratch {
    /// Makes or refreshes the copy of `source` at `root`. Files that are the same stay as they are, so
    /// that cargo builds nothing twice.
    ///
    /// # Errors
    ///
    /// git is not there, or a file cannot be copied.
    pub fn refresh(source: &Path, root: PathBuf) -> Result<Self> {
        let mut digest = Sha256::new();
        let files = files(source)?;
        for file in &files {
            let Ok(content) = fs::read(source.join(file)) else {
                continue;
            };
            write_if_changed(&root.join(file), &content)?;
            let code = file.ends_with(".rs") || file.ends_with(".toml");
            // The list itself is not what is tested.
            if code && !file.starts_with("tests/mutants") && !file.starts_with("tools/mutants") {
                digest.update(file.as_bytes());
                digest.update(&content);
            }
        }
        let digest = digest.finalize().into_iter().take(8);
        let digest = digest.map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { root, digest })
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the source is: the same digits for the same source.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// It is not there.
    pub fn read(&self, file: &str) -> Result<String> {
        fs::read_to_string(self.root.join(file)).with_context(|| file.to_owned())
    }

    /// Writes a file.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn write(&self, file: &str, content: &str) -> Result<()> {
        fs::write(self.root.join(file), content).with_context(|| file.to_owned())
    }
}

/// All files that git knows or would add.
fn files(source: &Path) -> Result<Vec<String>> {
    let mut git = Command::new("git");
    git.arg("-C").arg(source);
    git.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let output = git.output().context("cannot run git")?;
    ensure!(
        output.status.success(),
        "{} is no git repository",
        source.display()
    );
    let names = String::from_utf8_lossy(&output.stdout);
    Ok(names
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect())
}

fn write_if_changed(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, content).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_the_same_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        write_if_changed(&path, b"one").unwrap();
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        write_if_changed(&path, b"one").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
        write_if_changed(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
    }
}
