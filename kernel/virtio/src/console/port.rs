//! A port as its user sees it: a stream of bytes to the host, and one from it.

use alloc::rc::Rc;
use core::future::poll_fn;

use bounce::{Shared, World};
use embedded_io_async::{ErrorType, Read, Write};

use crate::{Console, StreamError};

/// A port of a console. All of it is shared: the host reads what is written, and makes up what is read.
///
/// Clones are the same port.
pub struct Port<W: World = Shared> {
    console: Rc<Console<W>>,
    index: usize,
}

impl<W: World> Clone for Port<W> {
    fn clone(&self) -> Self {
        Self {
            console: Rc::clone(&self.console),
            index: self.index,
        }
    }
}

impl<W: World> Port<W> {
    /// Finds the port called `name`; `hvc0` is the console. A host that does not name it within two
    /// seconds has none.
    ///
    /// # Errors
    ///
    /// [`StreamError::NoPort`], and [`StreamError::Device`].
    pub async fn open(console: &Rc<Console<W>>, name: &str) -> Result<Self, StreamError> {
        let mut deadline = None;
        let index = poll_fn(|context| console.poll_open(name, &mut deadline, context)).await?;
        let console = Rc::clone(console);
        Ok(Self { console, index })
    }
}

impl<W: World> Port<W> {
    /// The port called `name`, if the host has named it by now.
    pub fn find(console: &Rc<Console<W>>, name: &str) -> Option<Self> {
        let index = console.find(name)?;
        let console = Rc::clone(console);
        Some(Self { console, index })
    }

    /// Queues as much of `from` as there is room for, and waits for nothing; says how much that is: 0
    /// while nobody on the host listens. The device hears of it when the loop comes round.
    ///
    /// # Errors
    ///
    /// [`StreamError::Device`].
    pub fn write_now(&self, from: &[u8]) -> Result<usize, StreamError> {
        Ok(self.console.write_now(self.index, from)?)
    }
}

impl<W: World> ErrorType for Port<W> {
    type Error = StreamError;
}

impl<W: World> Read for Port<W> {
    /// Waits for bytes, for as long as the host likes; 0 means that nobody on the host listens any more.
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, StreamError> {
        poll_fn(|context| self.console.poll_read(self.index, into, context)).await
    }
}

impl<W: World> Write for Port<W> {
    /// Waits for room, and for somebody on the host to listen: ten seconds, in all of which nothing is
    /// taken, are an error.
    async fn write(&mut self, from: &[u8]) -> Result<usize, StreamError> {
        poll_fn(|context| self.console.poll_write(self.index, from, context)).await
    }

    /// Waits until the device has taken everything, under the same deadline.
    async fn flush(&mut self) -> Result<(), StreamError> {
        poll_fn(|context| self.console.poll_flush(self.index, context)).await
    }
}
