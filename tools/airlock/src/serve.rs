//! The server of the main job: one file over HTTP on loopback, or a server that misbehaves.

use anyhow::{Result, anyhow};
use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use clap::ValueEnum;
use sha2::{Digest, Sha256};
use std::io::{self, Cursor, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tiny_http::{Header, Request, Response, Server, StatusCode};

/// The header that announces the SHA-256 of the file, in hexadecimal digits.
pub const DIGEST_HEADER: &str = "X-Content-Sha256";
/// The path of the file.
const PATH: &str = "/file";
/// What a slow server sends at once, and how long it rests.
const SLOW_PIECE: usize = 512;
const SLOW_REST: Duration = Duration::from_millis(250);

/// How the server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Behaviour {
    /// As it should.
    Honest,
    /// Announces the digest of another file.
    WrongDigest,
    /// Announces no digest.
    NoDigest,
    /// Nobody listens at the port.
    Absent,
    /// Closes in the middle of the file.
    Short,
    /// Needs hours.
    Slow,
}

/// The file that is served.
#[derive(Clone, Debug)]
pub struct Content {
    /// The seed that it was made from: the same seed gives the same file.
    pub seed: u64,
    /// Its bytes.
    pub bytes: Arc<[u8]>,
}

impl Content {
    /// A file of `length` pseudo-random bytes.
    #[must_use]
    pub fn generate(seed: u64, length: usize) -> Self {
        let mut bytes = vec![0; length];
        ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
        Self {
            seed,
            bytes: bytes.into(),
        }
    }

    /// SHA-256 in hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> String {
        digest(&self.bytes)
    }
}

/// SHA-256 in hexadecimal digits.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A running server. It ends with this value.
pub struct FileServer {
    port: u16,
    stop: Arc<AtomicBool>,
    server: Option<Arc<Server>>,
    thread: Option<JoinHandle<()>>,
}

impl FileServer {
    /// Serves `content` on a free port of loopback.
    ///
    /// # Errors
    /// No port is free.
    pub fn start(content: &Content, behaviour: Behaviour) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let stop = Arc::new(AtomicBool::new(false));
        if behaviour == Behaviour::Absent {
            // The listener closes here: whoever connects is refused.
            return Ok(Self {
                port,
                stop,
                server: None,
                thread: None,
            });
        }
        let server = Server::from_listener(listener, None).map_err(|error| anyhow!(error))?;
        let server = Arc::new(server);
        let answers = Answers {
            content: content.clone(),
            behaviour,
            stop: Arc::clone(&stop),
        };
        let worker = Arc::clone(&server);
        let thread = thread::spawn(move || {
            for request in worker.incoming_requests() {
                answers.give(request);
            }
        });
        Ok(Self {
            port,
            stop,
            server: Some(server),
            thread: Some(thread),
        })
    }

    /// The address of the file as the guest sees it through QEMU's user network.
    #[must_use]
    pub fn guest_url(&self) -> String {
        format!("http://10.0.2.2:{}{PATH}", self.port)
    }

    /// The port on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(server) = &self.server {
            server.unblock();
        }
        // A slow answer ends at its next piece.
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

struct Answers {
    content: Content,
    behaviour: Behaviour,
    stop: Arc<AtomicBool>,
}

impl Answers {
    fn give(&self, request: Request) {
        // A client that goes away is no concern of the server.
        let _gone = if request.url() == PATH {
            request.respond(self.file())
        } else {
            request.respond(Response::from_string("there is only /file\n").with_status_code(404))
        };
    }

    fn file(&self) -> Response<Body> {
        let length = self.content.bytes.len();
        let sent = if self.behaviour == Behaviour::Short {
            length / 2
        } else {
            length
        };
        let body = Body {
            bytes: Cursor::new(Arc::clone(&self.content.bytes)),
            left: sent,
            slow: self.behaviour == Behaviour::Slow,
            stop: Arc::clone(&self.stop),
        };
        let mut headers = Vec::new();
        headers.extend(Header::from_bytes(
            "Content-Type",
            "application/octet-stream",
        ));
        if let Some(digest) = self.announced() {
            headers.extend(Header::from_bytes(DIGEST_HEADER, digest));
        }
        // With a known length the body goes out as it is, however large it is.
        Response::new(StatusCode(200), headers, body, Some(length), None)
            .with_chunked_threshold(usize::MAX)
    }

