//! A folder of the host, honest.

use std::cell::RefCell;
use std::rc::Rc;

use bounce::Spacing;
use embassy_futures::join::join;
use ninep::{Client, Error, Kind, PathFault};
use share::{CHUNK, Digest, Draft, Folder, MANIFEST, Trust};
use testkit::executor::block_on;
use testkit::fake_virtio::balloon::{Blocks, FakeMemory};
use testkit::fake_virtio::{FakeBalloon, FakeConsole, FakeNineP, FakeVirtio, FakeVsock, Style};
use testkit::rig::Rig;
use virtio::NineP;

use crate::setup::STYLES;

const SLOT: u8 = 1;
const MEMORY: usize = 2 << 20;

pub(crate) type Share = Client<Rc<NineP>>;

/// A machine with a shared folder, which is attached.
pub(crate) struct WithShare {
    pub(crate) rig: Rig,
    pub(crate) device: Rc<FakeVirtio>,
    pub(crate) fake: Rc<RefCell<FakeNineP>>,
    pub(crate) driver: Rc<NineP>,
    pub(crate) share: Rc<Share>,
}

/// Plugs `fake` in and starts it; lkvm's ways are added in its style.
pub(crate) fn share(style: Style, mut fake: FakeNineP) -> WithShare {
    fake.shy = style == Style::Lkvm;
    let rig = Rig::with_memory(style, 256, MEMORY);
    let fake = Rc::new(RefCell::new(fake));
    let device = rig.plug(SLOT, Rc::<RefCell<FakeNineP>>::clone(&fake));
    let driver = Rc::new(rig.ninep(SLOT).unwrap());
    let attached = block_on(Client::attach(Rc::clone(&driver)), || ());
    WithShare {
        rig,
        device,
        fake,
        driver,
        share: Rc::new(attached.unwrap()),
    }
}

/// Bytes that are different at each place.
pub(crate) fn content(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (i % 251) as u8 ^ (i >> 16) as u8)
        .collect()
}

#[test]
fn files_are_read_written_listed_and_removed() {
    for &style in STYLES {
        let whole = content(200_000);
        let fake = FakeNineP::new("web")
            .with("a/b/big", &whole)
            .with("small", b"hi");
        let WithShare {
            device,
            fake,
            driver,
            share,
            ..
        } = self::share(style, fake);
        assert_eq!(&*driver.name(), "web");
        block_on(
            async {
                assert_eq!(share.read("a/b/big", 200_000).await.unwrap(), whole);
                assert_eq!(share.read("small", 100).await.unwrap(), b"hi");
                let file = share.open("a/b/big").await.unwrap();
                assert_eq!(file.size().await, Ok(200_000));
                file.close().await.unwrap();
                share.write("new", &whole).await.unwrap();
                share.write("small", b"other").await.unwrap();
                share.create_folder("c").await.unwrap();
                let mut names = share.list("", 10).await.unwrap();
                names.sort();
                let names: Vec<_> = names.iter().map(|e| (e.name.as_str(), e.kind)).collect();
                let expected = [
                    ("a", Kind::Folder),
                    ("c", Kind::Folder),
                    ("new", Kind::File),
                    ("small", Kind::File),
                ];
                assert_eq!(names, expected);
                share.remove("c").await.unwrap();
                share.remove("new").await.unwrap();
            },
            || (),
        );
        assert_eq!(fake.borrow().files["small"], b"other");
        assert_eq!(fake.borrow().files.len(), 2);
        assert_eq!(device.faults(), 0);
        assert_eq!(driver.failure(), None);
    }
}

/// Bytes go across once each way, and a message is one doorbell.
#[test]
fn a_file_of_1_mib_costs_a_doorbell_for_each_64_kib() {
    let fake = FakeNineP::new("web").with("big", &content(1 << 20));
    let WithShare {
        rig,
        device,
        driver,
        share,
        ..
    } = share(Style::Qemu, fake);
    let before = (device.doorbells(), rig.region.counters()[0].1.bytes_in);
    let read = block_on(share.read("big", 1 << 20), || ());
    assert_eq!(read.unwrap().len(), 1 << 20);
    let doorbells = device.doorbells() - before.0;
    // Walk, open, 16 pieces, the end, clunk.
    assert!(doorbells <= 20, "{doorbells}");
    let bytes = rig.region.counters()[0].1.bytes_in - before.1;
    assert!(bytes < (1 << 20) + 1024, "{bytes}");
    assert_eq!(driver.counters().messages, 2 + doorbells);
}

