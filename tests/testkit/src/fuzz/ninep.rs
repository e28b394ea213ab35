//! Any answers of a host that shares a folder: whole, damaged, or made up behind a good head.

use std::cell::RefCell;
use std::rc::Rc;

use ninep::Client;
use share::{Folder, MANIFEST, Manifest, Trust};

use super::input::{Input, knows};
use crate::executor::block_on;
use crate::fake_virtio::{FakeNineP, Style};
use crate::rig::Rig;

/// Most bytes that anything is read of.
const LIMIT: usize = 1 << 16;
/// What private buffers hold before they are read into. It may never be seen outside.
const CANARY: &[u8; 16] = b"private canary!!";

/// Uses a folder whose host answers as `bytes` say, and reads them as a manifest.
pub fn ninep(bytes: &[u8]) {
    if let Ok(manifest) = Manifest::parse(bytes) {
        assert!(manifest.files().all(|file| ninep::is_inside(file.path)));
    }
    if knows(bytes, CANARY) {
        return;
    }
    let mut input = Input::new(bytes);
    let style = match input.byte() & 1 {
        0 => Style::Qemu,
        _ => Style::Lkvm,
    };
    let rig = Rig::with_memory(style, 8, 1 << 20);
    let content = input.bytes(64);
    let fake = FakeNineP::new("fuzz")
        .with("a/b", &content)
        .with(MANIFEST, &content);
    let fake = Rc::new(RefCell::new(fake));
    let device = rig.plug(1, Rc::<RefCell<FakeNineP>>::clone(&fake));
    let driver = Rc::new(rig.ninep(1).expect("the device is honest so far"));
    let mut rest = input.bytes(usize::MAX);
    rest.reverse();
    fake.borrow_mut().lie = Some(Box::new(move |_, honest| lie(&mut rest, honest)));
    block_on(use_share(Rc::clone(&driver)), || ());
    assert_eq!(device.faults(), 0, "only shared addresses were lent");
    assert!(!rig.memory.contains(CANARY), "nothing private leaked");
    if let Some(failure) = driver.failure() {
        assert!(!failure.to_string().is_empty());
    }
    rig.memory.host().give_back();
}

/// Does everything that a payload may do. Any of it may fail, in words.
async fn use_share(driver: Rc<virtio::NineP>) {
    let Ok(share) = Client::attach(driver).await else {
        return;
    };
    let mut words = Vec::new();
    let mut note = |error: Option<ninep::Error<virtio::Error>>| {
        words.extend(error.map(|error| error.to_string()));
    };
    match share.open("a/b").await {
        Ok(file) => {
            let mut into = CANARY.repeat(40);
            match file.read_at(3, &mut into).await {
                Ok(count) => assert!(count <= into.len()),
                Err(error) => note(Some(error)),
            }
            note(file.size().await.err());
        }
        Err(error) => note(Some(error)),
    }
    match share.read("a/b", LIMIT).await {
        Ok(read) => assert!(read.len() <= LIMIT),
        Err(error) => note(Some(error)),
    }
    match share.list("a", 100).await {
        Ok(entries) => assert!(entries.iter().all(|entry| ninep::is_inside(&entry.name))),
        Err(error) => note(Some(error)),
    }
    note(share.write("a/c", b"public").await.err());
    note(share.create_folder("d").await.err());
    note(share.remove("a/c").await.err());
    let share = Rc::new(share);
    if let Err(error) = Folder::open(share, Trust::Any).await {
        words.push(error.to_string());
    }
    assert!(words.iter().all(|words| !words.is_empty()));
}

/// Takes the next answer from the end of `rest`; the honest one when there is no more.
fn lie(rest: &mut Vec<u8>, honest: Vec<u8>) -> Vec<u8> {
    let mut next = || rest.pop();
    let mut answer = honest;
    match next().unwrap_or(0) % 4 {
        // Honest.
        0 => {}
        // A few bytes are others.
        1 => {
            for _ in 0..3 {
                let (at, value) = (next().unwrap_or(0), next().unwrap_or(0));
                if let Some(byte) = answer.get_mut(usize::from(at)) {
                    *byte = value;
                }
            }
        }
        // Made up behind a head that fits.
        2 => {
            let len = next().unwrap_or(0);
            answer.truncate(7);
            answer.extend((0..len).map(|_| next().unwrap_or(0)));
            let size = (answer.len() as u32).to_le_bytes();
            answer[..4].copy_from_slice(&size);
        }
        // Cut.
        _ => answer.truncate(usize::from(next().unwrap_or(0))),
    }
    answer
}
