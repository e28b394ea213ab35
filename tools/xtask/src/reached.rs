//! Which tests, fuzz targets and attacks reached each place that takes out the host's word: tests/hostile/places.json.

use crate::finding::Finding;
use crate::places::Place;
use crate::tree::Tree;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What `make places` writes.
pub const BOOK: &str = "tests/hostile/places.json";
/// So many tests are named for a place.
const NAMED: usize = 3;

/// The whole file.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Book {
    /// The commit that was looked at last.
    pub commit: String,
    /// The day.
    pub date: String,
    /// One entry for each place.
    pub places: Vec<Reached>,
}

/// What reached one place.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Reached {
    /// The file, from the root.
    pub file: String,
    /// Its line on that day; places are told by their function and call.
    pub line: usize,
    /// The function that it is in.
    pub function: String,
    /// The call, as it stands in the source.
    pub call: String,
    /// Which one of those that are written alike in this function.
    pub nth: usize,
    /// Whose word it is.
    pub of: String,
    /// How many tests of each crate reached it.
    pub tests: BTreeMap<String, usize>,
    /// Some of them: those that reach the fewest places, and so are most about this one.
    pub some: Vec<String>,
    /// Everything that did, by kind and name: `test CRATE`, `fuzz TARGET` (with the inputs that `cargo test` gives it),
    /// `image RUN` in QEMU, `attack WORLD` of the monitor.
    pub reached: BTreeSet<String>,
}

impl Reached {
    /// An entry for `place` that nothing has reached.
    pub fn nothing(place: &Place) -> Self {
        Self {
            file: place.path.clone(),
            line: place.line,
            function: place.function.clone(),
            call: place.call.clone(),
            nth: place.nth,
            of: place.of.clone(),
            ..Self::default()
        }
    }

    fn is_of(&self, place: &Place) -> bool {
        (&self.file, &self.function, &self.call, self.nth)
            == (&place.path, &place.function, &place.call, place.nth)
    }

    /// Whether nothing is known to have reached it.
    pub fn is_missed(&self) -> bool {
        !self.has("test ") && !self.has("image ")
    }

    /// Whether something of a kind reached it: `kind` is a word with a space.
    pub fn has(&self, kind: &str) -> bool {
        self.reached.iter().any(|by| by.starts_with(kind))
    }

    /// Notes that `test` of `package` reached it, for fuzz targets `fuzz`.
    pub fn add_test(&mut self, package: &str, test: &str, fuzz: &BTreeSet<String>) {
        *self.tests.entry(package.to_owned()).or_default() += 1;
        self.reached.insert(format!("test {package}"));
        self.reached
            .extend(fuzz.iter().map(|target| format!("fuzz {target}")));
        if self.some.len() < NAMED {
            self.some.push(test.to_owned());
        }
    }

    /// Forgets what a run of a whole image did.
    pub fn forget_run(&mut self, run: &str) {
        self.reached.remove(run);
    }

    /// Forgets what tests of `package` did.
    fn forget(&mut self, package: &str) {
        self.tests.remove(package);
        self.reached.remove(&format!("test {package}"));
        let prefix = format!("{package}::");
        self.some.retain(|test| !test.starts_with(&prefix));
    }
}

impl Book {
    /// Reads the file; an empty one if there is none.
    ///
    /// # Errors
    ///
    /// It is not what this program writes.
    pub fn read(root: &Path) -> Result<Self> {
        match std::fs::read_to_string(root.join(BOOK)) {
            Ok(text) => serde_json::from_str(&text).context(BOOK),
            Err(_) => Ok(Self::default()),
        }
    }

    /// Writes the file.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn write(&self, root: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        if let Some(folder) = root.join(BOOK).parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(root.join(BOOK), format!("{text}\n")).context(BOOK)
    }

    /// Has one entry for each of `places`, in that order, with what was known of it but by tests of `packages`.
    pub fn renew(&mut self, places: &[Place], packages: &[String]) {
        let old = std::mem::take(&mut self.places);
        self.places = places
            .iter()
            .map(|place| {
                let known = old.iter().find(|entry| entry.is_of(place)).cloned();
                let mut entry = known.unwrap_or_else(|| Reached::nothing(place));
                (entry.line, entry.of) = (place.line, place.of.clone());
                packages.iter().for_each(|package| entry.forget(package));
                entry
            })
            .collect();
    }
}

/// Looks for places that the file does not have, or that nothing reached.
pub fn check(tree: &Tree, places: &[Place]) -> Vec<Finding> {
    let text = tree.text(BOOK).unwrap_or("{}");
    let book: Book = match serde_json::from_str(text) {
        Ok(book) => book,
        Err(error) => return vec![Finding::at(BOOK, error.to_string())],
    };
    let fault = |place: &Place| {
        let entry = book.places.iter().find(|entry| entry.is_of(place));
        let text = match entry {
            None => "is not in",
            Some(entry) if entry.is_missed() => "has no test that reaches it in",
            Some(_) => return None,
        };
        let text = format!(
            "`{}` takes out the host's word and {text} {BOOK}: make places ARGS=CRATE, of the crate with the test",
            place.call
        );
        Some(Finding::in_line(&place.path, place.line, text))
    };
    places.iter().filter_map(fault).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(call: &str) -> Place {
        Place {
            path: "kernel/d/src/lib.rs".to_owned(),
            line: 3,
            column: 9,
            function: "ready".to_owned(),
            call: call.to_owned(),
            nth: 0,
            of: "a device".to_owned(),
        }
    }

    fn book(entries: Vec<Reached>) -> Tree {
        let book = Book {
            places: entries,
            ..Book::default()
        };
        Tree::default().with(BOOK, &serde_json::to_string(&book).expect("JSON"))
    }

    #[test]
    fn a_place_without_an_entry_or_without_a_test_is_found() {
        let place = place("self.status()");
        let mut entry = Reached::nothing(&place);
        let found = |tree: &Tree| check(tree, std::slice::from_ref(&place));
        assert!(found(&book(vec![]))[0].to_string().contains("is not in"));
        let missed = found(&book(vec![entry.clone()]));
        assert!(missed[0].to_string().contains("has no test"));
        entry.add_test("d", "d::t", &BTreeSet::new());
        assert_eq!(found(&book(vec![entry])), []);
    }

    #[test]
    fn what_other_crates_did_is_kept_and_places_that_are_gone_are_not() {
        let mut kept = Reached::nothing(&place("a()"));
        kept.add_test("d", "d::t", &BTreeSet::new());
        kept.add_test("e", "e::t", &BTreeSet::from(["f".to_owned()]));
        let gone = Reached::nothing(&place("b()"));
        let mut book = Book {
            places: vec![kept, gone],
            ..Book::default()
        };
        book.renew(&[place("a()"), place("c()")], &["d".to_owned()]);
        let calls: Vec<_> = book.places.iter().map(|entry| &*entry.call).collect();
        assert_eq!(calls, ["a()", "c()"]);
        assert_eq!(book.places[0].some, ["e::t"]);
        assert!(!book.places[0].is_missed() && book.places[1].is_missed());
    }
}
