//! `airlock dist`: a folder with all that somebody needs who boots Airlock and does not build it.

mod bill;

use crate::cli::{Arguments, Command, DistOptions};
use crate::measure::{self, Measurements};
use crate::symbols::Symbols;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use measure::corim;
use std::path::Path;

/// Memory of the realms whose measurements are given.
const MEMORY: &str = "64M";

/// The page to read first.
const PAGE: &str = include_str!("../template/dist.md.in");
/// Starts an image under lkvm, and says what is missing.
const SCRIPT: &str = include_str!("../template/run-realm.sh");

/// Fills the folder. The same source gives the same bytes.
///
/// # Errors
/// The folder is there and is not one of ours, a build fails, or a file cannot be written.
pub fn dist(options: &DistOptions) -> Result<()> {
    let workspace = Workspace::find()?;
    let folder = &options.out;
    make_empty(folder)?;
    let (mut rims, mut rows) = (Vec::new(), String::new());
    for name in workspace.payload_names() {
        println!("airlock: {name}");
        let program = workspace.program(name)?;
        let image = workspace.write_image(&program, folder, false)?;
        let bytes = std::fs::read(&image)?;
        let measured = measured(&image)?;
        write(folder, &format!("{name}.corim"), &corim::corim(&measured))?;
        write(
            folder,
            &format!("{name}.cdx.json"),
            bill::of(&workspace, &program, &bytes)?.as_bytes(),
        )?;
        rows.push_str(&format!(
            "| `{name}.img` | {} | `{}` |\n",
            bytes.len(),
            measured.rim
        ));
        rims.push(measured.rim);
        remove(&Symbols::beside(&image))?;
    }
    write(
        folder,
        "reference-values.json",
        measure::reference_values(&rims).as_bytes(),
    )?;
    write(folder, "run-realm.sh", SCRIPT.as_bytes())?;
    executable(&folder.join("run-realm.sh"))?;
    let page = PAGE.replace("@VERSION@", env!("CARGO_PKG_VERSION"));
    let page = page
        .replace("@ROWS@", rows.trim_end())
        .replace("@MEMORY@", MEMORY);
    write(folder, "README.md", page.as_bytes())?;
    write(folder, "SHA256SUMS", sums(folder)?.as_bytes())?;
    println!(
        "airlock: {} is complete; begin with README.md there",
        folder.display()
    );
    Ok(())
}

/// What the image at `path` must measure under the test monitor, as `airlock measure` says it.
fn measured(path: &Path) -> Result<Measurements> {
    let path = path.to_string_lossy();
    let words = [
        "airlock", "measure", &path, "--vmm", "monitor", "--memory", MEMORY, "--append", "",
    ];
    match Arguments::try_parse_from(words)?.command {
        Command::Measure(options) => measure::compute(&options),
        _ => bail!("`measure` is another command now"),
    }
}

/// An empty folder: a new one, or an older one of ours.
fn make_empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        ensure!(
            folder.join("SHA256SUMS").is_file(),
            "{} is there and was not made by this command; take another --out",
            folder.display()
        );
        std::fs::remove_dir_all(folder)
            .with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = folder.join(name);
    std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn remove(path: &Path) -> Result<()> {
    std::fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))
}

#[cfg(unix)]
fn executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(path, mode).with_context(|| format!("{}", path.display()))
}

/// The digest of each file, in the form that `sha256sum --check` reads.
fn sums(folder: &Path) -> Result<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        names.push(entry?.file_name());
    }
    names.sort();
    let mut text = String::new();
    for name in names {
        let bytes = std::fs::read(folder.join(&name))?;
        let digest = ::measure::Algorithm::Sha256.hash(&bytes);
        text.push_str(&format!("{digest}  {}\n", name.to_string_lossy()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
        let error = make_empty(folder.path()).unwrap_err().to_string();
        assert!(error.contains("--out"), "{error}");
        assert!(folder.path().join("thesis.txt").is_file());
    }

    #[test]
    fn an_older_folder_of_ours_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["SHA256SUMS", "old.img"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        make_empty(folder.path()).unwrap();
        assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
    }

    #[test]
    fn sums_are_sorted_and_in_the_form_of_sha256sum() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b", "a"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let expected = format!("{empty}  a\n{empty}  b\n");
        assert_eq!(sums(folder.path()).unwrap(), expected);
    }
}
