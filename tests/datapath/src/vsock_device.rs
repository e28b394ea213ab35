//! Streams by vsock, with a host that keeps to the rules.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bounce::Spacing;
use embassy_futures::join::join;
use embedded_io_async::{Read, Write};
use testkit::executor::{block_on, serve};
use testkit::fake_virtio::vsock::{Packet, operation};
use testkit::fake_virtio::{FakeVirtio, FakeVsock, Style};
use testkit::rig::Rig;
use virtio::{StreamError, Vsock, VsockAddress, VsockListener, VsockStream};

use crate::setup::{STYLES, rig_of};

pub(crate) const SLOT: u8 = 4;
pub(crate) const PORT: u32 = 8088;

/// A machine with a socket device.
pub(crate) struct WithVsock {
    pub(crate) rig: Rig,
    pub(crate) device: Rc<FakeVirtio>,
    pub(crate) fake: Rc<RefCell<FakeVsock>>,
    pub(crate) vsock: Rc<Vsock>,
}

impl WithVsock {
    /// Lets device and driver have their turns, and a millisecond pass.
    pub(crate) fn turn(&self) {
        self.device.run();
        self.vsock.poll();
        self.rig.clock.advance(Duration::from_millis(1));
    }

    pub(crate) fn turns(&self, count: usize) {
        (0..count).for_each(|_| self.turn());
    }

    /// Lets the host say `packet` when it is its turn.
    pub(crate) fn says(&self, packet: Packet) {
        self.fake.borrow_mut().incoming.push_back(packet);
    }

    pub(crate) fn connect(&self, port: u32) -> Result<VsockStream, StreamError> {
        let peer = VsockAddress { cid: 2, port };
        block_on(VsockStream::connect(&self.vsock, peer), || self.turn())
    }

    pub(crate) fn accept(&self, listener: &VsockListener) -> Result<VsockStream, StreamError> {
        block_on(listener.accept(), || self.turn())
    }

    pub(crate) fn read(
        &self,
        stream: &mut VsockStream,
        len: usize,
    ) -> Result<Vec<u8>, StreamError> {
        let mut into = vec![0; len];
        let read = block_on(stream.read(&mut into), || self.turn())?;
        into.truncate(read);
        Ok(into)
    }

    pub(crate) fn write(&self, stream: &mut VsockStream, bytes: &[u8]) -> Result<(), StreamError> {
        block_on(stream.write_all(bytes), || self.turn())
    }
}

/// Plugs `fake` in and starts it; lkvm's ways are added in its style.
pub(crate) fn vsock(style: Style, mut fake: FakeVsock) -> WithVsock {
    fake.counts_reads = style == Style::Lkvm;
    fake.shy = style == Style::Lkvm;
    let rig = rig_of(style, <Vsock>::needs(Spacing::Packed).wanted);
    let fake = Rc::new(RefCell::new(fake));
    let device = rig.plug(SLOT, Rc::<RefCell<FakeVsock>>::clone(&fake));
    let vsock = rig.vsock(SLOT).unwrap();
    WithVsock {
        rig,
        device,
        fake,
        vsock,
    }
}

#[test]
fn a_stream_to_the_host_carries_both_ways_and_ends() {
    for &style in STYLES {
        let machine = vsock(style, FakeVsock::echoing(PORT));
        assert_eq!(machine.vsock.cid(), 3);
        let mut stream = machine.connect(PORT).unwrap();
        machine.write(&mut stream, b"hello").unwrap();
        assert_eq!(machine.read(&mut stream, 64).unwrap(), b"hello");
        drop(stream);
        machine.turns(4);
        assert!(machine.fake.borrow().ends.is_empty());
        let said = machine.fake.borrow().operations();
        assert_eq!(
            said,
            [operation::REQUEST, operation::DATA, operation::SHUTDOWN]
        );
        let counters = machine.vsock.counters();
        assert_eq!(
            (counters.sent, counters.received, counters.refused),
            (5, 5, 0)
        );
        assert_eq!(counters.doorbells, machine.device.doorbells());
        assert_eq!(machine.device.faults(), 0);
    }
}

/// Both halves of a number count: of ours, and of who speaks.
#[test]
fn a_number_of_more_than_32_bits_is_ours_or_is_somebody_else() {
    let fake = FakeVsock {
        cid: 0x1_0000_0003,
        ..FakeVsock::echoing(PORT)
    };
    let machine = vsock(Style::Qemu, fake);
    assert_eq!(machine.vsock.cid(), 0x1_0000_0003);
    let mut stream = machine.connect(PORT).unwrap();
    machine.write(&mut stream, b"hello").unwrap();
    assert_eq!(machine.read(&mut stream, 64).unwrap(), b"hello");
    // Somebody whose lower half is that of the host is not the host.
    let peer = machine.fake.borrow().ends[0].peer;
    let stranger = Packet::new((0x1_0000_0002, PORT), peer, operation::DATA, b"lie");
    machine.says(stranger);
    machine.turns(3);
    machine.write(&mut stream, b"again").unwrap();
    assert_eq!(machine.read(&mut stream, 64).unwrap(), b"again");
}

