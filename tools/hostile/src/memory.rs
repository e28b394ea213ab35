//! Shared memory, as a device reaches it.

use alloc::vec::Vec;

/// The device may not reach that memory, or there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreachable;

/// What a device reaches, by the addresses that the driver tells it.
pub trait Memory {
    /// Copies from `address` into `bytes`.
    ///
    /// # Errors
    ///
    /// [`Unreachable`], if any of it is not the device's to reach; nothing is copied.
    fn read(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), Unreachable>;
    /// Copies `bytes` to `address`.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Unreachable>;
}

/// Reads a number of two bytes.
///
/// # Errors
///
/// [`Unreachable`]
pub fn read16(memory: &mut impl Memory, address: u64) -> Result<u16, Unreachable> {
    let mut bytes = [0; 2];
    memory.read(address, &mut bytes)?;
    Ok(u16::from_le_bytes(bytes))
}

/// A run of memory that the driver lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its address.
    pub address: u64,
    /// Its bytes.
    pub len: u32,
}

/// Reads all of `runs`, and at most `most` bytes.
///
/// # Errors
///
/// [`Unreachable`]
pub fn gather(memory: &mut impl Memory, runs: &[Run], most: usize) -> Result<Vec<u8>, Unreachable> {
    let mut all = Vec::new();
    for run in runs {
        let start = all.len();
        let wanted = usize::try_from(run.len).unwrap_or(usize::MAX);
        all.resize(start + wanted.min(most - start), 0);
        memory.read(run.address, all.get_mut(start..).unwrap_or_default())?;
    }
    Ok(all)
}

/// Writes `bytes` to `runs`, from the first on; says how many found room.
///
/// # Errors
///
/// [`Unreachable`]
pub fn scatter(memory: &mut impl Memory, runs: &[Run], bytes: &[u8]) -> Result<usize, Unreachable> {
    let mut rest = bytes;
    for run in runs {
        let len = usize::try_from(run.len)
            .unwrap_or(usize::MAX)
            .min(rest.len());
        let (now, later) = rest.split_at(len);
        memory.write(run.address, now)?;
        rest = later;
    }
    Ok(bytes.len() - rest.len())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Memory from address 0x1000 on.
    pub(crate) struct Plain(pub(crate) Vec<u8>);

    impl Plain {
        pub(crate) fn new() -> Self {
            Self(alloc::vec![0; 0x1_0000])
        }

        fn range(&self, address: u64, len: usize) -> Result<core::ops::Range<usize>, Unreachable> {
            let at = address.checked_sub(0x1000).ok_or(Unreachable)?;
            let at = usize::try_from(at).map_err(|_| Unreachable)?;
            let end = at.checked_add(len).ok_or(Unreachable)?;
            (end <= self.0.len()).then_some(at..end).ok_or(Unreachable)
        }
    }

    impl Memory for Plain {
        fn read(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), Unreachable> {
            let range = self.range(address, bytes.len())?;
            bytes.copy_from_slice(&self.0[range]);
            Ok(())
        }

        fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Unreachable> {
            let range = self.range(address, bytes.len())?;
            self.0[range].copy_from_slice(bytes);
            Ok(())
        }
    }

    #[test]
    fn runs_are_filled_one_after_the_other() {
        let mut memory = Plain::new();
        let runs = [(0x1000, 3), (0x2000, 2)].map(|(address, len)| Run { address, len });
        assert_eq!(scatter(&mut memory, &runs, b"abcdefg"), Ok(5));
        assert_eq!(gather(&mut memory, &runs, 100), Ok(b"abcde".to_vec()));
        assert_eq!(gather(&mut memory, &runs, 4), Ok(b"abcd".to_vec()));
        let outside = [Run { address: 0, len: 1 }];
        assert_eq!(gather(&mut memory, &outside, 100), Err(Unreachable));
    }
}
