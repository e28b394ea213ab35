//! A console with ports: one that prints, one that gives back what it is told, one of which nobody says anything.
//!
//! Ref: virtio 1.2, 5.3 "Console Device".

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::disk::spoil;
use crate::liar::Liar;
use crate::memory::{Memory, Unreachable, gather, scatter};
use crate::place::Point;
use crate::queue::{Queue, Voice};
use crate::random::Random;
use crate::vectors::Due;

/// Feature: messages about ports.
pub const MULTIPORT: u64 = 1 << 1;
/// Queues: two for each port, and two for messages.
pub const QUEUES: u16 = 2 * PORTS + 2;
/// What the port is called that gives everything back.
pub const ECHO: &str = "echo";

const PORTS: u16 = 3;
const NAMES: [&str; PORTS as usize] = ["", ECHO, "silent"];
const CONTROL_IN: usize = 2;
const CONTROL_OUT: usize = 3;
const DEVICE_READY: u16 = 0;
const PORT_ADD: u16 = 1;
const PORT_READY: u16 = 3;
const CONSOLE_PORT: u16 = 4;
const PORT_OPEN: u16 = 6;
const PORT_NAME: u16 = 7;
/// Requests of one queue that are served at one doorbell.
const BATCH: usize = 64;
const LONGEST: usize = 0x1_0000;
/// What waits for a buffer; more is lost.
const WAITING: usize = 256;

/// The queues of port `port`, in and out.
const fn queues(port: usize) -> (usize, usize) {
    match port {
        0 => (0, 1),
        _ => (2 + 2 * port, 3 + 2 * port),
    }
}

/// What waits for buffers of the driver.
#[derive(Clone, Debug, Default)]
pub struct Ports {
    messages: VecDeque<Vec<u8>>,
    bytes: VecDeque<Vec<u8>>,
}

/// A message about a port.
fn message(port: u32, event: u16, value: u16, name: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::from(port.to_le_bytes());
    bytes.extend(event.to_le_bytes());
    bytes.extend(value.to_le_bytes());
    bytes.extend(name);
    bytes
}

impl Ports {
    /// The device configuration: columns, rows, and how many ports there may be.
    #[must_use]
    pub fn config() -> [u8; 8] {
        let [a, b] = PORTS.to_le_bytes();
        [80, 0, 25, 0, a, b, 0, 0]
    }

    /// Serves all queues; says which interrupts are due.
    ///
    /// # Errors
    ///
    /// [`Unreachable`]
    pub fn serve(
        &mut self,
        rings: &mut [Queue],
        memory: &mut impl Memory,
        liar: &mut Liar,
        voice: Voice,
    ) -> Result<Due, Unreachable> {
        let mut due = Due::default();
        let out = [
            (CONTROL_OUT, None),
            (1, Some(0)),
            (5, Some(1)),
            (7, Some(2)),
        ];
        for (number, port) in out {
            let Some(queue) = rings.get_mut(number) else {
                continue;
            };
            for _ in 0..BATCH {
                let Some(chain) = queue.take(memory)? else {
                    break;
                };
                let bytes = gather(memory, &chain.readable, LONGEST)?;
                match port {
                    None => self.hear(&bytes),
                    Some(1) => self.echo(bytes, liar, voice),
                    Some(_) => {}
                }
                due.note(number, queue.give(memory, liar, voice, (chain.head, 0))?);
            }
        }
        self.invent(liar, voice);
        let (echo, _) = queues(1);
        for (number, waiting) in [(CONTROL_IN, &mut self.messages), (echo, &mut self.bytes)] {
            let Some(queue) = rings.get_mut(number) else {
                continue;
            };
            while let Some(bytes) = waiting.front_mut() {
                let Some(chain) = queue.take(memory)? else {
                    break;
                };
                if number == CONTROL_IN {
                    twist(bytes, liar, voice);
                }
                let written = scatter(memory, &chain.writable, bytes)?;
                waiting.pop_front();
                let written = u32::try_from(written).unwrap_or(u32::MAX);
                due.note(
                    number,
                    queue.give(memory, liar, voice, (chain.head, written))?,
                );
            }
        }
        for queue in rings {
            queue.ask_for_doorbell(memory, liar, voice)?;
        }
        Ok(due)
    }

    fn say(&mut self, bytes: Vec<u8>) {
        if self.messages.len() < WAITING {
            self.messages.push_back(bytes);
        }
    }

