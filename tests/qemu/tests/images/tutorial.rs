//! What docs/payload.md builds, booted: a note that only its image can read.

#![expect(
    clippy::unwrap_used,
    reason = "a test that goes wrong should say so, loudly"
)]

use qemu_tests::Boot;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Time to boot on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// Boots the service on `disk`, says `lines`, and gives its answer.
fn ask(disk: &Path, lines: &str) -> String {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
    let port = free.unwrap().port();
    let (disk, forward) = (disk.to_string_lossy(), format!("tcp:{port}:7000"));
    let boot = Boot::realm("notes").with(&["--broker", "--disk", &disk, "--forward", &forward]);
    let realm = boot.start();
    let deadline = Instant::now() + PATIENCE;
    let mut answer = String::new();
    // QEMU takes connections before the realm does, and then they end without a word.
    while answer.is_empty() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(50));
        let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
            continue;
        };
        if stream.write_all(lines.as_bytes()).is_ok() {
            let _broken = stream.read_to_string(&mut answer);
        }
    }
    realm.join().unwrap();
    answer
}

#[test]
fn a_note_outlives_its_realm_and_only_the_same_image_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk.img");
    std::fs::write(&disk, vec![0; 1 << 20]).unwrap();
    assert_eq!(ask(&disk, "put meet me at noon\nstop\n"), "kept\n");
    let content = std::fs::read(&disk).unwrap();
    assert!(!content.windows(4).any(|bytes| bytes == b"noon"));
    assert_eq!(ask(&disk, "get\nstop\n"), "meet me at noon\n");
}
