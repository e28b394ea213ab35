//! A folder of the host that lies. Each lie ends in an error that says what is wrong, and nothing of the
//! realm's own gets out.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ninep::{Client, Error, Malformed};
use share::{CHUNK, Changed, Folder, MANIFEST, Trust, read_verified};
use testkit::executor::block_on;
use testkit::fake_virtio::{FakeNineP, Style, Used};
use testkit::rig::Rig;
use virtio::Error as DeviceError;

use crate::ninep_device::{WithShare, content, manifest, share};

const WALK: u8 = 110;
const READ: u8 = 116;
const READ_FOLDER: u8 = 40;

/// What reading `f`, which has two bytes, comes to if answers of `kind` are changed.
fn read_with(
    kind: u8,
    mut lie: impl FnMut(&mut Vec<u8>) + 'static,
) -> Result<Vec<u8>, Error<DeviceError>> {
    let with = share(Style::Qemu, FakeNineP::new("web").with("f", b"hi"));
    with.fake.borrow_mut().lie = Some(Box::new(move |asked, mut answer| {
        if asked == kind {
            lie(&mut answer);
        }
        answer
    }));
    block_on(with.share.read("f", 100), || ())
}

/// Gives `answer` the size field that its bytes are.
fn resize(answer: &mut [u8]) {
    let size = (answer.len() as u32).to_le_bytes();
    answer[..4].copy_from_slice(&size);
}

/// Lies 1 to 4: heads that do not fit end the device.
#[test]
fn a_head_that_does_not_fit_ends_the_device() {
    let ended = |read| assert_eq!(read, Err(Error::Transport(DeviceError::BadMessage)));
    ended(read_with(READ, |answer| answer[0] += 1));
    ended(read_with(READ, |answer| answer[0] = 0));
    ended(read_with(READ, |answer| answer[5] ^= 1));
    ended(read_with(READ, |answer| answer.truncate(6)));
    ended(read_with(READ, Vec::clear));
}

/// Lie 5: the answer to another question.
#[test]
fn an_answer_of_another_kind_is_refused() {
    let read = read_with(READ, |answer| answer[4] = 119);
    assert_eq!(read, Err(Error::Malformed(Malformed::Kind(119))));
    let read = read_with(READ, |answer| answer[4] = READ);
    assert_eq!(read, Err(Error::Malformed(Malformed::Kind(READ))));
}

/// Lies 6 and 7: counts that the bytes do not bear out.
#[test]
fn a_count_that_is_not_that_of_the_bytes_is_refused() {
    let read = read_with(READ, |answer| answer[7] = 50);
    assert_eq!(read, Err(Error::Malformed(Malformed::Length)));
    let read = read_with(READ, |answer| answer[7] = 1);
    assert_eq!(read, Err(Error::Malformed(Malformed::Length)));
    let read = read_with(READ, |answer| answer[7..11].copy_from_slice(&[0xff; 4]));
    assert_eq!(read, Err(Error::Malformed(Malformed::Count)));
}

/// Lie 8: a file without an end.
#[test]
fn a_file_without_an_end_is_cut_at_the_callers_limit() {
    let read = read_with(READ, |answer| {
        answer.truncate(11);
        answer.extend([7; 101]);
        answer[7..11].copy_from_slice(&101_u32.to_le_bytes());
        resize(answer);
    });
    assert_eq!(read, Err(Error::TooLong { limit: 100 }));
}

/// Lies 9 to 11: walks that go further, or elsewhere, than they were asked to.
#[test]
fn a_walk_that_leaves_its_path_is_refused() {
    let longer = read_with(WALK, |answer| {
        answer[7] = 2;
        answer.extend([0; 13]);
        resize(answer);
    });
    assert_eq!(longer, Err(Error::Malformed(Malformed::Count)));
    let link = read_with(WALK, |answer| answer[9] = 0x02);
    assert_eq!(link, Err(Error::SymbolicLink));
    let folder = read_with(WALK, |answer| answer[9] = 0x80);
    assert_eq!(folder, Err(Error::NotAFile));
    let short = read_with(WALK, |answer| {
        answer.truncate(9);
        answer[7] = 0;
        resize(answer);
    });
    assert_eq!(short, Err(Error::NotFound));
    let cut = read_with(WALK, |answer| {
        answer.truncate(12);
        resize(answer);
    });
    assert_eq!(cut, Err(Error::Malformed(Malformed::Length)));
}

