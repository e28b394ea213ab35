//! The boot argument `bounce=`.

use crate::parse_size;

/// What `bounce=` asks for: a size, `strict` or `packed`, or both with a comma between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounce {
    /// Bytes of the general region; what devices need without it.
    pub size: Option<u64>,
    /// Each slot has pages of its own.
    pub strict: bool,
}

impl Bounce {
    /// What to write instead of something else.
    pub const EXPECTED: &'static str =
        "a size, strict or packed, or SIZE,strict, such as 4M,strict";

    /// Reads the value of the argument; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bounce = Self::default();
        for word in text.split(',') {
            match word {
                "strict" => bounce.strict = true,
                "packed" => bounce.strict = false,
                size => bounce.size = Some(parse_size(size).ok()?),
            }
        }
        Some(bounce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_and_a_spacing_can_stand_alone_or_together() {
        let bounce = |size, strict| Some(Bounce { size, strict });
        assert_eq!(Bounce::parse("4M"), bounce(Some(4 << 20), false));
        assert_eq!(Bounce::parse("strict"), bounce(None, true));
        assert_eq!(Bounce::parse("4M,strict"), bounce(Some(4 << 20), true));
        assert_eq!(Bounce::parse("packed,4M"), bounce(Some(4 << 20), false));
        for bad in ["", "much", "4M,", "4M,loose"] {
            assert_eq!(Bounce::parse(bad), None, "{bad}");
        }
    }
}
