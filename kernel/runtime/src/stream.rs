//! `trace=stream`: events go to the host, in frames, while the payload runs. It never waits for them: what finds
//! no room in the ring is lost, and counted.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::net::SocketAddr;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use audit::wire::Writer;
use audit::{PoolSample, QueueSample, Trace};
use bounce::Pool;
use clock::{Clock, Instant};
use embedded_io_async::Write;
use net::{Network, TcpBuffers};
use virtio::{Console, Port};

use crate::machine::Booted;
use crate::wake;

/// What the port is called.
const PORT: &str = "airlock.trace";
/// Events that are told at once, and how long fewer may wait.
const BATCH: usize = 512;
const PERIOD: Duration = Duration::from_millis(100);
/// Most events of one round.
const MOST: usize = 2048;
/// How long an address may take, and a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the rest may take when the payload is over.
const FAREWELL: Duration = Duration::from_secs(3);
/// Bytes of the connection's buffers.
const BUFFERS: TcpBuffers = TcpBuffers {
    receive: 4096,
    send: 128 * 1024,
};

/// What there is to tell: crossings, pools and queues.
pub struct Look {
    /// Crossings.
    pub trace: Rc<Trace>,
    /// Pools and queues.
    pub machine: Rc<Booted>,
}

impl Look {
    /// What pools are like.
    fn pools(&self) -> Vec<PoolSample> {
        let regions = self.machine.regions.iter();
        let pools = regions.flat_map(|region| region.counters());
        let sample = |(name, pool): (Rc<str>, bounce::Counters)| PoolSample {
            device: self.trace.device(&name),
            bytes_out: pool.bytes_out,
            bytes_in: pool.bytes_in,
            copies: pool.copies,
            size: pool.size,
            leased: pool.leased,
            high_water: pool.high_water,
            exhausted: pool.exhausted,
        };
        pools.map(sample).collect()
    }

    /// What devices have of their queues.
    fn queues(&self) -> Vec<QueueSample> {
        let devices = self.machine.running.devices.iter();
        let mut samples = Vec::new();
        for named in devices.filter(|named| named.pool.as_ref().is_some_and(Pool::is_open)) {
            let mut queue = 0;
            named.device.tell_usage(&mut |usage| {
                samples.push(QueueSample {
                    device: self.trace.device(&named.name),
                    queue,
                    in_flight: usage.in_flight,
                    lent: usage.lent,
                    high_water: usage.high_water,
                });
                queue += 1;
            });
        }
        samples
    }
}

/// How events get to the host.
pub enum Way {
    /// Through a port of the console device.
    Port(Rc<Console>),
    /// Through a connection.
    Tcp(Network, SocketAddr),
}

/// Who tells the host.
pub trait Telling {
    /// Lets it tell what there is to tell; says when to call again at the latest.
    fn poll(&self, now: Instant) -> Option<Instant>;

    /// The payload is over: says whether everything was told, or it takes too long.
    fn finish(&self, now: Instant) -> bool;
}

/// Events on their way to the host.
pub struct Stream {
    shared: Rc<Shared>,
    task: RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>,
    woken: Arc<Woken>,
}

/// What the loop and the task share.
struct Shared {
    look: Look,
    entry: Instant,
    /// Since when events wait.
    since: Cell<Option<Instant>>,
    /// They waited for long enough.
    due: Cell<bool>,
    /// The payload is over; until then the rest has to be told.
    ending: Cell<Option<Instant>>,
}

/// Whether the task was woken.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
        wake::wake();
    }
}

impl Stream {
    /// Tells the host what `look` sees. The image was entered at `entry`.
    pub fn open(look: Look, entry: Instant, way: Way) -> Self {
        let shared = Rc::new(Shared {
            look,
            entry,
            since: Cell::new(None),
            due: Cell::new(false),
            ending: Cell::new(None),
        });
        let task = Rc::clone(&shared);
        let task = async move {
            if let Err(error) = task.tell(way).await {
                log::warn!("trace: {error}: nothing more is told");
                task.look.trace.enable(audit::Keep::Nothing, 0);
            }
        };
        Self {
            shared,
            task: RefCell::new(Some(Box::pin(task))),
            woken: Arc::new(Woken(AtomicBool::new(true))),
        }
    }
}

impl Telling for Stream {
    /// Gives the task its turn if there is something for it; says when to call again at the latest.
    fn poll(&self, now: Instant) -> Option<Instant> {
        let next = self.shared.look_after(now);
        if self.shared.due.get() || self.woken.0.swap(false, Ordering::AcqRel) {
            let mut task = self.task.borrow_mut();
            let waker = Waker::from(Arc::clone(&self.woken));
            let polled = task
                .as_mut()
                .map(|task| task.as_mut().poll(&mut Context::from_waker(&waker)));
            if polled.is_none_or(|polled| polled.is_ready()) {
                *task = None;
                self.shared.due.set(false);
                return None;
            }
        }
        next
    }

    /// The payload is over: says whether everything was told, or it takes too long.
    fn finish(&self, now: Instant) -> bool {
        let ending = &self.shared.ending;
        let limit = ending.get().unwrap_or_else(|| now.after(FAREWELL));
        ending.set(Some(limit));
        self.shared.due.set(true);
        self.poll(now);
        self.task.borrow().is_none() || now >= limit
    }
}

impl Shared {
    /// Notes whether events waited for long enough; says when they will have.
    fn look_after(&self, now: Instant) -> Option<Instant> {
        let waiting = self.look.trace.len();
        if waiting == 0 || self.due.get() {
            return None;
        }
        let since = self.since.get().unwrap_or(now);
        self.since.set(Some(since));
        let until = since.after(PERIOD);
        if waiting >= BATCH || now >= until {
            self.due.set(true);
        }
        Some(until)
    }

    async fn tell(&self, way: Way) -> Result<(), Box<dyn core::error::Error>> {
        match way {
            Way::Port(console) => {
                let mut port = Port::open(&console, PORT).await?;
                self.tell_all(&mut port).await?;
                port.flush().await?;
            }
            Way::Tcp(network, peer) => {
                network.wait_configured(PATIENCE).await?;
                let mut socket = network.tcp_socket(BUFFERS)?;
                socket.set_timeout(PATIENCE);
                socket.connect(peer).await?;
                self.tell_all(&mut socket).await?;
                socket.close().await?;
            }
        }
        Ok(())
    }

    /// Tells everything, to the end.
    async fn tell_all<W: Write>(&self, sink: &mut W) -> Result<(), W::Error> {
        let (mut out, mut writer) = (Vec::new(), Writer::default());
        loop {
            poll_fn(|_| match self.due.replace(false) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            })
            .await;
            self.since.set(None);
            let is_last = self.fill(&mut out, &mut writer);
            self.quietly(sink.write_all(&out)).await?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// Does `work`, whose crossings are those of the trace itself.
    async fn quietly<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            let trace = &self.look.trace;
            trace.muted(true, || work.as_mut().poll(context))
        })
        .await
    }

    /// Makes frames of what waits; says whether that was all there will ever be.
    fn fill(&self, out: &mut Vec<u8>, writer: &mut Writer) -> bool {
        out.clear();
        let now = self.look.machine.clock.now();
        writer.events(out, &self.look.trace, (now, self.entry), MOST);
        let (pools, queues) = (self.look.pools(), self.look.queues());
        writer.sample(out, &self.look.trace, now, &pools, &queues);
        let is_last = self.ending.get().is_some() && self.look.trace.is_empty();
        if is_last {
            writer.end(out, &self.look.trace, now);
        }
        is_last
    }
}
