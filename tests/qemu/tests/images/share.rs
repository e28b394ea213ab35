//! Folders of this host: a realm uses them, and believes what a manifest lists.

use airlock_cli::manifest;
use qemu_tests::{Boot, Outcome};
use share::MANIFEST;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Time to boot on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// A folder with a page and a file of several pieces; the content of the latter.
fn folder() -> (TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().expect("a folder");
    let big: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::create_dir(folder.path().join("sub")).expect("a file, a port or a digest");
    fs::write(folder.path().join("index.html"), "<h1>hello</h1>\n")
        .expect("a file, a port or a digest");
    fs::write(folder.path().join("sub/big.bin"), &big).expect("a file, a port or a digest");
    (folder, big)
}

/// `serve` gives a folder on a port of this host until it has had so many requests.
struct Serving {
    port: u16,
    realm: JoinHandle<Outcome>,
}

impl Serving {
    fn start(boot: Boot, folder: &Path, requests: usize) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a file, a port or a digest");
        let port = free
            .local_addr()
            .expect("a file, a port or a digest")
            .port();
        drop(free);
        let share = format!("web={}", folder.display());
        let digest = manifest::of(folder).expect("a file, a port or a digest");
        fs::write(folder.join(MANIFEST), digest.to_string()).expect("a file, a port or a digest");
        let digest = digest.digest();
        let append = format!("share.manifest={digest} serve.requests={requests}");
        let forward = format!("tcp:{port}:80");
        let words = [
            "--share",
            &share,
            "--append",
            &append,
            "--forward",
            &forward,
        ];
        let boot = boot.with(&words);
        let realm = boot.start();
        Self { port, realm }
    }

    /// The head and the body of an answer. Asks until somebody listens.
    fn get(&self, head: &str) -> (String, Vec<u8>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.ask(head) {
                Ok(answer) if !answer.is_empty() => {
                    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
                    let (head, body) = answer.split_at(end.expect("a head") + 4);
                    return (String::from_utf8_lossy(head).into_owned(), body.to_vec());
                }
                other if Instant::now() > deadline => panic!("no answer: {other:?}"),
                _ => thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    fn ask(&self, head: &str) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(head.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map(|_| answer)
    }

    fn end(self) -> Outcome {
        self.realm.join().expect("the realm ends")
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

fn range(path: &str, range: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nRange: {range}\r\n\r\n")
}

/// A real client gets the bytes that are in the folder, whole and by ranges, and nothing beside them.
#[test]
fn a_realm_serves_a_folder_of_the_host() {
    let (folder, big) = folder();
    fs::write(folder.path().join("sub/unlisted"), "new").unwrap();
    fs::remove_file(folder.path().join("sub/unlisted")).unwrap();
    let serving = Serving::start(Boot::realm("serve"), folder.path(), 6);
    fs::write(folder.path().join("unlisted"), "new").unwrap();
    let (head, body) = serving.get(&get("/"));
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.contains("text/html"),
        "{head}"
    );
    assert_eq!(body, b"<h1>hello</h1>\n");
    assert_eq!(serving.get(&get("/sub/big.bin")).1, big);
    let (head, body) = serving.get(&range("/sub/big.bin", "bytes=65530-65545"));
    assert!(
        head.contains("Content-Range: bytes 65530-65545/400000"),
        "{head}"
    );
    assert_eq!(body, big[65530..65546]);
    let (head, _) = serving.get(&range("/sub/big.bin", "bytes=400000-"));
    assert!(head.starts_with("HTTP/1.1 416 "), "{head}");
    for path in ["/unlisted", "/../../etc/passwd"] {
        let (head, body) = serving.get(&get(path));
        assert!(
            head.starts_with("HTTP/1.1 404 ") && body.is_empty(),
            "{head}"
        );
    }
    let outcome = serving.end();
    let event = outcome.console.find("share web: manifest sha256:");
    assert!(event.is_some());
}

/// The host changes a file while the realm serves it: it is refused and named; the others are not.
#[test]
fn a_file_that_the_host_changes_is_refused_and_named() {
    let (folder, mut big) = folder();
    let serving = Serving::start(Boot::machine("serve"), folder.path(), 4);
    assert_eq!(serving.get(&get("/sub/big.bin")).1, big);
    big[70_000] ^= 1;
    fs::write(folder.path().join("sub/big.bin"), &big).unwrap();
    let (head, _) = serving.get(&range("/sub/big.bin", "bytes=70000-70001"));
    assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
    // What was not changed is still given.
    let (_, body) = serving.get(&range("/sub/big.bin", "bytes=0-99"));
    assert_eq!(body, big[..100]);
    assert_eq!(serving.get(&get("/index.html")).1, b"<h1>hello</h1>\n");
    let outcome = serving.end();
    let said = "refused: sub/big.bin: changed by the host: the piece at byte 65536";
    assert!(outcome.console.find(said).is_some());
}

#[test]
fn a_folder_without_the_right_manifest_is_not_served() {
    let (folder, _) = folder();
    let share = format!("web={}", folder.path().display());
    let boot = Boot::machine("serve").with(&["--share", &share]);
    boot.fails_with("share.manifest: sha256: and 64 digits, or any");
    let digest = manifest::of(folder.path()).unwrap();
    fs::write(folder.path().join(MANIFEST), "airlock manifest 1\n").unwrap();
    let append = format!("share.manifest={}", digest.digest());
    let boot = boot.with(&["--append", &append]);
    boot.fails_with("airlock.manifest: changed by the host: it has sha256:");
}

/// Nobody named it: it is mentioned once, in words, and left reset.
#[test]
fn a_folder_that_nobody_asked_for_is_named_and_left_alone() {
    let (folder, _) = folder();
    let share = format!("web={}", folder.path().display());
    let boot = Boot::machine("doctor").with(&["--share", &share, "--append", "share=other"]);
    // Doctor is not well without the folder, and says so.
    let outcome = boot.run();
    let said = "shared folder (9p) `web`, no use for it here: share=other does not name it";
    assert!(outcome.console.find(said).is_some());
}
