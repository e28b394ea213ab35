//! A share, attached.

use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use crate::fids::{Fids, ROOT};
use crate::message::{self, Qid, READ_HEAD, SMALL, WRITE_HEAD, kind};
use crate::wire::{HEADER, Reader};
use crate::{Error, Malformed, Transport, path};

/// The least that a message must be able to have.
pub const MIN_MESSAGE: usize = 4096;

/// Errors of Linux.
const NO_ENTRY: u32 = 2;
const LINK_LOOP: u32 = 40;

/// A share that the host has let us into.
pub struct Client<T> {
    transport: T,
    fids: RefCell<Fids>,
    most: usize,
    /// Whether the host has let us in, as far as we know.
    attached: Cell<bool>,
}

/// The number of a file while somebody uses it.
pub(crate) struct Fid<'c, T> {
    client: &'c Client<T>,
    number: u32,
}

impl<T> Fid<'_, T> {
    pub(crate) fn number(&self) -> u32 {
        self.number
    }
}

impl<T> Drop for Fid<'_, T> {
    fn drop(&mut self) {
        self.client.fids.borrow_mut().retire(self.number);
    }
}

impl<T: Transport> Client<T> {
    /// Agrees on a protocol, and is let into the share behind `transport`.
    ///
    /// # Errors
    ///
    /// [`Error::Version`], and whatever the host or the transport says.
    pub async fn attach(transport: T) -> Result<Self, Error<T::Error>> {
        let mut client = Self {
            most: transport.max_message(),
            transport,
            fids: RefCell::default(),
            attached: Cell::new(false),
        };
        client.most = client.enter().await?;
        client.attached.set(true);
        Ok(client)
    }

    /// Is let into the share again, when the host has forgotten us. Files that were open are so no more: what
    /// is done with them ends in an error.
    ///
    /// # Errors
    ///
    /// As for [`Self::attach`]; [`Error::Version`] also if messages have to be shorter than before.
    pub async fn attach_again(&self) -> Result<(), Error<T::Error>> {
        self.detach();
        match self.enter().await? {
            most if most < self.most => Err(Error::Version),
            _ => {
                self.attached.set(true);
                Ok(())
            }
        }
    }

    /// Whether the host has let us in, and nobody said [`Self::detach`] since.
    pub fn is_attached(&self) -> bool {
        self.attached.get()
    }

    /// Notes that the host forgets us: its device is started anew.
    pub fn detach(&self) {
        self.attached.set(false);
    }

    /// Agrees on a protocol, and is let in; says how long messages may be.
    async fn enter(&self) -> Result<usize, Error<T::Error>> {
        let asked = self.transport.max_message();
        let request = message::version(u32::try_from(asked).map_err(|_| Error::Version)?);
        let mut room = [0; SMALL];
        let mut reader = self.ask(kind::VERSION, request, &mut room).await?;
        let agreed = reader.word().map_err(Error::Malformed)?;
        let protocol = reader.text().map_err(Error::Malformed)?;
        reader.end().map_err(Error::Malformed)?;
        let agreed = usize::try_from(agreed).unwrap_or(usize::MAX);
        if protocol != message::PROTOCOL.as_bytes() || !(MIN_MESSAGE..=asked).contains(&agreed) {
            return Err(Error::Version);
        }
        let mut room = [0; SMALL];
        let request = message::attach(ROOT);
        let mut reader = self.ask(kind::ATTACH, request, &mut room).await?;
        let root = Qid::read(&mut reader).map_err(Error::Malformed)?;
        reader.end().map_err(Error::Malformed)?;
        if root.is_folder() {
            Ok(agreed)
        } else {
            Err(Error::NotAFolder)
        }
    }

    /// The way to the host.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    /// Most bytes of data in one read or write.
    pub fn max_data(&self) -> usize {
        self.most - READ_HEAD.max(WRITE_HEAD)
    }

