//! The back end with a QEMU and a driver in small: the words of vhost-user, two rings, and an IOMMU.

use std::fs::File;
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::{Backend, Config};
use rustix::event::{EventfdFlags, eventfd};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use virtio::VsockAddress;
use virtio::vsock_packet::{HEADER, Header, Operation};

/// Where the guest, and where QEMU, has the memory; what the guest's IOMMU makes of it.
const GUEST: u64 = 0x4000_0000;
const USER: u64 = 0x7f00_0000_0000;
const TRANSLATED: u64 = 0x10_0000_0000;
const SIZE: u64 = 0x2_0000;
/// A ring of eight: descriptors, available and used entries, a page each; and its buffers.
const RINGS: [u64; 2] = [0, 0x3000];
const BUFFERS: [u64; 2] = [0x8000, 0x1_0000];
const ENTRIES: u16 = 8;
const ACCESS_PLATFORM: u64 = 1 << 33;
const PROTOCOL_FEATURES: u64 = 1 << 30;
const VERSION_1: u64 = 1 << 32;
/// Time for an answer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

struct Qemu {
    stream: UnixStream,
    /// What the back end asks.
    requests: UnixStream,
    memory: File,
    kicks: [OwnedFd; 2],
    calls: [OwnedFd; 2],
    /// What the guest's addresses begin with.
    base: u64,
    /// Entries that the driver has offered.
    offered: [u16; 2],
    /// Packets that it has taken.
    taken: u16,
    /// Packets for the driver that an interrupt has told of.
    told: u16,
    _backend: Backend,
}

fn event() -> OwnedFd {
    eventfd(0, EventfdFlags::NONBLOCK).unwrap()
}

impl Qemu {
    /// A guest that runs; its memory is behind an IOMMU if the features say so.
    fn start(folder: &Path, ways: &[String], features: u64) -> Self {
        let socket = folder.join("v");
        let config = Config {
            socket: socket.clone(),
            cid: 3,
            ways: ways.iter().map(|way| way.parse().unwrap()).collect(),
            say: |text| println!("{text}"),
        };
        let backend = Backend::start(config).unwrap();
        let stream = UnixStream::connect(&socket).unwrap();
        let (requests, theirs) = UnixStream::pair().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        requests.set_read_timeout(Some(PATIENCE)).unwrap();
        let memory = tempfile::tempfile().unwrap();
        memory.set_len(SIZE).unwrap();
        let is_translated = features & ACCESS_PLATFORM != 0;
        let mut qemu = Self {
            stream,
            requests,
            memory,
            kicks: [event(), event()],
            calls: [event(), event()],
            base: if is_translated { TRANSLATED } else { GUEST },
            offered: [0; 2],
            taken: 0,
            told: 0,
            _backend: backend,
        };
        let offered = qemu.ask(1, &[]);
        assert_eq!(offered[0] & features, features);
        assert_eq!(qemu.ask(15, &[])[0] & 0b10_1000, 0b10_1000);
        qemu.send(16, 0, &[0b10_1000], &[]);
        qemu.tell(2, &[features | PROTOCOL_FEATURES], &[]);
        qemu.tell(21, &[], &[theirs.as_fd()]);
        let table = [1, GUEST, SIZE, USER, 0];
        let memory = qemu.memory.try_clone().unwrap();
        qemu.tell(5, &table, &[memory.as_fd()]);
        qemu.start_rings();
        qemu
    }

    fn start_rings(&mut self) {
        // Ring addresses are the IOMMU's behind one, and QEMU's own without.
        let base = if self.base == GUEST { USER } else { self.base };
        for (index, ring) in (0..).zip(RINGS) {
            let at = base + ring;
            let number = usize::try_from(index).unwrap();
            let kick = self.kicks[number].try_clone().unwrap();
            let call = self.calls[number].try_clone().unwrap();
            self.tell(8, &[index | u64::from(ENTRIES) << 32], &[]);
            self.tell(10, &[index], &[]);
            self.tell(9, &[index, at, at + 0x2000, at + 0x1000, 0], &[]);
            self.tell(13, &[index], &[call.as_fd()]);
            self.tell(12, &[index], &[kick.as_fd()]);
            self.tell(18, &[index | 1 << 32], &[]);
        }
    }

