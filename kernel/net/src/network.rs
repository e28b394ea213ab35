//! What a payload does with the network.

use alloc::{rc::Rc, vec::Vec};
use core::{
    future::pending,
    net::{IpAddr, SocketAddr},
    task::Poll,
    time::Duration,
};

use clock::Instant;

use crate::{
    Error, Lease, Reach, TcpBuffers, TcpSocket, UdpSocket, reach,
    resolve::{self, Addresses},
    stack::Shared,
};

/// A handle to the network, for payloads. Clones are the same network.
///
/// Nothing here makes progress unless the runtime polls the [`Stack`](crate::Stack) behind it.
#[derive(Clone)]
pub struct Network {
    shared: Rc<Shared>,
}

impl Network {
    pub(crate) fn new(shared: Rc<Shared>) -> Self {
        Self { shared }
    }

    /// Waits until the interface has its main address.
    ///
    /// # Errors
    ///
    /// After `timeout`, [`Error::NoAddress`], or [`Error::BadLease`] if that is why.
    pub async fn wait_configured(&self, timeout: Duration) -> Result<Lease, Error> {
        let step = |inner: &mut crate::stack::Inner, context: &mut core::task::Context<'_>| {
            inner.poll_lease(context.waker())
        };
        let lease = self.shared.until(self.deadline(timeout), step).await;
        lease.map_err(|_| {
            let counters = self.shared.with(|inner| inner.counters());
            match counters.bad_lease + counters.excess_naks {
                0 => Error::NoAddress,
                _ => Error::BadLease,
            }
        })
    }

    /// The main address, if the interface has one now.
    pub fn lease(&self) -> Option<Lease> {
        self.shared.with(|inner| inner.lease)
    }

    /// All addresses of the interface: those of the link itself, of the lease, of routers.
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.shared.with(|inner| {
            let all = inner.iface.ip_addrs().iter();
            all.map(|cidr| cidr.address().into()).collect()
        })
    }

    /// Makes a TCP socket.
    ///
    /// # Errors
    ///
    /// [`Error::TooManySockets`].
    pub fn tcp_socket(&self, buffers: TcpBuffers) -> Result<TcpSocket, Error> {
        TcpSocket::new(Rc::clone(&self.shared), buffers)
    }

    /// Connects to `remote` with buffers and deadlines of the usual size.
    ///
    /// # Errors
    ///
    /// [`Error::TooManySockets`], and those of [`TcpSocket::connect`].
    pub async fn connect(&self, remote: SocketAddr) -> Result<TcpSocket, Error> {
        let mut socket = self.tcp_socket(TcpBuffers::default())?;
        socket.connect(remote).await?;
        Ok(socket)
    }

    /// Makes a UDP socket on `port` of all our addresses, or on a free one when `port` is 0.
    ///
    /// # Errors
    ///
    /// [`Error::TooManySockets`], [`Error::InUse`].
    pub fn udp_socket(&self, port: u16) -> Result<UdpSocket, Error> {
        UdpSocket::new(Rc::clone(&self.shared), port)
    }

    /// Finds the addresses of `name`, IPv4 first. An address in text form is its own name.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchName`], [`Error::NoNameServer`], [`Error::TimedOut`].
    pub async fn resolve(&self, name: &str, timeout: Duration) -> Result<Addresses, Error> {
        resolve::resolve(&self.shared, name, self.deadline(timeout)).await
    }

    /// Asks `host` for an echo; says how long the answer took.
    ///
    /// # Errors
    ///
    /// [`Error::Unreachable`], [`Error::TimedOut`], [`Error::TooManySockets`].
    pub async fn ping(&self, host: IpAddr, timeout: Duration) -> Result<Duration, Error> {
        match self.reach(host, timeout).await? {
            Reach::Echo(time) => Ok(time),
            Reach::BrokenEcho | Reach::Neighbour | Reach::Nobody => Err(Error::TimedOut),
        }
    }

    /// Finds out whether the neighbour `host` is there: one that gives no echo may still tell its
    /// hardware address.
    ///
    /// # Errors
    ///
    /// [`Error::Unreachable`], [`Error::TooManySockets`].
    pub async fn reach(&self, host: IpAddr, timeout: Duration) -> Result<Reach, Error> {
        reach::reach(&self.shared, host, self.deadline(timeout)).await
    }

    /// Waits for `future`, but no longer than `timeout`; then drops it.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`].
    pub async fn within<F: Future>(
        &self,
        timeout: Duration,
        future: F,
    ) -> Result<F::Output, Error> {
        self.shared.within(self.deadline(timeout), future).await
    }

    /// Waits for `time`.
    pub async fn sleep(&self, time: Duration) {
        // The deadline is the point, so it is no error.
        let _ = self.within(time, pending::<()>()).await;
    }

    fn deadline(&self, timeout: Duration) -> Instant {
        self.shared.clock.deadline(timeout)
    }
}

impl crate::stack::Inner {
    fn poll_lease(&mut self, waker: &core::task::Waker) -> Poll<Lease> {
        match self.lease {
            Some(lease) => Poll::Ready(lease),
            None => {
                self.await_lease(waker);
                Poll::Pending
            }
        }
    }
}
