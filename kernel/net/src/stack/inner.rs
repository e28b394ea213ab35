//! The state of the stack, behind one `RefCell`.

use alloc::{boxed::Box, vec::Vec};
use core::{
    task::{Poll, Waker},
    time::Duration,
};

use clock::Instant;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use smoltcp::{
    iface::{Interface, PollIngressSingleResult, PollResult, SocketHandle, SocketSet},
    socket::{dns, tcp},
    wire::{EthernetAddress, HardwareAddress},
};

use crate::{
    Addressing, Config, Counters, Error, FramePort, Lease, StartError,
    config::link_local,
    device::Device,
    time,
    timers::{Timer, Timers},
};

use super::quiet_router::QuietRouter;

/// Smallest frame of a port that we drive: an Ethernet header and the smallest MTU of IPv6.
const MIN_FRAME: usize = 14 + 1280;

/// Most sockets open at once, those of the stack itself included.
const MAX_SOCKETS: usize = 64;

/// How long to wait before asking a full port again. Its interrupt usually comes first.
const RETRY: Duration = Duration::from_millis(1);

/// How often the lifetimes of IPv6 addresses are looked at, at least.
const LIFETIME_CHECK: Duration = Duration::from_secs(60);

/// How long a dropped connection may take to say so to its peer.
const FAREWELL: Duration = Duration::from_secs(1);

/// First port number for connections that we open.
///
/// Ref: RFC 6335, 6 "Port Number Ranges".
const FIRST_DYNAMIC_PORT: u16 = 49152;

pub(crate) struct Inner {
    pub iface: Interface,
    pub sockets: SocketSet<'static>,
    pub lease: Option<Lease>,
    pub(super) dhcp: Option<SocketHandle>,
    pub dns: SocketHandle,
    pub(super) awaiting_lease: Vec<Waker>,
    device: Device,
    quiet_router: Option<QuietRouter>,
    leaving: Vec<(SocketHandle, Instant)>,
    open: usize,
    timers: Timers,
    work: bool,
    driver: Option<Waker>,
    sleeping_until: Option<Instant>,
    random: ChaCha8Rng,
}

impl Inner {
    pub fn new(
        port: Box<dyn FramePort>,
        now: Instant,
        seed: [u8; 32],
        config: &Config,
    ) -> Result<Self, StartError> {
        let mac = checked_mac(port.mac())?;
        let max_frame = port.max_frame();
        if max_frame < MIN_FRAME {
            return Err(StartError::SmallFrames { max_frame });
        }
        let mut random = ChaCha8Rng::from_seed(seed);
        let mut device = Device::new(port);
        let mut iface_config =
            smoltcp::iface::Config::new(HardwareAddress::Ethernet(EthernetAddress(mac)));
        iface_config.random_seed = random.next_u64();
        iface_config.slaac = config.slaac;
        let iface = Interface::new(iface_config, &mut device, time::to_smoltcp(now));
        let mut sockets = SocketSet::new(Vec::new());
        let dns = sockets.add(dns::Socket::new(&[], Vec::new()));
        let mut inner = Self {
            iface,
            sockets,
            lease: None,
            dhcp: None,
            dns,
            awaiting_lease: Vec::new(),
            device,
            quiet_router: config.slaac.then(|| QuietRouter::new(mac, now)),
            leaving: Vec::new(),
            open: 0,
            timers: Timers::default(),
            work: true,
            driver: None,
            sleeping_until: None,
            random,
        };
        inner.add_link_local(link_local(mac));
        match &config.addressing {
            Addressing::Dhcp => inner.start_dhcp(),
            Addressing::Static(user) => inner.take_lease(Lease::from_user(user)),
        }
        Ok(inner)
    }

    pub fn poll(&mut self, now: Instant) -> Option<Instant> {
        let at = time::to_smoltcp(now);
        self.work = false;
        self.device.start_poll();
        self.iface.poll_maintenance(at);
        self.receive(at);
        self.follow_dhcp();
        self.send(at);
        self.bury(now);
        self.device.flush();
        self.timers.fire(now);
        self.sleeping_until = self.next_poll(now);
        self.sleeping_until
    }

    fn receive(&mut self, at: smoltcp::time::Instant) {
        // The device's budget ends this loop.
        while self
            .iface
            .poll_ingress_single(at, &mut self.device, &mut self.sockets)
            != PollIngressSingleResult::None
        {}
    }

    fn send(&mut self, at: smoltcp::time::Instant) {
        // The device's budget ends this loop: each round but the last sends a frame.
        while !self.device.budget_spent()
            && self
                .iface
                .poll_egress(at, &mut self.device, &mut self.sockets)
                != PollResult::None
        {}
    }

