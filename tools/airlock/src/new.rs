//! `airlock new`: a payload in a folder of its own, outside of this repository.

use crate::cli::NewOptions;
use crate::verdict::WrongArguments;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};

/// Where this command was built: the checkout that a new payload depends on.
const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What a new payload consists of: a file's path and its text.
const FILES: [(&str, &str); 9] = [
    ("Cargo.toml", include_str!("../template/Cargo.toml.in")),
    ("src/lib.rs", include_str!("../template/lib.rs.in")),
    ("src/main.rs", include_str!("../template/main.rs.in")),
    (
        "tests/payload.rs",
        include_str!("../template/payload.rs.in"),
    ),
    ("README.md", include_str!("../template/README.md.in")),
    // How an image is linked is the same for everybody.
    (
        ".cargo/config.toml",
        include_str!("../../../.cargo/config.toml"),
    ),
    ("linker/image.ld", include_str!("../../../linker/image.ld")),
    (
        "rust-toolchain.toml",
        include_str!("../../../rust-toolchain.toml"),
    ),
    (".gitignore", "/target\n"),
];

/// Makes the folder of a new payload.
///
/// # Errors
/// The name is none that a crate can have, the folder is there already, or cannot be written.
pub fn new(options: &NewOptions) -> Result<()> {
    check_name(&options.name)?;
    let checkout = checkout(options.airlock.as_deref())?;
    let folder = options
        .path
        .clone()
        .unwrap_or_else(|| PathBuf::from(&options.name));
    ensure!(
        !folder.exists(),
        WrongArguments(format!(
            "{} is there already; take another --path, or move it away",
            folder.display()
        ))
    );
    for (path, text) in FILES {
        let text = text
            .replace("@NAME@", &options.name)
            .replace("@CRATE@", &options.name.replace('-', "_"))
            .replace("@AIRLOCK@", &checkout.display().to_string());
        write(&folder.join(path), &text)?;
    }
    // The versions that Airlock was tested with.
    let lock = checkout.join("Cargo.lock");
    std::fs::copy(&lock, folder.join("Cargo.lock"))
        .with_context(|| format!("cannot copy {}", lock.display()))?;
    println!("airlock: made {}", folder.display());
    println!(
        "airlock: next: cd {}, then `cargo test` and `airlock run`",
        folder.display()
    );
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().context("a file without a folder")?;
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, text))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// The names that cargo takes, and that need no escape in a path or a command.
fn check_name(name: &str) -> Result<()> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let good = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(letters);
    let reserved = ["airlock", "core", "alloc", "std", "test"].contains(&name);
    ensure!(
        good && !reserved && name.len() <= 64,
        WrongArguments(format!(
            "`{name}` is no name for a payload: use a to z, 0 to 9, - and _, beginning with a letter"
        ))
    );
    Ok(())
}

/// The checkout, checked: a payload that depends on something else would fail much later.
fn checkout(given: Option<&Path>) -> Result<PathBuf> {
    let folder = given.unwrap_or(Path::new(CHECKOUT));
    let runtime = folder.join("kernel/airlock/Cargo.toml");
    ensure!(
        runtime.is_file(),
        WrongArguments(format!(
            "there is no Airlock in {}; say where its checkout is with --airlock",
            folder.display()
        ))
    );
    folder
        .canonicalize()
        .with_context(|| format!("cannot find {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(name: &str, folder: &Path) -> NewOptions {
        NewOptions {
            name: name.into(),
            path: Some(folder.join(name)),
            airlock: None,
        }
    }

    #[test]
    fn a_new_payload_has_its_name_everywhere_and_no_mark_is_left() {
        let folder = tempfile::tempdir().unwrap();
        new(&options("my-service", folder.path())).unwrap();
        for (path, _) in FILES {
            let text =
                std::fs::read_to_string(folder.path().join("my-service").join(path)).unwrap();
            assert!(
                !["@NAME@", "@CRATE@", "@AIRLOCK@"]
                    .iter()
                    .any(|mark| text.contains(mark)),
                "{path}"
            );
        }
        let manifest = folder.path().join("my-service/Cargo.toml");
        let manifest = std::fs::read_to_string(manifest).unwrap();
        assert!(manifest.contains("name = \"my-service\""), "{manifest}");
        assert!(folder.path().join("my-service/Cargo.lock").is_file());
    }

    #[test]
    fn what_it_makes_is_what_tests_newcomer_has_which_is_compiled_and_tested() {
        let folder = tempfile::tempdir().unwrap();
        new(&options("newcomer", folder.path())).unwrap();
        let tested = Path::new(CHECKOUT).join("tests/newcomer");
        for path in ["src/lib.rs", "src/main.rs", "tests/payload.rs"] {
            let read = |folder: &Path| std::fs::read_to_string(folder.join(path)).unwrap();
            let made = folder.path().join("newcomer");
            assert_eq!(read(&made), read(&tested), "{path}");
        }
    }

    #[test]
    fn cargo_reads_what_it_makes_without_a_network() {
        let folder = tempfile::tempdir().unwrap();
        new(&options("my-service", folder.path())).unwrap();
        let mut command = std::process::Command::new(env!("CARGO"));
        command.args(["metadata", "--offline", "--format-version", "1"]);
        let output = command
            .current_dir(folder.path().join("my-service"))
            .output();
        let output = output.unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{complaint}");
    }

    #[test]
    fn its_images_are_built_as_ours() {
        let ours = include_str!("../../../Cargo.toml");
        let template = include_str!("../template/Cargo.toml.in");
        // Payloads of ours are no crates of theirs.
        let is_ours = |section: &str| {
            let name = section.strip_prefix("profile.image.package.");
            let name = name.and_then(|rest| rest.split(']').next());
            let payloads = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../payloads");
            name.is_some_and(|name| payloads.join(name).is_dir())
        };
        let settings = |text: &str| -> Vec<String> {
            let sections = text.split("\n[");
            let sections = sections.filter(|section| section.starts_with("profile.image"));
            let sections = sections.filter(|section| !is_ours(section));
            sections.map(|section| section.trim().to_owned()).collect()
        };
        assert!(!settings(ours).is_empty());
        assert_eq!(settings(template), settings(ours));
    }

    #[test]
    fn a_folder_that_is_there_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("mine")).unwrap();
        let error = new(&options("mine", folder.path())).unwrap_err();
        assert!(error.to_string().contains("is there already"), "{error}");
    }

    #[test]
    fn names_that_cargo_refuses_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["", "1st", "Mine", "a b", "a/b", "core", "airlock", "é"] {
            assert!(new(&options(name, folder.path())).is_err(), "{name}");
        }
        assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
    }

    #[test]
    fn a_checkout_that_is_none_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let wrong = NewOptions {
            airlock: Some(folder.path().to_owned()),
            ..options("mine", folder.path())
        };
        let error = new(&wrong).unwrap_err().to_string();
        assert!(error.contains("--airlock"), "{error}");
    }
}
