//! What a server answers.

use alloc::vec::Vec;

use embedded_io_async::{ErrorType, Read, Write};

use crate::{
    Error, Request,
    buffered::Buffered,
    chunked::Chunked,
    head::{Framing, Head},
};

/// Most interim answers («100 Continue») before the final one.
const MAX_INTERIM: usize = 4;

/// Writes `request` to `stream`, and reads the head of the answer.
///
/// # Errors
///
/// Any [`Error`] but [`Error::TooLong`] and those of bodies.
pub async fn send<S: Read + Write>(
    mut stream: S,
    request: &Request<'_>,
) -> Result<Response<S>, Error<S::Error>> {
    let head = request.head().ok_or(Error::BadRequest)?;
    stream.write_all(&head).await.map_err(Error::Stream)?;
    stream
        .write_all(request.body())
        .await
        .map_err(Error::Stream)?;
    stream.flush().await.map_err(Error::Stream)?;
    Response::receive(stream).await
}

/// A response. Read from it, and get the body.
pub struct Response<S> {
    from: Buffered<S>,
    head: Head,
    body: Body,
}

/// What is left of the body.
enum Body {
    Length(u64),
    Chunked(Chunked),
    Close,
}

impl<S: Read> Response<S> {
    /// Reads the head of a response from `stream`.
    ///
    /// # Errors
    ///
    /// As [`send`].
    pub async fn receive(stream: S) -> Result<Self, Error<S::Error>> {
        let mut from = Buffered::new(stream);
        for _ in 0..=MAX_INTERIM {
            let head = receive_head(&mut from).await?;
            if !head.is_interim() {
                let body = match head.framing {
                    Framing::Length(len) => Body::Length(len),
                    Framing::Chunked => Body::Chunked(Chunked::Start),
                    Framing::Close => Body::Close,
                };
                return Ok(Self { from, head, body });
            }
        }
        Err(Error::BadHead)
    }

    /// The status code, 200 to 999.
    pub const fn status(&self) -> u16 {
        self.head.status
    }

    /// The value of the first field called `name`, in any case of letters, if it is text.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.field(name)
    }

    /// Bytes of the whole body, if the head says it.
    pub const fn content_length(&self) -> Option<u64> {
        match self.head.framing {
            Framing::Length(len) => Some(len),
            Framing::Chunked | Framing::Close => None,
        }
    }

    /// Reads the rest of the body, which must not be longer than `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::TooLong`], [`Error::Truncated`], [`Error::BadChunk`], [`Error::Stream`].
    pub async fn read_to_end(&mut self, limit: usize) -> Result<Vec<u8>, Error<S::Error>> {
        let mut all = Vec::new();
        let mut part = [0; 512];
        loop {
            let len = self.read(&mut part).await?;
            if len == 0 {
                return Ok(all);
            }
            if len > limit - all.len() {
                return Err(Error::TooLong { limit });
            }
            all.extend_from_slice(part.get(..len).unwrap_or_default());
        }
    }

    async fn read_length(&mut self, left: u64, into: &mut [u8]) -> Result<usize, Error<S::Error>> {
        if left == 0 {
            return Ok(0);
        }
        let limit = usize::try_from(left).unwrap_or(usize::MAX).min(into.len());
        let room = into.get_mut(..limit).unwrap_or_default();
        let len = self.from.read(room).await?;
        if len == 0 {
            return Err(Error::Truncated);
        }
        self.body = Body::Length(left.saturating_sub(len as u64));
        Ok(len)
    }
}

async fn receive_head<S: Read>(from: &mut Buffered<S>) -> Result<Head, Error<S::Error>> {
    loop {
        if let Some((head, len)) = Head::parse(from.pending())? {
            from.take(len);
            return Ok(head);
        }
        if !from.fill().await? {
            return Err(Error::NoResponse);
        }
    }
}

impl<S: ErrorType> ErrorType for Response<S> {
    type Error = Error<S::Error>;
}

impl<S: Read> Read for Response<S> {
    /// Reads a part of the body. 0 is its end, and it was whole, as far as the head says where it ends.
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, Self::Error> {
        if into.is_empty() {
            return Ok(0);
        }
        match &mut self.body {
            Body::Length(left) => {
                let left = *left;
                self.read_length(left, into).await
            }
            Body::Chunked(chunked) => chunked.read(&mut self.from, into).await,
            Body::Close => self.from.read(into).await,
        }
    }
}
