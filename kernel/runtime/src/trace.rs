//! The bounce trace as text, in the form of Linux's event `swiotlb_bounced`.

use bounce::{Direction, Event, Trace};
use clock::Instant;

use crate::{console, println};

/// Events that are kept until they are printed.
const ROOM: usize = 8192;
/// Events that are printed before devices and tasks have their turn again.
const BATCH: usize = 32;

/// Begins the trace.
pub fn enable(trace: &Trace) {
    trace.enable(ROOM);
}

/// Prints the oldest events; says whether there may be more.
pub fn print_batch(trace: &Trace, entry: Instant) -> bool {
    let events = (0..BATCH).map_while(|_| trace.pop());
    events.map(|event| print(&event, entry)).count() == BATCH
}

/// Prints how many events were lost.
pub fn print_end(trace: &Trace) {
    match trace.lost() {
        0 => {}
        lost => println!("trace: {lost} events found no room and are not shown"),
    }
}

/// The direction is ours: Linux traces only when it maps a buffer.
fn print(event: &Event, entry: Instant) {
    let since = event.at.since(entry).as_micros();
    let (seconds, micros) = (since / 1_000_000, since % 1_000_000);
    let direction = match event.direction {
        Direction::Out => "out",
        Direction::In => "in",
    };
    console::print_line(format_args!(
        "[{seconds:5}.{micros:06}] swiotlb_bounced: dev_name: {} dev_addr={:x} size={} {direction}",
        event.device, event.address, event.size,
    ));
}
