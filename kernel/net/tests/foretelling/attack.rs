//! The generator of smoltcp, and how three of its numbers give all that follow.
//!
//! Its state has 64 bits, of which a number shows 32, and three others say which 32. Where those three
//! are 0, all but the low 29 bits are known; two such numbers in a row are a linear equation in two
//! short unknowns, which the reduction of a lattice of two dimensions solves at once. With one in
//! eight numbers of that kind, some hundred are far more than enough.

const MULTIPLIER: u64 = 0xbb2e_fcec_3c39_611d;
const INCREMENT: u64 = 0x7590_ef39;
/// Bits that a number does not show, if the three highest of the state are 0.
const HIDDEN: u32 = 29;

/// The generator.
#[derive(Clone, Copy)]
pub struct Generator(pub u64);

impl Generator {
    /// The next number.
    pub fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT);
        (self.0 >> (29 - (self.0 >> 61))) as u32
    }

    /// The next number of 16 bits.
    pub fn next_u16(&mut self) -> u16 {
        let number = self.next();
        (number ^ (number >> 16)) as u16
    }
}

/// Whether some number of `seen` could be foretold from those before it.
pub fn foretells(seen: &[u32]) -> bool {
    seen.windows(3).any(|three| {
        let state = recover(three[0], three[1]);
        state.is_some_and(|mut generator| generator.next() == three[2])
    })
}

/// The state after two numbers in a row, if the three highest bits of both states were 0.
fn recover(first: u32, second: u32) -> Option<Generator> {
    let high = |number| u64::from(number) << HIDDEN;
    // second = first * multiplier + increment, each with an unknown end of 29 bits.
    let known = high(first).wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT);
    let distance = high(second).wrapping_sub(known);
    let middle = 1 << (HIDDEN - 1);
    let (end, _) = closest((middle, i128::from(distance) + middle));
    let end = u64::try_from(end).ok().filter(|end| *end < 1 << HIDDEN)?;
    let mut generator = Generator(high(first) | end);
    (generator.next() == second).then_some(generator)
}

type Vector = (i128, i128);

/// The point closest to `target` of the lattice of all (x, x * multiplier mod 2^64).
fn closest(target: Vector) -> Vector {
    let (mut short, mut long): (Vector, Vector) = ((1, i128::from(MULTIPLIER)), (0, 1 << 64));
    loop {
        if norm(short) > norm(long) {
            (short, long) = (long, short);
        }
        let times = (dot(short, long) / norm(short)).round() as i128;
        if times == 0 {
            break;
        }
        long = (long.0 - times * short.0, long.1 - times * short.1);
    }
    let area = (short.0 * long.1 - short.1 * long.0) as f64;
    let shorts = (target.0 * long.1 - target.1 * long.0) as f64 / area;
    let longs = (short.0 * target.1 - short.1 * target.0) as f64 / area;
    let (shorts, longs) = (shorts.round() as i128, longs.round() as i128);
    (
        shorts * short.0 + longs * long.0,
        shorts * short.1 + longs * long.1,
    )
}

fn dot(one: Vector, other: Vector) -> f64 {
    one.0 as f64 * other.0 as f64 + one.1 as f64 * other.1 as f64
}

fn norm(vector: Vector) -> f64 {
    dot(vector, vector)
}
