//! The numbers by which the host knows files.

/// Most numbers besides that of the share itself.
pub(crate) const MOST: usize = 62;
/// The number of the share itself.
pub(crate) const ROOT: u32 = 0;

/// Which numbers are in use. One that was given up in the middle of something is stale: the host may or may
/// not know it, so it is not used again before the host was told.
#[derive(Debug, Default)]
pub(crate) struct Fids {
    used: u64,
    stale: u64,
}

impl Fids {
    /// A number that the host does not know.
    pub(crate) fn take(&mut self) -> Option<u32> {
        let fid = (1..=u32::try_from(MOST).ok()?).find(|fid| self.used & 1 << fid == 0)?;
        self.used |= 1 << fid;
        Some(fid)
    }

    /// The host does not know `fid` any more.
    pub(crate) fn free(&mut self, fid: u32) {
        self.used &= !(1 << fid);
    }

    /// Nobody uses `fid`, but the host may know it.
    pub(crate) fn retire(&mut self, fid: u32) {
        self.stale |= 1 << fid;
    }

    /// A number that the host is to be told to forget.
    pub(crate) fn take_stale(&mut self) -> Option<u32> {
        let fid = (1..64).find(|fid| self.stale & 1 << fid != 0)?;
        self.stale &= !(1 << fid);
        Some(fid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_number_is_not_taken_before_the_host_was_told() {
        let mut fids = Fids::default();
        assert_eq!((fids.take(), fids.take()), (Some(1), Some(2)));
        fids.retire(1);
        assert_eq!(fids.take(), Some(3));
        assert_eq!((fids.take_stale(), fids.take_stale()), (Some(1), None));
        fids.free(1);
        assert_eq!(fids.take(), Some(1));
    }

    #[test]
    fn there_are_so_many_and_no_more() {
        let mut fids = Fids::default();
        assert_eq!((0..100).filter_map(|_| fids.take()).count(), MOST);
    }
}
