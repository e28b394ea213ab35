//! Fields of structures that the RMM writes.

use untrusted::Untrusted;

/// The `N` bytes at `at` of a structure, zeros where it ends.
pub(crate) fn rmm_field<const N: usize>(structure: &[u8], at: usize) -> Untrusted<[u8; N]> {
    let mut bytes = [0; N];
    for (byte, from) in bytes.iter_mut().zip(structure.iter().skip(at)) {
        *byte = *from;
    }
    Untrusted::from_host(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_past_the_end_is_zeros_from_there_on() {
        assert!(rmm_field(&[1, 2, 3], 1).is([2, 3]));
        assert!(rmm_field(&[1, 2, 3], 2).is([3, 0]));
        assert!(rmm_field(&[1, 2, 3], 9).is([0, 0]));
    }
}
