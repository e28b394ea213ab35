//! The software bill of materials of an image: which crates are in it, in the form of CycloneDX.
//!
//! Ref: CycloneDX 1.6 (ECMA-424), JSON.

use crate::workspace::{Program, Workspace};
use ::measure::Algorithm;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A crate of the image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Component {
    name: String,
    version: String,
    license: String,
}

/// The bill of `program`, whose image has `bytes`. It has neither date nor serial number: the same
/// source gives the same text.
///
/// # Errors
/// Cargo does not tell the crates.
pub fn of(workspace: &Workspace, program: &Program, bytes: &[u8]) -> Result<String> {
    let output = workspace
        .tree_command(program)
        .output()
        .context("cannot run cargo tree")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo tree: {}", complaint.trim());
    let components = components(&String::from_utf8(output.stdout)?);
    ensure!(!components.is_empty(), "cargo tree names no crate");
    let bill = bill(program.name(), bytes, &components);
    Ok(format!("{bill:#}\n"))
}

/// The crates in lines of `NAME vVERSION (FOLDER)|LICENCE`, each once.
fn components(tree: &str) -> BTreeSet<Component> {
    let component = |line: &str| {
        let (package, license) = line.split_once('|')?;
        let mut words = package.split_ascii_whitespace();
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        Some(Component {
            name: name.to_owned(),
            version: version.to_owned(),
            // Cargo marks what it has printed before.
            license: license.trim_end_matches("(*)").trim().to_owned(),
        })
    };
    tree.lines().filter_map(component).collect()
}

fn bill(name: &str, image: &[u8], components: &BTreeSet<Component>) -> Value {
    let digest = Algorithm::Sha256.hash(image).to_string();
    let version = env!("CARGO_PKG_VERSION");
    let components: Vec<Value> = components.iter().map(library).collect();
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {
            "type": "firmware",
            "bom-ref": format!("{name}.img"),
            "name": format!("{name}.img"),
            "version": version,
            "hashes": [{"alg": "SHA-256", "content": digest}],
        }},
        "components": components,
    })
}

fn library(component: &Component) -> Value {
    let Component {
        name,
        version,
        license,
    } = component;
    let url = format!("pkg:cargo/{name}@{version}");
    json!({
        "type": "library",
        "bom-ref": url,
        "name": name,
        "version": version,
        "purl": url,
        "licenses": [{"expression": license.replace('/', " OR ")}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "hello v0.1.0 (/w/payloads/hello)|MIT OR Apache-2.0\n\
                        log v0.4.35|MIT OR Apache-2.0\n\
                        log v0.4.35|MIT OR Apache-2.0 (*)\n\
                        smoltcp v0.14.0|0BSD\n\n";

    #[test]
    fn each_crate_is_named_once_with_its_licence() {
        let found = components(TREE);
        let names: Vec<_> = found.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["hello", "log", "smoltcp"]);
        assert!(found.iter().any(|one| one.license == "0BSD"));
    }

    #[test]
    fn the_bill_names_the_image_by_its_digest() {
        let bill = bill("hello", b"", &components(TREE));
        assert_eq!(bill["metadata"]["component"]["hashes"][0]["alg"], "SHA-256");
        assert_eq!(bill["components"][1]["purl"], "pkg:cargo/log@0.4.35");
    }

    #[test]
    fn a_licence_with_a_slash_becomes_an_expression() {
        let found = components("old v1.0.0|MIT/Apache-2.0\n");
        let library = library(found.first().unwrap());
        assert_eq!(library["licenses"][0]["expression"], "MIT OR Apache-2.0");
    }
}
