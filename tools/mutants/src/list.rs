//! The list of bugs, `tests/mutants.toml`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// A bug: a piece of a file, and what stands there instead.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    /// What it does, in few words.
    pub name: String,
    /// Who had it.
    pub from: String,
    /// The file that it is planted in.
    pub file: String,
    /// What stands there; it must stand there once.
    pub find: String,
    /// What stands there instead.
    pub replace: String,
    /// The test that must fail: what follows `cargo test`.
    pub test: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    mutant: Vec<Mutant>,
}

/// Reads the list.
///
/// # Errors
///
/// It is not as it should be, or has a name twice.
pub fn read(path: &Path) -> Result<Vec<Mutant>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let file: File = toml::from_str(&text).with_context(|| path.display().to_string())?;
    for (at, mutant) in file.mutant.iter().enumerate() {
        let earlier = file.mutant.iter().take(at);
        let twice = earlier.filter(|other| other.name == mutant.name).count();
        ensure!(twice == 0, "the mutant `{}` is there twice", mutant.name);
    }
    Ok(file.mutant)
}

impl Mutant {
    /// `source` with the bug in it; `None` if the place is not there, or not there alone.
    pub fn plant(&self, source: &str) -> Option<String> {
        let alone = source.matches(&self.find).count() == 1;
        alone.then(|| source.replacen(&self.find, &self.replace, 1))
    }

    /// Whether `text` is in its name, its file or its test.
    pub fn is_of(&self, text: &str) -> bool {
        [&self.name, &self.file, &self.test]
            .iter()
            .any(|one| one.contains(text))
    }

    /// Everything that makes it what it is.
    pub fn text(&self) -> String {
        [
            &self.name,
            &self.file,
            &self.find,
            &self.replace,
            &self.test,
        ]
        .map(String::as_str)
        .join("\0")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_of_the_list_has_its_place_in_the_source() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for mutant in read(&source.join("tests/mutants.toml")).unwrap() {
            let text = std::fs::read_to_string(source.join(&mutant.file)).unwrap();
            assert!(mutant.plant(&text).is_some(), "{}", mutant.name);
        }
    }

    fn mutant(find: &str) -> Mutant {
        Mutant {
            name: "a bug".into(),
            from: "nobody".into(),
            file: "a.rs".into(),
            find: find.into(),
            replace: "x".into(),
            test: String::new(),
        }
    }

    #[test]
    fn a_bug_is_planted_where_its_place_is_the_only_one() {
        assert_eq!(mutant("b").plant("abc").as_deref(), Some("axc"));
        assert_eq!(mutant("b").plant("abcb"), None);
        assert_eq!(mutant("d").plant("abc"), None);
    }

    #[test]
    fn a_bug_is_chosen_by_its_name_its_file_or_its_test() {
        let mutant = mutant("b");
        assert!(mutant.is_of("") && mutant.is_of("bug") && mutant.is_of("a.rs"));
        assert!(!mutant.is_of("nobody"));
    }

    #[test]
    fn the_list_of_this_repository_can_be_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/mutants.toml");
        assert!(read(&path).unwrap().len() > 10);
    }
}
