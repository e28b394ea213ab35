//! Medians, and how sure they are.

use serde::Serialize;

/// How often a sample is drawn again for its interval.
const DRAWS: usize = 2000;

/// A median with an interval around it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The median.
    pub median: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Values that it is made of.
    pub n: usize,
}

/// The median of `values`; nothing of nothing.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *sorted.get(middle.checked_sub(1)?)?;
    Some(f64::midpoint(lower, upper))
}

/// The median with its smallest and largest value: for counts, which hardly differ.
#[must_use]
pub fn range(values: &[f64]) -> Option<Interval> {
    Some(Interval {
        median: median(values)?,
        low: values.iter().copied().min_by(f64::total_cmp)?,
        high: values.iter().copied().max_by(f64::total_cmp)?,
        n: values.len(),
    })
}

/// The median with its 95 % interval by bootstrap (percentiles), always the same for the same values.
///
/// Ref: Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13.
#[must_use]
pub fn bootstrap(values: &[f64]) -> Option<Interval> {
    let mut state = 1_u64;
    let mut medians: Vec<f64> = (0..DRAWS)
        .filter_map(|_| {
            let sample: Vec<f64> = values
                .iter()
                .filter_map(|_| values.get(below(&mut state, values.len())).copied())
                .collect();
            median(&sample)
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    Some(Interval {
        median: median(values)?,
        low: *medians.get(DRAWS * 25 / 1000)?,
        high: *medians.get(DRAWS * 975 / 1000)?,
        n: values.len(),
    })
}

/// A number below `end`. Ref: Knuth, MMIX: a linear congruential generator.
fn below(state: &mut u64, end: usize) -> usize {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).unwrap_or(0) % end.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn the_interval_holds_the_median_and_shrinks_with_agreement() {
        let wild = bootstrap(&[1.0, 9.0, 5.0, 2.0, 8.0, 4.0, 6.0, 3.0, 7.0]).unwrap();
        assert!(wild.low < 5.0 && wild.high > 5.0, "{wild:?}");
        assert!(wild.low >= 1.0 && wild.high <= 9.0, "{wild:?}");
        let calm = bootstrap(&[5.0; 9]).unwrap();
        assert_eq!((calm.low, calm.median, calm.high), (5.0, 5.0, 5.0));
        assert_eq!(bootstrap(&[]), None);
    }

    #[test]
    fn the_same_values_give_the_same_interval() {
        let values = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(bootstrap(&values), bootstrap(&values));
    }

    #[test]
    fn a_range_is_from_the_smallest_to_the_largest() {
        let range = range(&[2.0, 1.0, 3.0]).unwrap();
        assert_eq!((range.low, range.median, range.high), (1.0, 2.0, 3.0));
    }
}
