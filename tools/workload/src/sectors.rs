//! Where random reads go: the same places for every guest.

/// Places on a disk, in an order without pattern. It never ends.
#[derive(Clone, Debug)]
pub struct Places {
    state: u64,
    blocks: u64,
}

impl Places {
    /// Places of blocks of `block` sectors on a disk of `capacity` sectors.
    #[must_use]
    pub const fn new(capacity: u64, block: u64) -> Self {
        Self {
            state: 0x9e37_79b9_7f4a_7c15,
            blocks: if capacity < block {
                1
            } else {
                capacity / block
            },
        }
    }
}

impl Iterator for Places {
    type Item = u64;

    /// The number of the next block: times the sectors of a block, it is the first sector.
    fn next(&mut self) -> Option<u64> {
        // Ref: Knuth, MMIX: a linear congruential generator; its high bits are the good ones.
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Some((self.state >> 33) % self.blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_on_the_disk_and_differ() {
        let mut places = Places::new(80, 8).take(50);
        let first = places.next();
        assert!(places.clone().all(|place| place < 10));
        assert!(places.any(|place| Some(place) != first));
        assert_eq!(Places::new(1, 8).next(), Some(0));
    }
}
