//! The state of the stack, behind one `RefCell`.

use alloc::{boxed::Box, vec::Vec};
use core::{
    task::{Poll, Waker},
    time::Duration,
};

use chacha20::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};
use clock::Instant;
use smoltcp::{
    iface::{Interface, PollResult, SocketHandle, SocketSet},
    socket::dns,
    wire::{EthernetAddress, HardwareAddress},
};

use crate::{
    Addressing, Config, Counters, FramePort, Lease, StartError,
    address::link_local,
    device::Device,
    gate::Pass,
    time,
    timers::{Timer, Timers},
    transaction::Transaction,
    witness::Witness,
};

use super::quiet_router::QuietRouter;

/// Smallest frame of a port that we drive: an Ethernet header and the smallest MTU of IPv6.
const MIN_FRAME: usize = 14 + 1280;

/// How long to wait before asking a full port again. Its interrupt usually comes first.
const RETRY: Duration = Duration::from_millis(1);

/// How often the lifetimes of IPv6 addresses are looked at, at least.
const LIFETIME_CHECK: Duration = Duration::from_secs(60);

pub(crate) struct Inner {
    pub iface: Interface,
    pub sockets: SocketSet<'static>,
    pub lease: Option<Lease>,
    pub(super) dhcp: Option<SocketHandle>,
    pub dns: SocketHandle,
    pub(super) awaiting_lease: Vec<Waker>,
    mac: [u8; 6],
    device: Device,
    quiet_router: Option<QuietRouter>,
    pub(super) leaving: Vec<(SocketHandle, Instant)>,
    pub(super) open: usize,
    timers: Timers,
    work: bool,
    driver: Option<Waker>,
    sleeping_until: Option<Instant>,
    pub(super) random: ChaCha20Rng,
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
        let mut random = ChaCha20Rng::from_seed(seed);
        let mut device = Device::new(port, Transaction::new(ChaCha20Rng::from_rng(&mut random)));
        let mut iface_config = hardware(mac);
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
            mac,
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
        self.receive(now);
        self.follow_dhcp();
        self.send(at);
        self.bury(now);
        self.device.flush();
        self.timers.fire(now);
        self.sleeping_until = self.next_poll(now);
        self.sleeping_until
    }

    fn receive(&mut self, now: Instant) {
        let at = time::to_smoltcp(now);
        // The device's budget ends this loop.
        while let Some(pass) = self.device.fetch(now) {
            match pass {
                // Its answer begins with a number that must not be foretold.
                Pass::Opening(port) if self.is_listening(port) => {
                    let mut fresh = self.fresh_interface(now);
                    fresh.poll_ingress_single(at, &mut self.device, &mut self.sockets);
                }
                _ => {
                    let (device, sockets) = (&mut self.device, &mut self.sockets);
                    self.iface.poll_ingress_single(at, device, sockets);
                }
            }
        }
    }

    /// An interface with our addresses and a generator of its own, for whatever draws a number that
    /// leaves the realm: smoltcp's generator is small, and a few numbers tell all that come.
    pub fn fresh_interface(&mut self, now: Instant) -> Interface {
        let mut config = hardware(self.mac);
        config.random_seed = self.random.next_u64();
        let mut fresh = Interface::new(config, &mut self.device, time::to_smoltcp(now));
        fresh.update_ip_addrs(|all| all.extend(self.iface.ip_addrs().iter().copied()));
        fresh
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

    /// Who was heard, for messages.
    pub fn witness(&mut self) -> &mut Witness {
        self.device.witness()
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
}

fn hardware(mac: [u8; 6]) -> smoltcp::iface::Config {
    smoltcp::iface::Config::new(HardwareAddress::Ethernet(EthernetAddress(mac)))
}

fn checked_mac(mac: [u8; 6]) -> Result<[u8; 6], StartError> {
    if EthernetAddress(mac).is_unicast() && mac != [0; 6] {
        Ok(mac)
    } else {
        Err(StartError::BadMac { mac })
    }
}
