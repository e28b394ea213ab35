//! Checks that no compiler makes: `make check` runs them, `cargo run -p xtask -- check` too.
//!
//! | module | what it checks |
//! | --- | --- |
//! | [`unsafe_files`] | which files may hold unsafe code, and that each says why |
//! | [`dependencies`] | where dependencies come from, their licences, features, reasons, versions |
//! | [`form`] | length and names of files, words that must not stay, paths of one machine |
//! | [`documents`] | links that lead somewhere, and a map that names every crate |
//! | [`fuzz_account`] | nothing: keeps account of what was fuzzed |
//! | [`places`] | that each read of the host's bytes is marked, and says of what it is |
//! | [`hostile_host`] | that docs/hostile-host.md is what campaigns and others measured |
//! | [`reached`] | that each of those reads was reached by a test |
//! | [`cover`] | nothing: finds out, by coverage, which tests reached them |
//! | [`panics`] | which code of an image calls what panics, and why that is never reached |
//! | [`orphans`] | that every file in a `src` is part of a program |
//! | [`rings`] | that no two files of a crate import each other |
//! | [`groups`] | which crates are built for which target |
#![forbid(unsafe_code)]

mod cover;
mod dependencies;
mod documents;
mod elf;
mod finding;
mod form;
mod fuzz_account;
mod groups;
mod hostile_host;
mod metadata;
mod orphans;
mod panics;
mod places;
mod reached;
mod rings;
mod tree;
mod unsafe_files;

use anyhow::{Result, bail};
use finding::Finding;
use groups::Group;
use metadata::Metadata;
use std::path::Path;
use std::process::ExitCode;
use tree::Tree;

const USAGE: &str = "usage: xtask check | xtask unsafe-files | xtask packages host|image|monitor | xtask fuzz-log TARGET FILE | xtask places | xtask cover [CRATE...] [images] | xtask hostile-host | xtask panics IMAGE.elf [--places]
  check         runs every check; ends with 1 when one finds something
  unsafe-files  prints the files that hold unsafe code, one a line
  places        prints each place that takes out what the host said: file, whose word, function, call
  hostile-host  writes the tables of docs/hostile-host.md anew, from the files of tests/hostile
  cover         runs the tests of these crates (of all) with coverage, and whole images, and writes which of those
                places they reached: tests/hostile/places.json
  panics        counts which code of an image calls what panics, by crate and kind; ends with 1 where
                the kernel has more of them than tools/xtask/panics.txt has reasons for
  packages      prints the crates of a group as arguments for cargo
  fuzz-log      adds the run of a fuzz target, whose output is in FILE, to the account";

fn main() -> ExitCode {
    match command() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs what the arguments say. `false`: something was found.
fn command() -> Result<bool> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["check"] => check(),
        ["unsafe-files"] => {
            let metadata = Metadata::read()?;
            let tree = Tree::read(&metadata.workspace_root)?;
            unsafe_files::found(&tree)
                .iter()
                .for_each(|path| println!("{path}"));
            Ok(true)
        }
        ["places"] => {
            let metadata = Metadata::read()?;
            let places = places::of(&Tree::read(&metadata.workspace_root)?);
            places.iter().for_each(|place| println!("{place}"));
            Ok(true)
        }
        ["hostile-host"] => {
            let root = Metadata::read()?.workspace_root;
            hostile_host::write(&root, &Tree::read(&root)?)?;
            Ok(true)
        }
        ["cover", wanted @ ..] => cover::run(&Metadata::read()?.workspace_root, wanted),
        ["panics", image, rest @ ..] if matches!(rest, [] | ["--places"]) => {
            let root = Metadata::read()?.workspace_root;
            panics::check(&root, Path::new(image), !rest.is_empty())
        }
        ["packages", name] => {
            let Some(group) = Group::named(name) else {
                bail!("{USAGE}")
            };
            println!("{}", groups::package_arguments(&Metadata::read()?, group));
            Ok(true)
        }
        ["fuzz-log", target, log] => {
            let metadata = Metadata::read()?;
            fuzz_account::add(&metadata.workspace_root, target, Path::new(log))?;
            Ok(true)
        }
        _ => bail!("{USAGE}"),
    }
}

fn check() -> Result<bool> {
    let metadata = Metadata::read()?;
    let tree = Tree::read(&metadata.workspace_root)?;
    let image = Metadata::read_for_image()?;
    let places = places::of(&tree);
    let checks: [(&str, Vec<Finding>); 10] = [
        ("files that may hold unsafe", unsafe_files::check(&tree)),
        (
            "dependencies",
            dependencies::check(&metadata, &image, &tree),
        ),
        ("reads of the host's bytes", places::check(&tree)),
        ("tests of those reads", reached::check(&tree, &places)),
        ("form of the source", form::check(&tree)),
        ("files that nobody names", orphans::check(&tree)),
        ("reasons for panics", panics::stale(&tree)),
        ("files that import each other", rings::check(&tree)),
        ("tables of a hostile host", hostile_host::check(&tree)),
        (
            "documents",
            documents::check(&tree, &crate_folders(&metadata)),
        ),
    ];
    let mut good = true;
    for (name, findings) in checks {
        println!(
            "xtask: {name}: {}",
            if findings.is_empty() { "ok" } else { "NOT ok" }
        );
        findings.iter().for_each(|finding| println!("  {finding}"));
        good &= findings.is_empty();
    }
    Ok(good)
}

/// Folders of all crates of the workspace, relative to its root.
fn crate_folders(metadata: &Metadata) -> Vec<String> {
    let folder = |manifest: &Path| {
        let inside = manifest
            .strip_prefix(&metadata.workspace_root)
            .ok()?
            .parent()?;
        Some(inside.to_string_lossy().into_owned())
    };
    metadata
        .members()
        .filter_map(|package| folder(&package.manifest_path))
        .collect()
}
