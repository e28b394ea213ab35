//! Whole exchanges with a server that is a script.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a step that fails should fail its test"
)]

use core::convert::Infallible;

use embassy_futures::block_on;
use embedded_io_async::{ErrorType, Read, Write};
use http::{Error, Request, Response};
use proptest::prelude::*;

/// A stream that gives what a script says, a few bytes at a time, and keeps what it is told.
struct Script<'a> {
    answer: &'a [u8],
    step: usize,
    heard: Vec<u8>,
}

impl<'a> Script<'a> {
    fn new(answer: &'a [u8], step: usize) -> Self {
        Self {
            answer,
            step,
            heard: Vec::new(),
        }
    }
}

impl ErrorType for Script<'_> {
    type Error = Infallible;
}

impl Read for Script<'_> {
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, Infallible> {
        let len = self.step.min(into.len()).min(self.answer.len());
        into[..len].copy_from_slice(&self.answer[..len]);
        self.answer = &self.answer[len..];
        Ok(len)
    }
}

impl Write for Script<'_> {
    async fn write(&mut self, from: &[u8]) -> Result<usize, Infallible> {
        self.heard.extend_from_slice(from);
        Ok(from.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// The status and body of `answer`, read in each of several paces, which must not matter.
fn receive(answer: &[u8]) -> Result<(u16, Vec<u8>), Error<Infallible>> {
    let outcomes: Vec<_> = [1, 2, 7, 4096]
        .into_iter()
        .map(|step| {
            block_on(async {
                let mut response = Response::receive(Script::new(answer, step)).await?;
                let body = response.read_to_end(1 << 16).await?;
                Ok((response.status(), body))
            })
        })
        .collect();
    assert!(
        outcomes.windows(2).all(|pair| pair[0] == pair[1]),
        "{outcomes:?}"
    );
    outcomes.into_iter().next().unwrap()
}

#[test]
fn a_request_is_written_and_its_answer_read() {
    let mut stream = Script::new(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 3);
    let request = Request::post("host", "/path", "text/plain", b"what");
    let body = block_on(async {
        let mut response = http::send(&mut stream, &request).await?;
        response.read_to_end(5).await
    });
    assert_eq!(body.unwrap(), b"hello");
    assert!(
        stream
            .heard
            .starts_with(b"POST /path HTTP/1.1\r\nHost: host\r\n")
    );
    assert!(stream.heard.ends_with(b"Content-Length: 4\r\n\r\nwhat"));
}

#[test]
fn fields_are_found_in_any_case_of_letters() {
    let answer = b"HTTP/1.1 201 Created\r\nlocation: /there \r\nContent-Length: 0\r\n\r\n";
    let response = block_on(Response::receive(Script::new(answer, 9))).unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.field("Location"), Some("/there"));
    assert_eq!(response.field("Date"), None);
}

#[test]
fn a_body_with_a_length_ends_there() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi and more";
    assert_eq!(receive(answer), Ok((200, b"hi".to_vec())));
}

#[test]
fn a_body_without_a_length_ends_with_the_connection() {
    let answer = b"HTTP/1.0 200 OK\r\n\r\nuntil the end";
    assert_eq!(receive(answer), Ok((200, b"until the end".to_vec())));
}

#[test]
fn chunks_are_put_together_and_trailers_dropped() {
    let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nDigest: x\r\n\r\n";
    assert_eq!(receive(answer), Ok((200, b"hello world".to_vec())));
}

#[test]
fn a_body_that_ends_early_is_an_error() {
    let short = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi";
    assert_eq!(receive(short), Err(Error::Truncated));
    let chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel";
    assert_eq!(receive(chunk), Err(Error::Truncated));
    let no_last = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n";
    assert_eq!(receive(no_last), Err(Error::BadChunk));
}

#[test]
fn a_chunk_that_is_longer_than_it_said_is_an_error() {
    let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhix\r\n0\r\n\r\n";
    assert_eq!(receive(answer), Err(Error::BadChunk));
}

#[test]
fn a_server_without_an_answer_is_an_error() {
    assert_eq!(receive(b""), Err(Error::NoResponse));
    assert_eq!(receive(b"HTTP/1.1 200 OK\r\n"), Err(Error::NoResponse));
}

#[test]
fn what_is_not_http_is_an_error() {
    assert_eq!(receive(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), Err(Error::BadHead));
}

#[test]
fn a_head_without_end_is_an_error() {
    let mut answer = b"HTTP/1.1 200 OK\r\nA: ".to_vec();
    answer.resize(1 << 20, b'a');
    assert_eq!(receive(&answer), Err(Error::HeadTooLong));
}

#[test]
fn trailers_without_end_are_an_error() {
    let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n".to_vec();
    answer.extend(b"A: b\r\n".repeat(10_000));
    assert_eq!(receive(&answer), Err(Error::BadChunk));
}

#[test]
fn interim_answers_are_skipped_but_not_for_ever() {
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
    let last = b"HTTP/1.1 204 No Content\r\n\r\n";
    let once = [&interim[..], last].concat();
    assert_eq!(receive(&once), Ok((204, Vec::new())));
    assert_eq!(receive(&interim.repeat(100)), Err(Error::BadHead));
}

#[test]
fn a_body_beyond_the_limit_is_an_error() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello!";
    let mut response = block_on(Response::receive(Script::new(answer, 99))).unwrap();
    assert_eq!(
        block_on(response.read_to_end(5)),
        Err(Error::TooLong { limit: 5 })
    );
}

proptest! {
    #[test]
    fn any_body_survives_any_chunking(
        body in proptest::collection::vec(any::<u8>(), 0..3000),
        cut in 1usize..700,
    ) {
        let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in body.chunks(cut) {
            answer.extend(format!("{:x}\r\n", chunk.len()).bytes());
            answer.extend(chunk);
            answer.extend(b"\r\n");
        }
        answer.extend(b"0\r\n\r\n");
        prop_assert_eq!(receive(&answer), Ok((200, body)));
    }

    #[test]
    fn no_answer_makes_a_panic(answer in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        whole.extend(&answer);
        let _ = (receive(&whole), receive(&answer));
    }
}

#[test]
fn any_server_is_survived() {
    let answers: [&[u8]; 2] = [
        b"HTTP/1.1 200 OK\r\nLocation: /x\r\nTransfer-Encoding: chunked\r\n\r\n\
          5\r\nhello\r\n1;a=b\r\n!\r\n0\r\nA: b\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ];
    for seed in 0..2000 {
        let mut random = testkit::random::Seeded::new(seed);
        let mut answer = answers[random.below(2)].to_vec();
        for _ in 0..3 {
            answer = random.mutated(&answer);
            testkit::fuzz::http_response(&answer);
        }
    }
}
