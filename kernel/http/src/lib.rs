//! HTTP/1.1 over any stream: the client's half, and heads of requests for a server ([`Asked`]).
//!
//! One request, one response, one connection: [`send`] writes a [`Request`] and reads the head of
//! the answer; the [`Response`] is then a stream of the body. The server is not trusted: heads,
//! chunk lines and trailers are bounded, and a body that ends before its length is an error and not a
//! short body. A body without a length ends with the connection, which anybody on the way can end:
//! [`Response::content_length`] and the caller's own check of the content are what counts there.
//!
//! There is no timer here. Streams have deadlines of their own (`net::TcpSocket::set_deadline`
//! ends a whole exchange).
//!
//! ```
//! # embassy_futures::block_on(async {
//! # let server: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
//! # struct Stream<'a>(&'a [u8]);
//! # impl embedded_io_async::ErrorType for Stream<'_> { type Error = core::convert::Infallible; }
//! # impl embedded_io_async::Read for Stream<'_> {
//! #     async fn read(&mut self, into: &mut [u8]) -> Result<usize, Self::Error> {
//! #         self.0.read(into).await
//! #     }
//! # }
//! # impl embedded_io_async::Write for Stream<'_> {
//! #     async fn write(&mut self, from: &[u8]) -> Result<usize, Self::Error> { Ok(from.len()) }
//! #     async fn flush(&mut self) -> Result<(), Self::Error> { Ok(()) }
//! # }
//! # let stream = Stream(server);
//! let request = http::Request::get("10.0.2.2:8080", "/file");
//! let mut response = http::send(stream, &request).await?;
//! assert_eq!(response.status(), 200);
//! let body = response.read_to_end(1024).await?;
//! assert_eq!(body, b"hi");
//! # Ok::<(), http::Error<core::convert::Infallible>>(())
//! # }).unwrap();
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod asked;
mod buffered;
mod chunked;
mod error;
mod head;
mod request;
mod response;

pub use asked::{Asked, ByteRange};
pub use error::Error;
pub use request::{Method, Request};
pub use response::{Response, send};

/// Most bytes of a response head, and of the trailers behind a chunked body.
pub const MAX_HEAD: usize = 8 * 1024;

/// Most fields of a response head.
pub const MAX_FIELDS: usize = 64;
