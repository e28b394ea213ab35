//! Sizes as people write them.

/// A text that is no size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeError;

impl core::fmt::Display for SizeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("not a size; write bytes, or 64K, 4M, 1G")
    }
}

/// Reads a size in bytes, with the suffixes `K`, `M` and `G` for powers of 1024.
///
/// # Errors
///
/// [`SizeError`] for anything else, and for what does not fit into 64 bits.
pub fn parse_size(text: &str) -> Result<u64, SizeError> {
    let shift = match text.as_bytes().last() {
        Some(b'K' | b'k') => 10,
        Some(b'M' | b'm') => 20,
        Some(b'G' | b'g') => 30,
        _ => 0,
    };
    let digits = if shift == 0 {
        Some(text)
    } else {
        text.get(..text.len() - 1)
    };
    let number: u64 = digits.ok_or(SizeError)?.parse().map_err(|_| SizeError)?;
    number.checked_mul(1 << shift).ok_or(SizeError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_suffixes_of_qemu() {
        assert_eq!(parse_size("4096"), Ok(4096));
        assert_eq!(parse_size("64k"), Ok(64 << 10));
        assert_eq!(parse_size("2M"), Ok(2 << 20));
        assert_eq!(parse_size("1G"), Ok(1 << 30));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "K", "-1", "1T", "2 M", "18446744073709551615G", "é"] {
            assert_eq!(parse_size(text), Err(SizeError), "{text}");
        }
    }
}
