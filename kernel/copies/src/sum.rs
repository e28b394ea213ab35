//! The sum of a checksum, by vectors.

#[cfg(all(target_arch = "aarch64", target_os = "none"))]
use crate::vectors::sum as sum_vectors;

/// The one's complement sum of `bytes` as big-endian words of 16 bits, the last one filled up with 0.
/// It is 0 only if all bytes are. At most 4 GiB.
///
/// Ref: RFC 1071, section 2: words of any length and byte order give the same sum.
pub fn ones_complement_sum(bytes: &[u8]) -> u16 {
    let (vectors, rest) = bytes.as_chunks::<16>();
    let mut last = [0; 16];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    let sum = fold(sum_vectors(vectors)) + fold(sum_vectors(&[last]));
    let sum = (sum & 0xffff) + (sum >> 16);
    u16::try_from(sum).unwrap_or(u16::MAX).to_be()
}

/// The one's complement sum of two.
pub fn ones_complement_add(one: u16, other: u16) -> u16 {
    let (sum, carry) = one.overflowing_add(other);
    // After a carry the sum is below the greatest.
    sum.wrapping_add(u16::from(carry))
}

/// Adds the halves until one is left.
fn fold(sum: u64) -> u64 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    (sum & 0xffff) + (sum >> 16)
}

/// The sum of all words of 32 bits, in the byte order of the CPU.
#[cfg(not(all(target_arch = "aarch64", target_os = "none")))]
fn sum_vectors(vectors: &[[u8; 16]]) -> u64 {
    let words = vectors.iter().flat_map(|vector| vector.as_chunks::<4>().0);
    words.map(|word| u64::from(u32::from_ne_bytes(*word))).sum()
}
