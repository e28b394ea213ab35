//! The shortest list of lies that still does it, or nearly.

use anyhow::Result;
use hostile::Lie;

/// Leaves lies out as long as `does_it` is true of the rest, and asks at most `patience` times. If it is not
/// even true of all `lies`, they come back as they are.
///
/// Ref: Zeller, Hildebrandt, «Simplifying and isolating failure-inducing input», 2002 (the algorithm).
///
/// # Errors
/// Those of `does_it`.
pub fn shrink(
    lies: &[Lie],
    mut patience: u32,
    mut does_it: impl FnMut(&[Lie]) -> Result<bool>,
) -> Result<Vec<Lie>> {
    let mut rest = lies.to_vec();
    if patience == 0 || !does_it(&rest)? {
        return Ok(rest);
    }
    let mut parts = 2;
    while rest.len() > 1 && patience > 1 {
        let size = rest.len().div_ceil(parts);
        let mut shorter = None;
        for start in (0..rest.len()).step_by(size) {
            let end = (start + size).min(rest.len());
            let kept = |at: &usize| !(start..end).contains(at);
            let without = rest.iter().enumerate().filter(|(at, _)| kept(at));
            let without: Vec<Lie> = without.map(|(_, lie)| *lie).collect();
            patience = patience.saturating_sub(1);
            if patience == 0 {
                return Ok(rest);
            }
            if does_it(&without)? {
                shorter = Some(without);
                break;
            }
        }
        match shorter {
            Some(without) => {
                rest = without;
                parts = parts.saturating_sub(1).max(2);
            }
            None if size == 1 => break,
            None => parts = (parts * 2).min(rest.len()),
        }
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostile::{Part, Place, Point};

    fn lies(count: u32) -> Vec<Lie> {
        let place = Place::of(Part::Disk, Point::Isr);
        let one = |count| Lie {
            place,
            count,
            value: 0,
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn the_two_that_matter_are_found_among_many() {
        let needed = |some: &[Lie]| {
            Ok([17, 400]
                .iter()
                .all(|n| some.iter().any(|lie| lie.count == *n)))
        };
        let short = shrink(&lies(1000), 1000, needed).unwrap();
        assert_eq!(
            short.iter().map(|lie| lie.count).collect::<Vec<_>>(),
            [17, 400]
        );
    }

    #[test]
    fn what_cannot_be_repeated_stays_as_it_is() {
        assert_eq!(shrink(&lies(9), 100, |_| Ok(false)).unwrap().len(), 9);
    }

    #[test]
    fn patience_ends() {
        let mut asked = 0;
        let _ = shrink(&lies(1000), 7, |_| {
            asked += 1;
            Ok(asked == 1)
        });
        assert!(asked <= 7);
    }
}
