//! A disk that runs is asked what it is, and its user decides: with the states that a realm has, and a fake RMM.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use block::BlockDevice;
use bounce::{AtRest, Outstanding, Pool, Shared, Spacing};
use ipa::{GranuleRange, IpaSpace};
use realm::{Disk, Distrust, Driven, LockedDisk, Passage, QuiesceError};
use rsi::{Rsi, VdevId, VdevState};
use testkit::attestation::{TickingClock, TokenPage};
use testkit::executor::block_on;
use testkit::fake_virtio::{FakeBlock, FakeVirtio, Style};
use testkit::rig::Rig;
use testkit::rmm::{Behaviour, FakeRmm, SharedRun};
use trust::{Bar, Error, Line, LockedDevice, Measurement, PrivateDevice, SharedDevice, Witness};
use vdev::{Curve, Device, Firmware, Lie, Range, State};
use virtio::{Block, Direct};

use crate::setup::{DISK, disk_pool, rig_of};

const ID: VdevId = VdevId::pci(0, 0x10);
const BAR: u64 = 0x1000_4000;
const SIZE: u64 = 0x4000;
/// Where the disk is once it is trusted: the same one, with other memory.
const TRUSTED: u8 = 9;

/// What leads the disk, as `runtime` does on a machine.
struct Fakes {
    rig: Rig,
    rmm: FakeRmm,
    fake: Rc<RefCell<FakeBlock>>,
    device: Rc<FakeVirtio>,
    pool: Pool,
    shared: Cell<Option<SharedDevice>>,
    watched: RefCell<Option<(PrivateDevice, Rc<dyn Driven>)>>,
    log: RefCell<Vec<Measurement>>,
}

impl Fakes {
    fn line<T>(&self, act: impl FnOnce(&mut Line<'_, &FakeRmm>) -> T) -> T {
        let rsi = Rsi::negotiate(&self.rmm).unwrap();
        let mut page = TokenPage::of(&self.rmm);
        let (inbox, clock) = (SharedRun::of(&self.rmm, 16384), TickingClock::default());
        act(&mut Line::new(&rsi, &mut page, &inbox, &clock))
    }

    /// What is told before the device reaches anything.
    fn is_bare(&self) -> bool {
        !self.rmm.device(|tdi| tdi.reaches_private())
    }

    /// What a turn of the loop does.
    fn turn(&self, disk: &Disk) {
        self.device.run();
        disk.poll();
    }
}

impl Witness for &Fakes {
    fn record(&mut self, _: VdevId, measurement: &Measurement) -> Result<(), Error> {
        assert!(self.is_bare());
        self.log.borrow_mut().push(*measurement);
        Ok(())
    }
}

impl Passage for Fakes {
    fn is_offered(&self) -> Result<(), Distrust> {
        let shared = self.shared.take().ok_or(Distrust::Kind)?;
        let offered = self.line(|line| {
            let offer = line.offer()?;
            shared.probe(offer, line)
        });
        self.shared.set(Some(shared));
        Ok(offered?)
    }

    fn give_up_pool(&self) -> Result<AtRest<Shared>, Outstanding> {
        self.pool.clone().give_up()
    }

    fn start(&self) -> Result<Block, virtio::Error> {
        let transport = self.rig.open(DISK)?;
        Block::start(transport, &self.pool, self.rig.environment)
    }

    fn lock(&self, rest: AtRest<Shared>) -> Result<LockedDevice, Distrust> {
        let shared = self.shared.take().ok_or(Distrust::Kind)?;
        self.line(|line| {
            let offer = line.offer()?;
            Ok(shared.lock(Some(rest), offer, line)?)
        })
    }

    fn accept(
        &self,
        device: LockedDevice,
        wanted: Measurement,
        disk: Rc<dyn Driven>,
    ) -> Result<Block<Direct>, Distrust> {
        let mut witness = self;
        let device = self.line(|line| device.accept(wanted, &mut witness, line))?;
        let len = <Block<Direct>>::needs(Spacing::Packed).wanted + (64 << 10);
        let fake = Rc::<RefCell<FakeBlock>>::clone(&self.fake);
        let (_, region) = self.rig.plug_trusted(TRUSTED, fake, len);
        let pool = device.pool(&region, "0000:00:02.0", len).unwrap();
        let driven = Block::start(self.rig.open(TRUSTED)?, &pool, self.rig.environment)?;
        self.watched.replace(Some((device, disk)));
        Ok(driven)
    }

