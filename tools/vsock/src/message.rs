//! Messages of the vhost-user protocol: a header of three words, a body, and file descriptors beside it.
//!
//! Ref: QEMU, `docs/interop/vhost-user.rst`, "Message Specification".

use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

const HEADER: usize = 12;
/// The longest body that we take: a table of memory, or a configuration.
const LONGEST: usize = 4096;
/// The most descriptors beside a message: one for each region of memory.
const DESCRIPTORS: usize = 8;
/// How long QEMU may take in the middle of a message.
pub const PATIENCE: Duration = Duration::from_secs(5);
const VERSION: u32 = 1;
const VERSION_MASK: u32 = 3;
const IS_REPLY: u32 = 1 << 2;
const NEED_REPLY: u32 = 1 << 3;

/// A message of QEMU.
#[derive(Debug)]
pub struct Message {
    /// What is asked.
    pub request: u32,
    /// Whether a success is to be confirmed.
    pub need_reply: bool,
    /// What follows the header.
    pub body: Vec<u8>,
    /// What came beside it.
    pub files: Vec<OwnedFd>,
}

impl Message {
    /// Reads the next message; `None` at the end of the stream.
    ///
    /// # Errors
    /// The stream breaks, or what comes is no message.
    pub fn read(stream: &mut UnixStream) -> Result<Option<Self>> {
        let mut header = [0; HEADER];
        let mut files = Vec::new();
        let mut have = 0;
        while have < HEADER {
            let (len, more) = receive(stream, header.get_mut(have..).unwrap_or_default())?;
            if len == 0 && have == 0 {
                return Ok(None);
            }
            ensure!(len != 0, "QEMU left in the middle of a message");
            have += len;
            files.extend(more);
        }
        let mut words = Fields(&header);
        let (request, flags, len) = (words.u32()?, words.u32()?, words.u32()?);
        ensure!(
            flags & VERSION_MASK == VERSION,
            "vhost-user of version {}, not {VERSION}",
            flags & VERSION_MASK
        );
        let len = usize::try_from(len)?;
        ensure!(len <= LONGEST, "a message of {len} bytes");
        let mut body = vec![0; len];
        stream
            .read_exact(&mut body)
            .context("QEMU left in the middle of a message")?;
        let need_reply = flags & NEED_REPLY != 0;
        Ok(Some(Self {
            request,
            need_reply,
            body,
            files,
        }))
    }

    /// The words of the body, one after the other.
    pub fn fields(&self) -> Fields<'_> {
        Fields(&self.body)
    }

    /// The descriptor that comes with it.
    ///
    /// # Errors
    /// There is none.
    pub fn file(&mut self) -> Result<OwnedFd> {
        self.files.pop().context("a file descriptor is missing")
    }
}

/// Bytes and descriptors, as many as there are.
fn receive(stream: &UnixStream, into: &mut [u8]) -> Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [IoSliceMut::new(into)];
    let received = recvmsg(stream, &mut bytes, &mut beside, RecvFlags::CMSG_CLOEXEC)?;
    let files = beside.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    Ok((received.bytes, files.flatten().collect()))
}

/// Answers a request.
///
/// # Errors
/// Nobody listens any more.
pub fn reply(stream: &mut UnixStream, request: u32, body: &[u8]) -> Result<()> {
    send(stream, request, IS_REPLY, body)
}

/// Says something unasked.
///
/// # Errors
/// Nobody listens any more.
pub fn say(stream: &mut UnixStream, request: u32, body: &[u8]) -> Result<()> {
    send(stream, request, 0, body)
}

fn send(stream: &mut UnixStream, request: u32, flags: u32, body: &[u8]) -> Result<()> {
    let words = [request, VERSION | flags, u32::try_from(body.len())?];
    let mut bytes = words.map(u32::to_le_bytes).concat();
    bytes.extend(body);
    stream.write_all(&bytes).context("QEMU does not listen")
}

/// Words that are taken from the front of some bytes.
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The next word of 32 bits.
    ///
    /// # Errors
    /// There is none.
    pub fn u32(&mut self) -> Result<u32> {
        self.take().map(u32::from_le_bytes)
    }

    /// The next word of 64 bits.
    ///
    /// # Errors
    /// There is none.
    pub fn u64(&mut self) -> Result<u64> {
        self.take().map(u64::from_le_bytes)
    }

    /// The next byte.
    ///
    /// # Errors
    /// There is none.
    pub fn u8(&mut self) -> Result<u8> {
        self.take().map(u8::from_le_bytes)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let split = self.0.split_first_chunk();
        let (bytes, rest): (&[u8; N], &'a [u8]) = split.context("a message is too short")?;
        self.0 = rest;
        Ok(*bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    use std::io::IoSlice;
    use std::os::fd::AsFd;

    #[test]
    fn a_message_comes_with_its_descriptors() {
        let (mut ours, qemus) = UnixStream::pair().unwrap();
        let file = tempfile::tempfile().unwrap();
        let files = [file.as_fd(), ours.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        assert!(beside.push(SendAncillaryMessage::ScmRights(&files)));
        let bytes = [5, VERSION | NEED_REPLY, 8, 1, 2]
            .map(u32::to_le_bytes)
            .concat();
        sendmsg(
            &qemus,
            &[IoSlice::new(&bytes)],
            &mut beside,
            SendFlags::empty(),
        )
        .unwrap();
        let message = Message::read(&mut ours).unwrap().unwrap();
        assert_eq!((message.request, message.need_reply), (5, true));
        assert_eq!(message.files.len(), 2);
        let mut fields = message.fields();
        assert_eq!((fields.u32().unwrap(), fields.u32().unwrap()), (1, 2));
        assert!(fields.u8().is_err());
        drop(qemus);
        assert!(Message::read(&mut ours).unwrap().is_none());
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for words in [[1, 2, 0], [1, VERSION, 1 << 20]] {
            let (mut ours, mut qemus) = UnixStream::pair().unwrap();
            qemus
                .write_all(&words.map(u32::to_le_bytes).concat())
                .unwrap();
            assert!(Message::read(&mut ours).is_err());
        }
        let (mut ours, mut qemus) = UnixStream::pair().unwrap();
        qemus.write_all(&[1, 0, 0]).unwrap();
        drop(qemus);
        let error = Message::read(&mut ours).unwrap_err().to_string();
        assert!(error.contains("in the middle"), "{error}");
    }
}