#[test]
fn a_stream_from_the_host_is_accepted() {
    for &style in STYLES {
        let machine = vsock(style, FakeVsock::default());
        let listener = VsockListener::new(&machine.vsock, 7).unwrap();
        assert!(matches!(
            VsockListener::new(&machine.vsock, 7),
            Err(StreamError::InUse)
        ));
        machine.fake.borrow_mut().connect(1234, 7);
        let mut stream = machine.accept(&listener).unwrap();
        machine.turns(2);
        machine.fake.borrow_mut().ends[0]
            .says
            .extend(b"from the host");
        assert_eq!(machine.read(&mut stream, 64).unwrap(), b"from the host");
        machine.write(&mut stream, b"and back").unwrap();
        machine.turn();
        assert_eq!(machine.fake.borrow().ends[0].heard, b"and back");
    }
}

#[test]
fn a_port_at_which_nobody_listens_refuses() {
    let machine = vsock(Style::Qemu, FakeVsock::default());
    assert_eq!(machine.connect(PORT).err(), Some(StreamError::Refused));
    machine.fake.borrow_mut().connect(99, 7);
    machine.turns(3);
    assert_eq!(
        machine.fake.borrow().operations(),
        [operation::REQUEST, operation::RESET]
    );
    assert!(machine.fake.borrow().ends.is_empty());
}

/// Far more than both sides have room for: neither sends what the other has no room for.
#[test]
fn a_long_stream_comes_back_whole_within_the_credit_of_both() {
    let mut fake = FakeVsock::echoing(PORT);
    fake.room = 10_000;
    let machine = vsock(Style::Qemu, fake);
    let mut stream = machine.connect(PORT).unwrap();
    let len = if cfg!(miri) { 9000 } else { 400_000 };
    let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
    let mut got: Vec<u8> = Vec::new();
    let mut at = 0;
    while got.len() < len {
        if at < len {
            let write = stream.write(&bytes[at..len.min(at + 5000)]);
            at += block_on(write, || machine.turn()).unwrap();
        }
        machine.turns(2);
        let mut into = [0; 7000];
        let read = block_on(stream.read(&mut into), || machine.turn()).unwrap();
        got.extend(&into[..read]);
    }
    assert!(got == bytes);
    assert_eq!(machine.vsock.counters().refused, 0);
}

#[test]
fn many_streams_go_at_once_and_each_gets_its_own() {
    let machine = vsock(Style::Qemu, FakeVsock::echoing(PORT));
    let (mut one, mut two) = (
        machine.connect(PORT).unwrap(),
        machine.connect(PORT).unwrap(),
    );
    let both = join(one.write_all(b"for one"), two.write_all(b"for two"));
    let (a, b) = block_on(both, || machine.turn());
    assert!(a.is_ok() && b.is_ok());
    assert_eq!(machine.read(&mut two, 64).unwrap(), b"for two");
    assert_eq!(machine.read(&mut one, 64).unwrap(), b"for one");
}

/// Tasks are polled when they were woken, and at no other time.
#[test]
fn who_waits_for_a_stream_is_woken_when_it_goes_on() {
    for &style in STYLES {
        let machine = vsock(style, FakeVsock::echoing(PORT));
        let talk = |mut stream: VsockStream, len: usize| async move {
            let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            let mut back = vec![0; len];
            stream.write_all(&bytes).await.unwrap();
            stream.read_exact(&mut back).await.unwrap();
            back == bytes
        };
        let lengths = [200_000, 1, 70_000, 5000];
        let tasks = lengths.map(|len| talk(machine.connect(PORT).unwrap(), len));
        let whole = serve(tasks.into(), || machine.turn());
        assert_eq!(whole, [true; 4]);
    }
}

/// What came before the end is read, and then the end.
#[test]
fn the_end_of_a_stream_comes_after_its_data() {
    let machine = vsock(Style::Qemu, FakeVsock::echoing(PORT));
    let mut stream = machine.connect(PORT).unwrap();
    machine.write(&mut stream, b"last words").unwrap();
    machine.turns(3);
    let peer = machine.fake.borrow().ends[0].peer;
    let mut end = Packet::new((2, PORT), peer, operation::SHUTDOWN, &[]);
    (end.flags, end.taken) = (2, 10);
    machine.says(end);
    machine.turns(3);
    assert_eq!(machine.read(&mut stream, 4).unwrap(), b"last");
    assert_eq!(machine.read(&mut stream, 64).unwrap(), b" words");
    assert_eq!(machine.read(&mut stream, 64).unwrap(), b"");
}

#[test]
fn connections_that_ended_make_room_for_others() {
    let machine = vsock(Style::Qemu, FakeVsock::echoing(PORT));
    for _ in 0..3 {
        let many: Vec<_> = (0..virtio::MAX_CONNECTIONS)
            .map(|_| machine.connect(PORT).unwrap())
            .collect();
        assert_eq!(machine.connect(PORT).err(), Some(StreamError::TooMany));
        drop(many);
        machine.turns(10);
        assert!(machine.fake.borrow().ends.is_empty());
    }
}
