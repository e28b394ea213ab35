//! The program itself: its commands, its exit codes, its first line.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use token::{Form, PlatformProfile, RealmClaims, RealmProfile, sign, test_platform};

const CHALLENGE: [u8; 64] = [0xc5; 64];
const RIM_BASE64: &str = "ERERERERERERERERERERERERERERERERERERERERERE=";

fn token() -> Vec<u8> {
    let (platform_key, rak) = (test_platform::platform_key(), test_platform::realm_key());
    let public_key = sign::public_key(&rak, RealmProfile::V2_0_0);
    let binding = sign::binding(&public_key);
    let profile = PlatformProfile::V1_0_0;
    let platform = test_platform::claims(profile, test_platform::SECURED, &binding);
    let realm = RealmClaims {
        profile: RealmProfile::V2_0_0,
        challenge: &CHALLENGE,
        personalization: &[0; 64],
        hash_algorithm: "sha-256",
        public_key: &public_key,
        rim: &[0x11; 32],
        rems: [&[0; 32]; 4],
        public_key_hash_algorithm: "sha-256",
        mec_policy: None,
        instance_id: None,
        unknown: Vec::new(),
    };
    sign::token(Form::Cmw, (&platform, &platform_key), (&realm, &rak))
}

fn keybroker(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_keybroker"))
        .args(arguments)
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output is text")
}

fn file(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> String {
    let path: PathBuf = folder.join(name);
    fs::write(&path, content).expect("a temporary file can be written");
    path.to_str().expect("its name is text").to_owned()
}

#[test]
fn verify_gives_a_verdict_per_check_and_an_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let token = file(folder.path(), "token.cbor", token());
    let good = format!(r#"{{"reference-values": ["{RIM_BASE64}"]}}"#);
    let good = file(folder.path(), "good.json", good);
    let none = file(folder.path(), "none.json", r#"{"reference-values": []}"#);
    let challenge = "c5".repeat(64);
    let verify = |values: &str, more: &[&str]| {
        let line = [
            "verify",
            &token,
            "--reference-values",
            values,
            "--challenge",
            &challenge,
        ];
        keybroker(&[&line, more].concat())
    };
    let accepted = verify(&good, &["--allow-test-platform"]);
    assert_eq!(accepted.status.code(), Some(0), "{accepted:?}");
    assert!(text(&accepted.stdout).contains("check RIM                    passed"));
    assert!(text(&accepted.stderr).contains("the test platform is trusted"));
    let loose = keybroker(&["verify", &token, "--allow-test-platform"]);
    assert!(text(&loose.stdout).contains("accepted, for any challenge (--challenge) and any RIM"));
    let refused = verify(&none, &["--allow-test-platform"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stdout).contains("refused: the RIM is not a reference value"));
    let stranger = verify(&good, &[]);
    assert_eq!(stranger.status.code(), Some(1));
    assert!(text(&stranger.stdout).contains("no key is endorsed"));
}

#[test]
fn inspect_shows_a_token_and_judges_nothing() {
    use base64ct::{Base64UrlUnpadded, Encoding};
    let folder = tempfile::tempdir().unwrap();
    let as_text = Base64UrlUnpadded::encode_string(&token()) + "\n";
    for content in [token(), as_text.into_bytes()] {
        let token = file(folder.path(), "token", content);
        let shown = keybroker(&["inspect", &token]);
        assert_eq!(shown.status.code(), Some(0));
        let table = text(&shown.stdout);
        assert!(
            table.contains("tag 907") && table.contains("realm#2.0.0"),
            "{table}"
        );
        assert!(
            table.contains(RIM_BASE64) && !table.contains("check"),
            "{table}"
        );
    }
}

#[test]
fn what_is_no_token_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let token = file(folder.path(), "token", [0xd9, 0x01, 0x8f, 0xa1]);
    for command in ["inspect", "verify"] {
        let failed = keybroker(&[command, &token]);
        assert_eq!(failed.status.code(), Some(2));
        assert!(
            text(&failed.stderr).contains("envelope: unexpected CBOR"),
            "{failed:?}"
        );
    }
}

#[test]
fn the_server_says_where_it_listens_and_whom_it_should_not_trust() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_keybroker"))
        .args(["--port", "0", "--allow-test-platform", "-q"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    child.kill().unwrap();
    let port = line
        .trim()
        .strip_prefix("keybroker: listening on http://127.0.0.1:");
    assert!(port.unwrap().parse::<u16>().unwrap() > 0, "{line}");
    let log = text(&child.wait_with_output().unwrap().stderr);
    assert!(log.contains("the test platform is trusted"), "{log}");
    assert!(log.contains("no reference value"), "{log}");
}

#[test]
fn files_with_mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let keys = file(
        folder.path(),
        "keys.toml",
        "[[key]]\nname = 1\nsecret = \"hush\"",
    );
    let failed = keybroker(&["serve", "--port", "0", "--keys", &keys]);
    assert_eq!(failed.status.code(), Some(2));
    let error = text(&failed.stderr);
    assert!(
        error.contains("keys.toml") && error.contains("line 2"),
        "{error}"
    );
    assert!(!error.contains("hush"), "{error}");
}
