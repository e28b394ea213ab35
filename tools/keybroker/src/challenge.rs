//! Challenges: random, for one use, for a short time, and not too many.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use rand_core::Rng;
use token::CHALLENGE_SIZE;

/// The challenge that every client gets with `--mock-challenge`: the one of the demonstration.
pub const MOCK_CHALLENGE: [u8; CHALLENGE_SIZE] = [
    0x6e, 0x86, 0xd6, 0xd9, 0x7c, 0xc7, 0x13, 0xbc, 0x6d, 0xd4, 0x3d, 0xbc, 0xe4, 0x91, 0xa6, 0xb4,
    0x03, 0x11, 0xc0, 0x27, 0xa8, 0xbf, 0x85, 0xa3, 0x9d, 0xa6, 0x3e, 0x9c, 0xe4, 0x4c, 0x13, 0x2a,
    0x8a, 0x11, 0x9d, 0x29, 0x6f, 0xae, 0x6a, 0x69, 0x99, 0xe9, 0xbf, 0x3e, 0x44, 0x71, 0xb0, 0xce,
    0x01, 0x24, 0x5d, 0x88, 0x94, 0x24, 0xc3, 0x1e, 0x89, 0x79, 0x3b, 0x3b, 0x1d, 0x6b, 0x15, 0x04,
];

/// Challenges that wait for evidence, each with what it was issued for.
///
/// When there are too many, the oldest goes: a flood must issue them all again within the time that an
/// honest client needs, where refusing new ones would need one flood per lifetime.
#[derive(Debug)]
pub struct Challenges<T> {
    open: HashMap<u32, Open<T>>,
    /// Every issued one by age. Used ones stay until they are at the front.
    by_age: VecDeque<(Instant, u32)>,
    most: usize,
    lifetime: Duration,
}

/// A challenge that waits for evidence.
#[derive(Debug)]
pub struct Open<T> {
    /// The challenge.
    pub nonce: [u8; CHALLENGE_SIZE],
    /// What it was issued for.
    pub purpose: T,
    issued: Instant,
}

impl<T> Challenges<T> {
    /// At most `most` at a time, each for `lifetime`.
    pub fn new(most: usize, lifetime: Duration) -> Self {
        Self {
            open: HashMap::new(),
            by_age: VecDeque::new(),
            most,
            lifetime,
        }
    }

    /// Issues `nonce` for `purpose`, under a random number that is not in use.
    pub fn issue(
        &mut self,
        nonce: [u8; CHALLENGE_SIZE],
        purpose: T,
        now: Instant,
        rng: &mut impl Rng,
    ) -> u32 {
        self.expire(now);
        while self.by_age.len() >= self.most {
            self.drop_oldest();
        }
        let mut id = rng.next_u32();
        while self.open.contains_key(&id) {
            id = id.wrapping_add(1);
        }
        self.by_age.push_back((now, id));
        let issued = now;
        self.open.insert(
            id,
            Open {
                nonce,
                purpose,
                issued,
            },
        );
        id
    }

    /// Takes the challenge `id` out of use, whatever comes of it.
    pub fn take(&mut self, id: u32, now: Instant) -> Option<Open<T>> {
        self.expire(now);
        self.open.remove(&id)
    }

    fn expire(&mut self, now: Instant) {
        let lifetime = self.lifetime;
        let old = |issued: Instant| now.saturating_duration_since(issued) >= lifetime;
        while self.by_age.front().is_some_and(|(issued, _)| old(*issued)) {
            self.drop_oldest();
        }
    }

    /// Drops the front of the line; a challenge that was used and issued anew under its number stays.
    fn drop_oldest(&mut self) {
        if let Some((issued, id)) = self.by_age.pop_front()
            && self.open.get(&id).is_some_and(|open| open.issued == issued)
        {
            self.open.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use getrandom::SysRng;
    use rand_core::UnwrapErr;

    const LIFETIME: Duration = Duration::from_secs(60);

    #[test]
    fn a_challenge_is_good_once() {
        let (mut challenges, now) = (Challenges::new(4, LIFETIME), Instant::now());
        let id = challenges.issue([1; 64], "a", now, &mut UnwrapErr(SysRng));
        assert_eq!(challenges.take(id, now).unwrap().purpose, "a");
        assert!(challenges.take(id, now).is_none());
    }

    #[test]
    fn a_challenge_expires() {
        let (mut challenges, now) = (Challenges::new(4, LIFETIME), Instant::now());
        let id = challenges.issue([1; 64], (), now, &mut UnwrapErr(SysRng));
        assert!(challenges.take(id, now + LIFETIME).is_none());
        assert_eq!(challenges.open.len(), 0);
    }

    #[test]
    fn too_many_push_out_the_oldest() {
        let (mut challenges, now) = (Challenges::new(4, LIFETIME), Instant::now());
        let ids: Vec<u32> = (0..1000)
            .map(|at| challenges.issue([1; 64], at, now, &mut UnwrapErr(SysRng)))
            .collect();
        assert!(challenges.open.len() <= 4 && challenges.by_age.len() <= 4);
        assert!(challenges.take(ids[0], now).is_none());
        assert_eq!(challenges.take(ids[999], now).unwrap().purpose, 999);
    }

    #[test]
    fn used_challenges_do_not_pile_up() {
        let (mut challenges, now) = (Challenges::new(4, LIFETIME), Instant::now());
        for at in 0..1000 {
            let id = challenges.issue([1; 64], at, now, &mut UnwrapErr(SysRng));
            assert_eq!(challenges.take(id, now).unwrap().purpose, at);
        }
        assert!(challenges.by_age.len() <= 4);
    }
}
