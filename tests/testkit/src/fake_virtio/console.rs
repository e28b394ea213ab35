//! A console with ports in small, as QEMU has it; with one port, as lkvm has it.

use std::collections::VecDeque;

use super::{Personality, Ring};

const MULTIPORT: u64 = 1 << 1;
const CONTROL_IN: usize = 2;
const CONTROL_OUT: usize = 3;

/// Events of messages about ports.
pub mod event {
    /// Driver: I know what ports are.
    pub const DEVICE_READY: u16 = 0;
    /// Device: there is a port.
    pub const PORT_ADD: u16 = 1;
    /// Device: there is no more.
    pub const PORT_REMOVE: u16 = 2;
    /// Driver: I use it.
    pub const PORT_READY: u16 = 3;
    /// Device: it is a console.
    pub const CONSOLE_PORT: u16 = 4;
    /// Both: somebody listens.
    pub const PORT_OPEN: u16 = 6;
    /// Device: what it is called.
    pub const PORT_NAME: u16 = 7;
}

/// A message about a port.
pub fn message(port: u32, event: u16, value: u16, rest: &[u8]) -> Vec<u8> {
    let mut bytes = port.to_le_bytes().to_vec();
    bytes.extend(event.to_le_bytes());
    bytes.extend(value.to_le_bytes());
    bytes.extend(rest);
    bytes
}

/// A port of the fake.
#[derive(Clone, Debug, Default)]
pub struct FakePort {
    /// What it is called.
    pub name: String,
    /// Whether it is a console.
    pub console: bool,
    /// Whether somebody on the host listens at once.
    pub open: bool,
    /// What the driver wrote.
    pub heard: Vec<u8>,
    /// What the host writes.
    pub says: VecDeque<u8>,
    /// Whether what is written comes back.
    pub echo: bool,
}

/// A console with ports.
pub struct FakeConsole {
    /// Whether it has messages about ports.
    pub multiport: bool,
    /// Its ports, by number; `None` where there is none.
    pub ports: Vec<Option<FakePort>>,
    /// How many ports it says that it can have.
    pub most: u32,
    /// Messages to come, in order.
    pub messages: VecDeque<Vec<u8>>,
    /// Messages of the driver: port, event, value.
    pub told: Vec<(u32, u16, u16)>,
    /// Whether it takes what is written.
    pub takes: bool,
    /// Whether the configuration is empty before FEATURES_OK, as lkvm's.
    pub shy: bool,
    /// Whether it reports the bytes that it read, as lkvm does.
    pub counts_reads: bool,
}

impl FakeConsole {
    /// A console alone.
    pub fn alone() -> Self {
        let console = FakePort::default();
        Self {
            multiport: false,
            ports: vec![Some(console)],
            most: 1,
            messages: VecDeque::new(),
            told: Vec::new(),
            takes: true,
            shy: false,
            counts_reads: false,
        }
    }

    /// A console, and a port for each of `names`, at which somebody listens.
    pub fn with_ports(names: &[&str]) -> Self {
        let console = FakePort {
            console: true,
            open: true,
            ..FakePort::default()
        };
        let named = names.iter().map(|name| FakePort {
            name: (*name).to_owned(),
            open: true,
            ..FakePort::default()
        });
        Self {
            multiport: true,
            ports: [console].into_iter().chain(named).map(Some).collect(),
            most: 1 + names.len() as u32,
            ..Self::alone()
        }
    }

    /// What the driver wrote to port `port`.
    pub fn heard(&self, port: usize) -> &[u8] {
        &self.port(port).heard
    }

    /// Lets the host write `bytes` to port `port`.
    pub fn say(&mut self, port: usize, bytes: &[u8]) {
        let port = self.ports[port].as_mut().expect("the port is there");
        port.says.extend(bytes);
    }

    fn port(&self, port: usize) -> &FakePort {
        self.ports[port].as_ref().expect("the port is there")
    }

