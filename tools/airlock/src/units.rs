//! Sizes and times as a person writes them: `64M`, `30s`.

use std::time::Duration;

/// One mebibyte in bytes.
pub const MIB: u64 = 1 << 20;

/// Reads a size in bytes: a number, then `K`, `M`, `G` or nothing.
///
/// # Errors
/// A sentence that says what a size looks like.
pub fn size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.char_indices().last() {
        Some((at, 'K' | 'k')) => (&text[..at], 10),
        Some((at, 'M' | 'm')) => (&text[..at], 20),
        Some((at, 'G' | 'g')) => (&text[..at], 30),
        _ => (text, 0),
    };
    let number: Option<u64> = digits.parse().ok();
    number
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| format!("`{text}` is not a size; write it as 64M, 512K or 1G"))
}

/// Reads a time: a number, then `ms`, `s`, `m` or nothing for seconds.
///
/// # Errors
/// A sentence that says what a time looks like.
pub fn time(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit());
    let (digits, unit) = text.split_at(split.unwrap_or(text.len()));
    let scale = match unit {
        "ms" => Some(1),
        "s" | "" => Some(1000),
        "m" => Some(60_000),
        _ => None,
    };
    let number: Option<u64> = digits.parse().ok();
    number
        .zip(scale)
        .and_then(|(number, scale)| number.checked_mul(scale))
        .filter(|&milliseconds| milliseconds > 0)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("`{text}` is not a time; write it as 60s, 500ms or 2m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_unit() {
        assert_eq!(size("64M"), Ok(64 * MIB));
        assert_eq!(size("512"), Ok(512));
        assert_eq!(size("2g"), Ok(2048 * MIB));
    }

    #[test]
    fn a_size_that_is_none_is_refused_with_an_example() {
        for bad in ["", "M", "64X", "-1", "99999999999G", "6 4M"] {
            assert!(size(bad).unwrap_err().contains("64M"), "{bad}");
        }
    }

    #[test]
    fn times_are_read_with_their_unit() {
        assert_eq!(time("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(time("5"), Ok(Duration::from_secs(5)));
        assert_eq!(time("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(time("2m"), Ok(Duration::from_secs(120)));
    }

    #[test]
    fn no_time_at_all_is_refused() {
        for bad in ["", "0", "0s", "s", "1h", "1.5s"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
