//! `airlock profile` counts by QEMU's plugin, and names what it counted.

use airlock_cli::cli::{Arguments, Command};
use airlock_cli::profile;
use airlock_cli::verdict::Verdict;
use clap::Parser;
use qemu_tests::{image, turns};

#[test]
fn a_profile_names_functions_of_the_image() {
    let _built = image("hello");
    let folder = tempfile::tempdir().unwrap();
    let svg = folder.path().join("hello.svg");
    let words = [
        "airlock", "profile", "hello", "--mode", "vm", "--net", "none", "--svg",
    ];
    let words = words
        .iter()
        .map(Into::into)
        .chain([svg.clone().into_os_string()]);
    let Command::Profile(options) = Arguments::parse_from(words).command else {
        panic!("this is no profile");
    };
    let turn = turns::take();
    let verdict = profile::profile_once(&options).unwrap();
    drop(turn);
    assert_eq!(verdict, Verdict::Ok);
    let picture = std::fs::read_to_string(&svg).unwrap();
    // What the linker knows, and what only the line tables know.
    for name in ["<title>runtime::boot::start", "devtree::"] {
        assert!(picture.contains(name), "there is no {name} in it");
    }
}
