//! What becomes of the trace: text, in the form of Linux's event `swiotlb_bounced`, or a stream to the host.

use alloc::boxed::Box;
use alloc::rc::Rc;

use audit::{Event, Keep, Trace};
use clock::Instant;
use net::Network;
use plan::Tracing;
use realm::Card;
use virtio::Console;

use crate::machine::Booted;
use crate::stream::{Look, Stream, Telling, Way};
use crate::{console, features, println, wake};

/// Events that are kept until they are printed.
const ROOM: usize = 8192;
/// Events that are printed before devices and tasks have their turn again.
const BATCH: usize = 32;

/// Where events go.
pub struct Tracer {
    trace: Rc<Trace>,
    entry: Instant,
    tracing: Tracing,
    stream: Option<Box<dyn Telling>>,
}

impl Tracer {
    /// Records in `trace` what `tracing` asks for, from now on.
    pub fn start(asked: Tracing, trace: Rc<Trace>, entry: Instant) -> Self {
        let tracing = match asked {
            Tracing::Off => Tracing::Off,
            _ if features::TRACE => asked,
            _ => {
                log::warn!("trace: not in this image: build its payload with the feature `trace`");
                Tracing::Off
            }
        };
        match tracing {
            Tracing::Off => {}
            Tracing::Lines => trace.enable(Keep::Copies, ROOM),
            Tracing::Port | Tracing::Tcp(_) => trace.enable(Keep::Runs, ROOM),
        }
        Self {
            trace,
            entry,
            tracing,
            stream: None,
        }
    }

    /// Opens the way to the host, if there is to be one, once devices and network run.
    pub fn connect(
        &mut self,
        machine: &Rc<Booted>,
        console: Option<Rc<Console>>,
        network: Option<Network>,
    ) {
        if !features::TRACE {
            return;
        }
        let way = match self.tracing {
            Tracing::Off | Tracing::Lines => return,
            Tracing::Port => console.map(Way::Port),
            Tracing::Tcp(peer) => {
                let card: Option<&Card> = machine.running.card.as_ref();
                network.zip(card).map(|(network, card)| {
                    card.leave_out(Rc::clone(&self.trace), peer);
                    Way::Tcp(network, peer)
                })
            }
        };
        let Some(way) = way else {
            log::warn!("trace: there is no device to tell the host of it: nothing is told");
            self.trace.enable(Keep::Nothing, 0);
            return;
        };
        let look = Look {
            trace: Rc::clone(&self.trace),
            machine: Rc::clone(machine),
        };
        self.stream = Some(Box::new(Stream::open(look, self.entry, way)));
    }

    /// Tells the oldest events; says when to call again at the latest.
    pub fn poll(&self, now: Instant) -> Option<Instant> {
        if let Some(stream) = &self.stream {
            return stream.poll(now);
        }
        if features::TRACE && self.tracing == Tracing::Lines {
            self.print_batch();
        }
        None
    }

    /// Prints the oldest events; says whether there may be more.
    fn print_batch(&self) -> bool {
        let events = (0..BATCH).map_while(|_| self.trace.pop());
        events.map(|event| self.print(&event)).count() == BATCH
    }

    /// The payload is over: says whether all events were told.
    pub fn finish(&self, now: Instant) -> bool {
        if let Some(stream) = &self.stream {
            return stream.finish(now);
        }
        if features::TRACE && self.tracing == Tracing::Lines && self.print_batch() {
            wake::wake();
            return false;
        }
        if self.trace.lost() != 0 {
            let lost = self.trace.lost();
            println!("trace: {lost} events found no room and are not shown");
        }
        true
    }

    /// The direction is ours: Linux traces only when it maps a buffer.
    fn print(&self, event: &Event) {
        let since = event.at.since(self.entry);
        let (seconds, micros) = (since.as_secs(), since.subsec_micros());
        let name = self.trace.name(event.device);
        console::print_line(format_args!(
            "[{seconds:5}.{micros:06}] swiotlb_bounced: dev_name: {} dev_addr={:x} size={} {}",
            name.as_deref().unwrap_or("?"),
            event.address,
            event.len,
            event.direction.name(),
        ));
    }
}