    fn send(&mut self, request: u32, flags: u32, words: &[u64], files: &[BorrowedFd<'_>]) {
        let body: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let head = [request, 1 | flags, u32::try_from(body.len()).unwrap()];
        let bytes = [head.map(u32::to_le_bytes).concat(), body].concat();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() {
            assert!(beside.push(SendAncillaryMessage::ScmRights(files)));
        }
        let bytes = [IoSlice::new(&bytes)];
        sendmsg(&self.stream, &bytes, &mut beside, SendFlags::empty()).unwrap();
    }

    /// Asks for words.
    fn ask(&mut self, request: u32, words: &[u64]) -> Vec<u64> {
        self.send(request, 0, words, &[]);
        self.answer()
    }

    fn answer(&mut self) -> Vec<u64> {
        let mut head = [0; 12];
        self.stream.read_exact(&mut head).unwrap();
        let mut body = vec![0; usize::from(head[8])];
        self.stream.read_exact(&mut body).unwrap();
        let words = body.chunks(8);
        words
            .map(|word| u64::from_le_bytes(word.try_into().unwrap()))
            .collect()
    }

    /// Says something, and says whether it was done.
    fn is_done(&mut self, request: u32, words: &[u64], files: &[BorrowedFd<'_>]) -> bool {
        self.send(request, 1 << 3, words, files);
        self.answer() == [0]
    }

    fn tell(&mut self, request: u32, words: &[u64], files: &[BorrowedFd<'_>]) {
        assert!(self.is_done(request, words, files), "request {request}");
    }

    /// Answers the next miss with the page that it is in; says which.
    fn translate(&mut self) -> u64 {
        let mut message = [0; 12 + 32];
        self.requests.read_exact(&mut message).unwrap();
        let address = u64::from_le_bytes(message[12..20].try_into().unwrap());
        assert_eq!(message[37], 1, "a miss");
        let page = address & !0xfff;
        let user = USER + (page - TRANSLATED);
        self.tell(22, &[page, 0x1000, user, 3 | 2 << 8], &[]);
        page - TRANSLATED
    }

    fn write(&self, at: u64, bytes: &[u8]) {
        self.memory.write_all_at(bytes, at).unwrap();
    }

    fn half(&self, at: u64) -> u16 {
        let mut bytes = [0; 2];
        self.memory.read_exact_at(&mut bytes, at).unwrap();
        u16::from_le_bytes(bytes)
    }

    /// Offers a buffer of `len` bytes of ring `ring`; to be written if it is the first.
    fn offer(&mut self, ring: usize, len: usize) {
        let number = self.offered[ring];
        let entry = u64::from(number % ENTRIES);
        let buffer = self.base + BUFFERS[ring] + entry * 0x1000;
        let flags: u16 = if ring == 0 { 2 } else { 0 };
        let len = u32::try_from(len).unwrap();
        let descriptor = [
            &buffer.to_le_bytes()[..],
            &len.to_le_bytes(),
            &flags.to_le_bytes(),
            &[0; 2],
        ];
        self.write(RINGS[ring] + entry * 16, &descriptor.concat());
        let available = RINGS[ring] + 0x1000;
        let head = u16::try_from(entry).unwrap();
        self.write(available + 4 + entry * 2, &head.to_le_bytes());
        self.offered[ring] = number + 1;
        self.write(available + 2, &(number + 1).to_le_bytes());
        rustix::io::write(&self.kicks[ring], &1_u64.to_ne_bytes()).unwrap();
    }

    /// The driver sends a packet.
    fn say(&mut self, operation: Operation, ports: (u32, u32), data: &[u8]) {
        let header = Header {
            source: VsockAddress {
                cid: 3,
                port: ports.0,
            },
            target: VsockAddress {
                cid: 2,
                port: ports.1,
            },
            len: u32::try_from(data.len()).unwrap(),
            operation,
            flags: 0,
            room: 0x8000,
            taken: 0,
        };
        let bytes = [&header.to_bytes(), data].concat();
        let entry = u64::from(self.offered[1] % ENTRIES);
        self.write(BUFFERS[1] + entry * 0x1000, &bytes);
        self.offer(1, bytes.len());
    }

    /// The next packet for the driver, once an interrupt has told of it: the index of the ring moves before that, and one
    /// interrupt may tell of several packets.
    fn hear(&mut self) -> (Header, Vec<u8>) {
        let used = RINGS[0] + 0x2000;
        let begun = Instant::now();
        while self.told == self.taken {
            assert!(begun.elapsed() < PATIENCE, "no packet");
            match rustix::io::read(&self.calls[0], &mut [0; 8]) {
                Ok(_) => self.told = self.half(used + 2),
                Err(_) => std::thread::sleep(Duration::from_millis(2)),
            }
        }
        let entry = u64::from(self.taken % ENTRIES);
        self.taken += 1;
        let len = usize::from(self.half(used + 4 + entry * 8 + 4));
        let mut bytes = vec![0; len];
        let buffer = BUFFERS[0] + entry * 0x1000;
        self.memory.read_exact_at(&mut bytes, buffer).unwrap();
        let data = bytes.split_off(HEADER);
        let header = Header::from_bytes(&bytes.try_into().unwrap()).unwrap();
        (header, data)
    }
}

/// A place of the host, and the way to it from port 80.
fn place(folder: &Path) -> (UnixListener, Vec<String>) {
    let path = folder.join("place");
    let way = format!("host:80=unix:{}", path.display());
    (UnixListener::bind(path).unwrap(), vec![way])
}

#[test]
fn a_driver_without_an_iommu_talks_to_a_place_of_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let (place, ways) = place(folder.path());
    let mut qemu = Qemu::start(folder.path(), &ways, VERSION_1);
    for _ in 0..4 {
        qemu.offer(0, 0x1000);
    }
    qemu.say(Operation::Request, (1000, 80), &[]);
    let (response, _) = qemu.hear();
    assert_eq!(response.operation, Operation::Response);
    let (mut stream, _) = place.accept().unwrap();
    qemu.say(Operation::Data, (1000, 80), b"of the guest");
    let mut heard = [0; 12];
    stream.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"of the guest");
    stream.write_all(b"of the host").unwrap();
    let (header, data) = qemu.hear();
    assert_eq!((header.operation, header.taken), (Operation::Data, 12));
    assert_eq!(data, b"of the host");
    // A port that leads nowhere.
    qemu.say(Operation::Request, (1001, 81), &[]);
    let (refused, _) = qemu.hear();
    assert_eq!(
        (refused.operation, refused.target.port),
        (Operation::Reset, 1001)
    );
    // A driver that goes is told where it would have gone on, and its streams end.
    let stopped = qemu.ask(11, &[1]);
    assert_eq!(stopped, [1 | 3 << 32]);
    assert_eq!(stream.read(&mut heard).unwrap(), 0);
}

#[test]
fn behind_an_iommu_each_page_is_asked_for_and_one_taken_back_is_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let (_place, ways) = place(folder.path());
    let mut qemu = Qemu::start(folder.path(), &ways, VERSION_1 | ACCESS_PLATFORM);
    qemu.offer(0, 0x1000);
    qemu.say(Operation::Request, (1000, 80), &[]);
    let mut asked = std::collections::BTreeSet::new();
    let all = [0, 0x1000, 0x2000, 0x3000, 0x4000, 0x5000, 0x8000, 0x1_0000];
    while asked.len() < all.len() {
        asked.insert(qemu.translate());
    }
    assert_eq!(asked.into_iter().collect::<Vec<_>>(), all);
    let (response, _) = qemu.hear();
    assert_eq!(response.operation, Operation::Response);
    // The page of what the driver offers is taken back, and then it offers more.
    qemu.tell(22, &[TRANSLATED + 0x4000, 0x1000, 0, 3 << 8], &[]);
    qemu.offer(0, 0x1000);
    qemu.say(Operation::CreditRequest, (1000, 80), &[]);
    let asked = [qemu.translate(), qemu.translate(), qemu.translate()];
    assert_eq!(asked, [0x4000, 0x1_1000, 0x9000]);
    let (update, _) = qemu.hear();
    assert_eq!(update.operation, Operation::CreditUpdate);
}