/// Lie 12: an error of any number is an error.
#[test]
fn an_error_is_told_with_its_number() {
    let read = read_with(READ, |answer| {
        *answer = vec![11, 0, 0, 0, 7, answer[5], answer[6], 0xff, 0xff, 0xff, 0xff];
    });
    assert_eq!(read, Err(Error::Refused { errno: u32::MAX }));
}

/// Lies 13 and 14: a folder that never ends, and names that lead elsewhere.
#[test]
fn a_listing_has_a_bound_and_only_names_that_stay_inside() {
    let entry = |name: &str| {
        let len = (name.len() as u16).to_le_bytes();
        [
            &[0; 13][..],
            &[1, 0, 0, 0, 0, 0, 0, 0],
            &[0],
            &len,
            name.as_bytes(),
        ]
        .concat()
    };
    let list = move |names: &'static [&'static str]| {
        let with = share(Style::Qemu, FakeNineP::new("web"));
        let mut calls = 0;
        with.fake.borrow_mut().lie = Some(Box::new(move |asked, mut answer| {
            calls += 1;
            if asked == READ_FOLDER && (names.len() == 1 || calls < 4) {
                let data: Vec<u8> = names.iter().flat_map(|name| entry(name)).collect();
                answer.truncate(7);
                answer.extend((data.len() as u32).to_le_bytes());
                answer.extend(data);
                resize(&mut answer);
            }
            answer
        }));
        block_on(with.share.list("", 100), || ())
    };
    assert_eq!(list(&["again"]), Err(Error::TooLong { limit: 100 }));
    let names = list(&["../up", "/etc", "..", ".", "", "a\nb", "good"]).unwrap();
    let names: Vec<_> = names.iter().map(|entry| entry.name.as_str()).collect();
    assert!(names.iter().all(|name| *name == "good"), "{names:?}");
}

/// Lies 15 and 16: sizes of messages that were not offered, and another protocol.
#[test]
fn a_version_that_was_not_offered_is_refused() {
    let attach = |lie: fn(&mut Vec<u8>)| {
        let rig = Rig::with_memory(Style::Qemu, 256, 2 << 20);
        let fake = Rc::new(RefCell::new(FakeNineP::new("web")));
        fake.borrow_mut().lie = Some(Box::new(move |asked, mut answer| {
            if asked == 100 {
                lie(&mut answer);
            }
            answer
        }));
        rig.plug(1, fake);
        let driver = Rc::new(rig.ninep(1).unwrap());
        block_on(Client::attach(driver), || ()).err()
    };
    let refused = Some(Error::Version);
    assert_eq!(attach(|answer| answer[7..11].fill(0xff)), refused);
    assert_eq!(attach(|answer| answer[7..11].fill(0)), refused);
    assert_eq!(attach(|answer| answer[20] = b'u'), refused);
}

/// Lies 17 and 18: names of shares that are none.
#[test]
fn a_share_without_a_usable_name_is_refused() {
    let start = |change: fn(&mut FakeNineP)| {
        let rig = Rig::with_memory(Style::Qemu, 256, 2 << 20);
        let mut fake = FakeNineP::new("web");
        change(&mut fake);
        rig.plug(1, Rc::new(RefCell::new(fake)));
        rig.ninep(1).err()
    };
    let refused = Some(DeviceError::BadName);
    assert_eq!(start(|fake| fake.name_len = Some(0)), refused);
    assert_eq!(start(|fake| fake.name_len = Some(65)), refused);
    assert_eq!(start(|fake| fake.name_len = Some(u16::MAX)), refused);
    assert_eq!(start(|fake| fake.name = vec![0xff, 0xfe]), refused);
    assert_eq!(start(|fake| fake.name = b"a,b".to_vec()), refused);
    assert_eq!(start(|fake| fake.name = b"a\x1bb".to_vec()), refused);
}

