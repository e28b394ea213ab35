//! What is left of secrets in all of memory when a machine is off: nothing.
//!
//! QEMU keeps the memory of the machine in a file, and the test looks through all of it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that goes wrong should say so, loudly"
)]

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use qemu_tests::{Boot, Verdict};
use rsa::RsaPrivateKey;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

/// Bytes of one piece of a number that is looked for.
const PIECE: usize = 16;
/// Where QEMU puts an image, in bytes from the start of memory.
const IMAGE: usize = 2 << 20;
/// Bytes of the stack, which is the last of an image (linker/image.ld).
const STACK: usize = 256 << 10;
const NOWHERE: Range<usize> = 0..0;
/// How numbers and texts are aligned, at least.
const ALIGNMENT: usize = 8;

/// Boots, and gives the whole memory of the machine as it was left.
fn memory_after(boot: &Boot, file: &Path, mib: u32) -> (Verdict, Vec<u8>) {
    let ram = format!(
        "memory-backend-file,id=ram,size={mib}M,share=on,mem-path={}",
        file.display()
    );
    let words = ["-object", &ram, "-machine", "memory-backend=ram"];
    let boot = words
        .iter()
        .fold(boot.clone(), |boot, word| boot.with(&["--qemu-arg", word]));
    let outcome = boot.with(&["--memory", "64M"]).run();
    (outcome.verdict, std::fs::read(file).expect("the memory"))
}

/// Where pieces of `secrets` lie in `memory`.
fn pieces_of(secrets: &[Vec<u8>], memory: &[u8]) -> Vec<usize> {
    let pieces: HashSet<&[u8]> = secrets
        .iter()
        .flat_map(|secret| secret.chunks_exact(PIECE))
        .collect();
    (0..memory.len() - PIECE)
        .step_by(ALIGNMENT)
        .filter(|at| pieces.contains(&memory[*at..*at + PIECE]))
        .collect()
}

/// The private numbers of the key that the image makes, in both orders of bytes; and its modulus, which
/// is public.
fn key() -> (Vec<Vec<u8>>, Vec<u8>) {
    let key = RsaPrivateKey::new(&mut ChaCha20Rng::from_seed([7; 32]), 1024).unwrap();
    let primes = key
        .primes()
        .iter()
        .map(|prime| prime.to_le_bytes().to_vec());
    let little: Vec<Vec<u8>> = primes.chain([key.d().to_le_bytes().to_vec()]).collect();
    let big = little
        .iter()
        .map(|bytes| bytes.iter().rev().copied().collect());
    let big: Vec<Vec<u8>> = big.collect();
    (
        little.into_iter().chain(big).collect(),
        key.n().to_le_bytes().to_vec(),
    )
}

/// Nothing of the key is left after the image made it and ended in that way, but in bytes of memory
/// that are in `except`.
fn leaves_nothing(what: &str, except: &Range<usize>, ends: impl Fn(&Verdict) -> bool) {
    let folder = tempfile::tempdir().unwrap();
    let arguments = format!("break={what}");
    let words = ["--append", &arguments, "--net", "none", "--timeout", "40s"];
    let cpus = if what.starts_with("cpu-") { "2" } else { "1" };
    let boot = Boot::machine("broken").with(&words).with(&["--cpus", cpus]);
    let (verdict, memory) = memory_after(&boot, &folder.path().join("memory"), 64);
    assert!(ends(&verdict), "{verdict}");
    assert_eq!(memory.len(), 64 << 20);
    let (mut secrets, _) = key();
    secrets.push(written());
    let mut left = pieces_of(&secrets, &memory);
    left.retain(|at| !except.contains(at));
    assert!(
        left.is_empty(),
        "pieces of p, q and d are left at {left:x?}"
    );
    // The test would see them: the same memory has the image's own first bytes.
    let image = std::fs::read(qemu_tests::image("broken")).unwrap();
    assert!(pieces_of(&[image[0x1000..0x1100].to_vec()], &memory).len() >= 16);
}

