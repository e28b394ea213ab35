//! Bounded reading of CBOR, and writing that cannot fail.

use alloc::vec::Vec;
use minicbor::data::{Tag, Type};
use minicbor::{Decoder, Encoder};

use crate::{DecodeError, Part};

/// The most entries that a map or an array of a token may have.
const MAX_ENTRIES: u64 = 64;

/// A reader of one part of a token. Lengths must be definite, as deterministic CBOR has them.
pub(crate) struct Reader<'b> {
    decoder: Decoder<'b>,
    part: Part,
}

impl<'b> Reader<'b> {
    pub fn new(bytes: &'b [u8], part: Part) -> Self {
        Self {
            decoder: Decoder::new(bytes),
            part,
        }
    }

    pub fn tag(&mut self) -> Result<u64, DecodeError> {
        let tag = self.decoder.tag();
        tag.map(|tag| tag.as_u64()).map_err(|_| self.here())
    }

    pub fn expect_tag(&mut self, expected: u64) -> Result<(), DecodeError> {
        let tag = self.tag()?;
        let part = self.part;
        (tag == expected)
            .then_some(())
            .ok_or(DecodeError::Tag { part, tag })
    }

    /// Entries of the map that begins here.
    pub fn map(&mut self) -> Result<u64, DecodeError> {
        let count = self.decoder.map();
        self.count(count.ok().flatten())
    }

    /// Elements of the array that begins here.
    pub fn array(&mut self) -> Result<u64, DecodeError> {
        let count = self.decoder.array();
        self.count(count.ok().flatten())
    }

    pub fn bytes(&mut self) -> Result<&'b [u8], DecodeError> {
        let bytes = self.decoder.bytes();
        bytes.map_err(|_| self.here())
    }

    pub fn text(&mut self) -> Result<&'b str, DecodeError> {
        let text = self.decoder.str();
        text.map_err(|_| self.here())
    }

    pub fn integer(&mut self) -> Result<i64, DecodeError> {
        let integer = self.decoder.i64();
        integer.map_err(|_| self.here())
    }

    pub fn skip(&mut self) -> Result<(), DecodeError> {
        let skipped = self.decoder.skip();
        skipped.map_err(|_| self.here())
    }

    /// A key of a map: `None` if it is not an integer, and passed over.
    pub fn key(&mut self) -> Result<Option<i64>, DecodeError> {
        match self.kind()? {
            Type::U8
            | Type::U16
            | Type::U32
            | Type::U64
            | Type::I8
            | Type::I16
            | Type::I32
            | Type::I64 => self.integer().map(Some),
            _ => self.skip().map(|()| None),
        }
    }

    /// Whether a text stands here.
    pub fn is_text(&mut self) -> Result<bool, DecodeError> {
        Ok(self.kind()? == Type::String)
    }

    /// Checks that nothing is left.
    pub fn end(&self) -> Result<(), DecodeError> {
        match self.decoder.input().len() - self.decoder.position() {
            0 => Ok(()),
            count => Err(DecodeError::Trailing {
                part: self.part,
                count,
            }),
        }
    }

    /// The error for something unexpected at the current position.
    pub fn here(&self) -> DecodeError {
        DecodeError::Cbor {
            part: self.part,
            at: self.decoder.position(),
        }
    }

    fn kind(&mut self) -> Result<Type, DecodeError> {
        let kind = self.decoder.datatype();
        kind.map_err(|_| self.here())
    }

    fn count(&self, count: Option<u64>) -> Result<u64, DecodeError> {
        let part = self.part;
        match count {
            None => Err(self.here()),
            Some(count) if count > MAX_ENTRIES => Err(DecodeError::TooMany { part, count }),
            Some(count) => Ok(count),
        }
    }
}

/// A claim that may be there once.
pub(crate) struct Once<T>(Option<T>);

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Once<T> {
    /// Takes the claim, unless it is there already.
    pub fn fill(&mut self, part: Part, key: i64, value: T) -> Result<(), DecodeError> {
        match self.0.replace(value) {
            None => Ok(()),
            Some(_) => Err(DecodeError::Duplicate { part, key }),
        }
    }

    /// The claim, which has to be there.
    pub fn required(self, part: Part, key: i64) -> Result<T, DecodeError> {
        self.0.ok_or(DecodeError::Missing { part, key })
    }

    /// The claim, if it is there.
    pub fn optional(self) -> Option<T> {
        self.0
    }
}

/// A writer into memory. A vector takes everything, so nothing here can fail.
pub(crate) struct Writer(Encoder<Vec<u8>>);

/// What a vector promises.
const NEVER_FULL: &str = "a vector takes every byte";

impl Writer {
    pub fn new() -> Self {
        Self(Encoder::new(Vec::new()))
    }

    pub fn tag(&mut self, tag: u64) -> &mut Self {
        self.0.tag(Tag::new(tag)).expect(NEVER_FULL);
        self
    }

    pub fn map(&mut self, entries: usize) -> &mut Self {
        self.0.map(entries as u64).expect(NEVER_FULL);
        self
    }

    pub fn array(&mut self, elements: usize) -> &mut Self {
        self.0.array(elements as u64).expect(NEVER_FULL);
        self
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.bytes(bytes).expect(NEVER_FULL);
        self
    }

    pub fn text(&mut self, text: &str) -> &mut Self {
        self.0.str(text).expect(NEVER_FULL);
        self
    }

    pub fn integer(&mut self, integer: i64) -> &mut Self {
        self.0.i64(integer).expect(NEVER_FULL);
        self
    }

    pub fn finish(self) -> Vec<u8> {
        self.0.into_writer()
    }
}
