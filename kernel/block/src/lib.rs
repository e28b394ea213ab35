//! The block device trait and its range checks.
#![no_std]
#![forbid(unsafe_code)]

/// Bytes of a sector. The capacity of every device is counted in these.
///
/// Ref: virtio 1.2, 5.2.4 "Device configuration layout".
pub const SECTOR_SIZE: usize = 512;

/// Why a request was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The buffer is empty or not a whole number of sectors.
    Length {
        /// Bytes of the buffer.
        len: usize,
    },
    /// The request leaves the device.
    OutOfRange {
        /// First sector asked for.
        sector: u64,
        /// Sectors asked for.
        count: u64,
        /// Sectors the device has.
        capacity: u64,
    },
    /// The device takes no writes.
    ReadOnly,
    /// The device says that it could not do the request.
    Io,
    /// The device does not do this kind of request.
    Unsupported,
    /// The device did not answer within its deadline and was stopped.
    TimedOut,
    /// The device broke the rules, and was stopped.
    Broken,
    /// The device was brought to rest by its user, and nobody drives it.
    AtRest,
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Length { len } => write!(f, "{len} bytes are not a whole number of sectors"),
            Self::OutOfRange {
                sector,
                count,
                capacity,
            } => {
                write!(
                    f,
                    "{count} sectors at {sector} leave a disk of {capacity} sectors"
                )
            }
            Self::ReadOnly => f.write_str("the disk is read-only"),
            Self::Io => f.write_str("the disk reports an I/O error"),
            Self::Unsupported => f.write_str("the disk does not support the request"),
            Self::TimedOut => f.write_str("the disk did not answer within its deadline"),
            Self::Broken => f.write_str("the disk broke the rules and was stopped"),
            Self::AtRest => f.write_str("the disk was brought to rest"),
        }
    }
}

impl core::error::Error for Error {}

/// A device of sectors. Several requests may be in flight at once.
#[expect(
    async_fn_in_trait,
    reason = "one executor, one thread: no Send bound is wanted"
)]
pub trait BlockDevice {
    /// Sectors of the device, latched when it was started.
    fn capacity(&self) -> u64;

    /// Whether writes are refused.
    fn read_only(&self) -> bool;

    /// Fills `into` with the sectors from `sector` on.
    async fn read(&self, sector: u64, into: &mut [u8]) -> Result<(), Error>;

    /// Writes `from` to the sectors from `sector` on. Durable only after [`Self::flush`].
    async fn write(&self, sector: u64, from: &[u8]) -> Result<(), Error>;

    /// Waits until everything written is durable, as far as the host can be believed.
    async fn flush(&self) -> Result<(), Error>;
}

/// Checks that `len` bytes from `sector` on are whole sectors of a device of `capacity` sectors,
/// and says how many.
///
/// # Errors
///
/// [`Error::Length`], [`Error::OutOfRange`].
pub fn check_range(sector: u64, len: usize, capacity: u64) -> Result<u64, Error> {
    if len == 0 || !len.is_multiple_of(SECTOR_SIZE) {
        return Err(Error::Length { len });
    }
    let count = (len / SECTOR_SIZE) as u64;
    match sector.checked_add(count) {
        Some(end) if end <= capacity => Ok(count),
        _ => Err(Error::OutOfRange {
            sector,
            count,
            capacity,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_sector_is_inside_and_the_next_is_not() {
        assert_eq!(check_range(9, 512, 10), Ok(1));
        let outside = Error::OutOfRange {
            sector: 10,
            count: 1,
            capacity: 10,
        };
        assert_eq!(check_range(10, 512, 10), Err(outside));
    }

    #[test]
    fn a_range_that_wraps_is_outside() {
        assert!(check_range(u64::MAX, 1024, u64::MAX).is_err());
    }

    #[test]
    fn half_a_sector_and_nothing_are_refused() {
        assert_eq!(check_range(0, 0, 10), Err(Error::Length { len: 0 }));
        assert_eq!(check_range(0, 513, 10), Err(Error::Length { len: 513 }));
    }
}
