//! Stacks, a clock, and the loop that the runtime will run.

use std::{
    cell::{Cell, RefCell},
    pin::pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use clock::{Clock, Instant};
use frame::{Incoming, Outgoing};
use net::{Config, FramePort, Network, Stack};

use super::{Hub, HubPort};

/// A clock that moves only when it is told to.
#[derive(Debug, Default)]
pub struct FakeClock(Cell<u64>);

impl FakeClock {
    /// Moves on to `then`, never back.
    pub fn advance_to(&self, then: Instant) {
        self.0.set(self.0.get().max(then.as_nanos()));
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.get())
    }

    fn relax(&self) {
        self.0.set(self.0.get() + 1000);
    }
}

/// Something that answers frames without being a stack.
pub trait Responder {
    /// Looks at `frame`; gives the frames to answer with.
    fn answer(&mut self, frame: &[u8]) -> Vec<Vec<u8>>;
}

/// Something beside the network that has its turn in every round.
pub trait Part {
    /// Does what is due at `now`.
    fn turn(&self, now: Instant) -> Turn;
}

/// What came of a turn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Turn {
    /// Whether it did something, so that others should look again.
    pub moved: bool,
    /// When it wants the next turn at the latest.
    pub next: Option<Instant>,
}

/// One network with everybody on it.
///
/// It polls a stack only when a frame has come, its deadline has passed or it has asked, and a
/// future only when its waker was called: a forgotten waker is a test that never ends.
pub struct World {
    /// The time of this world.
    pub clock: Rc<FakeClock>,
    /// The wire of this world.
    pub hub: Hub,
    stacks: RefCell<Vec<Driven>>,
    responders: RefCell<Vec<(HubPort, Box<dyn Responder>)>>,
    parts: RefCell<Vec<Box<dyn Part>>>,
}

struct Driven {
    stack: Stack,
    interrupt: Option<HubPort>,
    deadline: Option<Instant>,
    polls: u64,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Default for World {
    fn default() -> Self {
        let clock = Rc::new(FakeClock::default());
        Self {
            hub: Hub::new(Rc::clone(&clock)),
            clock,
            stacks: RefCell::default(),
            responders: RefCell::default(),
            parts: RefCell::default(),
        }
    }
}

impl World {
    /// A stack on the hub whose MAC address ends with `last`.
    pub fn stack(&self, last: u8, config: &Config) -> Stack {
        self.stack_on(self.hub.port(last), config)
    }

    /// A stack on `port`.
    pub fn stack_on(&self, port: HubPort, config: &Config) -> Stack {
        let interrupt = HubPort {
            hub: port.hub.clone(),
            ..port
        };
        self.drive(Box::new(port), Some(interrupt), config)
    }

    /// A stack on a port of the test's own, which has a frame whenever it is asked.
    pub fn stack_beside(&self, port: Box<dyn FramePort>, config: &Config) -> Stack {
        self.drive(port, None, config)
    }

    fn drive(
        &self,
        port: Box<dyn FramePort>,
        interrupt: Option<HubPort>,
        config: &Config,
    ) -> Stack {
        let seed = [port.mac()[5]; 32];
        let clock = Rc::clone(&self.clock) as Rc<dyn Clock>;
        let stack = Stack::new(port, clock, seed, config).expect("a port that can be driven");
        self.stacks.borrow_mut().push(Driven {
            stack: stack.clone(),
            interrupt,
            deadline: Some(self.clock.now()),
            polls: 0,
        });
        stack
    }

    /// A network with a static address, as `ip=` takes it.
    pub fn host(&self, last: u8, ip: &str) -> Network {
        let mut config = Config::parse(ip).expect("a good address");
        config.slaac = false;
        self.stack(last, &config).network()
    }

    /// Puts `responder` on the hub.
    pub fn add_responder(&self, last: u8, responder: impl Responder + 'static) {
        let port = self.hub.port(last);
        self.responders
            .borrow_mut()
            .push((port, Box::new(responder)));
    }

    /// Gives `part` a turn in every round from now on.
    pub fn add_part(&self, part: impl Part + 'static) {
        self.parts.borrow_mut().push(Box::new(part));
    }

    /// How often stacks were polled.
    pub fn polls(&self) -> u64 {
        self.stacks.borrow().iter().map(|driven| driven.polls).sum()
    }

    /// Runs everything until `future` is ready.
    ///
    /// # Panics
    ///
    /// When that takes longer than `limit` of this world's time.
    pub fn run<F: Future>(&self, limit: Duration, future: F) -> F::Output {
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&flag));
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        let end = self.clock.deadline(limit);
        loop {
            if flag.0.swap(false, Ordering::Relaxed)
                && let Poll::Ready(value) = future.as_mut().poll(&mut context)
            {
                return value;
            }
            let moved = self.poll_stacks() | self.poll_responders();
            let turn = self.poll_parts();
            if !moved && !turn.moved && !flag.0.load(Ordering::Relaxed) {
                self.jump(turn.next, end);
            }
        }
    }

    fn poll_stacks(&self) -> bool {
        let now = self.clock.now();
        let mut moved = false;
        for driven in self.stacks.borrow_mut().iter_mut() {
            moved |= driven.poll_if_due(now);
        }
        moved
    }

    fn poll_responders(&self) -> bool {
        let mut frame = [0; super::MAX_FRAME];
        let mut moved = false;
        for (port, responder) in self.responders.borrow_mut().iter_mut() {
            while let Some(Incoming { len, .. }) = port.receive(&mut frame) {
                moved = true;
                for answer in responder.answer(&frame[..len]) {
                    port.send(&[&answer], Outgoing::default());
                }
            }
        }
        moved
    }

    fn poll_parts(&self) -> Turn {
        let now = self.clock.now();
        let parts = self.parts.borrow();
        let turns = parts.iter().map(|part| part.turn(now));
        turns.fold(Turn::default(), |sum, turn| Turn {
            moved: sum.moved | turn.moved,
            next: [sum.next, turn.next].into_iter().flatten().min(),
        })
    }

    fn jump(&self, parts: Option<Instant>, end: Instant) {
        let stacks = self.stacks.borrow();
        let deadlines = stacks.iter().filter_map(|driven| driven.deadline);
        let next = deadlines.chain(parts).chain(self.hub.next_arrival()).min();
        let next = next.expect("everybody waits and nothing is to come");
        assert!(next <= end, "still waiting when the time was over");
        self.clock.advance_to(next);
    }
}

impl Driven {
    fn poll_if_due(&mut self, now: Instant) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        let asked = self.stack.poll_work(&mut context).is_ready();
        let due = self.deadline.is_some_and(|deadline| deadline <= now);
        let frame = self.interrupt.as_ref().is_some_and(HubPort::has_frame);
        if asked || due || frame {
            self.deadline = self.stack.poll(now);
            self.polls += 1;
            return true;
        }
        false
    }
}
