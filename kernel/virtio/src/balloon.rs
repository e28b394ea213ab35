//! The balloon: memory that the host asks back, as far as the realm's user lets it.
//!
//! Memory goes in blocks of [`BLOCK`] bytes. A block that is out is a value of [`Memory::Out`], which leads to
//! no memory. The host says how many pages it would like; that is capped by what the user allows, looked at ten
//! times a second at most, and followed in a tenth of the time at most. Whatever comes back was told to the
//! device first, and its content is lost.
//!
//! Statistics and free pages are not told: how much memory a realm uses, and when, is nobody's business.
//!
//! Ref: virtio 1.2, 5.5 "Traditional Memory Balloon Device".

mod counters;
mod lane;
mod memory;
mod pace;
mod state;

use alloc::rc::Rc;
use core::cell::RefCell;
use core::time::Duration;

use bounce::{Pool, Shared, Spacing, World};
use clock::Instant;

pub use self::counters::BalloonCounters;
use self::lane::Lane;
pub use self::memory::{BLOCK, Lost, Memory};
use self::state::State;
use crate::device::Device;
use crate::{Environment, Error, Features, Interrupt, Kind, Needs, Transport};

/// Offsets in the configuration.
const NUM_PAGES: u64 = 0;
const ACTUAL: u64 = 4;
/// Pages of a block.
const PAGES: u32 = 512;
const _: () = assert!(BLOCK == PAGES as u64 * 4096, "pages have 4 KiB");
/// How long the device may take, between two polls, to confirm blocks that are wanted back at once. This wait is
/// busy.
const RELIEF: Duration = Duration::from_secs(2);

/// A balloon that is running.
pub struct Balloon<M: Memory, W: World = Shared> {
    state: RefCell<State<M, W>>,
    features: Features,
    device: Device<W>,
}

impl<M: Memory, W: World> Balloon<M, W> {
    /// Bytes that a device leases.
    pub fn needs(spacing: Spacing) -> Needs {
        Needs::exactly(2 * Lane::<W>::bytes(spacing))
    }

    /// Resets the device and agrees on features. It gets `most` blocks of `memory` at most.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; the device is then reset.
    pub fn start(
        transport: Transport,
        pool: &Pool<W>,
        environment: Environment,
        memory: M,
        most: u32,
    ) -> Result<Self, Error> {
        let device = Device::new(transport, Kind::Balloon, pool)?;
        let wanted = Features::BALLOON_MUST_TELL_HOST | Features::BALLOON_DEFLATE_ON_OOM;
        let features = device.negotiate(|_| wanted, environment)?;
        let lanes = [0, 1].map(|index| Lane::start(&device, index, features));
        let [inflate, deflate] = lanes;
        let lanes = (inflate?, deflate?);
        device.transport().driver_ok()?;
        let now = device.transport().clock().now();
        let state = RefCell::new(State::new(memory, lanes, most, now));
        Ok(Self {
            state,
            features,
            device,
        })
    }

    /// Moves a block at most the way that the host wants, as far as it may, and says when to call again at
    /// the latest. A device that broke a rule and was reset has no say any more: what is out comes back.
    pub fn poll(&self) -> Option<Instant> {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let clock = self.device.transport().clock();
        let now = clock.now();
        state.waited = Duration::ZERO;
        if self.device.check() {
            state.pace.note_change();
        }
        let moved = state.moved();
        if self.device.failure().is_none() {
            let driven = self.drive(state, now);
            self.note(driven);
        }
        if self.device.failure().is_some() {
            self.recover(state, now);
        }
        if state.moved() != moved {
            state.pace.worked(now, clock.now());
        }
        match self.device.failure() {
            None => Some(state.next_look()),
            Some(_) if self.device.may_linger() => None,
            Some(_) => state.has_blocks().then(|| state.pace.next_work()),
        }
    }