    /// Removes the sockets that their owner dropped, once their peer knows or need not know.
    fn bury(&mut self, now: Instant) {
        let sockets = &mut self.sockets;
        let before = self.leaving.len();
        self.leaving.retain(|&(handle, until)| {
            let told = sockets
                .get::<tcp::Socket<'_>>(handle)
                .remote_endpoint()
                .is_none();
            let gone = told || now >= until;
            if gone {
                sockets.remove(handle);
            }
            !gone
        });
        self.open -= before - self.leaving.len();
    }

    fn next_poll(&mut self, now: Instant) -> Option<Instant> {
        if self.device.budget_spent() || self.work {
            return Some(now);
        }
        let farewell = self.leaving.iter().map(|&(_, until)| until).min();
        [
            self.stack_deadline(now),
            self.router_deadline(now),
            self.timers.next_deadline(),
            farewell,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn stack_deadline(&mut self, now: Instant) -> Option<Instant> {
        let next = self.iface.poll_at(time::to_smoltcp(now), &self.sockets)?;
        let next = time::from_smoltcp(next);
        // All that was due was done above. What is due still, waits for room in the port.
        Some(if next <= now { now.after(RETRY) } else { next })
    }

    /// smoltcp 0.14 forgets its IPv6 deadlines while no socket has one, so they are kept here:
    /// those of the search exactly, the ends of lifetimes roughly.
    fn router_deadline(&mut self, now: Instant) -> Option<Instant> {
        let router = self.quiet_router.as_mut()?;
        if !self.device.blocked()
            && let Some(frame) = router.tick(now)
        {
            self.device.inject(frame);
            return Some(now);
        }
        let next = router.deadline().unwrap_or(now.after(LIFETIME_CHECK));
        Some(next.max(now.after(RETRY)))
    }

    pub fn poll_work(&mut self, waker: &Waker) -> Poll<()> {
        if core::mem::take(&mut self.work) {
            return Poll::Ready(());
        }
        self.driver = Some(waker.clone());
        Poll::Pending
    }

    /// Says that there is something to send, or less time than was thought.
    pub fn notify(&mut self) {
        self.work = true;
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }

    pub fn counters(&self) -> Counters {
        self.device.counters()
    }

    /// Most bytes of an IP packet that we send.
    pub fn ip_mtu(&self) -> usize {
        self.device.ip_mtu()
    }

    pub fn create_timer(&mut self, deadline: Instant) -> Timer {
        self.timers.create(deadline)
    }

    pub fn arm(&mut self, timer: Timer, waker: &Waker) {
        self.timers.arm(timer, waker);
        if self
            .sleeping_until
            .is_none_or(|until| timer.deadline < until)
        {
            self.notify();
        }
    }

    pub fn disarm(&mut self, timer: Timer) {
        self.timers.disarm(timer);
    }

    /// Adds `socket`, which must be removed by [`Self::remove`] or [`Self::leave`].
    pub fn add<T: smoltcp::socket::AnySocket<'static>>(
        &mut self,
        socket: T,
    ) -> Result<SocketHandle, Error> {
        if self.open >= MAX_SOCKETS {
            return Err(Error::TooManySockets);
        }
        self.open += 1;
        Ok(self.sockets.add(socket))
    }

    /// Removes a socket that nobody needs to hear about.
    pub fn remove(&mut self, handle: SocketHandle) {
        self.sockets.remove(handle);
        self.open -= 1;
    }

    /// Removes a TCP socket as soon as its peer was told.
    pub fn leave(&mut self, handle: SocketHandle, now: Instant) {
        let socket = self.tcp(handle);
        let silent = matches!(socket.state(), tcp::State::TimeWait | tcp::State::Listen);
        if silent || socket.remote_endpoint().is_none() {
            self.remove(handle);
            return;
        }
        socket.abort();
        self.leaving.push((handle, now.after(FAREWELL)));
        self.notify();
    }

    pub fn tcp(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }

    /// A random number, for identifiers that must not be guessed easily.
    pub fn random_u16(&mut self) -> u16 {
        let [low, high, ..] = self.random.next_u32().to_le_bytes();
        u16::from_le_bytes([low, high])
    }

    /// A random dynamic port that `taken` does not know.
    pub fn dynamic_port(
        &mut self,
        taken: impl Fn(&smoltcp::socket::Socket<'_>, u16) -> bool,
    ) -> u16 {
        let mut port = FIRST_DYNAMIC_PORT;
        // There are far more ports than sockets: a second round is rare, a tenth never comes.
        for _ in 0..10 {
            port = FIRST_DYNAMIC_PORT | self.random_u16();
            if !self.sockets.iter().any(|(_, socket)| taken(socket, port)) {
                break;
            }
        }
        port
    }
}

fn checked_mac(mac: [u8; 6]) -> Result<[u8; 6], StartError> {
    if EthernetAddress(mac).is_unicast() && mac != [0; 6] {
        Ok(mac)
    } else {
        Err(StartError::BadMac { mac })
    }
}