    fn answer(&mut self, port: u32, event: u16) {
        if event == event::DEVICE_READY {
            let there = (0..).zip(&self.ports).filter(|(_, port)| port.is_some());
            let added = there.map(|(port, _)| message(port, event::PORT_ADD, 1, &[]));
            self.messages.extend(added);
            return;
        }
        let known = self.ports.get(port as usize).and_then(Option::as_ref);
        let Some(known) = known.filter(|_| event == event::PORT_READY) else {
            return;
        };
        if known.console {
            let console = message(port, event::CONSOLE_PORT, 1, &[]);
            self.messages.push_back(console);
        }
        if !known.name.is_empty() {
            let name = [known.name.as_bytes(), &[0]].concat();
            let named = message(port, event::PORT_NAME, 1, &name);
            self.messages.push_back(named);
        }
        if known.open {
            let open = message(port, event::PORT_OPEN, 1, &[]);
            self.messages.push_back(open);
        }
    }

    fn deliver(&mut self, ring: &mut Ring<'_>) {
        while !self.messages.is_empty() && ring.available() {
            let bytes = self.messages.pop_front().expect("not empty");
            let chain = ring.take().expect("available");
            let written = ring.write(&chain, &bytes);
            ring.complete(&chain, written as u32);
        }
    }

    fn listen(&mut self, ring: &mut Ring<'_>) {
        while let Some(chain) = ring.take() {
            let bytes = ring.read(&chain);
            ring.complete(
                &chain,
                if self.counts_reads {
                    bytes.len() as u32
                } else {
                    0
                },
            );
            let [a, b, c, d, e, f, g, h] = bytes[..] else {
                panic!("a message of the driver has 8 bytes: {bytes:?}");
            };
            let port = u32::from_le_bytes([a, b, c, d]);
            let event = u16::from_le_bytes([e, f]);
            self.told.push((port, event, u16::from_le_bytes([g, h])));
            self.answer(port, event);
        }
    }

    fn carry_in(port: &mut FakePort, ring: &mut Ring<'_>) {
        while !port.says.is_empty() && ring.available() {
            let chain = ring.take().expect("available");
            let bytes: Vec<u8> = port.says.iter().copied().collect();
            let written = ring.write(&chain, &bytes);
            port.says.drain(..written);
            ring.complete(&chain, written as u32);
        }
    }

    fn carry_out(port: &mut FakePort, counts: bool, ring: &mut Ring<'_>) {
        while let Some(chain) = ring.take() {
            let bytes = ring.read(&chain);
            ring.complete(&chain, if counts { bytes.len() as u32 } else { 0 });
            if port.echo {
                port.says.extend(&bytes);
            }
            port.heard.extend(bytes);
        }
    }
}

impl Personality for FakeConsole {
    fn kind(&self) -> u16 {
        3
    }

    fn class(&self) -> u32 {
        0x07_8000
    }

    fn features(&self) -> u64 {
        if self.multiport { MULTIPORT } else { 0 }
    }

    fn queues(&self) -> usize {
        match self.multiport {
            true => 2 * (self.ports.len() + 1),
            false => 2,
        }
    }

    fn config(&self, at: u64, ready: bool) -> u8 {
        match at {
            4..8 if ready || !self.shy => self.most.to_le_bytes()[at as usize - 4],
            _ => 0,
        }
    }

    fn process(&mut self, index: usize, ring: &mut Ring<'_>) {
        match index {
            CONTROL_IN if self.multiport => return self.deliver(ring),
            CONTROL_OUT if self.multiport => return self.listen(ring),
            _ => {}
        }
        let number = if index < 2 { 0 } else { index / 2 - 1 };
        let Some(port) = self.ports.get_mut(number).and_then(Option::as_mut) else {
            return;
        };
        match index % 2 {
            0 => Self::carry_in(port, ring),
            _ if self.takes => Self::carry_out(port, self.counts_reads, ring),
            _ => {}
        }
    }
}