#[test]
fn no_path_that_leaves_the_share_is_told_to_the_host() {
    let WithShare { fake, share, .. } = share(Style::Qemu, FakeNineP::new("web"));
    let before = fake.borrow().log.len();
    for (path, fault) in [
        ("../etc", PathFault::Dots),
        ("a/../../b", PathFault::Dots),
        ("/etc", PathFault::Absolute),
        ("a\0", PathFault::Character),
        ("a//b", PathFault::Empty),
    ] {
        let refused = Some(Error::Path(fault));
        assert_eq!(block_on(share.read(path, 9), || ()).err(), refused);
        assert_eq!(block_on(share.write(path, b""), || ()).err(), refused);
        assert_eq!(block_on(share.list(path, 9), || ()).err(), refused);
        assert_eq!(block_on(share.remove(path), || ()).err(), refused);
        assert_eq!(block_on(share.create_folder(path), || ()).err(), refused);
    }
    assert_eq!(fake.borrow().log.len(), before);
}

#[test]
fn a_symbolic_link_is_not_followed_and_can_be_removed() {
    let mut fake = FakeNineP::new("web");
    fake.links.push(String::from("link"));
    let WithShare { fake, share, .. } = share(Style::Qemu, fake);
    for path in ["link", "link/etc"] {
        let read = block_on(share.read(path, 9), || ());
        assert!(
            matches!(read, Err(Error::SymbolicLink | Error::NotFound)),
            "{read:?}"
        );
    }
    assert_eq!(
        block_on(share.write("link", b""), || ()),
        Err(Error::SymbolicLink)
    );
    assert_eq!(block_on(share.remove("link"), || ()), Ok(()));
    assert!(fake.borrow().links.is_empty());
}

#[test]
fn numbers_of_files_that_were_dropped_are_used_again() {
    let fake = FakeNineP::new("web").with("f", b"x");
    let WithShare { fake, share, .. } = share(Style::Qemu, fake);
    for _ in 0..200 {
        let file = block_on(share.open("f"), || ()).unwrap();
        drop(file);
    }
    assert!(fake.borrow().fids.len() < 4);
    let open: Vec<_> = (0..62)
        .map(|_| block_on(share.open("f"), || ()).unwrap())
        .collect();
    let more = block_on(share.open("f"), || ());
    assert_eq!(more.err(), Some(Error::TooManyOpen));
    drop(open);
    assert!(block_on(share.open("f"), || ()).is_ok());
}

/// A call that is dropped while the host has it: its number is not used again before the host has answered.
#[test]
fn a_call_that_is_given_up_leaves_nothing_behind() {
    let fake = FakeNineP::new("web").with("f", b"x");
    let WithShare {
        device,
        driver,
        share,
        ..
    } = share(Style::Qemu, fake);
    device.pause(true);
    {
        let mut open = std::pin::pin!(share.open("f"));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(open.as_mut().poll(&mut context).is_pending());
    }
    assert!(!ninep::Transport::is_settled(&driver));
    device.pause(false);
    device.run();
    for _ in 0..100 {
        assert_eq!(block_on(share.read("f", 9), || ()).unwrap(), b"x");
    }
    assert!(ninep::Transport::is_settled(&driver));
}

#[test]
fn calls_of_many_tasks_share_few_requests() {
    let fake = FakeNineP::new("web")
        .with("f", &content(70_000))
        .with("g", b"g");
    let WithShare { share, .. } = share(Style::Lkvm, fake);
    let many = async {
        let pairs = (0..8).map(|_| join(share.read("f", 70_000), share.read("g", 9)));
        for pair in pairs {
            let (f, g) = pair.await;
            assert_eq!((f.unwrap().len(), g.unwrap()), (70_000, b"g".to_vec()));
        }
    };
    block_on(many, || ());
}

