//! Inputs that are kept for the fuzz targets: each target has some, they are few and small, and it survives them here,
//! where overflow is checked for, as it does under a fuzzer.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use testkit::fuzz;

/// Most inputs that a fuzzer found of one target, and most bytes of one of them.
const MOST: usize = 64;
const LONGEST: usize = 4096;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 20] = [
    ("balloon", fuzz::balloon),
    ("broker_json", fuzz::broker_json),
    ("broker_requests", evidence::broker_requests),
    ("console_ports", fuzz::console_ports),
    ("device_evidence", fuzz::device_evidence),
    ("device_tree", fuzz::device_tree),
    ("dhcp", fuzz::dhcp),
    ("dns", fuzz::dns),
    ("frames", fuzz::frames),
    ("http_response", fuzz::http_response),
    ("icmp", fuzz::icmp),
    ("ipv6_options", fuzz::ipv6_options),
    ("ninep", fuzz::ninep),
    ("pci_config", fuzz::pci_config),
    ("rsi_answers", fuzz::rsi_answers),
    ("token", evidence::any_token),
    ("trace_stream", fuzz::trace_stream),
    ("used_ring", fuzz::used_ring),
    ("vsock_packets", fuzz::vsock_packets),
    ("whole_boot", fuzz::whole_boot),
];

/// What is in a folder of the fuzz targets; nothing if there is none.
fn listed(folder: &str) -> BTreeSet<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let entries = fs::read_dir(root.join(folder)).into_iter().flatten();
    entries.flatten().map(|entry| entry.path()).collect()
}

/// Whether a fuzzer gave the file its name: a digest.
fn is_found(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.len() == 40 && name.chars().all(|c| c.is_ascii_hexdigit())
}

#[test]
fn every_fuzz_target_is_known_here() {
    let files = listed("fuzz_targets");
    let names = files
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap());
    assert!(names.eq(TARGETS.map(|(name, _)| name)));
}

#[test]
fn every_fuzz_target_has_a_few_small_inputs_and_survives_them() {
    for (name, target) in TARGETS {
        let more = listed(&format!("seeds/{name}-found"));
        let inputs = listed(&format!("seeds/{name}")).into_iter().chain(more);
        let inputs: Vec<_> = inputs.collect();
        assert!(!inputs.is_empty(), "{name} has no input");
        let found = inputs.iter().filter(|path| is_found(path));
        assert!(found.count() <= MOST, "{name} has too many inputs");
        for path in inputs {
            let bytes = fs::read(&path).unwrap();
            let small = !is_found(&path) || bytes.len() <= LONGEST;
            assert!(small, "{} is too long", path.display());
            target(&bytes);
        }
    }
}
