//! Finds out by coverage what reaches the places that take out the host's word, and writes it down.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`host`] | test programs of the host, one test at a time |
//! | [`segments`] | what `llvm-cov` says of a file |
//! | [`fuzz`] | which tests run the body of which fuzz target |
//! | [`mod@told`] | what other programs say |
//! | [`target`] | whole images in QEMU, honest and attacked |

mod fuzz;
mod host;
mod segments;
mod target;
mod told;

use crate::places::{self, Place};
use crate::reached::{BOOK, Book};
use crate::tree::Tree;
use anyhow::{Result, ensure};
use host::CRATES;
use std::collections::BTreeSet;
use std::path::Path;
use told::told;

/// Not a crate: whole images in QEMU.
const IMAGES: &str = "images";

/// Runs the tests of `wanted` (crates, `images` or the names of runs; everything, if it is empty) with coverage, and writes [`BOOK`].
/// Says whether each place was reached.
///
/// # Errors
///
/// A program is not there, or something does not build.
pub fn run(root: &Path, wanted: &[&str]) -> Result<bool> {
    let known = |name: &&str| CRATES.contains(name) || *name == IMAGES || target::is_run(name);
    ensure!(
        wanted.iter().all(known),
        "crates with tests that reach places are {}; whole images: {IMAGES}, or 'image NAME', 'attack NAME'",
        CRATES.join(", ")
    );
    let is_wanted = |name: &&str| wanted.is_empty() || wanted.contains(name);
    let packages: Vec<String> = CRATES
        .iter()
        .filter(|name| is_wanted(name))
        .map(|name| (*name).to_owned())
        .collect();
    let tree = Tree::read(root)?;
    let places = places::of(&tree);
    let mut book = match wanted {
        [] => Book::default(),
        _ => Book::read(root)?,
    };
    book.renew(&places, &packages);
    if !packages.is_empty() {
        add_tests(&mut book, root, &tree, &places, &packages)?;
    }
    let all = is_wanted(&IMAGES);
    target::add(&mut book, root, &places, |run| all || wanted.contains(&run))?;
    book.commit = told(root, "git", &["describe", "--always", "--dirty"])?;
    book.date = told(root, "date", &["-u", "+%F"])?;
    book.write(root)?;
    Ok(tell(&book))
}

fn add_tests(
    book: &mut Book,
    root: &Path,
    tree: &Tree,
    places: &[Place],
    packages: &[String],
) -> Result<()> {
    let targets = fuzz::tests(tree);
    let mut hits = host::run(root, places, packages)?;
    // Tests that reach few places are the most about them.
    hits.sort_by_key(|(_, hit)| hit.places.len());
    for (package, hit) in &hits {
        let last = hit.name.rsplit("::").next().unwrap_or_default();
        let none = BTreeSet::new();
        let fuzz = targets.get(last).unwrap_or(&none);
        for &number in &hit.places {
            if let Some(entry) = book.places.get_mut(number) {
                entry.add_test(package, &hit.name, fuzz);
            }
        }
    }
    Ok(())
}

/// Prints what was found; says whether nothing is missed.
fn tell(book: &Book) -> bool {
    let missed: Vec<_> = book
        .places
        .iter()
        .filter(|entry| entry.is_missed())
        .collect();
    for entry in &missed {
        println!(
            "places: nothing reaches {} `{}` in {}",
            entry.file, entry.call, entry.function
        );
    }
    let count = |kind: &str| book.places.iter().filter(|entry| entry.has(kind)).count();
    println!(
        "places: {} of {} reached: {} by tests of the host, {} by fuzz targets, {} by whole images, {} by attacks; written to {BOOK}",
        book.places.len() - missed.len(),
        book.places.len(),
        count("test "),
        count("fuzz "),
        count("image "),
        count("attack "),
    );
    missed.is_empty()
}
