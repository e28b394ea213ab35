//! The way of messages to the host and back.

use alloc::rc::Rc;

/// Carries one message there and one back. Several may be on their way at once.
#[expect(
    async_fn_in_trait,
    reason = "one executor, one thread: no Send bound is wanted"
)]
pub trait Transport {
    /// Why nothing came back.
    type Error;

    /// Most bytes of a message, in either direction.
    fn max_message(&self) -> usize;

    /// Sends a message, `head` and `data`, after it has put a tag of its own into the head, and fills
    /// `reply`, part after part, with the answer. Says how many bytes that has: 7 at least, no more than
    /// there is room for, and no other than its size field says; its tag is that of the request.
    async fn exchange(
        &self,
        request: (&mut [u8], &[u8]),
        reply: [&mut [u8]; 2],
    ) -> Result<usize, Self::Error>;

    /// Whether the host has answered everything that nobody waits for any more.
    fn is_settled(&self) -> bool;
}

impl<T: Transport> Transport for Rc<T> {
    type Error = T::Error;

    fn max_message(&self) -> usize {
        T::max_message(self)
    }

    async fn exchange(
        &self,
        request: (&mut [u8], &[u8]),
        reply: [&mut [u8]; 2],
    ) -> Result<usize, T::Error> {
        T::exchange(self, request, reply).await
    }

    fn is_settled(&self) -> bool {
        T::is_settled(self)
    }
}
