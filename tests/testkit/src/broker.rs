//! A key broker in memory: a function from requests to what happens next.

use core::{
    cell::{Cell, RefCell},
    convert::Infallible,
    future::{Future, pending, poll_fn},
    task::Poll,
    time::Duration,
};
use std::rc::Rc;

use attest::keybroker::{ConnectError, Connector};
use embedded_io_async::{ErrorType, Read, Write};

/// Polls after which any sleep is over. A busy executor gets there at once.
const SLEEP: u32 = 1000;

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Request line and fields, without the empty line.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// What the broker does about a request.
#[derive(Clone, Debug)]
pub enum Reaction {
    /// Sends these bytes and closes.
    Send(Vec<u8>),
    /// Sends these bytes, and then nothing, for ever.
    SendAndHang(Vec<u8>),
}

type Broker = dyn FnMut(&Request) -> Reaction;

/// A network on which one broker answers.
pub struct BrokerNetwork {
    broker: Rc<RefCell<Box<Broker>>>,
    connect: Option<ConnectError>,
    connections: Cell<u32>,
    piece: usize,
}

impl BrokerNetwork {
    /// A network whose broker answers so; its answers arrive `piece` bytes at a time.
    pub fn new(piece: usize, broker: impl FnMut(&Request) -> Reaction + 'static) -> Self {
        Self {
            broker: Rc::new(RefCell::new(Box::new(broker))),
            connect: None,
            connections: Cell::new(0),
            piece,
        }
    }

    /// A network on which nobody can be connected to.
    pub fn unconnected(error: ConnectError) -> Self {
        Self {
            connect: Some(error),
            ..Self::new(1, |_| Reaction::Send(Vec::new()))
        }
    }

    /// How often somebody tried to connect.
    pub fn connections(&self) -> u32 {
        self.connections.get()
    }
}

impl Connector for &BrokerNetwork {
    type Stream = BrokerStream;

    async fn connect(&self, _: &str, _: u16) -> Result<BrokerStream, ConnectError> {
        self.connections.set(self.connections.get() + 1);
        match self.connect {
            Some(error) => Err(error),
            None => Ok(BrokerStream {
                broker: Rc::clone(&self.broker),
                request: Vec::new(),
                answer: None,
                piece: self.piece,
            }),
        }
    }

    fn sleep(&self, _: Duration) -> impl Future<Output = ()> {
        let mut polls = 0;
        poll_fn(move |context| {
            polls += 1;
            context.waker().wake_by_ref();
            if polls > SLEEP {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
    }
}

/// One connection to the broker.
pub struct BrokerStream {
    broker: Rc<RefCell<Box<Broker>>>,
    request: Vec<u8>,
    answer: Option<(Vec<u8>, bool)>,
    piece: usize,
}

impl BrokerStream {
    /// Asks the broker about the request, which is complete: the client waits for an answer.
    fn react(&self) -> (Vec<u8>, bool) {
        let text = String::from_utf8_lossy(&self.request);
        let (head, _) = text.split_once("\r\n\r\n").expect("the head is complete");
        let request = Request {
            head: head.to_string(),
            body: self.request[head.len() + 4..].to_vec(),
        };
        let length = request.field("content-length").map(str::parse);
        assert_eq!(length, Some(Ok(request.body.len())), "the body is complete");
        match (self.broker.borrow_mut())(&request) {
            Reaction::Send(bytes) => (bytes, false),
            Reaction::SendAndHang(bytes) => (bytes, true),
        }
    }
}

impl ErrorType for BrokerStream {
    type Error = Infallible;
}

impl Read for BrokerStream {
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, Infallible> {
        if self.answer.is_none() {
            self.answer = Some(self.react());
        }
        let (rest, hangs) = self.answer.as_mut().expect("made above");
        if rest.is_empty() && *hangs {
            return pending().await;
        }
        let count = rest.len().min(into.len()).min(self.piece);
        into[..count].copy_from_slice(&rest[..count]);
        rest.drain(..count);
        Ok(count)
    }
}

impl Write for BrokerStream {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let count = bytes.len().min(self.piece);
        self.request.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