    /// Takes a message of the driver.
    fn hear(&mut self, bytes: &[u8]) {
        let Some(&[a, b, c, d, e, f, _, _]) = bytes.first_chunk::<8>() else {
            return;
        };
        let port = u32::from_le_bytes([a, b, c, d]);
        match u16::from_le_bytes([e, f]) {
            DEVICE_READY => {
                (0..PORTS).for_each(|port| self.say(message(port.into(), PORT_ADD, 1, b"")));
            }
            PORT_READY if port == 0 => {
                self.say(message(0, CONSOLE_PORT, 1, b""));
                self.say(message(0, PORT_OPEN, 1, b""));
            }
            PORT_READY => {
                let at = usize::try_from(port).unwrap_or(usize::MAX);
                if let Some(name) = NAMES.get(at) {
                    self.say(message(port, PORT_NAME, 1, name.as_bytes()));
                    self.say(message(port, PORT_OPEN, 1, b""));
                }
            }
            _ => {}
        }
    }

    /// Gives bytes back, in pieces that a buffer of the driver holds.
    fn echo(&mut self, bytes: Vec<u8>, liar: &mut Liar, voice: Voice) {
        for piece in spoil(bytes, liar, voice).chunks(512) {
            if self.bytes.len() < WAITING {
                self.bytes.push_back(piece.to_vec());
            }
        }
    }

    /// Says what nobody asked for.
    fn invent(&mut self, liar: &mut Liar, voice: Voice) {
        let Some(value) = liar.misbehave(voice.place(Point::ExtraMessage)) else {
            return;
        };
        let mut random = Random::new(value);
        let most = 1 << random.below(7);
        for _ in 0..=random.below(most) {
            let port = match random.below(8) {
                0 => random.next(),
                _ => random.below(u64::from(PORTS) + 2),
            };
            let [p0, p1, p2, p3, value, event, ..] = port.to_le_bytes();
            let port = u32::from_le_bytes([p0, p1, p2, p3]);
            let event = u16::from(event) + u16::try_from(random.below(10)).unwrap_or(0);
            let name = match random.below(3) {
                0 => (0..random.below(200))
                    .map(|_| random.next().to_le_bytes()[0])
                    .collect(),
                1 => Vec::from(ECHO),
                _ => Vec::new(),
            };
            let value = u16::from(value) ^ u16::try_from(random.below(2)).unwrap_or(0);
            self.say(message(port, event, value, &name));
        }
    }
}

/// Says something else of a port: of another one, another event, another value, another name, or less.
fn twist(bytes: &mut Vec<u8>, liar: &mut Liar, voice: Voice) {
    let Some(value) = liar.misbehave(voice.place(Point::Message)) else {
        return;
    };
    let [how, a, b, c, ..] = value.to_le_bytes();
    let mut put = |at: usize, new: u8| {
        if let Some(byte) = bytes.get_mut(at) {
            *byte = new;
        }
    };
    match how % 6 {
        0 => put(0, a % 5),
        1 => put(4, a % 10),
        2 => put(6, a % 3),
        3 => put(usize::from(a), b),
        4 => bytes.truncate(usize::from(a % 16)),
        _ => bytes.extend(core::iter::repeat_n(
            b,
            usize::from(a) + usize::from(c % 2) * 1024,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_ready_hears_of_each_port_and_what_it_is_called() {
        let mut ports = Ports::default();
        ports.hear(&message(0, DEVICE_READY, 1, b""));
        assert_eq!(ports.messages.len(), 3);
        ports.hear(&message(1, PORT_READY, 1, b""));
        assert_eq!(ports.messages[3], message(1, PORT_NAME, 1, b"echo"));
        assert_eq!(ports.messages[4], message(1, PORT_OPEN, 1, b""));
        ports.hear(&message(99, PORT_READY, 1, b""));
        ports.hear(&[0; 7]);
        assert_eq!(ports.messages.len(), 5);
    }

    #[test]
    fn lies_make_other_messages_and_more_of_them() {
        let voice = Voice {
            part: crate::Part::Ports,
            unit: 0,
            event_index: false,
        };
        let script = "ports.message@0=0x0201,ports.message@1=0x304,ports.extra-message@0=0x7";
        let mut liar = Liar::new(script.parse().unwrap(), 9);
        let mut ports = Ports::default();
        ports.invent(&mut liar, voice);
        assert!(!ports.messages.is_empty());
        let mut bytes = message(1, PORT_OPEN, 1, b"");
        twist(&mut bytes, &mut liar, voice);
        assert_eq!(bytes[4], 2);
        twist(&mut bytes, &mut liar, voice);
        assert_eq!(bytes.len(), 3);
        assert_eq!(liar.told(), 3);
    }
}
