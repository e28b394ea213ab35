//! The option `pool`: a device that bounces through one range, and reaches nothing else.

use core::ops::Range;

/// The most devices that have a pool.
pub const MOST: usize = 4;

/// What a pool is made of, whole blocks or pages.
const PAGE: u64 = 4096;

/// A device, and the range that it is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOption {
    /// Bus, device and function.
    pub stream: u32,
    /// Bytes, whole pages.
    pub size: u64,
    /// First byte; the monitor chooses without it.
    pub at: Option<u64>,
}

/// All of them, in the order of the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolOptions([Option<PoolOption>; MOST]);

impl PoolOptions {
    /// Adds `0000:00:02.0=2M` or `0000:00:02.0=2M@0x46000000`; `None` for anything else, for a device
    /// that has one, and for more than [`MOST`].
    pub(super) fn add(&mut self, value: &str) -> Option<()> {
        let (place, range) = value.split_once('=')?;
        let (size, at) = match range.split_once('@') {
            Some((size, at)) => (size, Some(number(at)?)),
            None => (range, None),
        };
        let (stream, size) = (stream(place)?, bytes(size)?);
        let whole = |bytes: u64| bytes.is_multiple_of(PAGE);
        if size == 0
            || !whole(size)
            || !at.is_none_or(whole)
            || self.iter().any(|p| p.stream == stream)
        {
            return None;
        }
        let free = self.0.iter_mut().find(|pool| pool.is_none())?;
        *free = Some(PoolOption { stream, size, at });
        Some(())
    }

    /// Each.
    pub fn iter(&self) -> impl Iterator<Item = PoolOption> {
        self.0.iter().flatten().copied()
    }
}

/// The bus, device and function of `0000:00:02.0`; the monitor has one bus.
fn stream(place: &str) -> Option<u32> {
    let (device, function) = place.strip_prefix("0000:00:")?.split_once('.')?;
    let device = u32::from_str_radix(device, 16).ok().filter(|&d| d < 32)?;
    let function = function.parse::<u32>().ok().filter(|&f| f < 8)?;
    Some(device << 3 | function)
}

fn bytes(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes().last()? {
        b'K' => (text.strip_suffix('K')?, 10),
        b'M' => (text.strip_suffix('M')?, 20),
        _ => (text, 0),
    };
    number(digits)?.checked_mul(1 << shift)
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// A range and the devices that are bound to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// The range.
    pub range: Range<u64>,
    /// Bus, device and function of each.
    pub streams: heapless::Vec<u32, MOST>,
}

/// Where all pools are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pools(heapless::Vec<Pool, MOST>);

impl Pools {
    /// Places pools in memory that ends at `top` and whose first byte for them is `bottom`: those without
    /// a place below one another, at multiples of 2 MiB. Devices that name one place share it. `None` if
    /// there is no room, or two overlap.
    pub fn place(options: &PoolOptions, bottom: u64, top: u64) -> Option<Self> {
        let mut pools = Self::default();
        let mut free = top;
        for option in options.iter() {
            let start = match option.at {
                Some(at) => at,
                None => free.checked_sub(option.size)? & !0x1f_ffff,
            };
            let range = start..start.checked_add(option.size)?;
            if range.start < bottom || range.end > top {
                return None;
            }
            if option.at.is_none() {
                free = start;
            }
            pools.bind(range, option.stream)?;
        }
        Some(pools)
    }

    fn bind(&mut self, range: Range<u64>, stream: u32) -> Option<()> {
        if let Some(known) = self.0.iter_mut().find(|pool| pool.range == range) {
            return known.streams.push(stream).ok();
        }
        let meets = |pool: &Pool| pool.range.start < range.end && range.start < pool.range.end;
        if self.0.iter().any(meets) {
            return None;
        }
        let streams = heapless::Vec::from_iter([stream]);
        self.0.push(Pool { range, streams }).ok()
    }

    /// Each.
    pub fn iter(&self) -> impl Iterator<Item = &Pool> {
        self.0.iter()
    }

    /// The number of the pool that `address` lies in.
    #[must_use]
    pub fn at(&self, address: u64) -> Option<usize> {
        self.0.iter().position(|pool| pool.range.contains(&address))
    }

    /// The number of the pool that `stream` is bound to.
    #[must_use]
    pub fn of(&self, stream: u32) -> Option<usize> {
        self.0
            .iter()
            .position(|pool| pool.streams.contains(&stream))
    }

    /// A device that is bound to the pool that `address` lies in.
    #[must_use]
    pub fn owner(&self, address: u64) -> Option<u32> {
        let pool = self.at(address).and_then(|number| self.0.get(number));
        pool.and_then(|pool| pool.streams.first().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[&str]) -> Option<PoolOptions> {
        let mut options = PoolOptions::default();
        words.iter().try_for_each(|word| options.add(word))?;
        Some(options)
    }

    fn pools(words: &[&str]) -> Option<Pools> {
        Pools::place(&options(words)?, 0x4600_0000, 0x4800_0000)
    }

    #[test]
    fn a_pool_has_a_device_a_size_and_perhaps_a_place() {
        let one = pools(&["0000:00:02.0=2M@0x46000000"]).unwrap();
        assert_eq!((one.of(16), one.at(0x461f_ffff)), (Some(0), Some(0)));
        assert_eq!((one.of(8), one.at(0x4620_0000)), (None, None));
        let two = pools(&["0000:00:01.0=2M", "0000:00:02.0=12K"]).unwrap();
        let places: heapless::Vec<_, 2> = two.iter().map(|pool| pool.range.clone()).collect();
        assert_eq!(places, [0x47e0_0000..0x4800_0000, 0x47c0_0000..0x47c0_3000]);
        assert_eq!(two.owner(0x47c0_2fff), Some(16));
    }

    #[test]
    fn devices_that_name_one_place_share_it() {
        let words = ["0000:00:01.0=2M@0x46000000", "0000:00:02.0=2M@0x46000000"];
        let shared = pools(&words).unwrap();
        assert_eq!((shared.of(8), shared.of(16)), (Some(0), Some(0)));
    }

    #[test]
    fn what_is_no_pool_is_refused() {
        for bad in [
            "0000:00:02.0",
            "0000:00:02.0=",
            "0000:00:02.0=2G",
            "0000:00:02.0=1",
            "0000:00:02.0=0",
            "0000:01:02.0=2M",
            "0000:00:20.0=2M",
            "0000:00:02.8=2M",
            "0000:00:02.0=2M@0x46000001",
        ] {
            assert!(options(&[bad]).is_none(), "{bad}");
        }
        assert!(options(&["0000:00:02.0=2M", "0000:00:02.0=2M"]).is_none());
        let overlap = ["0000:00:01.0=2M@0x46000000", "0000:00:02.0=2M@0x46100000"];
        assert!(pools(&overlap).is_none());
        assert!(pools(&["0000:00:01.0=2M@0x45000000"]).is_none());
        assert!(pools(&["0000:00:01.0=64M"]).is_none());
    }
}
