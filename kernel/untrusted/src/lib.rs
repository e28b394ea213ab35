//! What the host said, until somebody has checked it.
//!
//! Every function that reads a byte which the host controls gives an [`Untrusted`]: loads of shared
//! memory, device registers, answers to calls, the device tree. It has no operators and does not become
//! its value by itself. Each way out says what makes the value harmless: a check, a bound, a mask, a
//! comparison with what is known, or a reason why there is nothing to check.
//!
//! `cargo run -p xtask -- places` lists each place that calls such a function.
//!
//! ```
//! use untrusted::Untrusted;
//!
//! let length = Untrusted::from_host(4000_u32);
//! assert_eq!(length.at_most(2048), None);
//! ```
//!
//! ```compile_fail,E0369
//! use untrusted::Untrusted;
//!
//! let believed = Untrusted::from_host(4000_u32) + 1;
//! ```
#![no_std]
#![forbid(unsafe_code)]

/// A value that the host chose. It costs nothing: what is left of it in an image is its check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "what the host says is checked"]
#[repr(transparent)]
pub struct Untrusted<T>(T);

impl<T> Untrusted<T> {
    /// Marks what the host said.
    #[inline]
    pub const fn from_host(value: T) -> Self {
        Self(value)
    }

    /// What `check` makes of it.
    ///
    /// # Errors
    ///
    /// Those of `check`.
    #[inline]
    pub fn check<U, E>(self, check: impl FnOnce(T) -> Result<U, E>) -> Result<U, E> {
        check(self.0)
    }

    /// What `accept` makes of it; `None` if it is refused.
    #[inline]
    pub fn accept<U>(self, accept: impl FnOnce(T) -> Option<U>) -> Option<U> {
        accept(self.0)
    }

    /// Something else that is made of it and as little to be believed.
    #[inline]
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Untrusted<U> {
        Untrusted(change(self.0))
    }

    /// The value as it is, because whoever reads this place is ready for each that it can have. `why`
    /// tells readers; it is in no image.
    #[inline]
    pub fn any_value(self, why: &'static str) -> T {
        let _ = why;
        self.0
    }
}

impl<T: PartialEq> Untrusted<T> {
    /// Whether it is this one.
    #[inline]
    pub fn is(self, value: T) -> bool {
        self.0 == value
    }
}

impl<'a> Untrusted<&'a mut [u8]> {
    /// Bytes that are nothing to the kernel: it hands them on, and `judge` says who makes sense of them.
    #[inline]
    pub fn opaque(self, judge: &'static str) -> &'a mut [u8] {
        self.any_value(judge)
    }
}

macro_rules! words {
    ($($word:ty),*) => {$(
        impl Untrusted<$word> {
            /// The value, if it is `limit` at most.
            #[inline]
            pub fn at_most(self, limit: $word) -> Option<$word> {
                (self.0 <= limit).then_some(self.0)
            }

            /// The value, or `limit` if that is less.
            #[inline]
            pub fn capped(self, limit: $word) -> $word {
                self.0.min(limit)
            }

            /// Those of its bits that are in `bits`.
            #[inline]
            pub const fn masked(self, bits: $word) -> $word {
                self.0 & bits
            }

            /// Whether one of `bits` is set.
            #[inline]
            pub const fn has(self, bits: $word) -> bool {
                self.0 & bits != 0
            }
        }
    )*};
}

words!(u8, u16, u32, u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_out_through_its_check_alone() {
        let refused = Untrusted::from_host(7_u16).check(|v| if v < 7 { Ok(v) } else { Err(v) });
        assert_eq!(refused, Err(7));
        assert_eq!(
            Untrusted::from_host(7_u8).accept(|v| v.checked_sub(8)),
            None
        );
        assert_eq!(
            Untrusted::from_host(7_u8).accept(|v| v.checked_sub(7)),
            Some(0)
        );
        let mapped = Untrusted::from_host(7_u8).map(u32::from);
        assert!(mapped.is(7));
        assert_eq!(mapped.any_value("a test is ready for it"), 7);
    }

    #[test]
    fn limits_include_the_limit() {
        let said = Untrusted::from_host(16_u32);
        assert_eq!((said.at_most(16), said.at_most(15)), (Some(16), None));
        assert_eq!((said.capped(16), said.capped(15)), (16, 15));
    }

    #[test]
    fn bits_are_those_that_were_asked_for() {
        let said = Untrusted::from_host(0b1010_u8);
        assert_eq!(said.masked(0b0110), 0b0010);
        assert!(said.has(0b1100) && !said.has(0b0101));
    }

    #[test]
    fn what_nobody_looks_at_is_handed_on_as_it_is() {
        let mut bytes = [1, 2, 3];
        let said = Untrusted::from_host(&mut bytes[..]);
        assert_eq!(said.opaque("the test"), [1, 2, 3]);
    }
}
