//! Any behaviour of a console and of a socket device while streams are used: messages, packets, data, lies
//! of rings, and time that passes.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bounce::Spacing;
use embedded_io_async::{Read, Write};
use virtio::{Console, Port, Vsock, VsockAddress, VsockListener, VsockStream};

use super::input::Input;
use crate::fake_virtio::vsock::Packet;
use crate::fake_virtio::{FakeConsole, FakeVirtio, FakeVsock, Style, Used};
use crate::rig::Rig;

const STEPS: usize = 150;
const PORT: u32 = 7;

fn rig(choice: u8, len: usize) -> Rig {
    let style = if choice & 1 == 0 {
        Style::Qemu
    } else {
        Style::Lkvm
    };
    Rig::with_memory(style, 256, len.next_multiple_of(4096))
}

/// Polls once: what waits is given up, as a payload may.
fn once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Lets the device lie about the next completions, or not.
pub(super) fn lie(device: &FakeVirtio, input: &mut Input<'_>) {
    let (kind, id, len) = (input.byte(), input.half(), input.word());
    device.lie(|lies| {
        lies.completions = match kind % 4 {
            0 => None,
            1 => Some(Box::new(move |used| vec![Used { len, ..used }])),
            2 => Some(Box::new(move |used| {
                vec![Used {
                    id: id.into(),
                    ..used
                }]
            })),
            _ => Some(Box::new(|used| vec![used, used])),
        };
    });
}

/// Uses a console whose host does what `bytes` say.
pub fn console_ports(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let needs = <Console>::needs(Spacing::Packed).wanted;
    let rig = rig(input.byte(), needs);
    let mut fake = FakeConsole::with_ports(&["a", "b"]);
    fake.most = input.word() % 4;
    let fake = Rc::new(RefCell::new(fake));
    let device = rig.plug(1, Rc::<RefCell<FakeConsole>>::clone(&fake));
    let Ok(console) = rig.console(1, needs) else {
        return;
    };
    let mut ports: Vec<Port> = Vec::new();
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        match input.byte() % 8 {
            0 => {
                let len = usize::from(input.byte() % 130);
                let message = input.bytes(len);
                fake.borrow_mut().messages.push_back(message);
            }
            1 => {
                let (port, len) = (usize::from(input.byte() % 3), input.byte().into());
                fake.borrow_mut().say(port, &vec![7; len]);
            }
            2 => lie(&device, &mut input),
            3 => rig
                .clock
                .advance(Duration::from_millis(input.half().into())),
            4 => ports.extend(once(Port::open(&console, "a")).and_then(Result::ok)),
            5 => {
                let len = usize::from(input.half());
                for port in &mut ports {
                    let _ = once(port.write(&vec![1; len]));
                }
            }
            6 => {
                let mut into = [0; 300];
                for port in &mut ports {
                    let _ = once(port.read(&mut into));
                }
            }
            _ => fake.borrow_mut().takes = input.byte() & 1 == 0,
        }
        device.run();
        console.poll();
        assert!(ports.len() <= STEPS && console.ports().len() <= 8);
    }
    if console.failure().is_none() {
        assert_eq!(device.faults(), 0, "nothing private was lent");
    }
    rig.memory.host().give_back();
}

/// Uses a socket device whose host does what `bytes` say.
pub fn vsock_packets(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let rig = rig(input.byte(), <Vsock>::needs(Spacing::Packed).wanted);
    let fake = Rc::new(RefCell::new(FakeVsock::echoing(PORT)));
    let device = rig.plug(1, Rc::<RefCell<FakeVsock>>::clone(&fake));
    let vsock = rig.vsock(1).expect("the device is honest so far");
    let listener = VsockListener::new(&vsock, PORT).expect("the first one");
    let mut streams: Vec<VsockStream> = Vec::new();
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        match input.byte() % 9 {
            0 => {
                let packet = packet(&mut input, &fake.borrow());
                fake.borrow_mut().incoming.push_back(packet);
            }
            1 => {
                let own = input.word();
                fake.borrow_mut().connect(own, PORT);
            }
            2 => lie(&device, &mut input),
            3 => rig
                .clock
                .advance(Duration::from_millis(input.half().into())),
            4 => {
                let peer = VsockAddress { cid: 2, port: PORT };
                let mut connecting = pin!(VsockStream::connect(&vsock, peer));
                for _ in 0..3 {
                    if let Some(connected) = once(connecting.as_mut()) {
                        streams.extend(connected.ok());
                        break;
                    }
                    vsock.poll();
                    device.run();
                    vsock.poll();
                }
            }
            5 => streams.extend(once(listener.accept()).and_then(Result::ok)),
            6 => {
                let len = usize::from(input.half());
                for stream in &mut streams {
                    let _ = once(stream.write(&vec![1; len]));
                }
            }
            7 => {
                let mut into = [0; 5000];
                for stream in &mut streams {
                    let _ = once(stream.read(&mut into));
                }
            }
            _ => drop(streams.pop()),
        }
        device.run();
        vsock.poll();
        assert!(streams.len() <= virtio::MAX_CONNECTIONS + STEPS);
    }
    if vsock.failure().is_none() {
        assert_eq!(device.faults(), 0, "nothing private was lent");
    }
    rig.memory.host().give_back();
}

/// A packet, often one of a connection that there is.
fn packet(input: &mut Input<'_>, fake: &FakeVsock) -> Packet {
    let operation = input.byte() % 9;
    let len = usize::from(input.half() % 4100);
    let known = fake.ends.get(usize::from(input.byte() % 8));
    let ends = known.map(|end| (end.own, end.peer));
    let (own, peer) = ends.unwrap_or(((2, input.word()), (3, input.word() % 9)));
    let mut packet = Packet::new(own, peer, operation.into(), &vec![9; len]);
    let changes = input.byte();
    if changes & 1 != 0 {
        packet.len = input.word();
    }
    if changes & 2 != 0 {
        (packet.room, packet.taken) = (input.word(), input.word());
    }
    if changes & 4 != 0 {
        packet.flags = input.word();
    }
    packet
}
