//! How memory that devices share is divided among them.

use alloc::vec::Vec;

/// Bytes of a granule.
const GRANULE: usize = 4096;

/// What one device needs, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The least that it works with.
    pub least: usize,
    /// What it would like.
    pub wanted: usize,
}

/// Divides `total` bytes among `demands`, the most important first: what each gets, in whole granules, or
/// `None` if there is no room for the least of it. Each gets its least before any gets more.
pub fn divide(total: usize, demands: &[Demand]) -> Vec<Option<usize>> {
    let mut left = total - total % GRANULE;
    let mut take = |bytes: usize| {
        left = left.checked_sub(bytes)?;
        Some(bytes)
    };
    let least = demands.iter().map(|demand| take(granules(demand.least)));
    let mut shares: Vec<Option<usize>> = least.collect();
    for (share, demand) in shares.iter_mut().zip(demands) {
        if let Some(share) = share {
            let more = granules(demand.wanted).saturating_sub(*share).min(left);
            left -= more;
            *share += more;
        }
    }
    shares
}

fn granules(bytes: usize) -> usize {
    bytes
        .checked_next_multiple_of(GRANULE)
        .unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn demand(least: usize, wanted: usize) -> Demand {
        Demand { least, wanted }
    }

    #[test]
    fn where_there_is_room_everybody_gets_what_he_would_like() {
        let shares = divide(1 << 20, &[demand(4096, 10_000), demand(1, 4096)]);
        assert_eq!(shares, [Some(12_288), Some(4096)]);
    }

    #[test]
    fn the_least_of_all_comes_before_the_wishes_of_the_first() {
        let shares = divide(5 * 4096, &[demand(4096, 1 << 20), demand(8192, 1 << 20)]);
        assert_eq!(shares, [Some(3 * 4096), Some(2 * 4096)]);
    }

    #[test]
    fn who_does_not_fit_goes_without_and_leaves_it_to_the_others() {
        let demands = [
            demand(8192, 8192),
            demand(1 << 20, 1 << 20),
            demand(4096, 4096),
        ];
        assert_eq!(divide(3 * 4096, &demands), [Some(8192), None, Some(4096)]);
        assert_eq!(divide(4095, &[demand(1, 1)]), [None]);
        assert_eq!(divide(usize::MAX, &[demand(usize::MAX, 1)]), [None]);
    }

    #[test]
    fn what_is_given_is_never_more_than_there_is() {
        for total in 0..64 * 1024 {
            let demands = [
                demand(5000, 30_000),
                demand(9000, 9000),
                demand(1, usize::MAX),
            ];
            let shares = divide(total, &demands);
            assert!(shares.iter().flatten().sum::<usize>() <= total);
        }
    }
}