    /// Goes to `path`, step by step on the host's side, and none of them over a link.
    pub(crate) async fn walk(&self, path: &str) -> Result<(Fid<'_, T>, Qid), Error<T::Error>> {
        let names = path::names(path).map_err(Error::Path)?;
        let fid = self.take_fid().await?;
        let asked = names.clone().count();
        let request = message::walk(ROOT, fid.number, names);
        let mut room = [0; SMALL];
        let answer = self.ask(kind::WALK, request, &mut room).await;
        let mut reader = answer.map_err(|error| match error {
            Error::Refused { errno: NO_ENTRY } => Error::NotFound,
            Error::Refused { errno: LINK_LOOP } => Error::SymbolicLink,
            error => error,
        })?;
        let count = usize::from(reader.half().map_err(Error::Malformed)?);
        if count > asked {
            return Err(Error::Malformed(Malformed::Count));
        }
        // An empty path is the share, which is a folder.
        let mut last = None;
        for step in 1..=count {
            let qid = Qid::read(&mut reader).map_err(Error::Malformed)?;
            if qid.is_link() {
                return Err(Error::SymbolicLink);
            }
            if step < count && !qid.is_folder() {
                return Err(Error::Malformed(Malformed::Step));
            }
            last = Some(qid);
        }
        reader.end().map_err(Error::Malformed)?;
        if count < asked {
            return Err(Error::NotFound);
        }
        Ok((fid, last.unwrap_or(Qid::FOLDER)))
    }

    /// Goes to the folder that `path` is in; its name there comes with it.
    pub(crate) async fn parent<'p>(
        &self,
        path: &'p str,
    ) -> Result<(Fid<'_, T>, &'p str), Error<T::Error>> {
        let _checked = path::names(path).map_err(Error::Path)?;
        let (folder, name) = path::split(path).ok_or(Error::NotAFile)?;
        let (fid, found) = self.walk(folder).await?;
        match found.is_folder() {
            true => Ok((fid, name)),
            false => Err(Error::NotAFolder),
        }
    }

    /// Sends `request`, which answers with what was opened.
    pub(crate) async fn opened(&self, kind: u8, request: Vec<u8>) -> Result<(), Error<T::Error>> {
        let mut room = [0; SMALL];
        let mut reader = self.ask(kind, request, &mut room).await?;
        Qid::read(&mut reader).map_err(Error::Malformed)?;
        // Bytes that the host would like to have at once: the size of messages decides here.
        reader.word().map_err(Error::Malformed)?;
        reader.end().map_err(Error::Malformed)
    }

    /// Sends `request`, which answers with nothing but that it is done.
    pub(crate) async fn done(&self, kind: u8, request: Vec<u8>) -> Result<(), Error<T::Error>> {
        let mut room = [0; SMALL];
        let reader = self.ask(kind, request, &mut room).await?;
        reader.end().map_err(Error::Malformed)
    }

    /// Sends `request` and reads its answer, a small one, into `room`: behind the header.
    pub(crate) async fn ask<'r>(
        &self,
        kind: u8,
        mut request: Vec<u8>,
        room: &'r mut [u8; SMALL],
    ) -> Result<Reader<'r>, Error<T::Error>> {
        let exchange = self
            .transport
            .exchange((&mut request, &[]), [&mut *room, &mut []]);
        let len = exchange.await.map_err(Error::Transport)?;
        let bytes = room.get(..len).ok_or(Error::Malformed(Malformed::Length))?;
        body(kind, bytes)
    }

    /// A number that the host does not know, after it was told of those that nobody uses.
    async fn take_fid(&self) -> Result<Fid<'_, T>, Error<T::Error>> {
        while self.transport.is_settled() {
            let Some(number) = self.fids.borrow_mut().take_stale() else {
                break;
            };
            self.clunk(Fid {
                client: self,
                number,
            })
            .await?;
        }
        let number = self.fids.borrow_mut().take().ok_or(Error::TooManyOpen)?;
        Ok(Fid {
            client: self,
            number,
        })
    }

    /// Tells the host that nobody uses `fid`. Whatever it says to that, it does not know it any more.
    pub(crate) async fn clunk(&self, fid: Fid<'_, T>) -> Result<(), Error<T::Error>> {
        let told = self.done(kind::CLUNK, message::clunk(fid.number)).await;
        match told {
            Ok(()) | Err(Error::Refused { .. }) => {
                self.fids.borrow_mut().free(fid.number);
                core::mem::forget(fid);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// What is behind the header of an answer to a request of `kind`.
pub(crate) fn body<E>(kind: u8, bytes: &[u8]) -> Result<Reader<'_>, Error<E>> {
    let (header, body) = bytes
        .split_first_chunk::<HEADER>()
        .ok_or(Error::Malformed(Malformed::Length))?;
    let [_, _, _, _, answer, _, _] = *header;
    let mut reader = Reader::new(body);
    match answer {
        message::kind::R_ERROR => {
            let errno = reader.word().map_err(Error::Malformed)?;
            reader.end().map_err(Error::Malformed)?;
            Err(Error::Refused { errno })
        }
        answer if answer == kind + 1 => Ok(reader),
        answer => Err(Error::Malformed(Malformed::Kind(answer))),
    }
}
