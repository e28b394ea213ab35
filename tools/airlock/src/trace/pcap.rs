//! Files of captured frames, as QEMU's `filter-dump` writes them.
//!
//! Ref: the format of libpcap, version 2.4, with microseconds, in the byte order of a PC.

use std::path::Path;

use anyhow::{Context, Result, ensure};

const MAGIC: [u8; 4] = [0xd4, 0xc3, 0xb2, 0xa1];
/// Bytes before the first frame, and before each frame.
const FILE_HEADER: usize = 24;
const FRAME_HEADER: usize = 16;

/// A frame as QEMU saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// Microseconds, by the clock of QEMU.
    pub micros: u64,
    /// Bytes that the frame had.
    pub len: u32,
    /// Bytes that were kept of it.
    pub bytes: Vec<u8>,
}

/// Reads all frames of a file. One that was not written to its end is left out.
///
/// # Errors
/// The file cannot be read, or is something else.
pub fn read(path: &Path) -> Result<Vec<Captured>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (header, mut rest) = bytes
        .split_at_checked(FILE_HEADER)
        .with_context(|| format!("{} is no capture", path.display()))?;
    ensure!(
        header.starts_with(&MAGIC),
        "{} is no capture",
        path.display()
    );
    let mut frames = Vec::new();
    while let Some((frame, later)) = next(rest) {
        frames.push(frame);
        rest = later;
    }
    Ok(frames)
}

fn next(bytes: &[u8]) -> Option<(Captured, &[u8])> {
    let (header, rest) = bytes.split_at_checked(FRAME_HEADER)?;
    let (words, _) = header.as_chunks::<4>();
    let &[seconds, micros, kept, len] = words else {
        return None;
    };
    let [seconds, micros, kept, len] = [seconds, micros, kept, len].map(u32::from_le_bytes);
    let (bytes, later) = rest.split_at_checked(usize::try_from(kept).ok()?)?;
    let frame = Captured {
        micros: u64::from(seconds) * 1_000_000 + u64::from(micros),
        len,
        bytes: bytes.to_vec(),
    };
    Some((frame, later))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_and_one_that_was_cut_is_left_out() {
        let mut bytes = MAGIC.to_vec();
        bytes.resize(FILE_HEADER, 0);
        for len in [3_u32, 5] {
            for word in [7, 9, len, len + 1] {
                bytes.extend(word.to_le_bytes());
            }
            bytes.extend([0xab; 3]);
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        let expected = Captured {
            micros: 7_000_009,
            len: 4,
            bytes: vec![0xab; 3],
        };
        assert_eq!(read(file.path()).unwrap(), [expected]);
        std::fs::write(file.path(), "something else, of many bytes").unwrap();
        assert!(read(file.path()).is_err());
    }
}