/// A manifest of these files.
pub(crate) fn manifest(files: &[(&str, &[u8])]) -> Draft {
    let mut draft = Draft::new();
    for (path, content) in files {
        let chunks: Vec<_> = content.chunks(CHUNK).map(Digest::of).collect();
        draft.add(path, content.len() as u64, chunks.iter());
    }
    draft
}

#[test]
fn a_folder_hands_out_what_its_manifest_lists() {
    let whole = content(3 * CHUNK + 17);
    let draft = manifest(&[("a/big", &whole), ("empty", b"")]);
    let fake = FakeNineP::new("web")
        .with("a/big", &whole)
        .with("empty", b"")
        .with("other", b"?")
        .with(MANIFEST, draft.to_string().as_bytes());
    let WithShare { share, .. } = share(Style::Qemu, fake);
    block_on(
        async {
            let trust = Trust::Only(draft.digest());
            let folder = Folder::open(Rc::clone(&share), trust).await.unwrap();
            assert_eq!(folder.read("a/big", whole.len()).await.unwrap(), whole);
            assert_eq!(folder.read("empty", 0).await.unwrap(), b"");
            let mut file = folder.file("a/big").await.unwrap();
            let piece = file.read_at(2 * CHUNK as u64 + 5).await.unwrap();
            assert_eq!(piece, &whole[2 * CHUNK + 5..3 * CHUNK]);
            assert_eq!(file.read_at(whole.len() as u64).await.unwrap(), b"");
            let unlisted = folder.read("other", 9).await;
            assert!(matches!(unlisted, Err(::share::Error::NotListed { .. })));
        },
        || (),
    );
}

/// lkvm without a disk puts two folders in front of what it was asked for. Asking for their names leaves them reset,
/// and the one that is named is driven: by a queue of 256 that cannot be changed and one doorbell for all.
#[test]
fn of_two_folders_that_lkvm_puts_in_front_only_the_named_one_is_driven() {
    let rig = Rig::with_memory(Style::Lkvm, 256, MEMORY);
    let plug = |slot, name| {
        let mut fake = FakeNineP::new(name).with("f", b"hi");
        fake.shy = true;
        rig.plug(slot, Rc::new(RefCell::new(fake)))
    };
    let (root, home) = (plug(1, "/dev/root"), plug(2, "hostfs"));
    for (slot, name) in [(1, "/dev/root"), (2, "hostfs")] {
        let found = virtio::share_name(&rig.open(slot).unwrap(), rig.environment);
        assert_eq!(found.as_deref(), Ok(name));
    }
    assert_eq!((root.status(), home.status()), (0, 0));
    let driver = Rc::new(rig.ninep(2).unwrap());
    assert_eq!(home.queue(0).size, 256);
    let share = block_on(Client::attach(driver), || ()).unwrap();
    assert_eq!(block_on(share.read("f", 9), || ()).unwrap(), b"hi");
    assert_eq!((root.status(), root.doorbells()), (0, 0));
}

/// And whatever comes behind those folders is found and driven, and they stay reset.
#[test]
fn console_sockets_and_memory_are_driven_behind_folders_that_nobody_asked_for() {
    let rig = Rig::with_memory(Style::Lkvm, 256, MEMORY);
    let folders = [1, 2].map(|slot| {
        let mut fake = FakeNineP::new("hostfs");
        fake.shy = true;
        rig.plug(slot, Rc::new(RefCell::new(fake)))
    });
    let console = FakeConsole {
        shy: true,
        ..FakeConsole::alone()
    };
    rig.plug(3, Rc::new(RefCell::new(console)));
    let vsock = FakeVsock {
        shy: true,
        ..FakeVsock::default()
    };
    rig.plug(4, Rc::new(RefCell::new(vsock)));
    let balloon = FakeBalloon {
        shy: true,
        ..FakeBalloon::default()
    };
    rig.plug(5, Rc::new(RefCell::new(balloon)));
    assert!(
        rig.console(3, <virtio::Console>::needs(Spacing::Packed).least)
            .is_ok()
    );
    assert!(rig.vsock(4).is_ok());
    let memory = FakeMemory(Rc::new(RefCell::new(Blocks::new(8))));
    assert!(rig.balloon(5, memory, 4).is_ok());
    assert!(
        folders
            .iter()
            .all(|f| (f.status(), f.doorbells()) == (0, 0))
    );
}
