//! What stands before the data of each packet.
//!
//! Ref: virtio 1.2, 5.10.6 "Device Operation".

/// Bytes of a header.
pub const HEADER: usize = 44;
const STREAM: u16 = 1;
/// Flags of [`Operation::Shutdown`]: the sender takes nothing more, and sends nothing more.
pub const TAKES_NO_MORE: u32 = 1;
/// See [`TAKES_NO_MORE`].
pub const SENDS_NO_MORE: u32 = 2;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// Whose: 2 is the host.
    pub cid: u64,
    /// Which of its ports.
    pub port: u32,
}

/// What a packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A connection is asked for.
    Request,
    /// It is granted.
    Response,
    /// There is none, or none any more.
    Reset,
    /// The sender takes, or sends, nothing more: the flags say which.
    Shutdown,
    /// Data.
    Data,
    /// What the sender has room for.
    CreditUpdate,
    /// What has the receiver room for?
    CreditRequest,
}

impl Operation {
    const ALL: [Self; 7] = [
        Self::Request,
        Self::Response,
        Self::Reset,
        Self::Shutdown,
        Self::Data,
        Self::CreditUpdate,
        Self::CreditRequest,
    ];

    fn number(self) -> u16 {
        match self {
            Self::Request => 1,
            Self::Response => 2,
            Self::Reset => 3,
            Self::Shutdown => 4,
            Self::Data => 5,
            Self::CreditUpdate => 6,
            Self::CreditRequest => 7,
        }
    }
}

/// What stands before the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Who says it.
    pub source: Address,
    /// To whom.
    pub target: Address,
    /// Bytes of data behind it.
    pub len: u32,
    /// What it says.
    pub operation: Operation,
    /// [`TAKES_NO_MORE`] and [`SENDS_NO_MORE`], of a shutdown.
    pub flags: u32,
    /// Bytes that the sender keeps for its user, at most.
    pub room: u32,
    /// Bytes that the sender's user has taken, ever; it wraps.
    pub taken: u32,
}

impl Header {
    /// Reads a header; `None` if it is not of a stream, or of an operation that there is not.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; HEADER]) -> Option<Self> {
        let mut words = bytes.chunks_exact(4).map(|word| {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(word);
            u32::from_le_bytes(bytes)
        });
        let mut word = || words.next().unwrap_or_default();
        let mut cid = || u64::from(word()) | u64::from(word()) << 32;
        let cids = (cid(), cid());
        let (source, target, len) = (word(), word(), word());
        let [a, b, c, d] = word().to_le_bytes();
        let (kind, number) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
        let mut known = Operation::ALL.into_iter();
        let operation = known.find(|known| known.number() == number)?;
        (kind == STREAM).then_some(Self {
            source: Address {
                cid: cids.0,
                port: source,
            },
            target: Address {
                cid: cids.1,
                port: target,
            },
            len,
            operation,
            flags: word(),
            room: word(),
            taken: word(),
        })
    }

    /// What tells the sender that there is no such connection.
    #[must_use]
    pub fn refusal(&self) -> Self {
        Self {
            source: self.target,
            target: self.source,
            len: 0,
            operation: Operation::Reset,
            flags: 0,
            room: 0,
            taken: 0,
        }
    }

    /// The header as it lies in a buffer.
    #[must_use]
    pub fn to_bytes(self) -> [u8; HEADER] {
        let Self { source, target, .. } = self;
        let kinds = u32::from(STREAM) | u32::from(self.operation.number()) << 16;
        let mut bytes = [0; HEADER];
        let cids = source.cid.to_le_bytes().into_iter();
        let cids = cids.chain(target.cid.to_le_bytes());
        let words = [
            source.port,
            target.port,
            self.len,
            kinds,
            self.flags,
            self.room,
            self.taken,
        ];
        let words = words.into_iter().flat_map(u32::to_le_bytes);
        let all = bytes.iter_mut().zip(cids.chain(words));
        all.for_each(|(to, from)| *to = from);
        bytes
    }
}

/// A length of a packet, or of a buffer, as headers have it: both are far below 4 GiB.
#[must_use]
pub fn narrow(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_laid_out_as_the_specification_has_it() {
        let header = Header {
            source: Address {
                cid: 3,
                port: 0x401,
            },
            target: Address { cid: 2, port: 8088 },
            len: 5,
            operation: Operation::Data,
            flags: 0,
            room: 0x8000,
            taken: 7,
        };
        let bytes = header.to_bytes();
        let (cids, rest) = bytes.split_at(16);
        assert_eq!(cids, [3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
        let (ports, rest) = rest.split_at(8);
        assert_eq!(ports, [1, 4, 0, 0, 0x98, 0x1f, 0, 0]);
        assert_eq!(rest.get(..8), Some(&[5, 0, 0, 0, 1, 0, 5, 0][..]));
        assert_eq!(Header::from_bytes(&bytes), Some(header));
    }

    #[test]
    fn other_kinds_and_operations_are_none() {
        let mut bytes = [0; HEADER];
        for (kind, operation) in [(1, 0), (1, 8), (2, 5), (0, 5), (0xffff, 0xffff)] {
            let words = [u16::to_le_bytes(kind), u16::to_le_bytes(operation)].concat();
            bytes[28..32].copy_from_slice(&words);
            assert_eq!(Header::from_bytes(&bytes), None);
        }
    }
}