    /// Takes one block back because memory is short, whatever the host wants, if it agreed to that when the
    /// device was started. Says whether there was one. Waits for the device, 2 s at most, and allocates
    /// nothing.
    pub fn relieve(&self) -> bool {
        // Who is driving the balloon gets nothing from it.
        let Ok(mut state) = self.state.try_borrow_mut() else {
            return false;
        };
        let state = &mut *state;
        if self.device.failure().is_none() {
            if !self.features.contains(Features::BALLOON_DEFLATE_ON_OOM) {
                return false;
            }
            let regained = state.regained();
            let clock = self.device.transport().clock();
            let start = clock.now();
            let arrived = match state.waited < RELIEF {
                true => self.bring_back(state),
                false => Err(Error::TimedOut),
            };
            state.waited += clock.now().since(start);
            self.note(arrived);
            if state.regained() != regained {
                state.pace.hold(self.device.transport().clock().now());
                state.note_relief();
                return true;
            }
        }
        self.device.failure().is_some() && !self.device.may_linger() && self.relieve_alone(state)
    }

    /// Starts a device anew that had failed. Does nothing while it runs. What was out comes back, all of it:
    /// after a reset there is no balloon.
    ///
    /// # Errors
    ///
    /// [`Error::ResetTimedOut`] if the device does not confirm a reset: then what it was given stays out, and
    /// this can be tried again. Otherwise as for [`Self::start`].
    pub fn restart(&self) -> Result<(), Error> {
        let mut state = self.state.borrow_mut();
        let restarted = self.device.restart(|features| {
            while state.regain_any() {}
            state.restart(&self.device, features)
        });
        if restarted == Err(Error::FeaturesChanged) {
            // It confirmed the reset, so it has nothing of ours, and is not driven again.
            while state.regain_any() {}
        }
        restarted.map(|_| ())
    }

    /// The interrupt of the device, to be acknowledged when it is raised.
    pub fn interrupt(&self) -> Rc<Interrupt> {
        Rc::clone(self.device.transport().interrupt())
    }

    /// What the device did so far, and how much memory is where.
    pub fn counters(&self) -> BalloonCounters {
        self.state.borrow().counters()
    }

    /// Why the device was stopped; `None` while it runs.
    pub fn failure(&self) -> Option<Error> {
        self.device.failure()
    }

    /// Why the device was stopped, the first time this is asked after it happened.
    pub fn take_failure(&self) -> Option<Error> {
        self.device.take_failure()
    }

    fn drive(&self, state: &mut State<M, W>, now: Instant) -> Result<(), Error> {
        state.look(now)?;
        if state.pace.may_look(now) {
            state.pace.looked(now);
            state.want(self.wanted(state.most())?);
        }
        if state.pace.may_work(now) {
            state.step(now)?;
            // Asks for an interrupt when the device has seen it, or takes that it has.
            state.take()?;
        }
        if let Some(out) = state.news(now) {
            self.device.transport().write_config32(ACTUAL, out * PAGES);
        }
        Ok(())
    }

    /// Blocks that the host wants, `most` of them at most.
    fn wanted(&self, most: u32) -> Result<u32, Error> {
        self.device.transport().config(|config| {
            let pages = config.read32(NUM_PAGES)?;
            let blocks = pages.map(|pages| pages / PAGES);
            Ok(blocks.at_most(most).unwrap_or(most))
        })
    }

    /// Takes a block back from a device that was reset, without a word.
    fn recover(&self, state: &mut State<M, W>, now: Instant) {
        if !self.device.may_linger() && state.pace.may_work(now) {
            state.regain_any();
        }
    }

    /// The same, as often as it takes to have one.
    fn relieve_alone(&self, state: &mut State<M, W>) -> bool {
        let regained = state.regained();
        while state.regained() == regained && state.regain_any() {}
        state.regained() != regained
    }

    /// Waits until what is on its way has arrived, then tells the device of one block, and waits for that.
    fn bring_back(&self, state: &mut State<M, W>) -> Result<(), Error> {
        let regained = state.regained();
        self.wait(state)?;
        while state.regained() == regained && state.call_back()? {
            self.wait(state)?;
        }
        Ok(())
    }

    /// Waits until nothing is on its way.
    fn wait(&self, state: &mut State<M, W>) -> Result<(), Error> {
        let mut looked = Ok(true);
        let clock = self.device.transport().clock();
        let left = RELIEF.saturating_sub(state.waited);
        let arrived = clock.wait(left, &mut || {
            looked = state.take();
            !matches!(looked, Ok(false))
        });
        looked?;
        arrived.then_some(()).ok_or(Error::TimedOut)
    }

    /// Ends the device if `result` is an error.
    fn note(&self, result: Result<(), Error>) {
        if let Err(error) = result {
            self.device.fail(error);
        }
    }
}
