//! Any bytes as the answer of an HTTP server.

use core::convert::Infallible;

use embassy_futures::block_on;
use embedded_io_async::{ErrorType, Read};
use http::{Error, Response};

/// Most bytes of a body that are taken.
const LIMIT: usize = 1 << 20;

type Outcome = Result<(u16, Option<String>, Vec<u8>), Error<Infallible>>;

/// Reads `bytes` as a response, at several paces, which must not matter.
pub fn http_response(bytes: &[u8]) {
    let slow = receive(bytes, 1);
    assert_eq!(slow, receive(bytes, 5));
    assert_eq!(slow, receive(bytes, usize::MAX));
    match slow {
        Ok((status, _, body)) => {
            assert!((200..1000).contains(&status));
            assert!(body.len() <= bytes.len());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn receive(bytes: &[u8], pace: usize) -> Outcome {
    let mut stream = Paced {
        bytes,
        pace,
        reads: 0,
    };
    let outcome = block_on(async {
        let mut response = Response::receive(&mut stream).await?;
        let body = response.read_to_end(LIMIT).await?;
        let place = response.field("Location").map(str::to_owned);
        Ok((response.status(), place, body))
    });
    assert!(stream.reads <= bytes.len() + 4, "reading ends");
    outcome
}

/// A stream that gives so many bytes at once.
struct Paced<'a> {
    bytes: &'a [u8],
    pace: usize,
    reads: usize,
}

impl ErrorType for Paced<'_> {
    type Error = Infallible;
}

impl Read for Paced<'_> {
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, Infallible> {
        self.reads += 1;
        let len = self.pace.min(into.len()).min(self.bytes.len());
        let (now, later) = self.bytes.split_at(len);
        into[..len].copy_from_slice(now);
        self.bytes = later;
        Ok(len)
    }
}