    fn release(&self, device: LockedDevice) -> Result<(), Distrust> {
        let (shared, rest) = self.line(|line| device.release(line))?;
        self.shared.set(Some(shared));
        let _pool = rest.map(AtRest::reopen);
        Ok(())
    }
}

fn machine(lie: Lie) -> (Rc<Fakes>, Disk) {
    let rig = rig_of(Style::Qemu, disk_pool());
    let mut fake = FakeBlock::new(64);
    fake.content[..512].fill(0x3c);
    let fake = Rc::new(RefCell::new(fake));
    let device = rig.plug(DISK, Rc::<RefCell<FakeBlock>>::clone(&fake));
    let pool = rig.pool(disk_pool());
    let rmm = FakeRmm::new(Behaviour::default());
    let (bar, base, size, non_tee) = (4, BAR, SIZE, false);
    let registers = Range {
        bar,
        base,
        size,
        non_tee,
    };
    rmm.assign(ID.get(), Curve::P256, lie, &[registers]);
    let space = IpaSpace::realm(33).unwrap();
    let range = GranuleRange::new(space, BAR, BAR + SIZE).unwrap();
    let shared = SharedDevice::new(ID, vec![Bar { index: 4, range }]);
    let fakes = Rc::new(Fakes {
        rig,
        rmm,
        fake,
        device,
        pool,
        shared: Cell::new(Some(shared)),
        watched: RefCell::default(),
        log: RefCell::default(),
    });
    let disk = Disk::from(fakes.start().unwrap());
    disk.led_by(Rc::<Fakes>::clone(&fakes));
    (fakes, disk)
}

fn known() -> Measurement {
    Measurement::new(Device::new(Curve::P256, Firmware::Known).measurement())
}

fn read(fakes: &Fakes, disk: &Disk) -> Result<[u8; 512], block::Error> {
    let mut into = [0; 512];
    let read = block_on(disk.read(0, &mut into), || fakes.turn(disk));
    read.map(|()| into)
}

fn locked(disk: &Disk) -> LockedDisk {
    let quiet = disk.quiesce().unwrap();
    block_on(quiet.evidence(), || ()).unwrap()
}

/// Whether nobody has the disk, and it reaches nothing.
fn is_nobodys(fakes: &Fakes, disk: &Disk) {
    assert!(fakes.is_bare());
    assert_eq!(read(fakes, disk), Err(block::Error::AtRest));
    assert_eq!(disk.failure(), Some(virtio::Error::Withdrawn));
    assert_eq!(disk.restart(), Err(virtio::Error::Withdrawn));
    let stopped = Err(QuiesceError::NotOffered(Distrust::Kind));
    assert_eq!(disk.quiesce().map(|_| ()), stopped);
    assert!(fakes.watched.borrow().is_none());
}

#[test]
fn a_disk_is_asked_accepted_and_the_same_disk_for_all_who_have_it() {
    let (fakes, disk) = machine(Lie::None);
    let other = disk.clone();
    let before = read(&fakes, &other).unwrap();
    let locked = locked(&disk);
    assert_eq!(fakes.pool.left(), fakes.pool.size(), "nothing is lent");
    assert!(!fakes.pool.is_open() && fakes.is_bare());
    assert_eq!(read(&fakes, &other), Err(block::Error::AtRest));
    assert_eq!(other.capacity(), 64);
    assert_eq!(locked.evidence().measurement(), known());
    assert_eq!(locked.evidence().blocks().count(), 3);
    let bounced = fakes.pool.counters().copies;
    block_on(locked.accept(known()), || ()).unwrap();
    assert!(disk.is_trusted() && other.is_trusted());
    assert_eq!(*fakes.log.borrow(), [known()]);
    assert!(!fakes.is_bare());
    assert_eq!(read(&fakes, &other), Ok(before));
    assert_eq!(fakes.pool.counters().copies, bounced, "it bounces no more");
    assert_eq!(disk.quiesce().map(|_| ()), Err(QuiesceError::Trusted));
}

#[test]
fn who_uses_a_disk_keeps_it_from_coming_to_rest() {
    let (fakes, disk) = machine(Lie::None);
    fakes.device.pause(true);
    let mut into = [[0; 512]; 3];
    let in_flight = |requests| Err(QuiesceError::InFlight { requests });
    {
        let mut context = Context::from_waker(Waker::noop());
        let [first, second, third] = &mut into;
        let mut reads = [first, second, third].map(|into| Box::pin(disk.read(0, into)));
        // A call that nobody has polled has not begun, and is one all the same once it has.
        for (n, read) in (1..).zip(&mut reads) {
            assert!(read.as_mut().poll(&mut context).is_pending());
            assert_eq!(disk.quiesce().map(|_| ()), in_flight(n));
        }
        let [first, second, third] = reads;
        drop((first, second));
        // The disk has what they wanted all the same.
        assert_eq!(disk.quiesce().map(|_| ()), in_flight(3));
        fakes.device.pause(false);
        let done = block_on(third, || fakes.turn(&disk));
        assert_eq!(done, Ok(()));
    }
    assert_eq!(into[2], [0x3c; 512]);
    assert_eq!(fakes.rmm.device(|tdi| tdi.state()), State::Unlocked);
    assert!(disk.quiesce().is_ok());
}

/// One that waited for room, which is there by now, has nothing in flight. It still has the disk.
#[test]
fn who_is_about_to_go_on_keeps_a_disk_from_coming_to_rest() {
    let (fakes, disk) = machine(Lie::None);
    fakes.device.pause(true);
    let mut into = [[0; 512]; 40];
    {
        let mut context = Context::from_waker(Waker::noop());
        let mut reads: Vec<_> = into
            .iter_mut()
            .map(|into| Box::pin(disk.read(0, into)))
            .collect();
        for read in &mut reads {
            assert!(read.as_mut().poll(&mut context).is_pending());
        }
        let last = reads.pop().unwrap();
        drop(reads);
        fakes.device.pause(false);
        fakes.device.run();
        let refused = disk.quiesce().map(|_| ());
        assert_eq!(refused, Err(QuiesceError::InFlight { requests: 1 }));
        assert_eq!(disk.usage().in_flight, 0);
        assert_eq!(block_on(last, || fakes.turn(&disk)), Ok(()));
    }
    assert_eq!(into[39], [0x3c; 512]);
}

#[test]
fn a_disk_that_is_refused_or_let_be_goes_on_and_can_be_asked_again() {
    let (fakes, disk) = machine(Lie::None);
    for _ in 0..5 {
        block_on(locked(&disk).refuse(), || ()).unwrap();
        assert_eq!(fakes.rmm.device(|tdi| tdi.state()), State::Unlocked);
        assert_eq!(
            (read(&fakes, &disk), disk.failure()),
            (Ok([0x3c; 512]), None)
        );
        let quiet = disk.quiesce().unwrap();
        assert_eq!(disk.failure(), Some(virtio::Error::AtRest));
        quiet.resume().unwrap();
        assert_eq!(read(&fakes, &disk), Ok([0x3c; 512]));
    }
    assert!(!disk.is_trusted() && fakes.log.borrow().is_empty());
}

#[test]
fn what_nobody_decides_is_not_accepted() {
    let (fakes, disk) = machine(Lie::None);
    drop(locked(&disk));
    assert!(fakes.is_bare() && !disk.is_trusted());
    assert_eq!(read(&fakes, &disk), Err(block::Error::AtRest));
    let (fakes, disk) = machine(Lie::None);
    drop(disk.quiesce().unwrap());
    assert_eq!(read(&fakes, &disk), Err(block::Error::AtRest));
    assert_eq!(disk.restart(), Err(virtio::Error::AtRest));
}

#[test]
fn a_lie_before_the_evidence_is_complete_ends_the_disk() {
    for (lie, why) in [
        (Lie::Swapped, "certificates are not what the RMM saw"),
        (Lie::Relock, "behind our back"),
        (Lie::Unsigned, "the device did not sign them"),
        (Lie::Short, "bytes of an object"),
    ] {
        let (fakes, disk) = machine(lie);
        let asked = block_on(disk.quiesce().unwrap().evidence(), || ());
        let told = asked.map(|_| ()).unwrap_err().to_string();
        assert!(told.contains(why), "{lie:?}: {told}");
        is_nobodys(&fakes, &disk);
    }
}

/// What comes of a decision after something that the host did meanwhile.
fn decided_after(meanwhile: impl FnOnce(&Fakes)) -> Error {
    let (fakes, disk) = machine(Lie::None);
    let locked = locked(&disk);
    meanwhile(&fakes);
    let decided = block_on(locked.accept(known()), || ()).map(|_| ());
    is_nobodys(&fakes, &disk);
    assert!(fakes.log.borrow().is_empty(), "it is not even measured");
    match decided {
        Err(Distrust::Trust(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lie_between_evidence_and_decision_ends_the_disk() {
    let relocked = decided_after(|fakes| fakes.rmm.device(vdev::Tdi::relock));
    assert_eq!(relocked, Error::Changed);
    let (wanted, found) = (VdevState::Locked, VdevState::Error);
    let disturbed = decided_after(|fakes| fakes.rmm.device(vdev::Tdi::disturb));
    assert_eq!(disturbed, Error::State { wanted, found });
}

#[test]
fn a_disk_that_is_something_else_than_its_user_names_is_nobodys() {
    let (fakes, disk) = machine(Lie::None);
    let (wanted, found) = (Measurement::new([1; 32]), known());
    let other = block_on(locked(&disk).accept(wanted), || ()).map(|_| ());
    let unknown = Distrust::Trust(Error::Unknown { wanted, found });
    assert_eq!(other.err(), Some(unknown));
    is_nobodys(&fakes, &disk);
}

#[test]
fn a_disk_that_cannot_prove_anything_is_not_brought_to_rest() {
    let (fakes, disk) = machine(Lie::None);
    let stranger = SharedDevice::new(VdevId::pci(0, 0x18), Vec::new());
    fakes.shared.set(Some(stranger));
    let mut reading = pin!(disk.flush());
    let _in_flight = reading
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    let refused = disk.quiesce().map(|_| ());
    assert!(matches!(
        refused,
        Err(QuiesceError::NotOffered(Distrust::Trust(Error::Rsi(_))))
    ));
    assert_eq!(disk.failure(), None);
    assert_eq!(read(&fakes, &disk), Ok([0x3c; 512]));
}
