//! A connection as its user sees it, and who waits for one.

use alloc::rc::Rc;
use core::future::poll_fn;

use bounce::{Shared, World};
use embedded_io_async::{ErrorType, Read, Write};

use crate::vsock::table::Id;
use crate::{StreamError, Vsock, VsockAddress};

/// A connection to the host. All of it is shared: the host reads what is written, and makes up what is
/// read. Dropping it ends the connection.
pub struct VsockStream<W: World = Shared> {
    vsock: Rc<Vsock<W>>,
    id: Id,
}

impl<W: World> VsockStream<W> {
    /// Connects to a port of the host, or of whoever has that number there. It has five seconds to answer.
    ///
    /// # Errors
    ///
    /// [`StreamError::Refused`], [`StreamError::TimedOut`], [`StreamError::TooMany`],
    /// [`StreamError::Device`].
    pub async fn connect(vsock: &Rc<Vsock<W>>, peer: VsockAddress) -> Result<Self, StreamError> {
        let id = vsock.connect(peer)?;
        let vsock = Rc::clone(vsock);
        let stream = Self { vsock, id };
        poll_fn(|context| stream.vsock.poll_opened(id, context)).await?;
        Ok(stream)
    }
}

impl<W: World> Drop for VsockStream<W> {
    fn drop(&mut self) {
        self.vsock.leave(self.id);
    }
}

impl<W: World> ErrorType for VsockStream<W> {
    type Error = StreamError;
}

impl<W: World> Read for VsockStream<W> {
    /// Waits for bytes, for as long as the host likes; 0 is the end of the stream.
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, StreamError> {
        poll_fn(|context| self.vsock.poll_read(self.id, into, context)).await
    }
}

impl<W: World> Write for VsockStream<W> {
    /// Waits until the host has room; ten seconds in which it takes nothing are an error.
    async fn write(&mut self, from: &[u8]) -> Result<usize, StreamError> {
        poll_fn(|context| self.vsock.poll_write(self.id, from, context)).await
    }

    /// Does nothing: what was written is with the device, which says nothing of when it was taken.
    async fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }
}

/// Waits for connections that the host asks for. Dropping it ends those that were not accepted.
pub struct VsockListener<W: World = Shared> {
    vsock: Rc<Vsock<W>>,
    id: Id,
}

impl<W: World> VsockListener<W> {
    /// Listens at `port`.
    ///
    /// # Errors
    ///
    /// [`StreamError::InUse`] if somebody does already.
    pub fn new(vsock: &Rc<Vsock<W>>, port: u32) -> Result<Self, StreamError> {
        let id = vsock.listen(port)?;
        let vsock = Rc::clone(vsock);
        Ok(Self { vsock, id })
    }

    /// Waits for a connection.
    ///
    /// # Errors
    ///
    /// [`StreamError::Device`].
    pub async fn accept(&self) -> Result<VsockStream<W>, StreamError> {
        let id = poll_fn(|context| self.vsock.poll_accept(self.id, context)).await?;
        let vsock = Rc::clone(&self.vsock);
        Ok(VsockStream { vsock, id })
    }
}

impl<W: World> Drop for VsockListener<W> {
    fn drop(&mut self) {
        self.vsock.stop_listening(self.id);
    }
}