    fn announced(&self) -> Option<String> {
        match self.behaviour {
            Behaviour::NoDigest => None,
            Behaviour::WrongDigest => Some(digest(b"another file")),
            _ => Some(self.content.digest()),
        }
    }
}

/// The file as it is sent.
struct Body {
    bytes: Cursor<Arc<[u8]>>,
    left: usize,
    slow: bool,
    stop: Arc<AtomicBool>,
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let mut length = into.len().min(self.left);
        if self.slow {
            thread::sleep(SLOW_REST);
            length = length.min(SLOW_PIECE);
        } else if self.left == 0 && self.bytes.position() < self.bytes.get_ref().len() as u64 {
            // The short server breaks the connection, as a server does that dies.
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let read = self
            .bytes
            .read(into.get_mut(..length).unwrap_or_default())?;
        self.left = self.left.saturating_sub(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpStream;
    use std::time::Instant;

    const LENGTH: usize = 100_000;

    /// The head and the body of one answer.
    fn get(server: &FileServer, path: &str, limit: Duration) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).unwrap();
        stream.set_read_timeout(Some(limit)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            match stream.read(&mut piece) {
                Ok(length @ 1..) => answer.extend_from_slice(&piece[..length]),
                Ok(0) | Err(_) => break,
            }
        }
        let end = answer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        (
            String::from_utf8(answer[..end].to_vec()).unwrap(),
            answer[end + 4..].to_vec(),
        )
    }

    fn ask(behaviour: Behaviour, limit: Duration) -> (Content, String, Vec<u8>) {
        let content = Content::generate(7, LENGTH);
        let server = FileServer::start(&content, behaviour).unwrap();
        let (head, body) = get(&server, "/file", limit);
        (content, head, body)
    }

    #[test]
    fn the_honest_server_gives_the_file_and_its_digest() {
        let (content, head, body) = ask(Behaviour::Honest, Duration::from_secs(20));
        assert_eq!(body, &content.bytes[..]);
        assert!(
            head.contains(&format!("{DIGEST_HEADER}: {}", content.digest())),
            "{head}"
        );
        assert!(head.contains("Content-Length: 100000"), "{head}");
    }

    #[test]
    fn a_wrong_digest_is_one_of_another_file() {
        let (content, head, body) = ask(Behaviour::WrongDigest, Duration::from_secs(20));
        assert_eq!(body.len(), LENGTH);
        assert!(
            head.contains(DIGEST_HEADER) && !head.contains(&content.digest()),
            "{head}"
        );
    }

    #[test]
    fn the_short_server_stops_in_the_middle() {
        let (_, head, body) = ask(Behaviour::Short, Duration::from_secs(20));
        assert!(head.contains("Content-Length: 100000"), "{head}");
        assert!(body.len() <= LENGTH / 2, "{}", body.len());
    }

    #[test]
    fn the_slow_server_is_slow_and_still_ends_with_its_value() {
        let (_, _, body) = ask(Behaviour::Slow, Duration::from_millis(1500));
        assert!(body.len() < LENGTH / 2, "{}", body.len());
    }

    #[test]
    fn nobody_answers_at_the_port_of_an_absent_server() {
        let content = Content::generate(7, 1);
        let server = FileServer::start(&content, Behaviour::Absent).unwrap();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).is_err());
    }

    #[test]
    fn another_path_is_not_found() {
        let content = Content::generate(7, 10);
        let server = FileServer::start(&content, Behaviour::Honest).unwrap();
        let (head, _) = get(&server, "/etc/passwd", Duration::from_secs(20));
        assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    }

    #[test]
    fn the_same_seed_gives_the_same_file() {
        assert_eq!(
            Content::generate(1, 64).bytes,
            Content::generate(1, 64).bytes
        );
        assert_ne!(
            Content::generate(1, 64).bytes,
            Content::generate(2, 64).bytes
        );
    }
}