#[test]
fn a_guest_that_breaks_a_ring_is_given_up_and_its_streams_end() {
    let folder = tempfile::tempdir().unwrap();
    let (place, ways) = place(folder.path());
    let mut qemu = Qemu::start(folder.path(), &ways, VERSION_1);
    qemu.offer(0, 0x1000);
    qemu.say(Operation::Request, (1000, 80), &[]);
    let _last = qemu.hear();
    let (mut stream, _) = place.accept().unwrap();
    // More is offered than the ring holds.
    let available = RINGS[1] + 0x1002;
    qemu.write(available, &100_u16.to_le_bytes());
    rustix::io::write(&qemu.kicks[1], &1_u64.to_ne_bytes()).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
    // QEMU is heard still, and a driver that begins anew is served.
    qemu.ask(11, &[0]);
    qemu.ask(11, &[1]);
    (qemu.offered, qemu.taken, qemu.told) = ([0; 2], 0, 0);
    qemu.write(0, &[0; 0x6000]);
    qemu.start_rings();
    qemu.offer(0, 0x1000);
    qemu.say(Operation::Request, (1000, 80), &[]);
    let (response, _) = qemu.hear();
    assert_eq!(response.operation, Operation::Response);
}

#[test]
fn a_guest_gets_so_many_connections_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (place, ways) = place(folder.path());
    let mut qemu = Qemu::start(folder.path(), &ways, VERSION_1);
    let mut places = Vec::new();
    let mut refused = false;
    for port in 0..400_u32 {
        qemu.offer(0, 0x1000);
        qemu.say(Operation::Request, (port, 80), &[]);
        let (answer, _) = qemu.hear();
        if answer.operation == Operation::Reset {
            refused = true;
            break;
        }
        places.push(place.accept().unwrap());
    }
    assert!(refused && places.len() <= 256, "{} places", places.len());
}

#[test]
fn what_qemu_must_not_say_is_refused_and_the_talk_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut qemu = Qemu::start(folder.path(), &[], VERSION_1);
    let other = qemu.memory.try_clone().unwrap();
    for (request, words) in [
        // Features that were not offered, a third ring, a size that none has, no such request.
        (2, &[1 << 5][..]),
        (18, &[2]),
        (8, &[7 << 32]),
        (99, &[]),
        // A translation to memory that is not there, and one with an access that there is not.
        (22, &[0, 0x1000, USER + SIZE, 3 | 2 << 8]),
        (22, &[0, 0x1000, USER, 9 | 2 << 8]),
        // Words that are missing.
        (9, &[0]),
        (12, &[0]),
    ] {
        assert!(!qemu.is_done(request, words, &[]), "request {request}");
    }
    // More memory than its file has.
    assert!(!qemu.is_done(5, &[1, GUEST, SIZE * 2, USER, 0], &[other.as_fd()]));
    // Twelve bytes of the configuration, of which the number has eight.
    assert_eq!(qemu.ask(24, &[12 << 32, 0, 0]), [12 << 32, 3 << 32, 0]);
}
