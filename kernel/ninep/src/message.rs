//! The messages that are used, and what their answers may be.

use alloc::vec::Vec;

use crate::Malformed;
use crate::wire::{HEADER, Reader, Writer};

/// Kinds of requests; each answer has the next number.
///
/// Ref: Linux, `include/net/9p/9p.h`.
pub(crate) mod kind {
    pub(crate) const R_ERROR: u8 = 7;
    pub(crate) const OPEN: u8 = 12;
    pub(crate) const CREATE: u8 = 14;
    pub(crate) const GET_ATTRIBUTES: u8 = 24;
    pub(crate) const READ_FOLDER: u8 = 40;
    pub(crate) const SYNC: u8 = 50;
    pub(crate) const MAKE_FOLDER: u8 = 72;
    pub(crate) const UNLINK: u8 = 76;
    pub(crate) const VERSION: u8 = 100;
    pub(crate) const ATTACH: u8 = 104;
    pub(crate) const WALK: u8 = 110;
    pub(crate) const READ: u8 = 116;
    pub(crate) const WRITE: u8 = 118;
    pub(crate) const CLUNK: u8 = 120;
}

/// What a number for a file can be: for an attach that nobody vouches for.
const NO_FID: u32 = u32::MAX;
/// The protocol.
pub(crate) const PROTOCOL: &str = "9P2000.L";
/// Bytes of an answer before the data of a read, and of an error.
pub(crate) const READ_HEAD: usize = HEADER + 4;
/// Bytes of a request before the data of a write.
pub(crate) const WRITE_HEAD: usize = HEADER + 16;
/// Most bytes of an answer that is no data: a walk of 16 steps has the longest but one, attributes have 160.
pub(crate) const SMALL: usize = 256;
/// Attributes that are asked for: kind, permissions and size.
///
/// Ref: Linux, `include/net/9p/9p.h`: `P9_STATS_MODE`, `P9_STATS_SIZE`.
const WANTED: u64 = 1 | 1 << 9;

/// How a file is opened: bits of Linux on arm64 and x86 alike, as 9P2000.L has them.
pub(crate) mod flags {
    pub(crate) const READ: u32 = 0;
    pub(crate) const WRITE: u32 = 1;
    pub(crate) const CREATE: u32 = 0o100;
    pub(crate) const EXCLUSIVE: u32 = 0o200;
    pub(crate) const TRUNCATE: u32 = 0o1000;
    /// For removing a folder.
    pub(crate) const REMOVE_FOLDER: u32 = 0x200;
}

/// What a file is, as the host says it.
///
/// Ref: Linux, `include/net/9p/9p.h`: `P9_QTDIR`, `P9_QTSYMLINK`, `P9_QTFILE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Qid(u8);

impl Qid {
    /// The share itself.
    pub(crate) const FOLDER: Self = Self(0x80);

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let [kind, ..] = reader.bytes::<13>()?;
        Ok(Self(kind))
    }

    pub(crate) fn is_folder(self) -> bool {
        self.0 & 0x80 != 0
    }

    pub(crate) fn is_link(self) -> bool {
        self.0 & 0x02 != 0
    }
}

pub(crate) fn version(most: u32) -> Vec<u8> {
    Writer::new(kind::VERSION)
        .word(most)
        .text(PROTOCOL)
        .finish(0)
}

pub(crate) fn attach(fid: u32) -> Vec<u8> {
    let names = Writer::new(kind::ATTACH)
        .word(fid)
        .word(NO_FID)
        .text("")
        .text("");
    names.word(0).finish(0)
}

pub(crate) fn walk<'a>(
    from: u32,
    to: u32,
    names: impl Iterator<Item = &'a str> + Clone,
) -> Vec<u8> {
    let count = u16::try_from(names.clone().count()).unwrap_or(u16::MAX);
    let head = Writer::new(kind::WALK).word(from).word(to).half(count);
    names.fold(head, Writer::text).finish(0)
}

pub(crate) fn open(fid: u32, flags: u32) -> Vec<u8> {
    Writer::new(kind::OPEN).word(fid).word(flags).finish(0)
}

pub(crate) fn create(fid: u32, name: &str, flags: u32) -> Vec<u8> {
    let head = Writer::new(kind::CREATE).word(fid).text(name);
    head.word(flags).word(0o644).word(0).finish(0)
}

pub(crate) fn make_folder(fid: u32, name: &str) -> Vec<u8> {
    let head = Writer::new(kind::MAKE_FOLDER).word(fid).text(name);
    head.word(0o755).word(0).finish(0)
}

pub(crate) fn unlink(fid: u32, name: &str, flags: u32) -> Vec<u8> {
    Writer::new(kind::UNLINK)
        .word(fid)
        .text(name)
        .word(flags)
        .finish(0)
}

pub(crate) fn attributes(fid: u32) -> Vec<u8> {
    Writer::new(kind::GET_ATTRIBUTES)
        .word(fid)
        .long(WANTED)
        .finish(0)
}

/// `kind` is READ or READ_FOLDER.
pub(crate) fn read(kind: u8, fid: u32, offset: u64, count: u32) -> Vec<u8> {
    Writer::new(kind)
        .word(fid)
        .long(offset)
        .word(count)
        .finish(0)
}

/// The head of a write, which `count` bytes follow.
pub(crate) fn write(fid: u32, offset: u64, count: u32) -> Vec<u8> {
    let head = Writer::new(kind::WRITE).word(fid).long(offset).word(count);
    head.finish(usize::try_from(count).unwrap_or(usize::MAX))
}

pub(crate) fn sync(fid: u32) -> Vec<u8> {
    Writer::new(kind::SYNC).word(fid).word(0).finish(0)
}

pub(crate) fn clunk(fid: u32) -> Vec<u8> {
    Writer::new(kind::CLUNK).word(fid).finish(0)
}

/// What `GET_ATTRIBUTES` answers, as far as it is used: the size.
pub(crate) fn size(reader: &mut Reader<'_>) -> Result<u64, Malformed> {
    let _valid = reader.long()?;
    let _qid = Qid::read(reader)?;
    let (_mode, _user, _group) = (reader.word()?, reader.word()?, reader.word()?);
    let (_links, _device) = (reader.long()?, reader.long()?);
    let size = reader.long()?;
    // Block size, blocks, four times of two words, generation, version.
    reader.bytes::<96>()?;
    Ok(size)
}