#[test]
fn nothing_of_a_private_key_is_left_in_memory_at_the_end() {
    leaves_nothing("key", &NOWHERE, |verdict| *verdict == Verdict::Ok);
}

#[test]
fn nothing_of_a_private_key_is_left_in_memory_after_a_panic() {
    let panics = |verdict: &Verdict| matches!(verdict, Verdict::PayloadFailed(why) if why.contains("as asked"));
    leaves_nothing("key-panic", &NOWHERE, panics);
}

/// What `tests/broken` writes again and again.
fn written() -> Vec<u8> {
    let numbers = (1_u64..=512).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    numbers.flat_map(u64::to_le_bytes).collect()
}

#[test]
fn nothing_is_left_in_memory_of_what_another_processor_writes_until_the_end() {
    leaves_nothing("cpu-secret", &NOWHERE, |verdict| *verdict == Verdict::Ok);
}

#[test]
fn another_processor_that_panics_clears_its_key_though_the_first_never_comes_round() {
    let panics = |verdict: &Verdict| matches!(verdict, Verdict::PayloadFailed(why) if why.contains("as asked"));
    leaves_nothing("cpu-key-panic", &NOWHERE, panics);
}

#[test]
fn nothing_of_a_private_key_is_left_in_memory_after_a_fault() {
    let faults = |verdict: &Verdict| matches!(verdict, Verdict::PayloadFailed(why) if why.contains("undefined"));
    leaves_nothing("key-fault", &NOWHERE, faults);
}

/// Without the clearing at the end: what a library freed on its way is cleared as it is freed. What
/// its calls left on the stack is not freed memory, and stays until the end (THREAT_MODEL.md, rule 8).
#[test]
fn nothing_of_a_private_key_is_left_in_memory_that_was_freed() {
    let image = std::fs::read(qemu_tests::image("broken")).unwrap();
    let end = airlock_cli::image::check(&image).unwrap().image_size;
    let end = IMAGE + usize::try_from(end).unwrap();
    leaves_nothing("key-freed", &(end - STACK..end), |verdict| {
        matches!(verdict, Verdict::NoVerdict(_))
    });
}

/// MiB of a realm's machine that are the monitor's; the realm has as many.
const MONITOR: u32 = 64;
/// What the disk is full of. The first byte is not 0, and the monitor knows it as a secret.
const ON_DISK: &[u8; PIECE] = b"what a disk says";

/// Where the disk's bytes lie in a realm's memory after `what` was done with it.
fn disk_bytes_after(what: &str) -> Vec<usize> {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk.raw");
    std::fs::write(&disk, ON_DISK.repeat((1 << 20) / PIECE)).unwrap();
    let digits: String = ON_DISK.iter().map(|byte| format!("{byte:02x}")).collect();
    let policy = if what.starts_with("ask") {
        "trust=none "
    } else {
        ""
    };
    let (disk, arguments) = (disk.to_string_lossy(), format!("{policy}break={what}"));
    let words = ["--disk", &disk, "--net", "none", "--append", &arguments];
    let boot = Boot::realm("broken").with(&words);
    let boot = boot.with(&["--trust-device", "0000:00:01.0", "--timeout", "40s"]);
    let boot = boot.monitor(&[&format!("secret=disk:{digits}")]);
    let (verdict, memory) = memory_after(&boot, &folder.path().join("memory"), 2 * MONITOR);
    // No byte of it was in a shared page either: that would be a violation.
    let said = matches!(&verdict, Verdict::NoVerdict(_));
    assert!(said, "{verdict}");
    let realm = &memory[(MONITOR as usize) << 20..];
    pieces_of(&[ON_DISK.to_vec()], realm)
}

#[test]
fn nothing_of_a_disk_is_left_in_memory_when_it_is_trusted_no_more() {
    let left = disk_bytes_after("revoke");
    assert!(left.is_empty(), "left at {left:x?}");
    // Nor when it was a disk of the host first, and its user asked it.
    let left = disk_bytes_after("ask-accept");
    assert!(left.is_empty(), "left at {left:x?}");
    // The test would see it.
    assert!(!disk_bytes_after("read").is_empty());
}