/// Lie 19: more bytes than were lent, or a request that is not in flight.
#[test]
fn a_completion_that_was_not_asked_for_ends_the_device() {
    let with = share(Style::Qemu, FakeNineP::new("web").with("f", b"hi"));
    with.device.lie(|lies| {
        lies.completions = Some(Box::new(|used| vec![Used { len: 257, ..used }]));
    });
    let lie = DeviceError::UsedLength {
        len: 257,
        limit: 256,
    };
    let read = block_on(with.share.read("f", 9), || ());
    assert_eq!(read, Err(Error::Transport(lie)));
    assert_eq!(with.device.status(), 0);
    let later = block_on(with.share.read("f", 9), || ());
    assert_eq!(later, Err(Error::Transport(lie)));
}

/// Lie 20: silence.
#[test]
fn a_host_that_says_nothing_ends_at_its_deadline() {
    let with = share(Style::Lkvm, FakeNineP::new("web").with("f", b"hi"));
    with.device.pause(true);
    let turn = || {
        with.rig.clock.advance(Duration::from_secs(1));
        with.driver.poll();
    };
    let read = block_on(with.share.read("f", 9), turn);
    assert_eq!(read, Err(Error::Transport(DeviceError::TimedOut)));
    assert_eq!(with.driver.take_failure(), Some(DeviceError::TimedOut));
}

/// A doorbell that was lost is rung again before the deadline.
#[test]
fn a_lost_doorbell_is_rung_again() {
    let with = share(Style::Qemu, FakeNineP::new("web").with("f", b"hi"));
    with.device.lie(|lies| lies.deaf = 1);
    let turn = || {
        with.rig.clock.advance(Duration::from_secs(1));
        with.driver.poll();
    };
    assert_eq!(block_on(with.share.read("f", 9), turn).unwrap(), b"hi");
}

/// Lie 21: what is read is not what was there when the manifest was made. Which file, and where, is said.
#[test]
fn a_changed_file_is_refused_and_named() {
    let whole = content(2 * CHUNK + 9);
    let draft = manifest(&[("big", &whole), ("small", b"hi")]);
    let fake = FakeNineP::new("web")
        .with("big", &whole)
        .with("small", b"hi")
        .with(MANIFEST, draft.to_string().as_bytes());
    let WithShare { fake, share, .. } = share(Style::Qemu, fake);
    let trust = Trust::Only(draft.digest());
    let open = || block_on(Folder::open(Rc::clone(&share), trust), || ());
    let folder = open().unwrap();
    let read = |path| match block_on(folder.read(path, usize::MAX), || ()) {
        Err(::share::Error::Changed { path, what }) => Some((path, what)),
        _ => None,
    };
    assert_eq!(read("big"), None);
    fake.borrow_mut().files.get_mut("big").unwrap()[CHUNK + 3] ^= 1;
    let at = CHUNK as u64;
    assert_eq!(
        read("big"),
        Some((String::from("big"), Changed::Piece { at }))
    );
    fake.borrow_mut()
        .files
        .get_mut("small")
        .unwrap()
        .truncate(1);
    assert_eq!(
        read("small"),
        Some((String::from("small"), Changed::Short { at: 1 }))
    );
    // The rest of a file that was changed is still what the manifest says.
    let mut file = block_on(folder.file("big"), || ()).unwrap();
    assert_eq!(block_on(file.read_at(0), || ()).unwrap(), &whole[..CHUNK]);
    assert!(block_on(file.read_at(at), || ()).is_err());
    assert!(block_on(file.read_at(at), || ()).is_err());
    // Another manifest is another digest.
    fake.borrow_mut()
        .files
        .get_mut(MANIFEST)
        .unwrap()
        .push(b'\n');
    assert!(matches!(open(), Err(::share::Error::Changed { path, .. }) if path == MANIFEST));
}

/// One file whose digest is known.
#[test]
fn a_file_with_another_digest_is_refused_with_the_digest_that_it_has() {
    let with = share(Style::Qemu, FakeNineP::new("web").with("f", b"hi"));
    let read = |content: &[u8]| {
        let digest = ::share::Digest::of(content);
        block_on(read_verified(&with.share, "f", &digest, 9), || ())
    };
    assert_eq!(read(b"hi").unwrap(), b"hi");
    let found = ::share::Digest::of(b"hi");
    let path = String::from("f");
    let what = Changed::Whole { found };
    assert_eq!(read(b"ho"), Err(::share::Error::Changed { path, what }));
}
