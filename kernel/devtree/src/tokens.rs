//! The bytes as tokens: where each begins, and where the next does.

use core::cell::Cell;

use crate::Error;
use crate::error::Failed;

/// Most tokens that a tree may have: nodes count twice, properties and fillers once. A machine of 512
/// CPUs has some 8,000. What reads a tree goes over it a fixed number of times, so this bounds its work.
pub const MAX_TOKENS: usize = 1 << 16;

const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const FILLER: u32 = 4;
const END: u32 = 9;

/// One token of the structure block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A node begins that has this name, its address included.
    Begin(&'a [u8]),
    /// The innermost node ends.
    EndNode,
    /// A property, and where its name is.
    Property { name: u32, value: &'a [u8] },
    /// Nothing.
    Filler,
    /// The tree ends.
    End,
}

/// The structure block and the names of properties.
#[derive(Clone, Debug)]
pub(crate) struct Tokens<'a> {
    structure: &'a [u8],
    strings: &'a [u8],
    /// Tokens read so far, over and over.
    read: Cell<usize>,
    /// What was wrong last.
    wrong: Cell<Option<Error>>,
}

impl<'a> Tokens<'a> {
    /// Takes the two blocks if they are well-formed: nodes nest, properties stand in front of the
    /// nodes inside theirs, nothing leads outside.
    pub(crate) fn new(structure: &'a [u8], strings: &'a [u8]) -> Result<Self, Error> {
        let read = Cell::new(0);
        let tokens = Self {
            structure,
            strings,
            read,
            wrong: Cell::new(None),
        };
        tokens.check()?;
        Ok(tokens)
    }

    fn check(&self) -> Result<(), Error> {
        const OUT_OF_PLACE: Error = Error::Malformed("a token is out of place");
        let (Token::Begin(b""), mut at) = self.read(0)? else {
            return Err(Error::Malformed("it has no root"));
        };
        let (mut depth, mut in_head, mut count) = (1_usize, true, 1_usize);
        while depth != 0 {
            let (token, next) = self.read(at)?;
            match token {
                Token::Begin(b"") => return Err(Error::Malformed("a node has no name")),
                Token::Begin(_) => (depth, in_head) = (depth + 1, true),
                Token::EndNode => (depth, in_head) = (depth - 1, false),
                Token::Property { .. } if in_head => {}
                Token::Filler => {}
                Token::Property { .. } | Token::End => return Err(OUT_OF_PLACE),
            }
            (at, count) = (next, count + 1);
            if count > MAX_TOKENS {
                let (at, limit) = ("nodes and properties", MAX_TOKENS);
                return Err(Error::TooMany { at, limit });
            }
        }
        match self.read(at)? {
            (Token::End, _) => Ok(()),
            _ => Err(OUT_OF_PLACE),
        }
    }

    /// The token at `at`, and where the next one begins.
    pub(crate) fn read(&self, at: usize) -> Result<(Token<'a>, usize), Error> {
        const ENDS: Error = Error::Malformed("something ends behind the end");
        self.read.set(self.read.get().saturating_add(1));
        let body = at.saturating_add(4);
        let padded = |end: usize| end.next_multiple_of(4);
        match self.cell(at).ok_or(ENDS)? {
            BEGIN_NODE => {
                let rest = self.structure.get(body..).ok_or(ENDS)?;
                let len = rest.iter().position(|byte| *byte == 0).ok_or(ENDS)?;
                let name = rest.get(..len).ok_or(ENDS)?;
                Ok((Token::Begin(name), padded(body + len + 1)))
            }
            PROPERTY => {
                let len = self.cell(body).ok_or(ENDS)? as usize;
                let name = self.cell(body + 4).ok_or(ENDS)?;
                if name as usize >= self.strings.len() {
                    return Err(Error::Malformed("the name of a property is not there"));
                }
                let start = body + 8;
                let end = start.checked_add(len).ok_or(ENDS)?;
                let value = self.structure.get(start..end).ok_or(ENDS)?;
                Ok((Token::Property { name, value }, padded(end)))
            }
            END_NODE => Ok((Token::EndNode, body)),
            FILLER => Ok((Token::Filler, body)),
            END => Ok((Token::End, body)),
            _ => Err(Error::Malformed("a token is of no kind")),
        }
    }

    /// Whether the property name at `name` is `wanted`.
    pub(crate) fn is_name(&self, name: u32, wanted: &str) -> bool {
        let rest = self.strings.get(name as usize..).unwrap_or_default();
        let rest = rest.strip_prefix(wanted.as_bytes());
        rest.is_some_and(|rest| rest.first() == Some(&0))
    }

    /// Keeps what is wrong, until [`Self::error`] asks. To be called only where it is handed on at once.
    #[cold]
    pub(crate) fn fail(&self, error: Error) -> Failed {
        self.wrong.set(Some(error));
        Failed::new()
    }

    /// What is wrong: the last that failed.
    pub(crate) fn error(&self, _failed: Failed) -> Error {
        self.wrong.get().unwrap_or(Error::NotATree)
    }

    /// How many tokens were read so far.
    pub(crate) fn count(&self) -> usize {
        self.read.get()
    }

    fn cell(&self, at: usize) -> Option<u32> {
        let bytes = self.structure.get(at..)?.first_chunk()?;
        Some(u32::from_be_bytes(*bytes))
    }
}
